"""Where there is next to nothing to plan with, or no time for it, the plan says so honestly."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings

from solver.check import violations
from solver.codes import BedState, Grade, PlanStatus
from solver.cost import price
from solver.domain import Bed, Network, Plan, Room
from solver.planning import make_plan
from solver.synthetic import city
from tests.solver.planned import CENTRE, WARD, full_ward
from tests.solver.tiny_networks import network, person, request, stay, unit

ROOMY = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
STATUSES = {PlanStatus.OPTIMAL, PlanStatus.WITHIN_GAP, PlanStatus.STOPPED}
CITY = city(3, 0.97, waiting=80)


def honest(given_: Network, plan: Plan) -> Plan:
    """The plan, clean, priced as recounted and no bound above its value."""
    assert violations(given_, plan) == ()
    assert tuple(it.value for it in plan.levels) == price(given_, plan).levels
    assert all(it.bound <= it.value for it in plan.levels)
    return plan


def values(plan: Plan) -> tuple[int, ...]:
    return tuple(it.value for it in plan.levels)


def one_bed(*people: str, grade: Grade = Grade.G3, **bed: object) -> Network:
    room = Room("omw.w1.r1", "omw.w1")
    return network(
        [unit("omw.w1", WARD)],
        [(room, 1)],
        [person(it, grade=grade) for it in people],
        (),
        [request(it) for it in people],
        changed=[Bed("omw.w1.r1.b1", room.id, **bed)],  # type: ignore[arg-type]
    )


NOWHERE = network([], [], [person("p0")], (), [request("p0")])
ALL_PINNED = replace(
    full_ward(CENTRE), stays=tuple(replace(it, pinned=True) for it in full_ward(CENTRE).stays)
)
ENDS = [
    pytest.param(network([], [], []), PlanStatus.NOTHING_TO_DO, 0, 0, id="nothing at all"),
    pytest.param(one_bed(), PlanStatus.NOTHING_TO_DO, 0, 0, id="one bed, nobody waits"),
    pytest.param(one_bed("p0"), PlanStatus.OPTIMAL, 1, 0, id="one bed, one waits"),
    pytest.param(one_bed("p0", "p1"), PlanStatus.OPTIMAL, 1, 1, id="one bed, two wait"),
    pytest.param(NOWHERE, PlanStatus.OPTIMAL, 0, 1, id="no place whatever"),
    pytest.param(one_bed("p0", grade=Grade.G5), PlanStatus.OPTIMAL, 0, 1, id="no lawful place"),
    pytest.param(
        one_bed("p0", state=BedState.CLOSED), PlanStatus.OPTIMAL, 0, 1, id="the only bed closed"
    ),
    pytest.param(ALL_PINNED, PlanStatus.OPTIMAL, 0, 2, id="everybody pinned"),
    pytest.param(
        network(
            [unit("psc.w1")],
            [(Room("psc.w1.r1", "psc.w1"), 1)],
            [person("p0", grade=Grade.G3)],
            [stay("p0", "psc.w1.r1.b1", WARD)],
        ),
        PlanStatus.OPTIMAL,
        0,
        0,
        id="somebody misplaced whom nowhere can take",
    ),
]


@pytest.mark.parametrize(("given_", "status", "moves", "unplaced"), ENDS)
def test_where_little_can_be_done_the_status_says_what_was(
    given_: Network, status: PlanStatus, moves: int, unplaced: int
):
    if status is PlanStatus.OPTIMAL and not given_.requests and not moves:
        status = PlanStatus.NOTHING_TO_DO
    plan = honest(given_, make_plan(given_)[0])
    assert (plan.status, len(plan.moves), len(plan.unplaced)) == (status, moves, unplaced)
    assert all(it.gap == 0 for it in plan.levels)
