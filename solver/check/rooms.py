"""Who may share a room and a unit: one newcomer against whoever is there.

These rules are about several people. The planner has them a second time as constraints; here
they are plain Python, and nothing here imports the planner.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from solver.codes import CUSTODIAL_BASES, BedState, Isolation, Relation, Sex
from solver.domain import Network, Person
from solver.eligibility.facts import ADULT_AGE


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule about several people that does not hold. ``subjects``: the move, person, bed, room
    or unit concerned; never the people already there."""

    relation: Relation
    subjects: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Occupant:
    """What room-mates must know of each other: nothing but this, and only the rules read it.

    ``sex``: None for somebody not identified, of whom what was seen may be wrong. ``held``: under
    a compulsory term, as against everybody else.
    """

    person: str
    sex: Sex | None
    minor: bool
    isolation: Isolation
    held: bool


def occupant(person: Person) -> Occupant:
    """A person as a room-mate."""
    return Occupant(
        person.id,
        person.sex if person.identified else None,
        person.age < ADULT_AGE,
        person.need.route,
        person.basis in CUSTODIAL_BASES,
    )


def mix_key(sex: Sex | None, isolation: Isolation, person_id: str, cohort: bool) -> str:
    """The value two claims on one shared room must have in common while they overlap.

    The sex; in a cohort room the sex and the route; a key of one's own for an isolated person
    outside a cohort room, and for a sex or a route not yet known anywhere.
    """
    if sex is None:
        return f"alone:{person_id}"
    if isolation is Isolation.NONE:
        return sex.value
    if cohort and isolation is not Isolation.UNKNOWN:
        return f"{sex.value}:{isolation.value}"
    return f"alone:{person_id}"


def room_relations(
    newcomer: Occupant, others: Iterable[Occupant], cohort: bool
) -> tuple[Relation, ...]:
    """The relations a newcomer to a room would break with those who have a claim on it."""
    broken: set[Relation] = set()
    for other in others:
        if other.sex is not newcomer.sex or newcomer.sex is None:
            broken.add(Relation.ONE_SEX_PER_ROOM)
        if other.minor is not newcomer.minor:
            broken.add(Relation.MINORS_APART)
        if other.held is not newcomer.held:
            broken.add(Relation.CUSTODY_APART)
        if not _may_breathe_together(newcomer.isolation, other.isolation, cohort):
            broken.add(Relation.ISOLATION_EXCLUSIVITY)
    return tuple(sorted(broken))


def claimants(network: Network, room_id: str) -> dict[str, str]:
    """Bed and person of every claim on a room: stays, beds kept during leave, live holds."""
    found: dict[str, str] = {}
    for bed_id in network.beds_of_room[room_id]:
        stay = network.stay_in_bed.get(bed_id)
        held_for = network.beds[bed_id].held_for
        if stay is not None:
            found[bed_id] = stay.person
        elif held_for is not None:
            found[bed_id] = held_for
    return found


def fit_for_claim(network: Network, bed_id: str, person_id: str) -> str | None:
    """Why no claim for this person may be put on the bed, looking at the bed's own state and at
    promises and holds; None when one may. Who lies in it is another question."""
    bed = network.beds[bed_id]
    if bed.state is not BedState.IN_SERVICE:
        return f"bed {bed_id} is {bed.state.value}, not in service"
    if bed.promised:
        return f"bed {bed_id} is promised to a request that waits for its departure"
    if bed.held_for not in (None, person_id):
        return f"bed {bed_id} has a live hold for another request"
    return None


def conflicts(
    network: Network, person_id: str, bed_id: str, *, emergency: bool | None = None
) -> tuple[Violation, ...]:
    """Every relation this person would break by taking this bed now.

    ``emergency``: whether they come by the emergency lane, which the unit's reserve is for; None:
    as their waiting request says.

    The person's own claims are left out, so a hold can be looked at again before acceptance and
    a move inside a room can be judged. ``network`` may be one unit alone, read under lock; it
    must hold the newcomer and everybody with a claim there. Raises KeyError for unknown ids.
    """
    room = network.rooms[network.beds[bed_id].room]
    found: list[Violation] = []
    unfit = fit_for_claim(network, bed_id, person_id)
    if unfit is not None:
        found.append(Violation(Relation.AVAILABILITY, (bed_id,), unfit))
    there = claimants(network, room.id)
    stay = network.stay_in_bed.get(bed_id)
    if stay is not None and stay.person != person_id:
        found.append(Violation(Relation.CAPACITY, (bed_id,), f"bed {bed_id} is taken"))
    others = [occupant(network.persons[it]) for it in there.values() if it != person_id]
    for relation in room_relations(occupant(network.persons[person_id]), others, room.cohort):
        found.append(room_violation(relation, person_id, room.id))
    if staff_exceeded(network, room.unit, person_id):
        found.append(unit_violation(room.unit))
    elif reserve_touched(network, room.unit, person_id, emergency=emergency):
        found.append(reserve_violation(room.unit))
    return tuple(found)


def staff_exceeded(network: Network, unit_id: str, person_id: str) -> bool:
    """Whether one more person, this one, is more than the unit's staff can look after; whoever
    is counted there already is not one more."""
    if _counted(network, unit_id, person_id):
        return False
    return network.people_in_unit[unit_id] + 1 > network.staffed_beds[unit_id]


def reserve_touched(
    network: Network, unit_id: str, person_id: str, *, emergency: bool | None = None
) -> bool:
    """Whether one more person, this one, would take a place that the unit keeps for emergencies;
    an emergency may, and whoever is counted there already takes no other."""
    if emergency is None:
        request = network.request_of.get(person_id)
        emergency = request is not None and request.emergency
    reserve = network.units[unit_id].reserve
    if emergency or not reserve or _counted(network, unit_id, person_id):
        return False
    return network.people_in_unit[unit_id] + 1 > network.staffed_beds[unit_id] - reserve


def _counted(network: Network, unit_id: str, person_id: str) -> bool:
    for room_id in network.rooms_of_unit[unit_id]:
        for bed_id, who in claimants(network, room_id).items():
            stay = network.stay_in_bed.get(bed_id)
            if who == person_id and not (stay is not None and stay.on_leave):
                return True
    return False


def room_violation(relation: Relation, person_id: str, room_id: str) -> Violation:
    """A broken room relation, told without telling who else is there."""
    return Violation(
        relation, (person_id, room_id), f"{person_id} in room {room_id} breaks {relation.value}"
    )


def unit_violation(unit_id: str) -> Violation:
    """A unit asked to look after more people than it is staffed for."""
    return Violation(
        Relation.CAPACITY, (unit_id,), f"unit {unit_id} has no staffed bed for one more person"
    )


def reserve_violation(unit_id: str) -> Violation:
    """A unit asked to give a place it keeps for emergencies to somebody else."""
    return Violation(
        Relation.RESERVE, (unit_id,), f"unit {unit_id} keeps its last free beds for emergencies"
    )


def _may_breathe_together(one: Isolation, other: Isolation, cohort: bool) -> bool:
    """Isolated people share only a cohort room, only with their own known route."""
    if one is Isolation.NONE and other is Isolation.NONE:
        return True
    return cohort and one is other and one is not Isolation.UNKNOWN
