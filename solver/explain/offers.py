"""The best of many beds for one person, without looking at each of them.

Beds are grouped by what cost terms see of them but for the facility's position; a group is priced
once for like people, and the groups are walked from the cheapest until the next can only be
dearer. So a person costs some dozens of looks, in a city as in a nation.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from solver.check import Occupant
from solver.codes import UnitKind
from solver.cost import TERMS, Profile, Seat, fit_terms, level_totals
from solver.domain import Network, Person
from solver.eligibility import Facts, Place
from solver.explain.afterwards import Afterwards, Row

_DISTANCE: Final = next(term for term in TERMS if term.name == "distance")
_ANYBODY: Final = Facts(sex=None, age=0)
_ANYWHERE: Final = Seat(Place(UnitKind.RC), "", "")

Value = tuple[int, int]
"""What a bed costs one person at the two levels that depend on the bed."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One bed, for all of its row that are alike. ``spare``: how many more people the unit's
    staff could look after. ``mover``: whom the plan gives it to."""

    bed: str
    row: Row
    seat: Seat
    spare: int
    mover: str | None = None

    @property
    def unit(self) -> str:
        """The bed's unit."""
        return self.seat.unit


@dataclass(slots=True)
class _Group:
    """Offers that cost terms tell apart by their facility's position alone, by bed id."""

    seat: Seat
    offers: list[Offer] = field(default_factory=list)
    at: dict[str, list[Offer]] = field(default_factory=lambda: defaultdict(list))


def value(who: Profile, there: Seat, network: Network) -> Value:
    """What this bed costs this person at levels 2 and 4."""
    totals = level_totals(fit_terms(who, there, network.policy))
    return totals[2], totals[4]


def free_offers(after: Afterwards) -> Iterator[Offer]:
    """A bed of each row that stays free, fresh and stale ones apart."""
    for rows in after.rows_of_unit.values():
        for row in rows:
            for beds, stale in ((row.free, False), (row.stale, True)):
                if beds:
                    seat = after.seat(row, beds[0], stale)
                    yield Offer(beds[0], row, seat, after.spare(row.room.unit))


def given_offers(after: Afterwards) -> Iterator[Offer]:
    """Every bed the plan gives, as if whoever gets it were not to come."""
    network = after.network
    for rows in after.rows_of_unit.values():
        for row in rows:
            for bed in row.given:
                move = after.arrivals[bed]
                from_here = move.from_bed is not None and (
                    network.unit_of(move.from_bed).id == row.room.unit
                )
                seat = after.seat(row, bed, network.beds[bed].stale)
                spare = after.spare(row.room.unit) + (not from_here)
                yield Offer(bed, row, seat, spare, move.person)


class Offers:
    """Beds to be had, found by who asks."""

    def __init__(self, after: Afterwards, offers: Iterable[Offer]) -> None:
        self.after = after
        self.by_unit: dict[str, list[Offer]] = defaultdict(list)
        self._by_place: dict[Place, list[Offer]] = defaultdict(list)
        for it in offers:
            self.by_unit[it.unit].append(it)
            self._by_place[it.row.place].append(it)
        self._admitting: dict[tuple[Occupant, bool], dict[Place, list[_Group]]] = {}
        self._priced: dict[Facts, list[tuple[Value, _Group]]] = {}
        self._near = _Near(after.network)

    def best(
        self,
        who: Profile,
        person: Person,
        lawful: frozenset[Place],
        apart: frozenset[str],
        wanted: Callable[[Place], bool],
    ) -> tuple[Value, Offer] | None:
        """The cheapest offer of a wanted place outside the units set ``apart``, ties by bed id.

        ``lawful``: the places no rule refuses such a person. The value counts no origin, and
        admission takes the person for somebody new: set apart the units where either is otherwise.
        """
        near = self._near.facilities(who.home)
        least = min(0, self._near.cap_cost)
        best: tuple[Value, Offer] | None = None
        for (level_2, level_4), group in self._groups(who, person, lawful):
            if best is not None and (level_2, level_4 + least) > best[0]:
                break
            if not wanted(group.offers[0].row.place):
                continue
            for offer, km_cost in self._nearest(who, group, near, apart):
                found = (level_2, level_4 + km_cost), offer
                if best is None or (found[0], offer.bed) < (best[0], best[1].bed):
                    best = found
        return best

    def admits(self, offer: Offer, person: str, emergency: bool, counted: bool) -> bool:
        """Whether company and staff admit this very person; ``counted``: the unit's staff have
        them to look after already."""
        me = self.after.seen(person)
        company = frozenset(
            it.seen
            for it in self.after.mates(offer.row.room.id)
            if it.person not in (person, offer.mover)
        )
        staffed = counted or offer.spare > self.after.kept(offer.unit, emergency)
        return staffed and not self.after.broken(me, company, offer.row.room.cohort)

    def _nearest(
        self,
        who: Profile,
        group: _Group,
        near: Iterable[tuple[str, int]],
        apart: frozenset[str],
    ) -> Iterator[tuple[Offer, int]]:
        """Of the group the first offer of each near facility, and the first of all."""
        if who.home is None:
            near = ()
        for facility, km_cost in near:
            offers = group.at.get(facility, ())
            offer = next((it for it in offers if it.unit not in apart), None)
            if offer is not None:
                yield offer, km_cost
        first = next((it for it in group.offers if it.unit not in apart), None)
        if first is not None:
            yield first, self._near.cost(who.home, first.seat.facility)

    def _groups(
        self, who: Profile, person: Person, lawful: frozenset[Place]
    ) -> list[tuple[Value, _Group]]:
        """The groups that admit such people, the cheapest first but for distance and origin."""
        known = self._priced.get(who.facts)
        if known is None:
            placeless = Profile(who.facts)
            admitting = self._by_company(self.after.seen(person.id), who.facts.emergency)
            known = [
                (value(placeless, group.seat, self.after.network), group)
                for here in lawful
                for group in admitting.get(here, ())
            ]
            known.sort(key=lambda it: (it[0], it[1].offers[0].bed))
            self._priced[who.facts] = known
        return known

    def _by_company(self, me: Occupant, emergency: bool) -> dict[Place, list[_Group]]:
        """The offers whose company and staff admit a newcomer seen as this, in groups."""
        known = self._admitting.get((me, emergency))
        if known is not None:
            return known
        known = self._admitting[me, emergency] = {}
        after = self.after
        for here, offers in self._by_place.items():
            groups: dict[Seat, _Group] = {}
            for it in offers:
                if it.spare <= after.kept(it.unit, emergency):
                    continue
                mates = after.mates(it.row.room.id)
                company = frozenset(mate.seen for mate in mates if mate.person != it.mover)
                if after.broken(me, company, it.row.room.cohort):
                    continue
                bare = replace(it.seat, unit="", facility="", position=(0.0, 0.0))
                group = groups.get(bare)
                if group is None:
                    group = groups[bare] = _Group(bare)
                group.offers.append(it)
            for group in groups.values():
                group.offers.sort(key=lambda it: it.bed)
                for it in group.offers:
                    group.at[it.seat.facility].append(it)
            if groups:
                known[here] = list(groups.values())
        return known


class _Near:
    """Facilities by distance: those beyond the policy's cap all cost the same."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._cell = float(network.policy.distance_cap_km + 2)
        self._cells: dict[tuple[int, int], list[str]] = defaultdict(list)
        self._known: dict[tuple[int, int], tuple[tuple[str, int], ...]] = {}
        self._seats: dict[str, Seat] = {}
        for facility in sorted(network.facilities):
            self._cells[self._at(network.facilities[facility].position)].append(facility)
        self.cap_cost = network.policy.distance_weight_per_km * network.policy.distance_cap_km

    def _at(self, position: tuple[float, float]) -> tuple[int, int]:
        return int(position[0] // self._cell), int(position[1] // self._cell)

    def facilities(self, home: tuple[int, int] | None) -> tuple[tuple[str, int], ...]:
        """Every facility nearer than the cap, and some that are not, with what its distance
        costs; none where home is not known."""
        if home is None:
            return ()
        known = self._known.get(home)
        if known is None:
            east, north = self._at(home)
            known = self._known[home] = tuple(
                (it, self.cost(home, it))
                for i in (east - 1, east, east + 1)
                for j in (north - 1, north, north + 1)
                for it in self._cells.get((i, j), ())
            )
        return known

    def cost(self, home: tuple[int, int] | None, facility: str) -> int:
        """What the distance of home to the facility costs."""
        if _DISTANCE.count is None:
            return 0
        there = self._seats.get(facility)
        if there is None:
            position = self._network.facilities[facility].position
            there = self._seats[facility] = replace(_ANYWHERE, position=position)
        return _DISTANCE.count(Profile(_ANYBODY, home), there, self._network.policy)
