"""What-ifs as files: what is refused, and the same answers wherever they are worked out."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from solver.check import violations
from solver.codes import (
    BedKind,
    Grade,
    Isolation,
    LegalBasis,
    PlanStatus,
    Sex,
    UnitKind,
)
from solver.commands.scenarios import answer
from solver.cost import profile
from solver.domain import Network
from solver.eligibility import misplaced, place
from solver.instance import InstanceError, network_from_json, network_to_json
from solver.planning import Limits, make_plan
from solver.scenarios import (
    Arrivals,
    CloseUnit,
    Comparison,
    Discharges,
    LongerStays,
    NewHospital,
    Outbreak,
    PolicyChange,
    Scenario,
    Step,
    answers_from_json,
    answers_to_json,
    outcome,
    scenarios_from,
    scenarios_from_json,
    scenarios_to_json,
)
from tests.solver.tiny_networks import (
    tiny_networks,
)
from tests.solver.what_ifs import CENTRE, asked, done, two_centres


@pytest.mark.parametrize(
    ("scenarios", "field"),
    [
        ([], "scenarios"),
        ("x", "scenarios"),
        ([{"name": "a", "steps": [{"step": "discharges", "days": 1}]}] * 2, "scenarios[1].name"),
        ([{"name": " ", "steps": []}], "scenarios[0].name"),
        ([{"name": "a", "steps": []}], "scenarios[0].steps"),
        ([{"name": "a", "steps": [], "x": 1}], "scenarios[0].x"),
        ([{"steps": []}], "scenarios[0].name"),
    ],
)
def test_a_list_of_scenarios_that_is_none_is_refused_with_its_path(scenarios: Any, field: str):
    with pytest.raises(InstanceError) as caught:
        scenarios_from(scenarios, "scenarios")
    assert caught.value.field == field


MEN = {"step": "arrivals", "basis": "compulsory", "grade": "G1", "sex": "male", "count": 1}


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ({}, "step"),
        ({"step": "close"}, "step"),
        ({"step": "close_unit"}, "unit"),
        ({"step": "close_unit", "unit": "w", "beds": 2}, "beds"),
        ({"step": "outbreak", "unit": "w", "route": "none", "people": 1}, "route"),
        ({"step": "outbreak", "unit": "w", "route": "plague", "people": 1}, "route"),
        ({"step": "outbreak", "unit": "w", "route": "contact", "people": 0}, "people"),
        ({**MEN, "count": 0}, "count"),
        ({**MEN, "count": True}, "count"),
        ({**MEN, "sex": None}, "sex"),
        ({**MEN, "grade": "G9"}, "grade"),
        ({**MEN, "needs": ["BED"]}, "needs[0]"),
        ({**MEN, "age": 151}, "age"),
        ({"step": "new_hospital", "beds": 0}, "beds"),
        ({"step": "new_hospital", "beds": 2, "kind": "PSC"}, "kind"),
        ({"step": "new_hospital", "beds": 2, "reserve": -1}, "reserve"),
        ({"step": "longer_stays", "kind": "CTH", "days": 0}, "days"),
        ({"step": "discharges", "days": 366}, "days"),
        ({"step": "change_policy", "policy": {}}, "policy"),
        ({"step": "change_policy", "policy": {"colour": 1}}, "policy.colour"),
        ({"step": "change_policy", "policy": {"version": "2"}}, "policy.version"),
        ({"step": "change_policy", "policy": {"move_budget": "few"}}, "policy.move_budget"),
    ],
)
def test_a_step_that_is_none_is_refused_with_the_path_of_its_field(
    step: dict[str, Any], field: str
):
    with pytest.raises(InstanceError) as caught:
        scenarios_from([{"name": "a", "steps": [step]}], "scenarios")
    assert caught.value.field == f"scenarios[0].steps[0].{field}"
    assert caught.value.way_out


@pytest.mark.parametrize("step", [CloseUnit("nowhere"), Outbreak("nowhere", Isolation.CONTACT, 1)])
def test_a_unit_that_the_network_does_not_have_is_refused_before_any_planning(step: Step):
    with pytest.raises(InstanceError) as caught:
        asked(two_centres(), Discharges(1), step)
    assert caught.value.field == "scenarios[0].steps[1].unit"
    assert caught.value.value == "nowhere"


def test_a_scenario_whose_invented_ids_the_network_has_is_refused():
    once = done(two_centres(), NewHospital(1))
    with pytest.raises(InstanceError) as caught:
        done(once, NewHospital(1))
    assert "name the scenario otherwise" in caught.value.way_out


EVERY = (
    CloseUnit(CENTRE, movable=True),
    Outbreak(CENTRE, Isolation.DROPLET, 1),
    Arrivals(LegalBasis.VOLUNTARY, Grade.G4, Sex.FEMALE, 2, frozenset({BedKind.NUR, BedKind.OBS})),
    NewHospital(3, position=(1.5, -2.0), features=frozenset({BedKind.OBS})),
    LongerStays(UnitKind.PSC, 3),
    Discharges(2, UnitKind.PSC),
    PolicyChange((("move_budget", 3), ("turnaround", timedelta(hours=3)))),
)


def test_every_step_is_read_as_it_was_written():
    every = (Scenario("every step 全部", EVERY), Scenario("b", EVERY[:1]))
    assert scenarios_from_json(scenarios_to_json(every)) == every


# All of it


def test_steps_are_done_one_after_the_other():
    made = done(two_centres(), EVERY[3], CloseUnit("if:what if:1.w1"), EVERY[4])
    assert made.units["if:what if:1.w1"].bases == frozenset()


def test_a_scenario_leaves_the_network_it_is_done_to_as_it_was():
    before = two_centres()
    text = network_to_json(before)
    done(before, *EVERY)
    assert network_to_json(before) == text


@settings(max_examples=25, deadline=None)
@given(tiny_networks())
def test_whatever_network_every_step_gives_one_that_can_be_read_and_planned(drawn: Network):
    steps: list[Step] = [
        *(CloseUnit(it, movable=True) for it in sorted(drawn.units)[:1]),
        *EVERY[2:],
    ]
    made = done(drawn, *steps)
    assert network_from_json(network_to_json(made)) == made
    plan, _ = make_plan(made)
    assert violations(made, plan) == ()
    counted = outcome(made, plan, today=drawn)
    assert sum(counted.unplaced) == counted.waiting == len(plan.unplaced)
    assert counted.placed + counted.waiting == len(made.requests)
    left = [it for it in made.stays if not it.on_leave]
    assert counted.misplaced_left <= len(left)
    still = {it.person: it.bed for it in left} | {
        it.person: it.to_bed for it in plan.moves if it.from_bed is not None
    }
    assert counted.misplaced_left == sum(
        bool(misplaced(profile(made, who).facts, place(made, bed))) for who, bed in still.items()
    )


def test_ten_scenarios_are_compared_in_one_call_in_the_order_asked():
    ten = tuple(
        Scenario(f"{n} arrive", (Arrivals(LegalBasis.COMPULSORY, Grade.G1, Sex.MALE, n),))
        for n in range(1, 11)
    )
    found = answer(two_centres(), ten, 0, Limits())
    assert [it.name for it in found.scenarios] == [it.name for it in ten]
    assert [it.outcome.waiting for it in found.scenarios] == [0, 0, 0, *range(1, 8)]
    assert {it.outcome.status for it in found.scenarios} == {PlanStatus.OPTIMAL}
    assert all(it.gap == 0 for one in found.scenarios for it in one.outcome.levels)
    assert found.today.status is PlanStatus.NOTHING_TO_DO


def test_answers_are_read_as_they_were_written_and_a_fault_is_named():
    found = answer(two_centres(), (Scenario("a", EVERY[:1]),), 0, Limits())
    text = answers_to_json(found)
    assert answers_from_json(text) == found
    broken = json.loads(text)
    del broken["scenarios"][0]["outcome"]["moves"]
    with pytest.raises(InstanceError) as caught:
        answers_from_json(json.dumps(broken))
    assert caught.value.field == "answers.scenarios[0].outcome.moves"


def timeless(found: Comparison) -> Comparison:
    """Without the seconds, which are the machine's."""
    return replace(
        found,
        today=replace(found.today, seconds=0.0),
        scenarios=tuple(
            replace(it, outcome=replace(it.outcome, seconds=0.0)) for it in found.scenarios
        ),
    )


def test_two_fresh_processes_give_the_same_answers_whatever_their_hash_seed(tmp_path: Path):
    (tmp_path / "network.json").write_text(network_to_json(two_centres()))
    asked_ = (Scenario("every step", EVERY), Scenario("fewer", EVERY[2:4]))
    (tmp_path / "scenarios.json").write_text(scenarios_to_json(asked_))
    found = []
    for seed in ("1", "2"):
        out = tmp_path / f"answers-{seed}.json"
        files = [tmp_path / "network.json", tmp_path / "scenarios.json", "--out", out]
        command = [sys.executable, "-m", "solver", "scenarios", *map(str, files)]
        run = subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        assert "today" in run.stdout
        found.append(timeless(answers_from_json(out.read_text())))
    assert found[0] == found[1]


def test_a_wrong_scenario_is_refused_on_the_command_line_and_nothing_is_written(tmp_path: Path):
    (tmp_path / "network.json").write_text(network_to_json(two_centres()))
    wrong = scenarios_to_json((Scenario("a", (CloseUnit("nowhere"),)),))
    (tmp_path / "scenarios.json").write_text(wrong)
    files = ["network.json", "scenarios.json", "--out", "answers.json"]
    command = [sys.executable, "-m", "solver", "scenarios", *files]
    root = str(Path(__file__).parents[2])
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2
    assert "scenarios[0].steps[0].unit" in run.stderr
    assert not (tmp_path / "answers.json").exists()
