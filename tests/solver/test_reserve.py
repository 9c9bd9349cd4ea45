"""A unit's last free beds are for the emergency lane: in one claim, in a ranking, in a plan."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from solver.check import conflicts, reserve_touched, violations
from solver.codes import Grade, Relation, UnitKind
from solver.domain import Network, Room
from solver.planning import make_plan
from solver.ranking import candidates
from tests.solver.brute_force import best_levels
from tests.solver.builders import a_network, a_person, a_request, a_stay, a_ward
from tests.solver.plans import a_move, broken, relations
from tests.solver.tiny_networks import network, person, request, stay, tiny_networks, unit

PSC, OMW = UnitKind.PSC, UnitKind.OMW


def ward(people: int, reserve: int, emergency: bool = False, **unit: Any) -> Network:
    """A hospital ward of four single rooms with so many people in it and one waiting."""
    living = [a_person(f"p-{i}", "constrained") for i in range(people)]
    waiting = a_person("p-new", "constrained")
    return a_network(
        a_ward(like="constrained", rooms=(1, 1, 1, 1), reserve=reserve, **unit),
        persons=[*living, waiting],
        stays=[a_stay(it.id, f"f-1.w1.r{i}.b1") for i, it in enumerate(living, 1)],
        requests=[a_request("p-new", emergency=emergency)],
    )


CASES = [
    # people, reserve, staffed, emergency, kept
    (0, 0, None, False, False),
    (3, 0, None, False, False),
    (2, 1, None, False, False),
    (3, 1, None, False, True),
    (3, 1, None, True, False),
    (1, 3, None, False, True),
    (0, 4, None, False, True),
    (0, 4, None, True, False),
    (1, 1, 2, False, True),
    (0, 1, 2, False, False),
]


@pytest.mark.parametrize(("people", "reserve", "staffed", "emergency", "kept"), CASES)
def test_the_last_free_beds_are_kept_for_emergencies(
    people: int, reserve: int, staffed: int | None, emergency: bool, kept: bool
):
    there = ward(people, reserve, emergency, staffed_beds=staffed)
    bed = "f-1.w1.r4.b1"
    wanted = {Relation.RESERVE} if kept else set()
    assert relations(conflicts(there, "p-new", bed)) == wanted
    assert broken(there, a_move(there, "p-new", bed)) == wanted
    ranking = candidates(there, "rq-p-new")
    assert bool(ranking.candidates) is not kept
    assert (Relation.RESERVE in dict(ranking.by_relation)) is kept
    (plan, _) = make_plan(there)
    assert bool(plan.moves) is not kept
    if kept:
        assert dict(plan.unplaced[0].by_rule)["reserve"] == 4 - people


def test_the_caller_may_say_that_somebody_comes_by_the_emergency_lane():
    there = ward(3, 1)
    assert relations(conflicts(there, "p-new", "f-1.w1.r4.b1", emergency=True)) == set()
    urgent = ward(3, 1, emergency=True)
    found = relations(conflicts(urgent, "p-new", "f-1.w1.r4.b1", emergency=False))
    assert found == {Relation.RESERVE}


def test_who_is_counted_in_the_unit_already_takes_no_reserve():
    there = ward(3, 1)
    assert not reserve_touched(there, "f-1.w1", "p-0")
    assert reserve_touched(there, "f-1.w1", "p-new")


def test_a_full_unit_is_full_and_not_reserved():
    assert relations(conflicts(ward(3, 1, staffed_beds=3), "p-new", "f-1.w1.r4.b1")) == {
        Relation.CAPACITY
    }


BOTH_WAIT = network(
    [unit("omw.w1", OMW, reserve=1)],
    [(Room(f"omw.w1.r{i}", "omw.w1"), 1) for i in (1, 2)],
    [person("p0", grade=Grade.G3), person("p1", grade=Grade.G3)],
    requests=[request("p0"), request("p1", emergency=True)],
)
ONE_LEAVES = network(
    [unit("psc.w1"), unit("omw.w1", OMW, reserve=1)],
    [(Room("psc.w1.r1", "psc.w1"), 2)] + [(Room(f"omw.w1.r{i}", "omw.w1"), 1) for i in (1, 2, 3)],
    [person("p0"), person("p1", grade=Grade.G3), person("p2", grade=Grade.G3)],
    [stay("p0", "omw.w1.r1.b1", PSC)],
    [request("p1"), request("p2", emergency=True)],
)


def test_a_plan_leaves_the_reserve_free_whichever_of_its_moves_is_approved_first():
    plan, _ = make_plan(BOTH_WAIT)
    assert [move.person for move in plan.moves] == ["p1"]
    usual = a_move(BOTH_WAIT, "p0", "omw.w1.r1.b1", id="m1")
    urgent = a_move(BOTH_WAIT, "p1", "omw.w1.r2.b1", id="m2")
    for moves in ((usual, urgent), (urgent, usual)):
        assert Relation.RESERVE in broken(BOTH_WAIT, *moves)


def test_a_departure_makes_room_beside_the_reserve():
    plan, _ = make_plan(ONE_LEAVES)
    assert {move.person for move in plan.moves} == {"p0", "p1", "p2"}
    (usual,) = (move for move in plan.moves if move.person == "p1")
    (leaving,) = (move for move in plan.moves if move.person == "p0")
    assert leaving.id in usual.after
    assert violations(ONE_LEAVES, plan) == ()


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(tiny_networks(most_people=4, most_beds=5, reserves=(1, 1, 2), hurry=2))
def test_with_reserves_everywhere_every_level_equals_the_best_of_all_plans(tiny: Network):
    plan, stats = make_plan(tiny)
    assert tuple(it.value for it in plan.levels) == best_levels(tiny)
    assert stats.dropped == 0
