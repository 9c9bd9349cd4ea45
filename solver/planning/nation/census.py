"""Who and what there is, counted by kind: people, free beds, open rooms and staff.

``located`` false drops what only level 4 reads: home, origin, the unit's position, how full it
is. ``grouped`` then takes like units together, and a whole nation is a few hundred kinds. What
the kinds drop is dropped as a relaxation, so whatever holds for every arrangement of the kinds
holds for every plan of the network.
"""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import lru_cache

from solver.codes import UnitKind
from solver.cost import (
    LEVELS,
    Profile,
    Seat,
    left_terms,
    level_totals,
    misplaced_weight,
    profile,
    seat,
    waiting_weight,
)
from solver.domain import Network, Stay, Unit
from solver.eligibility.facts import ADULT_AGE
from solver.planning.people import Mobility, mobility_of
from solver.planning.rooms import RoomState, company, room_states, uses

FIRST_AGE_OF_CUSTODY = 16


@lru_cache(maxsize=1 << 17)
def stable(it: object) -> str:
    """A key to sort kinds by: the same in every process, which no set's own order is."""
    if isinstance(it, str):
        return str(it)
    if isinstance(it, int | float):
        return repr(float(it))
    if isinstance(it, frozenset):
        return f"{{{','.join(sorted(stable(part) for part in it))}}}"
    if isinstance(it, tuple):
        return f"({','.join(stable(part) for part in it)})"
    if is_dataclass(it):
        return f"<{','.join(stable(getattr(it, part.name)) for part in fields(it))}>"
    return repr(it)


@dataclass(frozen=True, slots=True)
class Home:
    """Where a resident lives, as far as it matters who may have the bed after them. ``slot``:
    the company the bed is for in a closed room (None: nobody new); ``room``: the kind of an open
    room the plan may use otherwise, where the bed is ``usable`` for others after them or not."""

    seat: Seat
    cohort: bool
    slot: str | None
    room: "RoomKind | None" = None
    usable: bool = True


@dataclass(frozen=True, slots=True)
class PersonKind:
    """Like people: ``remain`` is what one costs at levels 0 and 1 when left as they are."""

    profile: Profile
    companies: tuple[str, str]
    remain: tuple[int, int]
    waiting: bool
    kinds: frozenset[UnitKind] | None = None
    agreed: frozenset[str] | None = None
    barred: frozenset[str] = frozenset()
    home: Home | None = None


@dataclass(frozen=True, slots=True)
class RoomKind:
    """An open room: its beds as (seat, usable, company of the resident who may leave)."""

    cohort: bool
    settled: frozenset[str]
    beds: tuple[tuple[Seat, bool, str | None], ...]

    def state(self) -> RoomState:
        """A room of this kind, its beds and residents named by their number."""
        return RoomState(
            "",
            "",
            self.cohort,
            False,
            tuple(str(i) for i, (_, usable, _) in enumerate(self.beds) if usable),
            self.settled,
            {str(i): who for i, (_, _, who) in enumerate(self.beds) if who is not None},
            False,
        )


@dataclass(frozen=True, slots=True)
class Staff:
    """A unit's places for one more person: without and with its reserve, none below zero."""

    unit: str
    others: int
    emergencies: int


Slot = tuple[Seat, bool, str]
"""Like beds: seat, in a cohort room or not, and the company they are for."""


@dataclass
class Census:
    """The counts, people by id. ``settled``: what those nobody may move or place cost at levels 0
    and 1; ``leaving``: what the present places of all residents who may move cost, by level.
    """

    people: dict[PersonKind, list[str]] = field(default_factory=dict)
    free: Counter[Slot] = field(default_factory=Counter)
    rooms: Counter[RoomKind] = field(default_factory=Counter)
    staff: Counter[Staff] = field(default_factory=Counter)
    settled: tuple[int, int] = (0, 0)
    leaving: tuple[int, ...] = (0,) * LEVELS


class Kinds:
    """How people and places are reduced to kinds; the same for every region of a network."""

    def __init__(self, network: Network, located: bool) -> None:
        self.located = located
        ages = {0, FIRST_AGE_OF_CUSTODY, ADULT_AGE}
        for unit in network.units.values():
            ages |= {unit.min_age, unit.max_age + 1}
        self.ages = sorted(ages)

    def seat(self, network: Network, bed: str) -> Seat:
        """A bed of one of the regions."""
        found = seat(network, bed)
        if self.located:
            return found
        return Seat(
            found.place, found.unit, security=found.security, stale=found.stale, facility=""
        )

    def profile(self, network: Network, person: str) -> Profile:
        """A person; of their age only on which side of every limit it lies."""
        found = profile(network, person)
        age = self.ages[bisect_right(self.ages, found.facts.age) - 1]
        facts = replace(found.facts, age=age)
        return Profile(facts, found.home, found.origin_unit) if self.located else Profile(facts)


def unit_kind(unit: Unit) -> str:
    """The name of a kind of unit: everything but its name, facility, staff and reserve."""
    parts = []
    for it in fields(unit):
        if it.name in ("id", "facility", "staffed_beds", "reserve"):
            continue
        value = getattr(unit, it.name)
        parts.append(",".join(sorted(value)) if isinstance(value, frozenset) else str(value))
    return "|".join(parts)


def take(network: Network, kinds: Kinds) -> Census:
    """Count a region (or a whole network)."""
    return _Count(network, kinds).found


class _Count:
    def __init__(self, network: Network, kinds: Kinds) -> None:
        self.network, self.kinds, self.found = network, kinds, Census()
        self.seats: dict[str, Seat] = {}
        self.homes: dict[str, Home] = {}
        self.loose: dict[str, tuple[Stay, Mobility]] = {}
        for stay in network.stays:
            mobility = mobility_of(network, stay)
            if mobility is not None:
                self.loose[stay.person] = stay, mobility
        self.lived_in = {stay.bed: who for who, (stay, _) in self.loose.items()}
        for state in room_states(network, self.lived_in):
            self._room(state)
        for who in sorted({*self.loose, *network.request_of}):
            self._person(who)
        level0 = sum(
            misplaced_weight(network, it) for it in network.stays if it.person not in self.loose
        )
        self.found.settled = (self.found.settled[0] + level0, self.found.settled[1])
        self._staff()

    def _seat(self, bed: str) -> Seat:
        if bed not in self.seats:
            self.seats[bed] = self.kinds.seat(self.network, bed)
        return self.seats[bed]

    def _room(self, state: RoomState) -> None:
        usable, cohort = frozenset(state.usable), state.cohort
        lived_in = [bed for bed in self.network.beds_of_room[state.room] if bed in self.lived_in]
        if state.open:
            beds = [
                (self._seat(bed), bed in usable, state.loose.get(self.lived_in.get(bed, "")))
                for bed in sorted({*usable, *lived_in})
            ]
            kind = RoomKind(cohort, state.settled, tuple(sorted(beds, key=stable)))
            self.found.rooms[kind] += 1
            for bed in lived_in:
                room = kind if self.lived_in[bed] in state.loose else None
                here = bed in usable
                self.homes[bed] = Home(self._seat(bed), cohort, None, room, here)
            return
        (use,) = uses(state, (), ())
        for bed in use.beds:
            self.found.free[self._seat(bed), cohort, use.company] += 1
        for bed in lived_in:
            slot = use.company if bed in use.beds else None
            self.homes[bed] = Home(self._seat(bed), cohort, slot)

    def _person(self, who: str) -> None:
        network, request = self.network, self.network.request_of.get(who)
        left_at, left_waiting = 0, 0
        barred: frozenset[str] = frozenset()
        if request is not None:
            weight = waiting_weight(network, request)
            left_at = weight if request.emergency else 0
            left_waiting = 0 if request.emergency else weight
            barred = request.declined_units
        if who not in self.loose and who in network.stay_of:
            settled = self.found.settled
            self.found.settled = settled[0] + left_at, settled[1] + left_waiting
            return
        person = network.persons[who]
        mobility, home = Mobility(), None
        if who in self.loose:
            stay, mobility = self.loose[who]
            terms = left_terms(profile(network, who), seat(network, stay.bed), network.policy)
            here = zip(self.found.leaving, level_totals(terms), strict=True)
            self.found.leaving = tuple(a + b for a, b in here)
            left_at += misplaced_weight(network, stay)
            home = self.homes[stay.bed]
        kind = PersonKind(
            self.kinds.profile(network, who),
            (company(person, False), company(person, True)),
            (left_at, left_waiting),
            request is not None,
            mobility.kinds,
            mobility.agreed,
            barred,
            home,
        )
        self.found.people.setdefault(kind, []).append(who)

    def _staff(self) -> None:
        network = self.network
        for unit in network.units.values():
            spare = network.staffed_beds[unit.id] - network.people_in_unit[unit.id]
            self.found.staff[Staff(unit.id, max(0, spare - unit.reserve), max(0, spare))] += 1
