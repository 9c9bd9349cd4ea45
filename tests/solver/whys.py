"""Why, found the slow way: every bed looked at for every person with the checker and the price."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from solver.check import claimants, conflicts, immovable, occupant, room_relations
from solver.codes import BedState, Isolation, Relation
from solver.cost import level_totals, move_terms, profile
from solver.domain import Move, Network, Plan, Request, Stay
from solver.eligibility import place, refusals

ROUTES = {Isolation.CONTACT, Isolation.DROPLET, Isolation.AIRBORNE}


def afterwards(network: Network, plan: Plan) -> Network:
    """The network with everybody where the plan puts them."""
    to = {move.person: move.to_bed for move in plan.moves}
    stays = [
        it if it.on_leave or it.person not in to else replace(it, bed=to[it.person])
        for it in network.stays
    ]
    residents = {it.person for it in network.stays if not it.on_leave}
    stays += [
        Stay(f"in-{person}", person, bed, network.now)
        for person, bed in to.items()
        if person not in residents
    ]
    return replace(network, stays=tuple(stays))


def contaminated(network: Network, plan: Plan) -> set[str]:
    """The rooms that somebody isolated leaves."""
    return {
        network.beds[move.from_bed].room
        for move in plan.moves
        if move.from_bed is not None and network.persons[move.person].need.route in ROUTES
    }


def unfit_for(network: Network, after: Network, plan: Plan, person: str, bed: str) -> str | None:
    """Why a lawful bed nobody has afterwards is not for this person; None when it is."""
    if not after.is_free(bed):
        return "not free"
    room = network.rooms[network.beds[bed].room]
    if room.id in contaminated(network, plan):
        return "to_disinfect"
    there = [it for it in claimants(after, room.id).values() if it != person]
    company = [occupant(network.persons[it]) for it in there]
    broken = room_relations(occupant(network.persons[person]), company, room.cohort)
    if broken:
        return broken[0].value
    found = {it.relation for it in conflicts(after, person, bed)}
    if Relation.CAPACITY in found:
        return "unstaffed"
    if Relation.RESERVE in found or kept_from_an_emergency(network, after, plan, person, room.unit):
        return Relation.RESERVE.value
    assert not found
    return None


def kept_from_an_emergency(
    network: Network, after: Network, plan: Plan, person: str, unit: str
) -> bool:
    """An emergency more may not eat into the reserve of a unit that the plan brings anybody else
    to, for those may not come first and leave less behind."""
    ordinary = any(
        network.unit_of(it.to_bed).id == unit
        and (it.from_bed is None or network.unit_of(it.from_bed).id != unit)
        and not profile(network, it.person).facts.emergency
        for it in plan.moves
    )
    stay = after.stay_of.get(person)
    if not ordinary or (stay is not None and after.unit_of(stay.bed).id == unit):
        return False
    left = after.staffed_beds[unit] - after.people_in_unit[unit]
    return left <= network.units[unit].reserve


def other_beds(network: Network, plan: Plan, move: Move) -> Iterator[tuple[tuple[int, ...], str]]:
    """Every other bed that is lawful for the person and stays free, with its price."""
    after = afterwards(network, plan)
    who = profile(network, move.person).facts
    stay = network.stay_of.get(move.person)
    request = network.request_by_id.get(move.request or "")
    for bed in network.beds:
        unit = network.unit_of(bed)
        if bed in (move.to_bed, move.from_bed) or refusals(who, place(network, bed)):
            continue
        if request is not None and unit.id in request.declined_units:
            continue
        if stay is not None and immovable(network, stay, unit):
            continue
        if unfit_for(network, after, plan, move.person, bed) is None:
            terms = move_terms(network, move.person, move.from_bed, bed)
            yield level_totals(terms), bed


def removed_beds(network: Network, plan: Plan, request: Request) -> Counter[str]:
    """How many beds each rule and cause keeps from a request; ``fits`` for those that none does."""
    after = afterwards(network, plan)
    given = {move.to_bed for move in plan.moves}
    who = profile(network, request.person).facts
    found: Counter[str] = Counter()
    for bed in network.beds:
        no = refusals(who, place(network, bed))
        found.update(it.rule for it in no)
        if no:
            continue
        if network.unit_of(bed).id in request.declined_units:
            found["declined"] += 1
        elif bed in given:
            found["given"] += 1
        elif bed in after.stay_in_bed:
            found["taken"] += 1
        elif network.beds[bed].state is not BedState.IN_SERVICE:
            found["out_of_use"] += 1
        else:
            found[unfit_for(network, after, plan, request.person, bed) or "fits"] += 1
    return found
