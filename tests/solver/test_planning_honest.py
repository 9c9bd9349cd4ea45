"""Plans of crowded tiny networks against every plan there is, however the planner is starved.

A planner that looks at few columns, proves little or spares its helpers may find worse plans, but
never a dirty one and never a bound that is not one.
"""

import pytest
from hypothesis import HealthCheck, given, settings

from solver.check import violations
from solver.codes import PlanStatus
from solver.cost import price
from solver.domain import Network, Plan
from solver.planning import Limits, make_plan
from tests.solver.brute_force import best_levels, least_given
from tests.solver.crowded_networks import crowded_networks

# Traced, trying every plan takes three times as long; what it runs is covered by other tests.
pytestmark = pytest.mark.no_cover

ROOMY = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
ONE_COLUMN_AT_A_TIME = {
    "face._FEW": 1,
    "columns._ARCS_EACH": 1,
    "columns._AT_ONCE": 1,
    "columns._BLOCKS_AT_ONCE": 1,
}
PROVING_NOTHING = {"levels._EXACT": 0, "levels._SMALL": 0}
SPARING = {"run._MANY_HELPERS": -1}


def values(plan: Plan) -> tuple[int, ...]:
    return tuple(it.value for it in plan.levels)


def starved(network: Network, pools: dict[str, int], limits: Limits | None = None) -> Plan:
    """The plan of a planner whose pools are so small."""
    with pytest.MonkeyPatch.context() as patched:
        for name, size in pools.items():
            patched.setattr(f"solver.planning.{name}", size)
        plan, _ = make_plan(network, limits=limits)
    return plan


def honest(network: Network, plan: Plan) -> None:
    """Clean, priced as recounted, its status true and no bound above what can be had."""
    assert violations(network, plan) == ()
    assert values(plan) == price(network, plan).levels
    least = least_given(network, values(plan))
    for it in plan.levels:
        assert it.bound <= least[it.level] + 1e-6, (it, least)
    if plan.status is not PlanStatus.STOPPED:
        gap = any(it.value > it.bound for it in plan.levels)
        assert (plan.status is PlanStatus.WITHIN_GAP) is gap


@settings(ROOMY, max_examples=120)
@given(crowded_networks())
def test_every_level_of_a_crowded_networks_plan_is_the_best_there_is(tiny: Network):
    plan, stats = make_plan(tiny)
    assert violations(tiny, plan) == ()
    assert values(plan) == best_levels(tiny)
    assert all(it.bound <= it.value for it in plan.levels)
    assert stats.dropped == 0


@settings(ROOMY, max_examples=80)
@given(crowded_networks())
def test_one_column_at_a_time_leads_to_the_same_values(tiny: Network):
    assert values(starved(tiny, ONE_COLUMN_AT_A_TIME)) == best_levels(tiny)


@settings(ROOMY, max_examples=60)
@given(crowded_networks())
def test_a_planner_that_proves_nothing_whole_shows_no_bound_that_is_none(tiny: Network):
    honest(tiny, starved(tiny, {**ONE_COLUMN_AT_A_TIME, **PROVING_NOTHING}))


@settings(ROOMY, max_examples=60)
@given(crowded_networks())
def test_a_planner_that_spares_its_helpers_settles_the_first_two_levels_all_the_same(tiny: Network):
    plan = starved(tiny, SPARING)
    assert values(plan)[:2] == best_levels(tiny)[:2]
    honest(tiny, plan)
