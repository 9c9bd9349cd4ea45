"""The planner against every plan there is, on networks small enough to try them all.

Every level is compared, in order: the planner reaches the lexicographic optimum, and its bounds
say so. Where nothing can be tried out in full, the plan is still clean and never beats its bound.
"""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings

from solver.check import violations
from solver.codes import Grade, PlanStatus, UnitKind
from solver.domain import Bed, Network, Policy, Room
from solver.instance import plan_to_json
from solver.planning import make_plan
from solver.synthetic import city
from tests.solver.brute_force import best_levels
from tests.solver.tiny_networks import network, person, request, stay, tiny_networks, unit

# Traced, trying every plan takes three times as long; what it runs is covered by other tests.
pytestmark = pytest.mark.no_cover

PSC, OMW = UnitKind.PSC, UnitKind.OMW
ROOMY = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

BUDGET_OF_ONE = network(
    [unit("psc.w1"), unit("omw.w1", OMW)],
    [(Room("psc.w1.r1", "psc.w1"), 2), (Room("omw.w1.r1", "omw.w1"), 1)],
    [person("p0", grade=Grade.G3), person("p1"), person("p2")],
    [stay("p0", "psc.w1.r1.b1", OMW), stay("p1", "omw.w1.r1.b1", PSC)],
    [request("p2")],
    Policy(move_budget=1),
)
MORE_PEOPLE_THAN_STAFF = network(
    [unit("psc.w1"), unit("omw.w1", OMW, staffed_beds=1)],
    [(Room("psc.w1.r1", "psc.w1"), 2), (Room("omw.w1.r1", "omw.w1"), 2)],
    [person("p0"), person("p1"), person("p2", grade=Grade.G3)],
    [stay("p0", "omw.w1.r1.b1", PSC), stay("p1", "omw.w1.r1.b2", PSC)],
    [request("p2")],
)
ONE_OF_TWO_BEDS_CLOSED = network(
    [unit("psc.w1")],
    [(Room("psc.w1.r1", "psc.w1"), 2), (Room("psc.w1.r2", "psc.w1"), 1)],
    [person("p0"), person("p1"), person("p2")],
    [stay("p0", "psc.w1.r1.b1", PSC), stay("p1", "psc.w1.r1.b2", PSC)],
    [request("p2")],
    changed=[replace(Bed("psc.w1.r1.b1", "psc.w1.r1"), stale=True)],
)


@settings(ROOMY, max_examples=150)
@example(BUDGET_OF_ONE)
@example(MORE_PEOPLE_THAN_STAFF)
@example(ONE_OF_TWO_BEDS_CLOSED)
@given(tiny_networks())
def test_every_level_equals_the_best_of_all_plans(tiny: Network):
    plan, stats = make_plan(tiny)
    assert tuple(it.value for it in plan.levels) == best_levels(tiny)
    assert stats.dropped == 0


@settings(ROOMY, max_examples=60)
@given(tiny_networks(most_people=9, most_beds=14))
def test_any_networks_plan_is_clean_and_within_its_bounds(some: Network):
    plan, _ = make_plan(some)
    assert violations(some, plan) == ()
    assert all(it.bound <= it.value for it in plan.levels)
    proven = all(it.bound == it.value for it in plan.levels)
    assert (plan.status is PlanStatus.WITHIN_GAP) is not proven


@settings(ROOMY, max_examples=40)
@given(tiny_networks(most_people=6, most_beds=9))
def test_rows_in_another_order_give_the_same_plan(some: Network):
    turned = Network(
        now=some.now,
        on=some.on,
        facilities=dict(reversed(list(some.facilities.items()))),
        units=dict(reversed(list(some.units.items()))),
        rooms=dict(reversed(list(some.rooms.items()))),
        beds=dict(reversed(list(some.beds.items()))),
        persons=dict(reversed(list(some.persons.items()))),
        stays=some.stays[::-1],
        requests=some.requests[::-1],
        policy=some.policy,
    )
    assert plan_to_json(make_plan(turned)[0]) == plan_to_json(make_plan(some)[0])


def test_a_citys_plan_is_clean_and_proven_at_every_level():
    network_ = city(0)
    plan, stats = make_plan(network_)
    assert violations(network_, plan) == ()
    assert plan.status is PlanStatus.OPTIMAL
    assert [it.gap for it in plan.levels] == [0.0] * 5
    assert stats.dropped == 0
    assert len(plan.unplaced) < 40


def test_a_crowded_citys_plan_is_clean_and_proven_at_the_level_of_who_waits():
    crowded = city(1, occupancy=0.985)
    plan, _ = make_plan(crowded)
    assert violations(crowded, plan) == ()
    assert [it.gap for it in plan.levels[:2]] == [0.0] * 2
    assert plan.unplaced
