"""Plans made by hand, priced over HTTP: by term, by level, every violation by its name."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update

from service.access.caller import Role
from service.solving import solve
from service.store.engine import run
from service.store.tables import core
from service.workflow.plans import planning_runs
from solver.cost import LEVELS, TERMS, price, profile
from solver.eligibility import RULES_BY_ID, place, refusals
from solver.eligibility.registry import Language
from solver.instance import network_from_json
from tests.database import Server
from tests.service.planning.at_work import contents, ok, operations
from tests.service.planning.full_ward import CENTRE, RESIDENTS, WAITING, WARD, full_ward
from tests.service.planning.served_ward import ServedWard, served_ward

PRICE = "/api/v1/plans/price"
BACK = [
    {"person": RESIDENTS[0], "to_bed": f"{CENTRE}.r1.b1"},
    {"person": RESIDENTS[1], "to_bed": f"{CENTRE}.r1.b2"},
]
IN = [
    {"person": WAITING[0], "to_bed": f"{WARD}.r1.b1"},
    {"person": WAITING[1], "to_bed": f"{WARD}.r1.b2"},
]


@pytest.fixture(scope="module")
def served(
    server: Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedWard]:
    """A full ward, served; no test changes more of it than its planning runs."""
    with served_ward(server, template, tmp_path_factory.mktemp("ward")) as made:
        yield made


def priced(served: ServedWard, moves: list[dict[str, Any]], **more: Any) -> Any:
    return ok(served.coordinator("POST", PRICE, json={"moves": moves, **more}))


def broken(found: Any) -> set[str]:
    return {it["relation"] for it in found["violations"]}


def test_a_sound_plan_made_by_hand_costs_what_the_planner_would_pay_for_it(served: ServedWard):
    found = priced(served, BACK + IN)
    assert (found["clean"], found["violations"], found["unplaced"]) == (True, [], 0)
    assert found["run"] is None
    assert len(found["levels"]) == LEVELS
    assert found["levels"][:2] == [0, 0]
    assert found["levels"][3] == 2
    for level, value in enumerate(found["levels"]):
        assert value == sum(it["value"] for it in found["terms"] if it["level"] == level)
    assert [it["term"] for it in found["terms"]] == [it.name for it in TERMS]
    assert all(it["zh"] and it["en"] for it in found["terms"])
    moved = {it["person"]: it for it in found["moves"]}
    assert moved[WAITING[0]]["after"] == [moved[RESIDENTS[0]]["id"]]
    assert moved[WAITING[0]]["request"] == "rq_waiting1"
    assert moved[RESIDENTS[0]]["from_bed"] == f"{WARD}.r1.b1"


def test_no_move_at_all_is_a_plan_that_leaves_everybody_where_they_are(served: ServedWard):
    found = priced(served, [])
    assert (found["clean"], found["unplaced"], found["moves"]) == (True, 2, [])
    weight = next(it for it in found["terms"] if it["term"] == "waiting_unplaced")
    assert found["levels"] == [0, weight["value"], 0, 0, 0]
    assert weight["value"] == 2 * 40


@pytest.mark.parametrize(
    ("moves", "relations"),
    [
        # Nobody has left the bed.
        (IN[:1], {"capacity"}),
        (IN[:1] + BACK[:1], {"order_of_moves"}),
        ([*BACK, IN[0], {**IN[1], "to_bed": IN[0]["to_bed"]}], {"capacity"}),
        # The centre does not care for the grade that ward patients have.
        ([{**IN[0], "to_bed": f"{CENTRE}.r1.b1"}], {"eligibility"}),
        # Back from the ward without a reason, into a bed somebody else is given as well.
        ([BACK[0], {**BACK[1], "to_bed": BACK[0]["to_bed"]}], {"capacity"}),
        ([{**BACK[0], "reason": "right_a_misplaced"}], {"movability"}),
        ([{**BACK[0], "after": ["m-9"]}], {"order_of_moves"}),
        ([{**IN[0], "request": "rq_waiting2", "to_bed": f"{CENTRE}.r1.b3"}], {"movability"}),
    ],
)
def test_what_a_hand_made_plan_breaks_is_named_and_it_is_priced_all_the_same(
    served: ServedWard, moves: list[dict[str, Any]], relations: set[str]
):
    found = priced(served, moves)
    assert not found["clean"]
    assert relations <= broken(found)
    assert all(it["zh"] and it["en"] and it["detail"] for it in found["violations"])
    assert all(it["terms"] is not None for it in found["moves"])


def test_a_move_of_somebody_or_to_a_bed_unknown_is_a_violation_and_left_out_of_the_price(
    served: ServedWard,
):
    moves = [{"person": "p-nobody", "to_bed": f"{CENTRE}.r1.b3"}, *BACK, *IN]
    found = priced(served, moves)
    assert "movability" in broken(found)
    assert found["moves"][0]["terms"] is None
    assert found["levels"] == priced(served, BACK + IN)["levels"]
    nowhere = priced(served, [{**BACK[0], "to_bed": "nowhere"}])
    assert "availability" in broken(nowhere)


def test_a_violation_never_speaks_of_who_is_there(served: ServedWard):
    found = priced(served, IN[:1])
    assert not [it for it in RESIDENTS if it in str(found["violations"])]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_nothing_is_learned_of_a_resident_by_trying_them_against_beds_but_a_rules_name(
    served: ServedWard, language: Language
):
    network = full_ward()
    for person in RESIDENTS + WAITING:
        for bed in network.beds:
            found = priced(served, [{"person": person, "to_bed": bed}])["violations"]
            of_the_person = [it for it in found if it["relation"] == "eligibility"]
            no = refusals(profile(network, person).facts, place(network, bed))
            assert [it[language] for it in of_the_person] == [
                f"{it.rule} {RULES_BY_ID[it.rule].title(language)}" for it in no
            ]
            assert [it["detail"] for it in of_the_person] == [it["en"] for it in of_the_person]
            assert not [it for it in no if it.message(language) in str(found)]
            assert "doctor" not in str(found)


def test_a_resident_whom_no_statement_lets_move_is_not_movable_and_no_more_is_said(
    served: ServedWard,
):
    found = priced(served, [{"person": RESIDENTS[0], "to_bed": f"{WARD}.r1.b2"}])["violations"]
    shown = [it for it in found if it["relation"] == "movability" and len(it["subjects"]) == 2]
    assert [it["zh"] for it in shown] == [f"不具备调整条件：{RESIDENTS[0]}不得由方案调整到{WARD}"]
    assert [it["detail"] for it in shown] == [it["en"] for it in shown]


def test_pricing_writes_nothing_and_takes_no_key(served: ServedWard):
    before = contents(served.engine), operations(served.engine)
    headers = {"Authorization": f"Bearer {served.coordinator.key}"}
    body = {"moves": BACK + IN}
    answer = served.coordinator.client.request("POST", PRICE, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    priced(served, IN)
    assert (contents(served.engine), operations(served.engine)) == before


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.COORDINATOR}))
def test_only_a_coordinator_prices_plans(served: ServedWard, role: Role):
    assert served.holders[role]("POST", PRICE, json={"moves": []}).status_code == 403


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/moves"),
        ({"moves": [{"person": RESIDENTS[0]}]}, "/moves/0/to_bed"),
        ({"moves": [{**BACK[0], "cost": 1}]}, "/moves/0/cost"),
        ({"moves": [{**BACK[0], "reason": "because"}]}, "/moves/0/reason"),
        ({"moves": [BACK[0]] * 1001}, "/moves"),
        ({"moves": [], "run": ""}, "/run"),
    ],
)
def test_a_body_that_is_no_plan_is_refused_with_its_field(
    served: ServedWard, body: dict[str, Any], pointer: str
):
    answer = served.coordinator("POST", PRICE, json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_runs_own_moves_priced_on_its_snapshot_cost_what_the_run_says(served: ServedWard):
    asked = run(served.engine, planning_runs.request_run, served.ctx).id
    early = served.coordinator("POST", PRICE, json={"moves": [], "run": asked})
    assert (early.status_code, early.json()["code"]) == (409, "run-without-snapshot")
    taken = run(served.engine, planning_runs.take_up, served.ctx, asked)
    assert taken is not None
    planned = asyncio.run(solve(taken.snapshot, seed=0, limit_s=60)).plan
    with served.engine.begin() as conn:
        levels = [
            {"level": it.level, "value": it.value, "bound": it.bound} for it in planned.levels
        ]
        mine = core.planning_run.c.id == asked
        conn.execute(update(core.planning_run).where(mine).values(levels=levels))
    moves = [
        {
            "id": it.id,
            "person": it.person,
            "to_bed": it.to_bed,
            "request": it.request,
            "reason": it.reason.value,
            "after": list(it.after),
            "displaced_for": it.displaced_for,
        }
        for it in planned.moves
    ]
    found = priced(served, moves, run=asked)
    assert found["run"] == asked
    assert found["clean"]
    assert found["levels"] == found["run_levels"] == [it.value for it in planned.levels]
    network = network_from_json(taken.snapshot.decode())
    assert found["levels"] == list(price(network, planned).levels)
    worse = priced(served, moves[:-1], run=asked)
    assert worse["unplaced"] == 1
    assert worse["levels"][1] > found["levels"][1]


def test_a_run_that_is_none_is_not_found(served: ServedWard):
    answer = served.coordinator("POST", PRICE, json={"moves": [], "run": "pr_nobody"})
    assert (answer.status_code, answer.json()["code"]) == (404, "planning-run-not-found")
