"""Plans for tests: moves and figures that are true unless the test says otherwise."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from solver.check import Violation, violations
from solver.codes import Grade, Licence, MoveReason, PlanStatus, Relation, UnitKind
from solver.cost import move_terms, price
from solver.domain import LevelResult, Move, Network, Plan, Policy, Unplaced
from tests.solver.builders import NOW, a_network, a_person, a_request, a_stay, a_ward

OMW = frozenset({UnitKind.OMW})
PSC = frozenset({UnitKind.PSC})
NEXT_FIT = NOW + Policy().turnaround


LICENSED = frozenset({Licence.DRUG_TREATMENT})


def a_move(network: Network, person: str, to_bed: str, **changes: Any) -> Move:
    """A move whose origin, request, reason and terms are those of the network."""
    stay = network.stay_of.get(person)
    request = network.request_of.get(person)
    from_bed = stay.bed if stay else None
    move = Move(
        id=f"m-{person}",
        person=person,
        from_bed=from_bed,
        to_bed=to_bed,
        request=request.id if request else None,
        reason=MoveReason.PLACE_WAITING if request else MoveReason.MAKE_ROOM,
        terms=move_terms(network, person, from_bed, to_bed),
    )
    return replace(move, **changes)


def a_plan(network: Network, *moves: Move, unplaced: Iterable[str] | None = None) -> Plan:
    """A plan whose figures are true; whoever it does not place is named as unplaced."""
    placed = {move.request for move in moves}
    left = [it.id for it in network.requests if it.id not in placed]
    plan = Plan(
        moves=moves,
        unplaced=tuple(Unplaced(it, ()) for it in (left if unplaced is None else unplaced)),
        levels=(),
        status=PlanStatus.OPTIMAL,
        seed=0,
    )
    levels = price(network, plan).levels
    return replace(plan, levels=tuple(LevelResult(i, n, float(n)) for i, n in enumerate(levels)))


def relations(found: Iterable[Violation]) -> set[Relation]:
    return {it.relation for it in found}


def broken(network: Network, *moves: Move) -> set[Relation]:
    """The relations a plan of these moves breaks."""
    return relations(violations(network, a_plan(network, *moves)))


def the_ward(**changes: Any) -> Network:
    """A full off-site ward bed, its resident fit for the centre; somebody ill waits for it."""
    ward = a_ward(
        "f-2.w1",
        rooms=(1,),
        kind=UnitKind.OMW,
        level_of_care=Grade.G3,
        licences=LICENSED,
    )
    network = a_network(
        a_ward(rooms=(2,)),
        ward,
        persons=(a_person("p-fit"), a_person("p-ill", grade=Grade.G3)),
        stays=(a_stay("p-fit", "f-2.w1.r1.b1", may_move_to=PSC),),
        requests=(a_request("p-ill"),),
    )
    return replace(network, **changes)


def back_and_in(network: Network, **second: Any) -> tuple[Move, Move]:
    """The resident goes back to the centre, the ill person takes the bed."""
    first = a_move(network, "p-fit", "f-1.w1.r1.b1", displaced_for="rq-p-ill")
    then: dict[str, Any] = {"after": ("m-p-fit",), "ready_at": NEXT_FIT, **second}
    return first, a_move(network, "p-ill", "f-2.w1.r1.b1", **then)
