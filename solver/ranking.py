"""Which beds fit one person now, by cost, and every refusal for the rest.

Beds are looked at by distinct place and then by room, so 4,000 beds take milliseconds. What the
answer says about a refused bed never tells who is in it or next to it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from solver.check import Occupant, claimants, occupant, room_relations
from solver.codes import BedKind, BedState, Relation
from solver.cost import Profile, Seat, Terms, fit_terms, level_totals, profile_of, seat
from solver.domain import Bed, Network, Person, Room
from solver.eligibility import Facts, Place, Refusal, place, refusals

_KEPT = "_ranking_index"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A free, lawful and safe bed. ``alike``: how many more beds of its room are equally so."""

    bed: str
    unit: str
    facility: str
    terms: Terms
    levels: tuple[int, ...]
    alike: int = 0


@dataclass(frozen=True, slots=True)
class RefusedPlace:
    """Beds that the same rules refuse, with all of them: in which units, how many, how many of
    those free."""

    units: tuple[str, ...]
    bed_kind: BedKind
    beds: int
    free: int
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The answer to "where may this person go": best first.

    ``fitting`` counts every free bed that fits, shown or not. ``by_rule``: how many beds of the
    network each rule refuses. ``by_relation``: how many of the lawful beds are taken
    (``capacity``), not in service, held or promised (``availability``), or free in company that
    excludes it. ``declined``: the units that declined the request. ``expected``: when a lawful
    bed of each kind is next forecast to be free.
    """

    person: str
    request: str | None
    position: int
    candidates: tuple[Candidate, ...]
    fitting: int
    refused: tuple[RefusedPlace, ...]
    by_rule: tuple[tuple[str, int], ...]
    by_relation: tuple[tuple[Relation, int], ...]
    declined: tuple[str, ...]
    expected: tuple[tuple[BedKind, datetime], ...]


@dataclass(slots=True)
class _Row:
    """The beds of one room that are one place."""

    room: Room
    place: Place
    free: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    taken: int = 0
    unavailable: int = 0
    soonest: datetime | None = None

    @property
    def beds(self) -> int:
        """How many beds, whatever their state."""
        return len(self.free) + len(self.stale) + self.taken + self.unavailable


class NetworkIndex:
    """A network's beds grouped for ranking; built once per snapshot, see ``index_of``."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.rows: dict[Place, list[_Row]] = {}
        self.held_in: dict[str, set[str]] = {}
        self._mates: dict[str, tuple[Occupant, ...]] = {}
        self._seats: dict[tuple[Place, str, bool], Seat] = {}
        self.free_row: dict[str, _Row] = {}
        self._with_room: dict[Facts, list[_Row]] = {}
        for room_id in sorted(network.rooms):
            self._add_room(network.rooms[room_id])

    def mates(self, room: Room) -> tuple[Occupant, ...]:
        """Everybody with a claim on the room, as room-mates."""
        known = self._mates.get(room.id)
        if known is None:
            there = sorted(set(claimants(self.network, room.id).values()))
            known = tuple(occupant(self.network.persons[who]) for who in there)
            self._mates[room.id] = known
        return known

    def with_room(self, who: Facts) -> list[_Row]:
        """The rows with a free bed whose place is lawful for such a person."""
        known = self._with_room.get(who)
        if known is None:
            known = self._with_room[who] = [
                row
                for here, rows in self.rows.items()
                if (free := [row for row in rows if row.free or row.stale])
                and not refusals(who, here)
                for row in free
            ]
        return known

    def seat(self, row: _Row, bed_id: str, stale: bool) -> Seat:
        """The bed as cost terms see it."""
        key = (row.place, row.room.unit, stale)
        known = self._seats.get(key)
        if known is None:
            known = self._seats[key] = seat(self.network, bed_id, row.place)
        return known

    def _add_room(self, room: Room) -> None:
        rows: dict[tuple[BedKind, frozenset[BedKind]], _Row] = {}
        for bed_id in self.network.beds_of_room[room.id]:
            bed = self.network.beds[bed_id]
            alike = (bed.kind, bed.features)
            row = rows.get(alike)
            if row is None:
                row = rows[alike] = _Row(room, place(self.network, bed_id))
                self.rows.setdefault(row.place, []).append(row)
            self._add_bed(row, bed)

    def _add_bed(self, row: _Row, bed: Bed) -> None:
        stay = self.network.stay_in_bed.get(bed.id)
        if bed.held_for is not None:
            self.held_in.setdefault(bed.held_for, set()).add(row.room.unit)
        if self.network.is_free(bed.id):
            (row.stale if bed.stale else row.free).append(bed.id)
            self.free_row[bed.id] = row
            return
        if stay is not None:
            row.taken += 1
        else:
            row.unavailable += 1
        if bed.promised or bed.held_for is not None or bed.state is BedState.CLOSING:
            return
        forecast = bed.expected_free
        if forecast is None and stay is not None and not stay.on_leave:
            forecast = stay.expected_end
        # A forecast already past tells nothing.
        if forecast is not None and forecast >= self.network.now:
            row.soonest = forecast if row.soonest is None else min(row.soonest, forecast)


def index_of(network: Network) -> NetworkIndex:
    """The network's index, built on first use and kept beside its cached properties."""
    kept = vars(network)
    index = kept.get(_KEPT)
    if not isinstance(index, NetworkIndex):
        index = kept[_KEPT] = NetworkIndex(network)
    return index


def candidates(network: Network, request_id: str, limit: int = 20) -> Ranking:
    """Rank the free beds for a waiting request. Raises KeyError when no such request waits."""
    request = network.request_by_id[request_id]
    return rank_person(
        network,
        network.persons[request.person],
        emergency=request.emergency,
        declined_units=request.declined_units,
        request_id=request.id,
        limit=limit,
    )


def rank_person(
    network: Network,
    person: Person,
    *,
    emergency: bool = False,
    declined_units: Iterable[str] = (),
    request_id: str | None = None,
    limit: int = 20,
) -> Ranking:
    """Rank the free beds for anybody, whether the network knows them or not."""
    return _rank(
        index_of(network),
        person,
        profile_of(network, person, emergency=emergency),
        frozenset(declined_units),
        request_id,
        limit,
    )


def fits_free_bed(network: Network, person: Person, who: Facts, bed: str) -> bool:
    """Whether the bed is free, lawful and safe now for a person with these facts."""
    index = index_of(network)
    row = index.free_row.get(bed)
    if row is None or refusals(who, row.place):
        return False
    return bool(_fitting(index, person, [row], who.emergency)[0])


def free_beds(
    network: Network, person: Person, who: Facts, declined: Collection[str] = ()
) -> Iterator[int]:
    """How many beds are free, lawful and safe for a person with these facts, room by room,
    outside the units that declined; counted as far as it is asked."""
    index = index_of(network)
    for row in index.with_room(who):
        if row.room.unit not in declined and _fitting(index, person, [row], who.emergency)[0]:
            yield len(row.free) + len(row.stale)


def _rank(
    index: NetworkIndex,
    person: Person,
    who: Profile,
    declined: frozenset[str],
    request_id: str | None,
    limit: int,
) -> Ranking:
    lawful: list[_Row] = []
    refused: list[RefusedPlace] = []
    by_rule: Counter[str] = Counter()
    for here, rows in index.rows.items():
        no = refusals(who.facts, here)
        if not no:
            lawful += rows
            continue
        place_refused = _refused(here, rows, no)
        refused.append(place_refused)
        for it in no:
            by_rule[it.rule] += place_refused.beds
    offered = [row for row in lawful if row.room.unit not in declined]
    fits, by_relation = _fitting(index, person, offered, who.facts.emergency)
    found = _priced(index, who, fits)
    return Ranking(
        person=person.id,
        request=request_id,
        position=index.network.position,
        candidates=tuple(found[:limit]),
        fitting=sum(1 + it.alike for it in found),
        refused=tuple(refused),
        by_rule=tuple(sorted(by_rule.items())),
        by_relation=tuple(sorted((it, n) for it, n in by_relation.items() if n)),
        declined=tuple(sorted(declined)),
        expected=_expected(offered),
    )


def _refused(here: Place, rows: list[_Row], no: tuple[Refusal, ...]) -> RefusedPlace:
    return RefusedPlace(
        units=tuple(sorted({row.room.unit for row in rows})),
        bed_kind=here.bed_kind,
        beds=sum(row.beds for row in rows),
        free=sum(len(row.free) + len(row.stale) for row in rows),
        refusals=no,
    )


def _fitting(
    index: NetworkIndex, person: Person, rows: list[_Row], emergency: bool
) -> tuple[list[_Row], Counter[Relation]]:
    """The rows whose company and staff admit the person, and what keeps how many beds away."""
    network = index.network
    newcomer = occupant(person)
    stay = network.stay_of.get(person.id)
    counted_in = set(index.held_in.get(person.id, ()))
    if stay is not None:
        counted_in.add(network.unit_of(stay.bed).id)
    fits: list[_Row] = []
    kept: Counter[Relation] = Counter()
    for row in rows:
        kept[Relation.CAPACITY] += row.taken
        kept[Relation.AVAILABILITY] += row.unavailable
        free = len(row.free) + len(row.stale)
        if not free:
            continue
        mates = (it for it in index.mates(row.room) if it.person != person.id)
        broken = set(room_relations(newcomer, mates, row.room.cohort))
        unit = row.room.unit
        left = network.staffed_beds[unit] - network.people_in_unit[unit]
        if unit not in counted_in and left <= 0:
            broken.add(Relation.CAPACITY)
        elif unit not in counted_in and not emergency and left <= network.units[unit].reserve:
            broken.add(Relation.RESERVE)
        if not broken:
            fits.append(row)
        for relation in broken:
            kept[relation] += free
    return fits, kept


def _priced(index: NetworkIndex, who: Profile, rows: list[_Row]) -> list[Candidate]:
    """One candidate for each room and freshness, cheapest first, ties by bed id."""
    prices: dict[Seat, tuple[Terms, tuple[int, ...]]] = {}
    found: list[Candidate] = []
    for row, beds, stale in _groups(rows):
        there = index.seat(row, beds[0], stale)
        known = prices.get(there)
        if known is None:
            terms = fit_terms(who, there, index.network.policy)
            known = prices[there] = (terms, level_totals(terms))
        found.append(Candidate(beds[0], there.unit, there.facility, *known, len(beds) - 1))
    return sorted(found, key=lambda it: (it.levels, it.bed))


def _groups(rows: list[_Row]) -> Iterator[tuple[_Row, list[str], bool]]:
    for row in rows:
        if row.free:
            yield row, row.free, False
        if row.stale:
            yield row, row.stale, True


def _expected(rows: list[_Row]) -> tuple[tuple[BedKind, datetime], ...]:
    """The soonest forecast by bed kind."""
    soonest: dict[BedKind, datetime] = {}
    for row in rows:
        kind = row.place.bed_kind
        if row.soonest is not None:
            soonest[kind] = min(row.soonest, soonest.get(kind, row.soonest))
    return tuple(sorted(soonest.items()))
