"""A network of several regions: who is planned where, one clean plan, and honest bounds."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from solver import synthetic
from solver.check import violations
from solver.codes import Grade, PlanStatus, UnitKind
from solver.cost import TERMS
from solver.domain import Network, Plan, Room
from solver.instance import network_from_json, network_to_json, plan_to_json
from solver.planning import make_plan
from solver.planning.nation import WorkerDiedError, plan_nation
from solver.planning.nation import run as nation_run
from solver.planning.nation.regions import network_of, regions
from tests.solver.brute_force import best_levels
from tests.solver.nations import apart
from tests.solver.tiny_networks import network, person, request, stay, tiny_networks, unit


@pytest.fixture(autouse=True, scope="module")
def small_regions():
    """Networks as small as a tiny one are planned by regions here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nation_run, "ONE_PLAN", 0)
        yield


def test_a_network_of_one_citys_size_is_planned_whole_however_far_its_places_lie(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(nation_run, "ONE_PLAN", 6_000)
    ill = person("p0", grade=Grade.G3)
    given = network(
        [unit("psc.w1"), unit("omw.w1", UnitKind.OMW)],
        [(Room("psc.w1.r1", "psc.w1"), 1), (Room("omw.w1.r1", "omw.w1"), 1)],
        [ill],
        [stay("p0", "psc.w1.r1.b1", UnitKind.OMW)],
    )
    far = {
        name: replace(it, position=(200.0 * i, 0.0))
        for i, (name, it) in enumerate(given.facilities.items())
    }
    given = replace(given, facilities=far)
    assert len(regions(given)) == 2
    plan, _ = plan_nation(given)
    assert [move.to_bed for move in plan.moves] == ["omw.w1.r1.b1"]
    assert plan.levels[0].value == 0


WARD = UnitKind.OMW


@cache
def two_cities() -> Network:
    return synthetic.city(3, occupancy=0.95, waiting=25, cities=2)


def ward(beds: int, *waiting: tuple[str, Grade, int], name: str = "omw") -> Network:
    """A ward of so many free beds; people of these grades have waited so many days."""
    return network(
        [unit(f"{name}.w1", WARD)],
        [(Room(f"{name}.w1.r1", f"{name}.w1"), beds)],
        [person(who, grade=grade, home=(0.0, 0.0)) for who, grade, _ in waiting],
        (),
        [request(who, days) for who, _, days in waiting],
    )


def given_beds(plan: Plan) -> dict[str, str]:
    return {it.person: it.to_bed for it in plan.moves}


def test_facilities_within_the_distance_cap_plan_together_and_those_beyond_apart() -> None:
    near, far = ward(1), ward(1)
    assert len(regions(apart(near, far, km=60.0))) == 1
    assert len(regions(apart(near, far, km=61.0))) == 2


def test_everybody_belongs_to_exactly_one_region() -> None:
    given_network = two_cities()
    parts = regions(given_network)
    for name in ("facilities", "units", "rooms", "beds"):
        found = sorted(it for part in parts for it in getattr(part, name))
        assert found == sorted(getattr(given_network, name))
    assert sorted(it.id for part in parts for it in part.requests) == sorted(
        it.id for it in given_network.requests
    )
    for part in parts:
        alone = network_of(given_network, part)
        assert network_from_json(network_to_json(alone)).beds.keys() == set(part.beds)


def test_one_region_is_planned_as_ever() -> None:
    one = ward(1, ("p1", Grade.G1, 1), ("p2", Grade.G3, 1))
    assert plan_nation(one)[0] == make_plan(one)[0]


def test_a_high_grade_of_one_region_gets_the_only_bed_of_another_before_its_low_grade() -> None:
    both = apart(ward(1, ("low", Grade.G1, 1)), ward(0, ("high", Grade.G3, 1)))
    plan, _ = plan_nation(both, workers=1)
    assert given_beds(plan) == {"b-high": "a-omw.w1.r1.b1"}
    assert [it.request for it in plan.unplaced] == ["a-rq_low"]
    assert violations(both, plan) == ()


def test_nobody_leaves_their_region_where_it_has_as_good_a_bed() -> None:
    both = apart(ward(2, ("p1", Grade.G1, 1)), ward(2, ("p2", Grade.G3, 1)))
    plan, _ = plan_nation(both, workers=1)
    assert given_beds(plan) == {"a-p1": "a-omw.w1.r1.b1", "b-p2": "b-omw.w1.r1.b1"}


def test_a_unit_that_declined_a_request_of_another_region_does_not_get_it() -> None:
    both = apart(ward(1), ward(0, ("p", Grade.G3, 1)))
    declined = replace(both.requests[0], declined_units=frozenset({"a-omw.w1"}))
    plan, _ = plan_nation(replace(both, requests=(declined,)), workers=1)
    assert plan.moves == ()


def test_the_move_budget_is_one_for_the_whole_network() -> None:
    def misplaced(name: str) -> Network:
        return network(
            [unit("psc.w1"), unit("omw.w1", WARD)],
            [(Room("psc.w1.r1", "psc.w1"), 1), (Room("omw.w1.r1", "omw.w1"), 1)],
            [person(name, grade=Grade.G3)],
            [stay(name, "psc.w1.r1.b1", WARD)],
        )

    both = apart(misplaced("p1"), misplaced("p2"))
    for budget in (0, 1, 2):
        tight = replace(both, policy=replace(both.policy, move_budget=budget))
        plan, _ = plan_nation(tight, workers=1)
        assert violations(tight, plan) == ()
        assert len(plan.moves) == budget
        assert plan.levels[0].value == plan.levels[0].bound


def test_two_cities_give_one_clean_plan_whose_upper_levels_are_near_their_bounds() -> None:
    plan, _ = plan_nation(two_cities(), workers=1)
    assert violations(two_cities(), plan) == ()
    assert all(it.bound <= it.value for it in plan.levels)
    assert all(it.gap <= 0.01 for it in plan.levels[:2])
    alone = [make_plan(network_of(two_cities(), it))[0] for it in regions(two_cities())]
    both = tuple(sum(it.levels[level].value for it in alone) for level in (0, 1))
    assert tuple(it.value for it in plan.levels[:2]) <= both


def test_the_number_of_workers_and_the_order_of_rows_never_change_the_plan() -> None:
    first, _ = plan_nation(two_cities(), workers=1)
    given_network = two_cities()
    shuffled = replace(
        given_network,
        facilities=dict(list(given_network.facilities.items())[::-1]),
        units=dict(list(given_network.units.items())[::-1]),
        rooms=dict(list(given_network.rooms.items())[::-1]),
        beds=dict(list(given_network.beds.items())[::-1]),
        persons=dict(list(given_network.persons.items())[::-1]),
        stays=given_network.stays[::-1],
        requests=given_network.requests[::-1],
    )
    second, _ = plan_nation(shuffled, workers=2)
    assert plan_to_json(first) == plan_to_json(second)


def test_a_stop_keeps_the_regions_planned_so_far_as_a_clean_plan() -> None:
    asked: list[bool] = []
    kept: list[Plan] = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 1

    plan, _ = plan_nation(two_cities(), workers=1, stop=stop, keep=kept.append)
    assert plan.status is PlanStatus.STOPPED
    assert violations(two_cities(), plan) == ()
    assert plan.moves
    assert kept[-1] == plan
    assert all(it.bound <= it.value for it in plan.levels)


def test_a_worker_that_dies_is_an_error_with_a_reason_and_no_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(nation_run, "make_plan", die)
    kept: list[Plan] = []
    with pytest.raises(WorkerDiedError, match="no plan was made"):
        plan_nation(two_cities(), workers=2, keep=kept.append)
    assert kept == []


def test_the_levels_settled_over_kinds_read_nothing_of_where_anybody_lives() -> None:
    located = {
        "profile.home",
        "profile.origin_unit",
        "seat.unit",
        "seat.facility",
        "seat.position",
        "seat.load",
        "seat.in_reserve",
    }
    assert not [it.name for it in TERMS if it.level < 4 and located & set(it.reads)]


def _sees(check: Callable[[Network], None]) -> Any:
    return settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))(check)


@_sees
@given(
    tiny_networks(most_people=2, most_beds=3, hurry=3),
    tiny_networks(most_people=2, most_beds=2, hurry=3),
)
def test_on_tiny_networks_no_bound_lies_above_the_best_of_all_plans(
    one: Network, other: Network
) -> None:
    both = apart(one, other)
    plan, _ = plan_nation(both, workers=1)
    assert violations(both, plan) == ()
    best = best_levels(both)
    values = tuple(it.value for it in plan.levels)
    assert values >= best
    for level, it in enumerate(plan.levels):
        if values[:level] == best[:level]:
            assert it.bound <= best[level]
