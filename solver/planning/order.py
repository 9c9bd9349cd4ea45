"""An order of moves that works: each one when its bed, its room and its unit are ready for it.

Moves are carried out on paper, one by one. Whoever unlocks a place that others need goes first;
what remains when nobody can go is a cycle that only a free bed would break, and is said to be
impossible.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

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


class _Walk:
    def __init__(self, network: Network, model: Model, naming: Naming, urgent_first: bool) -> None:
        self.network, self.model, self.urgent_first = network, model, urgent_first
        self.unit_of_slot = [model.seats[slot.seat].unit for slot in model.slots]
        self.chances: dict[int, list[BedChance]] = defaultdict(list)
        self.opens: dict[str, set[int]] = defaultdict(set)
        for chance in naming.chances:
            self.chances[chance.slot].append(chance)
            for person in chance.waits:
                self.opens[person].add(chance.slot)
        self.movers = {it.person: it for it in naming.movers}
        self.left = dict(self.movers)
        self.gone: dict[str, datetime] = {}
        self.done = Schedule()
        self.arrived: dict[str, int] = defaultdict(int)
        self.departed: dict[str, list[str]] = defaultdict(list)
        self.wanted: dict[int, int] = defaultdict(int)
        for it in naming.movers:
            self.wanted[it.slot] += 1

    def _unit(self, bed: str | None) -> str | None:
        return None if bed is None else self.network.unit_of(bed).id

    def open_beds(self, slot: int) -> list[BedChance]:
        return [it for it in self.chances[slot] if it.waits <= self.gone.keys()]

    def staff_short(self, mover: Mover) -> int:
        """How many departures from the unit the move must wait for: for its staff, and, unless it
        is an emergency, for its reserve, which the emergencies still to come may need too."""
        unit = self.unit_of_slot[mover.slot]
        if self._unit(mover.from_bed) == unit:
            return 0
        people = self.network.people_in_unit[unit] + self.arrived[unit] + 1
        staffed, reserve = self.network.staffed_beds[unit], self.network.units[unit].reserve
        if not reserve or mover.urgent:
            return max(0, people - staffed)
        people += sum(
            it.urgent and self.unit_of_slot[it.slot] == unit and self._unit(it.from_bed) != unit
            for it in self.left.values()
        )
        return max(0, people - (staffed - reserve))

    def can_go(self, mover: Mover) -> bool:
        unit = self.unit_of_slot[mover.slot]
        if self.staff_short(mover) > len(self.departed[unit]):
            return False
        return bool(self.open_beds(mover.slot))

    def rank(self, mover: Mover) -> tuple[object, ...]:
        short = any(
            self.wanted[slot] > len(self.open_beds(slot)) for slot in self.opens[mover.person]
        )
        resident = mover.from_bed is not None
        return (
            not (mover.urgent and self.urgent_first),
            not (resident and short),
            not resident,
            tuple(-it for it in mover.weight),
            mover.person,
        )

    def go(self, mover: Mover) -> None:
        """Give the mover a bed: of those open, the one soonest fit; a bed that somebody leaves
        only to make room is kept for those it was made for."""

        def order(it: BedChance) -> tuple[object, ...]:
            helped = it.vacated_by is not None and not self.movers[it.vacated_by].gain
            for_its_own_sake = not mover.waiting and mover.weight == (0, 0)
            return (helped and for_its_own_sake, self.ready(it), it.bed)

        chance = min(self.open_beds(mover.slot), key=order)
        self.chances[mover.slot].remove(chance)
        self.wanted[mover.slot] -= 1
        after = set(chance.waits)
        ready = self.ready(chance)
        for person in self._staff_waits(mover, after):
            after.add(person)
            ready = max(ready, self.gone[person])
        unit = self.unit_of_slot[mover.slot]
        if self._unit(mover.from_bed) != unit:
            self.arrived[unit] += 1
            if mover.from_bed is not None:
                self.departed[self.network.unit_of(mover.from_bed).id].append(mover.person)
        if mover.from_bed is not None:
            self.gone[mover.person] = ready
        self.done.behind[mover.person] = self._closure(after)
        self.done.steps.append(Step(mover, chance.bed, tuple(sorted(after)), ready))
        del self.left[mover.person]

    def ready(self, chance: BedChance) -> datetime:
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
        short = self.staff_short(mover) - sum(it in behind for it in self.departed[unit])
        isolated = (Isolation.CONTACT, Isolation.DROPLET, Isolation.AIRBORNE)
        others = sorted(
            (it for it in self.departed[unit] if it not in behind),
            key=lambda it: self.network.persons[it].need.route in isolated,
        )
        return others[: max(0, short)]


def put_in_order(
    network: Network, model: Model, naming: Naming, urgent_first: bool = True
) -> Schedule:
    """Walk the moves. ``urgent_first``: emergencies take the beds that are free now, even where
    that leaves residents who need one of them stuck."""
    walk = _Walk(network, model, naming, urgent_first)
    while walk.left:
        able = [it for it in walk.left.values() if walk.can_go(it)]
        if not able:
            break
        walk.go(min(able, key=walk.rank))
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
    for person, mover in by_person.items():
        unit = unit_of_slot[mover.slot]
        leaving = {
            other
            for other, it in by_person.items()
            if it.from_bed is not None and network.unit_of(it.from_bed).id == unit
        }
        waits[person] = opens[mover.slot] | leaving
    reach = {person: _reached(person, waits) for person in waits}
    groups = {tuple(sorted(q for q in reach[p] if p in reach[q])) for p in waits if p in reach[p]}
    return [[by_person[it] for it in group] for group in sorted(groups)]


def _reached(start: str, waits: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = [start]
    while ahead:
        for other in waits[ahead.pop()] - found:
            found.add(other)
            ahead.append(other)
    return found
