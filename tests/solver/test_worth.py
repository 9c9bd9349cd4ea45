"""What one more bed or staffed place buys: two plans compared, never a guess."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.codes import BedKind, Grade, Isolation, PlanStatus, Sex, UnitKind
from solver.commands.line import main
from solver.domain import Network, Room
from solver.eligibility import place
from solver.instance import network_to_json, plan_to_json
from solver.planning import Limits, make_plan
from solver.synthetic import city
from solver.worth import (
    Bought,
    MoreBed,
    Worth,
    with_one_more_bed,
    with_one_more_staffed,
    worth,
    worth_document,
    worth_lines,
)
from tests.solver.brute_force import best_levels
from tests.solver.builders import a_network, a_person, a_request, a_stay, a_ward
from tests.solver.planned import CENTRE, WARD
from tests.solver.tiny_networks import network, person, request, stay, tiny_networks, unit


def short_of_beds(staffed_beds: int | None = None) -> Network:
    """A centre ward of one bed, for which a G1 and a G2 wait."""
    return a_network(
        a_ward(rooms=(1,), staffed_beds=staffed_beds),
        persons=(a_person("p-1", grade=Grade.G1), a_person("p-2", grade=Grade.G2)),
        requests=(a_request("p-1"), a_request("p-2")),
    )


def test_one_more_bed_places_whom_todays_plan_leaves_out():
    found = worth(short_of_beds())
    assert (found.levels, found.unplaced, found.proven) == ((0, 13), (0, 1, 0, 0, 0, 0), True)
    (bed,) = found.beds
    assert (bed.units, bed.tried_in, bed.proven) == (("f-1.w1",), "f-1.w1", True)
    assert bed.bought == Bought((0, 13), (0, 1, 0, 0, 0, 0), 0)
    assert bed.kinds[0].bed_kind is BedKind.GEN
    assert found.staff == ()


def test_one_more_staffed_place_helps_where_staff_is_what_is_short():
    two = short_of_beds(staffed_beds=1)
    room = two.rooms["f-1.w1.r1"]
    beds = a_ward(rooms=(2,)).beds
    two = replace(two, rooms={room.id: room}, beds={it.id: it for it in beds})
    (staff,) = worth(two).staff
    assert (staff.unit, staff.bought.levels, staff.proven) == ("f-1.w1", (0, 13), True)
    enough = replace(two, units={"f-1.w1": replace(two.units["f-1.w1"], staffed_beds=2)})
    assert worth(enough) == Worth((0, 0), (0,) * 6, True, (), (), 1)


def test_a_bed_is_tried_that_only_frees_another():
    """Nobody who waits may go to the centre; the ward's resident may, and their bed is wanted."""
    given_network = network(
        [unit("psc.w1", CENTRE), unit("omw.w1", WARD)],
        [(Room("psc.w1.r1", "psc.w1"), 1), (Room("omw.w1.r1", "omw.w1"), 1)],
        [
            person("p0", grade=Grade.G1),
            person("p1", grade=Grade.G1),
            person("p2", grade=Grade.G3),
        ],
        [stay("p0", "psc.w1.r1.b1"), stay("p1", "omw.w1.r1.b1", CENTRE)],
        [request("p2")],
    )
    found = worth(given_network)
    assert {it.tried_in: it.bought.levels for it in found.beds} == {
        "psc.w1": (0, 41),
        "omw.w1": (0, 41),
    }


def test_what_nobody_left_out_could_use_is_not_tried():
    too_ill = a_network(
        a_ward(rooms=(1,)),
        a_ward("f-2.w1", rooms=(1,), sex=Sex.FEMALE),
        persons=(a_person(), a_person("p-2")),
        stays=(a_stay("p-2", "f-1.w1.r1.b1"),),
        requests=(a_request("p-1"),),
    )
    assert [it.units for it in worth(too_ill).beds] == [("f-1.w1",)]


def test_best_first_and_emergencies_before_all_others():
    given_network = network(
        [unit("psc.w1", CENTRE), unit("omw.w1", WARD)],
        [(Room("psc.w1.r1", "psc.w1"), 1), (Room("omw.w1.r1", "omw.w1"), 1)],
        [*(person(f"p{i}") for i in range(3)), person("p3", grade=Grade.G3)],
        [stay("p0", "psc.w1.r1.b1"), stay("p1", "omw.w1.r1.b1")],
        [request("p2", 9), request("p3", emergency=True)],
    )
    first, second = worth(given_network).beds
    assert (first.tried_in, first.bought.levels) == ("omw.w1", (401, 0))
    assert (second.tried_in, second.bought.levels) == ("psc.w1", (0, 21))


def test_a_misplaced_resident_left_is_righted_by_one_more_bed():
    left = network(
        [unit("psc.w1", CENTRE), unit("omw.w1", WARD)],
        [(Room("psc.w1.r1", "psc.w1"), 1), (Room("omw.w1.r1", "omw.w1"), 1)],
        [person("p0", grade=Grade.G3), person("p1", grade=Grade.G3)],
        [stay("p0", "psc.w1.r1.b1", WARD), stay("p1", "omw.w1.r1.b1")],
    )
    found = worth(left)
    assert found.levels == (40, 0)
    assert [(it.tried_in, it.bought) for it in found.beds] == [
        ("omw.w1", Bought((40, 0), (0,) * 6, 1))
    ]


def test_beyond_so_many_plans_nothing_is_tried_and_this_is_said():
    found = worth(short_of_beds(), most=1)
    assert (found.beds, found.plans, found.untried) == ((), 1, 1)
    assert worth_lines(found, "en")[-1] == "1 further additions were not tried"
    assert worth_lines(found, "zh")[-1] == "另有1种增设未试算"


@pytest.mark.parametrize("rooms", [(1,), (3,)])
def test_the_bed_added_is_of_the_same_kind_of_place_and_in_a_room_of_its_own(
    rooms: tuple[int, ...],
):
    given_network = short_of_beds(staffed_beds=1)
    wards = a_ward(rooms=rooms, room={"isolation": Isolation.AIRBORNE})
    given_network = replace(
        given_network,
        rooms={it.id: it for it in wards.rooms},
        beds={it.id: it for it in wards.beds},
    )
    like = wards.beds[0].id
    more = with_one_more_bed(given_network, like)
    (added,) = [it for it in more.beds if it not in given_network.beds and more.is_free(it)]
    assert place(more, added) == place(given_network, like)
    assert more.beds[added].room not in given_network.rooms
    assert more.staffed_beds["f-1.w1"] == given_network.staffed_beds["f-1.w1"] + 1
    again = with_one_more_bed(more, like)
    assert sum(again.is_free(it) for it in again.beds) == len(given_network.beds) + 2


@given(tiny_networks(most_people=4, most_beds=4), st.data())
@settings(max_examples=60)
def test_one_more_bed_or_place_never_makes_a_proven_optimum_worse(
    given_network: Network, data: st.DataObject
):
    bed = data.draw(st.sampled_from(sorted(given_network.beds)))
    unit_id = given_network.unit_of(bed).id
    limits = Limits(levels=2)
    today, _ = make_plan(given_network, limits=limits)
    for more in (
        with_one_more_bed(given_network, bed),
        with_one_more_staffed(given_network, unit_id),
    ):
        then, _ = make_plan(more, limits=limits)
        assert today.status is not PlanStatus.STOPPED
        assert then.status is not PlanStatus.STOPPED
        assert [it.value for it in then.levels[:2]] <= [it.value for it in today.levels[:2]]


@given(tiny_networks(most_people=3, most_beds=3))
@settings(max_examples=30)
def test_what_is_bought_is_the_difference_of_the_best_plans(given_network: Network):
    found = worth(given_network)
    before = best_levels(given_network)
    assert found.levels == before[:2]
    for it in found.beds:
        where = it.units if it.tried_in is None else (it.tried_in,)
        models = [bed for bed in given_network.beds if given_network.unit_of(bed).id in where]
        after = {best_levels(with_one_more_bed(given_network, bed))[:2] for bed in models}
        drops = {(before[0] - first, before[1] - second) for first, second in after}
        assert it.bought.levels in drops
    for more in found.staff:
        first, second, *_ = best_levels(with_one_more_staffed(given_network, more.unit))
        assert more.bought.levels == (before[0] - first, before[1] - second)


@given(tiny_networks(most_people=4, most_beds=3))
@settings(max_examples=30)
def test_a_bed_not_tried_would_have_bought_nothing(given_network: Network):
    found = worth(given_network)
    tried = {it.tried_in for it in found.beds if it.bought != Bought()}
    before, _ = make_plan(given_network, limits=Limits(levels=2))
    worthless = [
        unit_id
        for it in found.beds
        if it.bought == Bought()
        for unit_id in it.units
        if unit_id not in tried
    ]
    listed = {unit_id for it in found.beds for unit_id in it.units}
    for bed in sorted(given_network.beds):
        unit_id = given_network.unit_of(bed).id
        if unit_id in listed and unit_id not in worthless:
            continue
        then, _ = make_plan(with_one_more_bed(given_network, bed), limits=Limits(levels=2))
        assert [it.value for it in then.levels[:2]] == [it.value for it in before.levels[:2]]


@cache
def small_city() -> tuple[Network, Worth]:
    given_network = city(0, 0.97, waiting=30)
    return given_network, worth(given_network, most=3)


def test_a_city_is_told_the_same_whatever_the_order_of_its_rows():
    given_network, found = small_city()
    turned = replace(
        given_network,
        persons=dict(reversed(list(given_network.persons.items()))),
        beds=dict(reversed(list(given_network.beds.items()))),
        units=dict(reversed(list(given_network.units.items()))),
        stays=given_network.stays[::-1],
        requests=given_network.requests[::-1],
    )
    assert worth(turned, most=3) == found
    gains = [it.bought.levels for it in found.beds]
    assert gains == sorted(gains, reverse=True)
    assert gains[0] > (0, 0)
    assert found.proven


def test_the_words_name_kinds_units_and_grades_and_nobody():
    given_network, found = small_city()
    for language in ("zh", "en"):
        lines = worth_lines(found, language)
        assert len(lines) > 1
        assert not any(person_id in line for line in lines for person_id in given_network.persons)
        assert not any("_" in line for line in lines)
    document = worth_document(found)
    assert json.loads(json.dumps(document)) == document
    assert set(document["unplaced"]) == {"G0", "G1", "G2", "G3", "G4", "G5"}
    assert all(it["words"]["zh"] and it["words"]["en"] for it in document["beds"])


def test_words_of_one_bed_and_one_place():
    found = worth(short_of_beds())
    assert worth_lines(found, "en") == (
        "today: level 0 0, level 1 13; without a bed: G1 1",
        "one more general bed, a single room in a police-run centre caring up to G2, tried in "
        "unit f-1.w1: level 1 -13, placed G1 +1",
    )
    assert worth_lines(found, "zh")[1] == (
        "多一张公安强戒所的普通床、单人间（收治至G2级）（增设在f-1.w1试算）：第1层-13，安置G1 +1"
    )
    assert isinstance(found.additions[0], MoreBed)
    assert found.beds[0].kinds[0].unit_kind is UnitKind.PSC


def test_the_command_explains_one_request_and_what_a_bed_would_buy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    given_network = short_of_beds()
    paths = [tmp_path / "network.json", tmp_path / "plan.json", tmp_path / "why.json"]
    paths[0].write_text(network_to_json(given_network), encoding="utf-8")
    paths[1].write_text(plan_to_json(make_plan(given_network)[0]), encoding="utf-8")
    files = [str(it) for it in paths[:2]]
    assert main(["explain", *files, "--request", "rq-p-1", "--worth", "--out", str(paths[2])]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "p-1 (request rq-p-1): no bed in this plan"
    assert printed[-1].startswith("one more general bed")
    written = json.loads(paths[2].read_text(encoding="utf-8"))
    assert written["request"] == "rq-p-1"
    assert written["worth"]["beds"][0]["bought"]["levels"] == [0, 13]
    assert main(["explain", *files, "--person", "p-2", "--lang", "zh"]) == 0
    assert capsys.readouterr().out.startswith("p-2（申请rq-p-2）：f-1.w1的床位f-1.w1.r1.b1")
    assert main(["explain", *files]) == 0
    assert "1 moves, 1 without a bed, 0 left" in capsys.readouterr().out


@pytest.mark.parametrize("asked", [["--person", "p-9"], ["--request", "rq-9"]])
def test_the_command_refuses_to_explain_somebody_unknown(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    given_network = short_of_beds()
    paths = [tmp_path / "network.json", tmp_path / "plan.json"]
    paths[0].write_text(network_to_json(given_network), encoding="utf-8")
    paths[1].write_text(plan_to_json(make_plan(given_network)[0]), encoding="utf-8")
    assert main(["explain", *(str(it) for it in paths), *asked]) == 2
    assert capsys.readouterr().err.startswith(f'{asked[0]}: "{asked[1]}" - ')


def test_the_command_does_not_explain_a_plan_that_breaks_a_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    given_network = short_of_beds()
    plan, _ = make_plan(given_network)
    paths = [tmp_path / "network.json", tmp_path / "plan.json"]
    paths[0].write_text(network_to_json(given_network), encoding="utf-8")
    paths[1].write_text(plan_to_json(replace(plan, unplaced=())), encoding="utf-8")
    assert main(["explain", *(str(it) for it in paths)]) == 1
    printed = capsys.readouterr().out
    assert "every_request rq-p-1" in printed
    assert "is not explained" in printed
