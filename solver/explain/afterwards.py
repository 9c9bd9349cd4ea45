"""The network once every move of a plan is carried out: which beds are free then, in which
company, behind which staff."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from solver.check import Occupant, claimants, occupant, room_relations
from solver.codes import BedKind, BedState, Isolation, Relation
from solver.cost import Seat, seat
from solver.domain import Bed, Move, Network, Plan, Room
from solver.eligibility import Place, place

Relations = tuple[Relation, ...]

_ROUTES = frozenset({Isolation.CONTACT, Isolation.DROPLET, Isolation.AIRBORNE})


@dataclass(slots=True)
class Row:
    """The beds of one room that are one place, by what becomes of them."""

    room: Room
    place: Place
    free: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    taken: int = 0
    out_of_use: int = 0
    to_disinfect: int = 0
    soonest: datetime | None = None

    @property
    def untaken(self) -> int:
        """How many beds are free, fresh or stale."""
        return len(self.free) + len(self.stale)

    @property
    def beds(self) -> int:
        """How many beds, whatever becomes of them."""
        kept = self.taken + self.out_of_use + self.to_disinfect
        return self.untaken + len(self.given) + kept


@dataclass(frozen=True, slots=True)
class Mate:
    """Somebody with a claim on a room afterwards; ``seen`` is what room rules read of them."""

    person: str
    seen: Occupant


class Afterwards:
    """A network and a plan of known ids; every bed is looked at once."""

    def __init__(self, network: Network, plan: Plan) -> None:
        self.network = network
        self.move_of = {move.person: move for move in plan.moves}
        self.arrivals: dict[str, Move] = {move.to_bed: move for move in plan.moves}
        self.departures = {it.from_bed for it in plan.moves if it.from_bed is not None}
        self.people = dict(network.people_in_unit)
        self._disinfect: set[str] = set()
        self._ordinary: set[str] = set()
        for move in plan.moves:
            self._carry_out(move)
        self.claims_of: dict[str, set[str]] = defaultdict(set)
        for stay in network.stays:
            self.claims_of[stay.person].add(network.unit_of(stay.bed).id)
        self._mates: dict[str, tuple[Mate, ...]] = {}
        self._seen: dict[str, Occupant] = {}
        self._broken: dict[tuple[Occupant, frozenset[Occupant], bool], Relations] = {}
        self._seats: dict[tuple[Place, str, bool], Seat] = {}
        self.rows_of_unit: dict[str, list[Row]] = {unit: [] for unit in sorted(network.units)}
        self.rows_of_place: dict[Place, list[Row]] = defaultdict(list)
        for room in sorted(network.rooms):
            for row in self._rows(network.rooms[room]):
                self.rows_of_unit[row.room.unit].append(row)
                self.rows_of_place[row.place].append(row)

    def spare(self, unit: str) -> int:
        """How many more people the unit's staff could look after, its reserve included."""
        return self.network.staffed_beds[unit] - self.people[unit]

    def kept(self, unit: str, emergency: bool) -> int:
        """How many staffed places the unit keeps from such a person: its reserve from whoever is
        no emergency, and from an emergency too where the plan brings anybody else, who may not
        come first and leave less than the reserve behind."""
        return 0 if emergency and unit not in self._ordinary else self.network.units[unit].reserve

    def seen(self, person: str) -> Occupant:
        """A person as a room-mate of no name, so that like people are equal."""
        known = self._seen.get(person)
        if known is None:
            known = replace(occupant(self.network.persons[person]), person="")
            self._seen[person] = known
        return known

    def mates(self, room: str) -> tuple[Mate, ...]:
        """Everybody with a claim on the room afterwards."""
        known = self._mates.get(room)
        if known is None:
            there = claimants(self.network, room)
            who = {bed: it for bed, it in there.items() if bed not in self.departures}
            for bed in self.network.beds_of_room[room]:
                if bed in self.arrivals:
                    who[bed] = self.arrivals[bed].person
            known = tuple(Mate(it, self.seen(it)) for it in sorted(set(who.values())))
            self._mates[room] = known
        return known

    def broken(self, me: Occupant, company: frozenset[Occupant], cohort: bool) -> Relations:
        """The relations somebody seen as this would break in such company."""
        key = (me, company, cohort)
        known = self._broken.get(key)
        if known is None:
            known = self._broken[key] = room_relations(me, company, cohort)
        return known

    def seat(self, row: Row, bed: str, stale: bool) -> Seat:
        """The bed as cost terms see it, at the snapshot, as the plan was priced."""
        key = (row.place, row.room.unit, stale)
        known = self._seats.get(key)
        if known is None:
            known = self._seats[key] = seat(self.network, bed, row.place)
        return known

    def _carry_out(self, move: Move) -> None:
        network = self.network
        there = network.unit_of(move.to_bed).id
        here = None if move.from_bed is None else network.unit_of(move.from_bed).id
        if here != there:
            self.people[there] += 1
            request = network.request_of.get(move.person)
            if request is None or not request.emergency:
                self._ordinary.add(there)
            if here is not None:
                self.people[here] -= 1
        if move.from_bed is not None and network.persons[move.person].need.route in _ROUTES:
            self._disinfect.add(network.beds[move.from_bed].room)

    def _rows(self, room: Room) -> Iterator[Row]:
        rows: dict[tuple[BedKind, frozenset[BedKind]], Row] = {}
        for bed_id in self.network.beds_of_room[room.id]:
            bed = self.network.beds[bed_id]
            if bed.held_for is not None:
                self.claims_of[bed.held_for].add(room.unit)
            row = rows.get((bed.kind, bed.features))
            if row is None:
                row = rows[bed.kind, bed.features] = Row(room, place(self.network, bed_id))
            self._add(row, bed)
        yield from rows.values()

    def _add(self, row: Row, bed: Bed) -> None:
        leaves = bed.id in self.departures
        stay = None if leaves else self.network.stay_in_bed.get(bed.id)
        if bed.id in self.arrivals:
            row.given.append(bed.id)
            return
        if stay is not None:
            row.taken += 1
        elif bed.state is not BedState.IN_SERVICE or bed.promised or bed.held_for is not None:
            row.out_of_use += 1
        elif row.room.id in self._disinfect:
            row.to_disinfect += 1
        else:
            (row.stale if bed.stale else row.free).append(bed.id)
            return
        if bed.promised or bed.held_for is not None or bed.state is BedState.CLOSING:
            return
        forecast = bed.expected_free
        if forecast is None and stay is not None and not stay.on_leave:
            forecast = stay.expected_end
        if forecast is not None and forecast >= self.network.now:
            row.soonest = forecast if row.soonest is None else min(row.soonest, forecast)
