"""What a room can be used for: who may share it, and what it takes to use it otherwise.

Only people of like *company* share a room: one sex, one isolation route, minors or adults,
custodial or consensual. Somebody to be isolated outside a cohort room is company to nobody. A
room somebody stays in for certain has that person's company; the others are open, and each use
of an open room says who may stay and which beds newcomers get.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from solver.codes import CUSTODIAL_BASES, BedState, Isolation
from solver.domain import Network, Person
from solver.eligibility.facts import ADULT_AGE

OWN_ROOM = ""
"""Company of a room with one bed: anybody's."""
ALONE = "alone"
"""Company of somebody who shares with nobody."""


def company(person: Person, cohort: bool) -> str:
    """With whom somebody may share a room: those of the same value, unless it is ``ALONE``."""
    route = person.need.route
    if (
        person.sex is None
        or not person.identified
        or route is Isolation.UNKNOWN
        or (route is not Isolation.NONE and not cohort)
    ):
        return ALONE
    age = "minor" if person.age < ADULT_AGE else "adult"
    status = "custodial" if person.basis in CUSTODIAL_BASES else "consensual"
    return f"{person.sex}|{age}|{status}|{route}"


@dataclass(frozen=True, slots=True)
class Use:
    """One way to use a room: its ``beds`` go to people of this ``company``; of the residents who
    may leave, those in ``stay`` may stay. No beds: as it is, with nobody new."""

    company: str
    beds: tuple[str, ...]
    stay: frozenset[str]


@dataclass(frozen=True, slots=True)
class RoomState:
    """A room now. ``usable``: beds free, or free once the resident who may leave has left.
    ``settled``: companies of those whose leaving cannot be waited for: they stay, or they are
    isolated and leave a room to disinfect. ``loose``: company of each other resident who may
    leave, by person. ``promised``: somebody not named here is promised a bed in it."""

    room: str
    unit: str
    cohort: bool
    single: bool
    usable: tuple[str, ...]
    settled: frozenset[str]
    loose: Mapping[str, str]
    promised: bool

    @property
    def open(self) -> bool:
        """Whether the room's use is a choice; otherwise ``uses`` gives exactly one."""
        if self.single:
            return False
        companies = frozenset(self.loose.values())
        if not self.settled and not self.promised:
            return bool(self.usable)
        return (
            not self.promised
            and len(self.settled) == 1
            and ALONE not in self.settled
            and not companies <= self.settled
        )

    @property
    def empty(self) -> bool:
        """Nobody lives here and nobody is promised a place."""
        return not self.settled and not self.loose and not self.promised


def room_states(network: Network, loose_beds: Mapping[str, str]) -> list[RoomState]:
    """Every room's state in id order; ``loose_beds`` names the person in each bed whose resident
    may leave."""
    states = []
    for room_id in sorted(network.rooms):
        room = network.rooms[room_id]
        beds = network.beds_of_room[room_id]
        usable, settled, loose = [], set(), {}
        promised = False
        for bed_id in beds:
            bed, stay = network.beds[bed_id], network.stay_in_bed.get(bed_id)
            promised = promised or bed.promised
            if bed.held_for is not None:
                settled.add(company(network.persons[bed.held_for], room.cohort))
            waits = bed_id in loose_beds and _leaves_a_usable_room(network, loose_beds[bed_id])
            if stay is not None:
                resident = network.persons[stay.person]
                if waits:
                    loose[resident.id] = company(resident, room.cohort)
                else:
                    settled.add(company(resident, room.cohort))
            fit = bed.state is BedState.IN_SERVICE and not bed.promised and bed.held_for is None
            if fit and (stay is None or waits):
                usable.append(bed_id)
        states.append(
            RoomState(
                room_id,
                room.unit,
                room.cohort,
                len(beds) == 1,
                tuple(usable),
                frozenset(settled),
                loose,
                promised,
            )
        )
    return states


def _leaves_a_usable_room(network: Network, person: str) -> bool:
    """A room left by somebody isolated needs terminal disinfection before anybody new."""
    return network.persons[person].need.route in (Isolation.NONE, Isolation.UNKNOWN)


def uses(state: RoomState, wanted: Collection[str], apart: Iterable[str]) -> tuple[Use, ...]:
    """The ways to use a room, the present one first.

    ``wanted``: companies anybody who could come here has; ``apart``: one bed of each kind the room
    has, for somebody who takes the room alone.
    """
    everybody = frozenset(state.loose)
    companies = set(state.loose.values())
    as_it_is = Use(ALONE, (), everybody)
    if state.single:
        return (Use(OWN_ROOM, state.usable, everybody),)
    if state.settled or state.promised:
        now = state.settled or companies
        if len(now) != 1 or ALONE in now:
            return (as_it_is,)
        (own,) = now
        if companies <= {own}:
            return (Use(own, state.usable, everybody),)
        if state.promised:
            return (as_it_is,)
        return (as_it_is, Use(own, state.usable, _of(state, own)))
    present = as_it_is
    if len(companies) == 1 and ALONE not in companies:
        present = Use(next(iter(companies)), state.usable, everybody)
    others = [
        Use(other, state.usable, _of(state, other))
        for other in sorted(wanted)
        if other not in (ALONE, present.company) and state.usable
    ]
    alone = [Use(ALONE, (bed,), frozenset()) for bed in apart] if ALONE in wanted else []
    return (present, *others, *alone)


def _of(state: RoomState, wanted: str) -> frozenset[str]:
    return frozenset(person for person, own in state.loose.items() if own == wanted)
