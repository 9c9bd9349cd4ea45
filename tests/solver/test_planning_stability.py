"""A plan made anew keeps what it can of the last one, and is never worse for having had one."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from solver.changes import ChangeKind, changes
from solver.check import violations
from solver.domain import Network, Plan, Request
from solver.planning import make_plan
from solver.synthetic import city
from tests.solver.brute_force import best_levels, fewest_changes
from tests.solver.crowded_networks import crowded_networks, last_plans
from tests.solver.tiny_networks import tiny_networks

# Traced, trying every plan takes three times as long; what it runs is covered by other tests.
pytestmark = pytest.mark.no_cover

ROOMY = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
CITY = city(4, 0.96, waiting=60)


def values(plan: Plan) -> tuple[int, ...]:
    return tuple(it.value for it in plan.levels)


def beds_given(plan: Plan) -> dict[str, str]:
    return {move.person: move.to_bed for move in plan.moves}


def lines(network: Network, last: Plan, plan: Plan) -> int:
    """How many people's lines of the answer say that something changed."""
    return sum(it.kind is not ChangeKind.KEPT for it in changes(network, last, plan))


@settings(ROOMY, max_examples=100)
@given(st.one_of(crowded_networks(), tiny_networks(most_people=6, most_beds=9)))
def test_with_nothing_changed_the_same_moves_are_proposed_again(some: Network):
    last, _ = make_plan(some)
    again, _ = make_plan(some, previous=last)
    assert again.moves == last.moves
    assert again == last
    assert lines(some, last, again) == 0


@settings(ROOMY, max_examples=100)
@given(st.data())
def test_with_one_arrival_as_little_changes_as_the_best_value_allows(data: st.DataObject):
    after = data.draw(crowded_networks())
    newcomers = sorted(it.id for it in after.requests if it.person not in after.stay_of)
    assume(newcomers)
    new = data.draw(st.sampled_from(newcomers))
    before = replace(after, requests=tuple(it for it in after.requests if it.id != new))
    last, _ = make_plan(before)
    plan, _ = make_plan(after, previous=last)
    assert values(plan) == best_levels(after)
    changed = {*beds_given(last).items()} ^ {*beds_given(plan).items()}
    assert len({who for who, _ in changed}) == fewest_changes(after, last)


@settings(ROOMY, max_examples=100)
@given(st.data())
def test_a_last_plan_that_makes_no_sense_costs_nothing(data: st.DataObject):
    some = data.draw(crowded_networks())
    last = data.draw(last_plans(some))
    plan, stats = make_plan(some, previous=last)
    assert violations(some, plan) == ()
    assert values(plan) == values(make_plan(some)[0])
    assert all(it.bound <= it.value for it in plan.levels)
    assert stats.dropped == 0


def test_moves_carried_out_since_are_not_proposed_again():
    last, _ = make_plan(CITY)
    done = {it.person: it for it in last.moves if it.from_bed is None and not it.after}
    assert len(done) > 5
    stays = tuple(
        replace(CITY.stays[0], id=f"st-{who}", person=who, bed=it.to_bed, may_move_to=frozenset())
        for who, it in done.items()
    )
    left = tuple(it for it in CITY.requests if it.person not in done)
    today = replace(CITY, stays=(*CITY.stays, *stays), requests=left)
    plan, _ = make_plan(today, previous=last)
    assert violations(today, plan) == ()
    assert not done.keys() & beds_given(plan).keys()
    assert values(plan) == values(make_plan(today)[0])


def test_a_city_planned_again_proposes_nothing_new():
    last, _ = make_plan(CITY)
    again, _ = make_plan(CITY, previous=last)
    assert again == last


def test_one_arrival_in_a_city_changes_at_most_ten_lines():
    placed = {it.request for it in make_plan(CITY)[0].moves}
    newest = max((it for it in CITY.requests if it.id in placed), key=lambda it: (it.since, it.id))
    others = tuple(it for it in CITY.requests if it.id != newest.id)
    last, _ = make_plan(replace(CITY, requests=others))
    arrived = replace(CITY, requests=(*others, Request(newest.id, newest.person, CITY.now)))
    plan, _ = make_plan(arrived, previous=last)
    assert values(plan) == values(make_plan(arrived)[0])
    assert newest.person in beds_given(plan)
    assert lines(arrived, last, plan) <= 10
