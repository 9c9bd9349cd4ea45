"""A plan the checker found clean, and the ward that two moves back to the centre solve."""

from solver.check import violations
from solver.codes import (
    Grade,
    LegalBasis,
    UnitKind,
)
from solver.domain import Network, Plan, Room
from solver.planning import make_plan
from tests.solver.tiny_networks import network, person, request, stay, unit

CENTRE, WARD, HOSPITAL = UnitKind.PSC, UnitKind.OMW, UnitKind.CTH
CONSTRAINED = LegalBasis.CONSTRAINED


def planned(given: Network) -> Plan:
    """The plan, which the checker has to find clean."""
    plan, stats = make_plan(given)
    assert violations(given, plan) == ()
    assert stats.dropped == 0
    return plan


def beds_given(plan: Plan) -> dict[str, str]:
    """Who gets which bed."""
    return {move.person: move.to_bed for move in plan.moves}


def full_ward(*to: UnitKind) -> Network:
    """A ward full of two people fit for the centre, which has room; two too ill for it wait."""
    return network(
        [unit("psc.w1"), unit("omw.w1", WARD)],
        [(Room("psc.w1.r1", "psc.w1"), 2), (Room("omw.w1.r1", "omw.w1"), 2)],
        [
            *(person(f"p{i}", grade=Grade.G1, origin_unit="psc.w1") for i in (0, 1)),
            *(person(f"p{i}", grade=Grade.G3) for i in (2, 3)),
        ],
        [stay("p0", "omw.w1.r1.b1", *to), stay("p1", "omw.w1.r1.b2", *to)],
        [request("p2"), request("p3")],
    )
