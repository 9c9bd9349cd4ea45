"""An order of moves that works: each one when its bed, its room and its unit are ready for it.

Moves are carried out on paper, one by one. Whoever unlocks a place that others need goes first;
what remains when nobody can go is a cycle that only a free bed would break, and is said to be
impossible.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush, heapreplace

from solver.codes import Isolation
from solver.domain import Network
from solver.planning.model import Model
from solver.planning.naming import BedChance, Mover, Naming


@dataclass(frozen=True, slots=True)
class Step:
    """One move in its place in the order. ``after``: people whose moves it waits for."""

    mover: Mover
    bed: str
    after: tuple[str, ...]
    ready_at: datetime


@dataclass
class Schedule:
    """The steps in order, and the people nobody could let go first."""

    steps: list[Step] = field(default_factory=list)
    stuck: list[Mover] = field(default_factory=list)
    behind: dict[str, frozenset[str]] = field(default_factory=dict)


Rank = tuple[bool, bool, bool, bool, tuple[int, ...], int, str]
"""Whoever compares less goes first; no two are equal, as the person's id is last."""
Alike = tuple[int, bool, bool]
"""Movers who can go at the same time: slot, from within its unit, urgent."""


class Walk:
    """Who is left, which beds are open and how full each unit is, as moves are made on paper.

    A slot wants as many beds fewer as it has given, and beds only ever come open; so whoever is
    no longer short of a bed never is again, a mover's rank only gets worse, and the heaps are put
    right where they are read.
    """

    def __init__(
        self,
        network: Network,
        model: Model,
        naming: Naming,
        urgent_first: bool,
        ahead: Collection[str],
    ) -> None:
        self.network, self.urgent_first, self.ahead = network, urgent_first, ahead
        self.unit_of_slot = [model.seats[slot.seat].unit for slot in model.slots]
        self.chances = naming.chances
        self.open: dict[int, dict[int, BedChance]] = defaultdict(dict)
        self.opens: dict[str, set[int]] = defaultdict(set)
        self.missing = [len(it.waits) for it in naming.chances]
        self.held_up: dict[str, list[int]] = defaultdict(list)
        for number, chance in enumerate(naming.chances):
            if not chance.waits:
                self.open[chance.slot][number] = chance
            for person in chance.waits:
                self.opens[person].add(chance.slot)
                self.held_up[person].append(number)
        self.movers = {it.person: it for it in naming.movers}
        self.left = dict(self.movers)
        self.wished = {it.wish for it in naming.movers if it.wish is not None}
        self.gone: dict[str, datetime] = {}
        self.done = Schedule()
        self.arrived: dict[str, int] = defaultdict(int)
        self.departed: dict[str, list[str]] = defaultdict(list)
        self.wanted: dict[int, int] = defaultdict(int)
        self.urgent_to_come: dict[str, int] = defaultdict(int)
        self.queues: dict[Alike, list[tuple[Rank, str]]] = defaultdict(list)
        self.alike_in_slot: dict[int, set[Alike]] = defaultdict(set)
        self.slots_of_unit: dict[str, set[int]] = defaultdict(set)
        self.heads: list[tuple[Rank, Alike]] = []
        self.queued: set[Alike] = set()
        for it in naming.movers:
            self.wanted[it.slot] += 1
            self.urgent_to_come[self.unit_of_slot[it.slot]] += it.urgent and not self._within(it)
        for it in naming.movers:
            alike = self.alike(it)
            self.queues[alike].append((self.rank(it), it.person))
            self.alike_in_slot[it.slot].add(alike)
            self.slots_of_unit[self.unit_of_slot[it.slot]].add(it.slot)
        for alike, queue in self.queues.items():
            heapify(queue)
            self._queue(alike)

    def _unit(self, bed: str | None) -> str | None:
        return None if bed is None else self.network.unit_of(bed).id

    def _within(self, mover: Mover) -> bool:
        return self._unit(mover.from_bed) == self.unit_of_slot[mover.slot]

    def alike(self, mover: Mover) -> Alike:
        """With whom the mover can go at the same time."""
        return mover.slot, self._within(mover), mover.urgent

    def staff_short(self, slot: int, within: bool, urgent: bool) -> int:
        """How many departures from the unit such a move must wait for: for its staff, and, unless
        it is an emergency, for its reserve, which the emergencies still to come may need too."""
        if within:
            return 0
        unit = self.unit_of_slot[slot]
        people = self.network.people_in_unit[unit] + self.arrived[unit] + 1
        staffed, reserve = self.network.staffed_beds[unit], self.network.units[unit].reserve
        if not reserve or urgent:
            return max(0, people - staffed)
        return max(0, people + self.urgent_to_come[unit] - (staffed - reserve))

    def can_go(self, alike: Alike) -> bool:
        """Whether a bed is open to such movers and their staff and reserve allow one more."""
        slot = alike[0]
        enough = self.staff_short(*alike) <= len(self.departed[self.unit_of_slot[slot]])
        return enough and bool(self.open[slot])

    def rank(self, mover: Mover) -> Rank:
        """Emergencies first, then whoever leaves a bed that others are short of, then by the
        weight of waiting on."""
        short = any(self.wanted[slot] > len(self.open[slot]) for slot in self.opens[mover.person])
        resident = mover.from_bed is not None
        return (
            not (mover.urgent and self.urgent_first),
            mover.person not in self.ahead,
            not (resident and short),
            not resident,
            tuple(-it for it in mover.weight),
            mover.place,
            mover.person,
        )

    def next(self) -> Mover | None:
        """Whoever comes first of those who can go; None when nobody can."""
        while self.heads:
            rank, alike = heappop(self.heads)
            self.queued.discard(alike)
            if not self.can_go(alike):
                continue
            head = self._head(alike)
            if head == rank:
                return self.movers[heappop(self.queues[alike])[1]]
            self._queue(alike)
        return None

    def _head(self, alike: Alike) -> Rank | None:
        queue = self.queues[alike]
        while queue:
            rank, person = queue[0]
            now = self.rank(self.movers[person])
            if now == rank:
                return rank
            heapreplace(queue, (now, person))
        return None

    def _queue(self, alike: Alike) -> None:
        head = self._head(alike)
        if head is not None and alike not in self.queued:
            self.queued.add(alike)
            heappush(self.heads, (head, alike))

    def _look_again(self, slots: Iterable[int]) -> None:
        """Somebody bound for these slots may be able to go now."""
        for slot in slots:
            for alike in self.alike_in_slot[slot]:
                self._queue(alike)

    def go(self, mover: Mover) -> None:
        """Give the mover a bed: of those open, the one the last plan gave them, else the one
        soonest fit; a bed that somebody leaves only to make room is kept for those it was made
        for, and one the last plan gave to somebody still to move is left to them."""

        def order(it: BedChance) -> tuple[object, ...]:
            helped = it.vacated_by is not None and not self.movers[it.vacated_by].gain
            for_its_own_sake = not mover.waiting and mover.weight == (0, 0)
            mine = it.bed == mover.wish
            theirs = it.bed in self.wished and not mine
            return (helped and for_its_own_sake, not mine, theirs, self.ready(it), it.bed)

        number, chance = min(self.open[mover.slot].items(), key=lambda it: order(it[1]))
        del self.open[mover.slot][number]
        self.wanted[mover.slot] -= 1
        after = set(chance.waits)
        ready = self.ready(chance)
        for person in self._staff_waits(mover, after):
            after.add(person)
            ready = max(ready, self.gone[person])
        self.done.behind[mover.person] = self._closure(after)
        self.done.steps.append(Step(mover, chance.bed, tuple(sorted(after)), ready))
        del self.left[mover.person]
        self._look_again({mover.slot, *self._seated(mover, ready)})

    def _seated(self, mover: Mover, ready: datetime) -> set[int]:
        """Count the mover where they now are and no longer where they were; the slots whose
        movers that may let go."""
        touched: set[int] = set()
        if not self._within(mover):
            unit = self.unit_of_slot[mover.slot]
            self.arrived[unit] += 1
            self.urgent_to_come[unit] -= mover.urgent
            if mover.from_bed is not None:
                left = self.network.unit_of(mover.from_bed).id
                self.departed[left].append(mover.person)
                touched |= self.slots_of_unit[left]
        if mover.from_bed is not None:
            self.gone[mover.person] = ready
        for number in self.held_up[mover.person] if mover.from_bed is not None else ():
            self.missing[number] -= 1
            if not self.missing[number]:
                chance = self.chances[number]
                self.open[chance.slot][number] = chance
                touched.add(chance.slot)
        return touched

    def ready(self, chance: BedChance) -> datetime:
        """When the bed can be fit, turnaround included."""
        turnaround = self.network.policy.turnaround
        return max((self.gone[it] + turnaround for it in chance.waits), default=self.network.now)

    def _closure(self, people: Iterable[str]) -> frozenset[str]:
        people = frozenset(people)
        return people.union(*(self.done.behind[it] for it in people))

    def _staff_waits(self, mover: Mover, after: set[str]) -> list[str]:
        """Departures that bring the unit's number down far enough, the earliest first; somebody
        isolated leaves a room to disinfect, so theirs come last."""
        unit = self.unit_of_slot[mover.slot]
        behind = self._closure(after)
        short = self.staff_short(*self.alike(mover)) - sum(
            it in behind for it in self.departed[unit]
        )
        isolated = (Isolation.CONTACT, Isolation.DROPLET, Isolation.AIRBORNE)
        others = sorted(
            (it for it in self.departed[unit] if it not in behind),
            key=lambda it: self.network.persons[it].need.route in isolated,
        )
        return others[: max(0, short)]


def put_in_order(
    network: Network,
    model: Model,
    naming: Naming,
    urgent_first: bool = True,
    ahead: Collection[str] = (),
) -> Schedule:
    """Walk the moves. ``urgent_first``: emergencies take the beds that are free now, even where
    that leaves residents who need one of them stuck. ``ahead``: people who go before others."""
    walk = Walk(network, model, naming, urgent_first, frozenset(ahead))
    while (mover := walk.next()) is not None:
        walk.go(mover)
    walk.done.stuck = sorted(walk.left.values(), key=lambda it: it.person)
    return walk.done


def cycles(network: Network, model: Model, naming: Naming, stuck: list[Mover]) -> list[list[Mover]]:
    """The stuck residents in groups that wait for each other in a circle."""
    unit_of_slot = [model.seats[slot.seat].unit for slot in model.slots]
    by_person = {it.person: it for it in stuck if it.from_bed is not None}
    opens: dict[int, set[str]] = defaultdict(set)
    for chance in naming.chances:
        opens[chance.slot] |= chance.waits & by_person.keys()
    waits: dict[str, set[str]] = {}
    leaving: dict[str, set[str]] = defaultdict(set)
    for person, mover in by_person.items():
        leaving[network.unit_of(mover.from_bed or "").id].add(person)
    for person, mover in by_person.items():
        waits[person] = opens[mover.slot] | leaving[unit_of_slot[mover.slot]]
    return [[by_person[it] for it in group] for group in circles(waits)]


def circles(waits: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    """Who wait for each other, each for all others, directly or through them, or for themselves;
    sorted. Tarjan's strongly connected components (SIAM Journal on Computing 1, 1972), with a
    list in place of recursion. Each person waited for must be a key."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: dict[str, None] = {}
    found: list[tuple[str, ...]] = []

    def enter(person: str) -> tuple[str, Iterator[str]]:
        number[person] = lowest[person] = len(number)
        open_[person] = None
        return person, iter(waits[person])

    for start in waits:
        path = [] if start in number else [enter(start)]
        while path:
            person, ahead = path[-1]
            other = next(ahead, None)
            if other is not None:
                if other not in number:
                    path.append(enter(other))
                elif other in open_:
                    lowest[person] = min(lowest[person], number[other])
                continue
            path.pop()
            if path:
                before = path[-1][0]
                lowest[before] = min(lowest[before], lowest[person])
            if lowest[person] == number[person]:
                group = [open_.popitem()[0]]
                while group[-1] != person:
                    group.append(open_.popitem()[0])
                if len(group) > 1 or person in waits[person]:
                    found.append(tuple(sorted(group)))
    return sorted(found)
