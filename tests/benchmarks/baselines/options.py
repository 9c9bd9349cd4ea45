"""Who may go where: every person the plan may place or move, with every room that may take them.

Built from the checker's own questions (who is movable, which bed is fit for a claim, who may share
a room), so that nothing here is taken from the planner this is compared with.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from solver.check import claimants, fit_for_claim, immovable, mix_key, occupant
from solver.cost import (
    LEVELS,
    Profile,
    Seat,
    fit_terms,
    left_terms,
    level_totals,
    misplaced_weight,
    profile,
    seat,
    waiting_weight,
)
from solver.domain import Network, Stay
from solver.eligibility import eligible
from tests.benchmarks.baselines.ordering import ROUTES

Company = tuple[str, bool, bool]
"""People share a room when this is equal: sex and isolation, minor, held."""
_ALONE = "alone:"


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """One person in one room on one kind of bed there, and what it costs at each level against
    leaving them as they are. ``served``: a helper may be moved for it; ``helper``: has no reason
    of its own."""

    person: str
    room: str
    seat: Seat
    cost: tuple[int, ...]
    home_unit: str | None
    emergency: bool
    served: bool
    helper: bool

    @property
    def resident(self) -> bool:
        """Whether it moves somebody who lives in the network."""
        return self.home_unit is not None


@dataclass
class Options:
    """All of it, grouped as the model needs it. ``constant``: the cost of doing nothing."""

    constant: tuple[int, ...]
    beds: dict[tuple[str, Seat], tuple[str, ...]]
    leaver: dict[str, str]
    loose_in: dict[str, dict[str, Company]]
    all: list[Option] = field(default_factory=list)
    by_person: dict[str, list[Option]] = field(default_factory=lambda: defaultdict(list))
    into: dict[tuple[str, Seat], list[Option]] = field(default_factory=lambda: defaultdict(list))
    companies: dict[str, dict[Company, list[Option]]] = field(default_factory=dict)
    _to_unit: dict[str, list[Option]] = field(default_factory=lambda: defaultdict(list))
    _from_unit: dict[str, list[Option]] = field(default_factory=lambda: defaultdict(list))

    def add(self, it: Option, company: Company | None) -> None:
        """One more; ``company`` None where the room has one bed."""
        self.all.append(it)
        self.by_person[it.person].append(it)
        self.into[it.room, it.seat].append(it)
        if company is not None:
            self.companies.setdefault(it.room, {}).setdefault(company, []).append(it)
        if it.home_unit != it.seat.unit:
            self._to_unit[it.seat.unit].append(it)
            if it.home_unit is not None:
                self._from_unit[it.home_unit].append(it)

    def arriving(self, unit: str) -> list[Option]:
        """The options that bring somebody new to a unit."""
        return self._to_unit.get(unit, [])

    def departing(self, unit: str) -> list[Option]:
        """The options that take somebody out of a unit."""
        return self._from_unit.get(unit, [])

    def priced(self, chosen: Iterable[Option]) -> list[int]:
        """The levels when these are chosen."""
        total = list(self.constant)
        for it in chosen:
            total = [a + b for a, b in zip(total, it.cost, strict=True)]
        return total

    def targets(self, chosen: Iterable[Option]) -> Mapping[str, tuple[str, ...]]:
        """For each person moved, the beds one of which is theirs."""
        return {it.person: self.beds[it.room, it.seat] for it in chosen}


@dataclass(frozen=True)
class _Mover:
    person: str
    profile: Profile
    units: frozenset[str]
    stay: Stay | None
    remain: tuple[int, int]


def options_of(network: Network) -> Options:
    """Every option of a network."""
    movers = _movers(network)
    loose = {it.stay.bed: it.person for it in movers if it.stay is not None}
    beds, leaver = _usable(network, loose)
    rooms = {room: _Room(network, room, loose) for room, _ in beds}
    found = Options(_nothing_done(network), beds, leaver, {it: rooms[it].loose for it in rooms})
    by_seat: dict[Seat, list[str]] = defaultdict(list)
    for room, kind in beds:
        by_seat[kind].append(room)
    prices: dict[tuple[Profile, Seat], tuple[int, ...] | None] = {}
    for mover in movers:
        for kind, where in by_seat.items():
            if kind.unit not in mover.units:
                continue
            key = (mover.profile, kind)
            if key not in prices:
                lawful = eligible(mover.profile.facts, kind.place)
                terms = fit_terms(mover.profile, kind, network.policy) if lawful else ()
                prices[key] = level_totals(terms) if lawful else None
            there = prices[key]
            if there is not None:
                _add(network, found, mover, kind, there, [rooms[it] for it in where])
    return found


def _add(
    network: Network,
    found: Options,
    mover: _Mover,
    kind: Seat,
    there: tuple[int, ...],
    rooms: list["_Room"],
) -> None:
    cost, home = list(there), None
    cost[0] -= mover.remain[0]
    cost[1] -= mover.remain[1]
    own: tuple[str, Seat] | None = None
    if mover.stay is not None:
        here = seat(network, mover.stay.bed)
        home = here.unit
        own = (network.beds[mover.stay.bed].room, here)
        left = level_totals(left_terms(mover.profile, here, network.policy))
        cost = [a - b for a, b in zip(cost, left, strict=True)]
        cost[3] += 1
    served = mover.remain != (0, 0)
    request = network.request_of.get(mover.person)
    for room in rooms:
        if own == (room.id, kind):
            continue
        company = room.company(mover.person)
        if room.admits(company):
            it = Option(
                mover.person,
                room.id,
                kind,
                tuple(cost),
                home,
                request is not None and request.emergency,
                served or request is not None,
                request is None and not served and cost[2] >= 0,
            )
            found.add(it, None if room.single else company)


class _Room:
    """Who is in a room for certain, who may leave it, and whom it may admit."""

    def __init__(self, network: Network, room: str, loose: Mapping[str, str]) -> None:
        self.network, self.id = network, room
        self.cohort = network.rooms[room].cohort
        self.single = len(network.beds_of_room[room]) == 1
        self.loose: dict[str, Company] = {}
        self.settled: set[Company] = set()
        for bed, who in claimants(network, room).items():
            waits = loose.get(bed) == who and network.persons[who].need.route not in ROUTES
            if waits:
                self.loose[who] = self.company(who)
            else:
                self.settled.add(self.company(who))
        self.promised = any(network.beds[bed].promised for bed in network.beds_of_room[room])

    def company(self, person: str) -> Company:
        """With whom the person may share this room."""
        it = occupant(self.network.persons[person])
        return (mix_key(it.sex, it.isolation, it.person, self.cohort), it.minor, it.held)

    def admits(self, company: Company) -> bool:
        """Whether such a newcomer may come, once those who may leave have left. Whoever a bed is
        promised to is not known here: they are taken to be of the company there now."""
        if self.single:
            return True
        known = self.settled | (set(self.loose.values()) if self.promised else set())
        if self.promised and not known:
            return False
        alone = company[0].startswith(_ALONE)
        return known <= {company} and not (known and alone)


def _movers(network: Network) -> list[_Mover]:
    everywhere = frozenset(network.units)
    found = []
    for person in sorted({*network.request_of, *network.stay_of}):
        stay, request = network.stay_of.get(person), network.request_of.get(person)
        units = everywhere
        if stay is not None:
            if stay.pinned or not stay.may_move_to:
                continue
            units = frozenset(
                it.id for it in network.units.values() if not immovable(network, stay, it)
            )
        if request is not None:
            units -= request.declined_units
        if units:
            remain = [0 if stay is None else misplaced_weight(network, stay), 0]
            if request is not None:
                remain[not request.emergency] += waiting_weight(network, request)
            who = profile(network, person)
            found.append(_Mover(person, who, units, stay, (remain[0], remain[1])))
    return found


def _usable(
    network: Network, loose: Mapping[str, str]
) -> tuple[dict[tuple[str, Seat], tuple[str, ...]], dict[str, str]]:
    """The beds that are free, or free once their resident has left, by room and kind; and that
    resident, by bed. A bed whose resident is isolated waits for a disinfection."""
    found: dict[tuple[str, Seat], list[str]] = defaultdict(list)
    leaver: dict[str, str] = {}
    for bed in sorted(network.beds):
        if fit_for_claim(network, bed, "") is not None:
            continue
        stay = network.stay_in_bed.get(bed)
        if stay is not None:
            who = loose.get(bed)
            if who != stay.person or network.persons[who].need.route in ROUTES:
                continue
            leaver[bed] = who
        found[network.beds[bed].room, seat(network, bed)].append(bed)
    return {key: tuple(beds) for key, beds in found.items()}, leaver


def _nothing_done(network: Network) -> tuple[int, ...]:
    levels = [0] * LEVELS
    for request in network.requests:
        levels[not request.emergency] += waiting_weight(network, request)
    levels[0] += sum(misplaced_weight(network, stay) for stay in network.stays)
    return tuple(levels)
