"""The planner beside two others written without it: a dispatcher who serves in turn, and a model
of every person in every room. Neither may find a clean plan that is better; where the second is
proven and can be carried out whole, both have found the optimum and must agree.
"""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings

from solver.check import violations
from solver.codes import Grade, Isolation, Sex, UnitKind
from solver.domain import Facility, Network, Plan, Room
from solver.planning import make_plan
from tests.benchmarks.baselines import Effort, dispatch, solve_person_by_room
from tests.benchmarks.instances import part_of_a_city
from tests.solver.brute_force import best_levels
from tests.solver.planned import CENTRE, WARD, full_ward
from tests.solver.tiny_networks import network, person, request, stay, tiny_networks, unit

# Traced, the search for counter-examples takes three times as long.
pytestmark = pytest.mark.no_cover

PROVEN = Effort(seconds=10.0, workers=1)

ONE_ROOM_TWO_SEXES = network(
    [unit("psc.w1")],
    [(Room("psc.w1.r1", "psc.w1"), 2)],
    [person("p0"), person("p1", Sex.FEMALE)],
    requests=[request("p0", days=1), request("p1", days=3)],
)
EMERGENCY_BEHIND_A_RESERVE = network(
    [unit("omw.w1", WARD, reserve=1)],
    [(Room("omw.w1.r1", "omw.w1"), 3)],
    [person(f"p{i}", grade=Grade.G3) for i in range(3)],
    requests=[request("p0", 9), request("p1", 5), request("p2", 1, emergency=True)],
)
ISOLATED_LEAVES_A_ROOM = network(
    [unit("psc.w1"), unit("omw.w1", WARD)],
    [
        (Room("omw.w1.r1", "omw.w1", isolation=Isolation.AIRBORNE), 1),
        (Room("psc.w1.r1", "psc.w1"), 2),
    ],
    [person("p0", isolation=Isolation.CONTACT), person("p1", grade=Grade.G3)],
    [stay("p0", "psc.w1.r1.b1", UnitKind.OMW)],
    [request("p1")],
)


BOTH_COME_FROM_A_CENTRE = network(
    [
        *(unit(f"psc.w{i}") for i in (1, 2, 3)),
        unit("omw.w1", WARD),
        unit("omw.w2", WARD),
    ],
    [
        *((Room(f"psc.w{i}.r1", f"psc.w{i}"), 1) for i in (1, 2, 3)),
        (Room("omw.w1.r1", "omw.w1"), 2),
        (Room("omw.w2.r1", "omw.w2"), 1),
    ],
    [
        *(person(f"p{i}", grade=Grade.G3) for i in (0, 1)),
        *(person(f"p{i}") for i in (2, 3, 4)),
    ],
    [
        stay("p0", "psc.w3.r1.b1", WARD, agreed=frozenset({"omw.w1"})),
        stay("p1", "psc.w1.r1.b1", WARD, agreed=frozenset({"omw.w1"})),
        stay("p2", "omw.w1.r1.b1", CENTRE, agreed=frozenset({"psc.w2"})),
        stay("p3", "omw.w1.r1.b2", CENTRE, agreed=frozenset({"psc.w1"})),
        stay("p4", "omw.w2.r1.b1", CENTRE, agreed=frozenset({"psc.w3"})),
    ],
)
"""p1 and p3 change places through the bed p2 leaves, if p0 waits for the bed p3 leaves then."""

FAR = (30.0, 0.0)
ANOTHER_SEX_LEAVES = network(
    [unit("psc.w1"), unit("far.w1"), unit("psc.w2"), unit("omw.w1", WARD)],
    [
        (Room("psc.w1.r1", "psc.w1"), 1),
        (Room("far.w1.r1", "far.w1"), 1),
        (Room("psc.w2.r1", "psc.w2", Sex.FEMALE), 1),
        (Room("omw.w1.r1", "omw.w1"), 2),
        (Room("omw.w1.r2", "omw.w1"), 2),
    ],
    [
        person("p0", grade=Grade.G3),
        person("p1", home=(0.0, 0.0)),
        person("p2", grade=Grade.G3),
        person("p3", Sex.FEMALE),
        person("p4", Sex.FEMALE, grade=Grade.G3),
    ],
    [
        stay("p0", "psc.w1.r1.b1", WARD),
        stay("p1", "omw.w1.r1.b1", CENTRE, agreed=frozenset({"psc.w1", "far.w1"})),
        stay("p2", "omw.w1.r1.b2"),
        stay("p3", "omw.w1.r2.b1", CENTRE, agreed=frozenset({"psc.w2"})),
        stay("p4", "omw.w1.r2.b2"),
    ],
)
ANOTHER_SEX_LEAVES = replace(
    ANOTHER_SEX_LEAVES,
    facilities={**ANOTHER_SEX_LEAVES.facilities, "far": Facility("far", FAR)},
)
"""p0 and p1 cannot change places: what p3 leaves is no man's bed. p1 has to go far."""


def values(plan: Plan) -> tuple[int, ...]:
    return tuple(it.value for it in plan.levels)


@settings(max_examples=100)
@example(ONE_ROOM_TWO_SEXES)
@example(EMERGENCY_BEHIND_A_RESERVE)
@given(tiny_networks(most_people=6, most_beds=8))
def test_serving_in_turn_is_lawful_and_never_better_than_the_plan(tiny: Network):
    in_turn = dispatch(tiny)
    assert violations(tiny, in_turn) == ()
    assert all(move.request is not None for move in in_turn.moves)
    assert values(make_plan(tiny)[0]) <= values(in_turn)


@settings(max_examples=100)
@example(ONE_ROOM_TWO_SEXES)
@example(EMERGENCY_BEHIND_A_RESERVE)
@example(ISOLATED_LEAVES_A_ROOM)
@example(full_ward(CENTRE))
@given(tiny_networks(most_people=6, most_beds=8))
def test_a_model_of_every_person_in_every_room_agrees_with_the_plan(tiny: Network):
    answer, (plan, _) = solve_person_by_room(tiny, PROVEN), make_plan(tiny)
    assert violations(tiny, answer.plan) == ()
    assert answer.proven == 4
    assert answer.levels <= values(plan) <= values(answer.plan)
    if not answer.dropped:
        assert values(plan) == values(answer.plan)


@pytest.mark.parametrize("tight", [BOTH_COME_FROM_A_CENTRE, ANOTHER_SEX_LEAVES])
def test_two_who_change_places_are_moved_where_an_order_exists(tight: Network):
    answer = solve_person_by_room(tight, PROVEN)
    assert values(make_plan(tight)[0]) == best_levels(tight) <= values(answer.plan)


def test_a_full_ward_that_two_moves_free_is_where_serving_in_turn_falls_short():
    ward = full_ward(CENTRE)
    in_turn, answer = dispatch(ward), solve_person_by_room(ward, PROVEN)
    assert len(in_turn.unplaced) == 2
    assert (answer.dropped, answer.plan.unplaced) == (0, ())
    assert values(make_plan(ward)[0]) == values(answer.plan) < values(in_turn)


def test_an_emergency_is_served_before_whoever_asked_earlier():
    in_turn = dispatch(EMERGENCY_BEHIND_A_RESERVE)
    assert [move.person for move in in_turn.moves] == ["p2", "p0"]
    assert [it.request for it in in_turn.unplaced] == ["rq_p1"]


def test_moves_that_only_wait_for_each_other_are_dropped_and_counted():
    swap = network(
        [unit("psc.w1"), unit("omw.w1", WARD)],
        [(Room("psc.w1.r1", "psc.w1"), 1), (Room("omw.w1.r1", "omw.w1"), 1)],
        [person("p0", grade=Grade.G3), person("p1")],
        [stay("p0", "psc.w1.r1.b1", WARD), stay("p1", "omw.w1.r1.b1", CENTRE)],
    )
    answer = solve_person_by_room(swap, PROVEN)
    assert (answer.dropped, answer.plan.moves) == (2, ())
    assert answer.levels[0] == 0 < values(answer.plan)[0] == values(make_plan(swap)[0])[0]


@pytest.mark.parametrize(("seed", "occupancy"), [(0, 0.97), (3, 0.99)])
def test_no_better_plan_is_found_for_a_part_of_a_city(seed: int, occupancy: float):
    part = part_of_a_city(seed, occupancy).network
    answer = solve_person_by_room(part, Effort(seconds=1.5, workers=2))
    assert violations(part, answer.plan) == ()
    assert values(make_plan(part)[0]) <= values(answer.plan)
