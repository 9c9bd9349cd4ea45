"""Why somebody gets no bed in a plan: how many beds each rule or relation took away."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from solver.check import Occupant, claimants, occupant, room_relations
from solver.codes import Relation
from solver.cost import profile
from solver.domain import Network, Request, Room, Unplaced
from solver.eligibility import RULES, Facts, Place, Rule, evaluate, place, refusals


@dataclass(frozen=True, slots=True)
class _Company:
    """What a free bed has around it: its room-mates without their names, whether its room is a
    cohort, whether the plan gives it to somebody, and whether its unit has only the beds left
    that it keeps for emergencies."""

    mates: frozenset[Occupant]
    cohort: bool
    given: bool
    kept: bool


@dataclass(slots=True)
class _Beds:
    """How many beds are not free, the free ones by company, and when the first of those that are
    not free is expected to be."""

    unavailable: int = 0
    free: Counter[_Company] = field(default_factory=Counter)
    soonest: datetime | None = None

    def add(self, other: "_Beds") -> None:
        """Count these beds too."""
        self.unavailable += other.unavailable
        self.free.update(other.free)
        self.soonest = _earliest((self.soonest, other.soonest))


class _Refusals:
    """How many beds each rule refuses a person: asked once per rule and distinct combination of
    the fields it reads of a person, about every distinct place."""

    def __init__(self, beds: Mapping[Place, int]) -> None:
        self.beds = beds
        self.places = tuple(beds)
        self.fields = tuple((rule, _person_fields(rule)) for rule in RULES)
        self.known: dict[object, tuple[int, int]] = {}

    def of(self, who: Facts) -> tuple[Counter[str], list[Place]]:
        """The beds each rule refuses, and the places that none does."""
        counts: Counter[str] = Counter()
        refused = 0
        for rule, fields in self.fields:
            alike = (rule.id, who.emergency, *(getattr(who, it) for it in fields))
            if alike not in self.known:
                self.known[alike] = self._refused(rule, who)
            beds, places = self.known[alike]
            counts[rule.id] += beds
            refused |= places
        lawful = [it for i, it in enumerate(self.places) if not refused >> i & 1]
        return +counts, lawful

    def _refused(self, rule: Rule, who: Facts) -> tuple[int, int]:
        """The beds, and the places as bits by their number."""
        refused = [i for i, it in enumerate(self.places) if evaluate((rule,), who, it)]
        return sum(self.beds[self.places[i]] for i in refused), sum(1 << i for i in refused)


def _person_fields(rule: Rule) -> tuple[str, ...]:
    return tuple(it.removeprefix("person.") for it in rule.reads if it.startswith("person."))


class BedCounts:
    """The network's beds by what rules and relations read of them, counted once for many
    requests; people who are alike to both, and declined by the same units, are answered alike.

    ``given``: the beds a plan gives out.
    """

    def __init__(self, network: Network, given: Iterable[str]) -> None:
        self.network, self.given = network, frozenset(given)
        self.beds: Counter[Place] = Counter()
        self.by_unit: dict[Place, dict[str, _Beds]] = defaultdict(lambda: defaultdict(_Beds))
        self.rooms_of: dict[str, set[str]] = defaultdict(set)
        for room_id in sorted(network.rooms):
            self._add(network.rooms[room_id])
        self.refusals = _Refusals(self.beds)
        self.whole: dict[Place, _Beds] = {}
        for where, units in self.by_unit.items():
            self.whole[where] = _Beds()
            for beds in units.values():
                self.whole[where].add(beds)
        self.known: dict[tuple[Facts, frozenset[str]], tuple[Counter[str], datetime | None]] = {}

    def _add(self, room: Room) -> None:
        network = self.network
        there = set(claimants(network, room.id).values())
        for person in there & network.request_of.keys():
            self.rooms_of[person].add(room.id)
        mates: frozenset[Occupant] | None = None
        for alike in _alike(network, room):
            where = place(network, alike[0])
            self.beds[where] += len(alike)
            beds = self.by_unit[where][room.unit]
            for bed in alike:
                if not network.is_free(bed):
                    beds.unavailable += 1
                    beds.soonest = _earliest((beds.soonest, *self._expected(bed)))
                    continue
                mates = self._mates(there) if mates is None else mates
                beds.free[self._company(room, mates, bed)] += 1

    def _mates(self, people: Iterable[str]) -> frozenset[Occupant]:
        return frozenset(replace(occupant(self.network.persons[it]), person="") for it in people)

    def _company(self, room: Room, mates: frozenset[Occupant], bed: str) -> _Company:
        network = self.network
        left = network.staffed_beds[room.unit] - network.people_in_unit[room.unit]
        kept = 0 < left <= network.units[room.unit].reserve
        return _Company(mates, room.cohort, bed in self.given, kept)

    def explain(self, request: Request) -> Unplaced:
        """The counts for one request, the largest first, and when a lawful bed is next expected.

        A refused bed counts under every rule that refuses it. A lawful one counts once: under
        availability when it is not free, under the room's or unit's relation that speaks against
        it, else under capacity, as given to somebody else. A unit that declined counts under
        availability, the last beds it keeps for emergencies under its reserve.
        """
        who = profile(self.network, request.person).facts
        alike = (who, request.declined_units)
        if alike not in self.known:
            self.known[alike] = self._counted(request, who)
        found, expected = self.known[alike]
        if request.person in self.rooms_of:
            found = Counter(found)
            found.update(self._without_own_claims(request, who))
        ordered = sorted((it for it in found.items() if it[1]), key=lambda it: (-it[1], it[0]))
        return Unplaced(request.id, tuple((str(name), n) for name, n in ordered), expected)

    def _counted(self, request: Request, who: Facts) -> tuple[Counter[str], datetime | None]:
        me = occupant(self.network.persons[request.person])
        counts, lawful = self.refusals.of(who)
        expected: datetime | None = None
        for where in lawful:
            for group in self._groups(where, request.declined_units, counts):
                counts[Relation.AVAILABILITY] += group.unavailable
                expected = _earliest((expected, group.soonest))
                for company, n in group.free.items():
                    counts[_taken_by(me, company, emergency=who.emergency)] += n
        return counts, expected

    def _groups(
        self, where: Place, declined: frozenset[str], counts: Counter[str]
    ) -> Iterable[_Beds]:
        """The beds of a place, without those of the units that declined, which are counted."""
        units = self.by_unit[where]
        if declined.isdisjoint(units):
            return (self.whole[where],)
        for unit in units.keys() & declined:
            counts[Relation.AVAILABILITY] += units[unit].unavailable + units[unit].free.total()
        return tuple(beds for unit, beds in units.items() if unit not in declined)

    def _without_own_claims(self, request: Request, who: Facts) -> Counter[str]:
        """What changes because nobody is their own room-mate."""
        network = self.network
        me = occupant(network.persons[request.person])
        change: Counter[str] = Counter()
        for room_id in self.rooms_of[request.person]:
            room = network.rooms[room_id]
            everybody = set(claimants(network, room_id).values())
            for bed in network.beds_of_room[room_id]:
                lawful = not refusals(who, place(network, bed))
                if not lawful or room.unit in request.declined_units or not network.is_free(bed):
                    continue
                for people, sign in ((everybody, -1), (everybody - {request.person}, 1)):
                    company = self._company(room, self._mates(people), bed)
                    change[_taken_by(me, company, emergency=who.emergency)] += sign
        return change

    def _expected(self, bed: str) -> list[datetime]:
        stay = self.network.stay_in_bed.get(bed)
        found = [
            self.network.beds[bed].expected_free,
            None if stay is None else stay.expected_end,
        ]
        return [it for it in found if it is not None and it > self.network.now]


def _alike(network: Network, room: Room) -> Iterable[list[str]]:
    """The beds of a room, those that are one place together."""
    found: dict[object, list[str]] = defaultdict(list)
    for bed in network.beds_of_room[room.id]:
        it = network.beds[bed]
        found[it.kind, it.features].append(bed)
    return found.values()


def _taken_by(me: Occupant, company: _Company, *, emergency: bool) -> Relation:
    """Which relation keeps a free, lawful bed away."""
    if company.given:
        return Relation.CAPACITY
    broken = room_relations(me, company.mates, company.cohort)
    if broken:
        return broken[0]
    return Relation.RESERVE if company.kept and not emergency else Relation.CAPACITY


def _earliest(instants: Iterable[datetime | None]) -> datetime | None:
    return min((it for it in instants if it is not None), default=None)
