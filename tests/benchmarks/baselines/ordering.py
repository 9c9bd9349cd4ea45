"""An order for a set of targets, found by walking: whoever can go, goes, with what they count on.

What cannot go, and residents whose move serves nobody in the end, are left out and counted.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from solver.check import claimants, occupant, room_relations
from solver.codes import Isolation, MoveReason
from solver.cost import level_totals, misplaced_weight, move_terms, waiting_weight
from solver.domain import Move, Network

ROUTES = frozenset({Isolation.CONTACT, Isolation.DROPLET, Isolation.AIRBORNE})
"""Whoever is isolated by one of these leaves a room to disinfect before anybody new."""

Targets = Mapping[str, tuple[str, ...]]
"""For each person moved, the beds of one room that are alike, of which they get one."""


@dataclass
class _Step:
    person: str
    from_bed: str | None
    to_bed: str
    after: frozenset[str]
    ready_at: datetime


@dataclass
class _Walk:
    network: Network
    targets: Targets
    steps: dict[str, _Step] = field(default_factory=dict)
    behind: dict[str, frozenset[str]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    arrived: Counter[str] = field(default_factory=Counter)
    departed: dict[str, list[str]] = field(default_factory=dict)

    def home(self, person: str) -> str | None:
        stay = self.network.stay_of.get(person)
        return None if stay is None else stay.bed

    def unit(self, bed: str | None) -> str | None:
        return None if bed is None else self.network.unit_of(bed).id

    def urgent(self, person: str) -> bool:
        request = self.network.request_of.get(person)
        return request is not None and request.emergency

    def own_reason(self, person: str, bed: str) -> MoveReason | None:
        """A reason that needs nobody else; None for somebody who can only make room."""
        if person in self.network.request_of:
            return MoveReason.PLACE_WAITING
        if misplaced_weight(self.network, self.network.stay_of[person]):
            return MoveReason.RIGHT_A_MISPLACED
        terms = move_terms(self.network, person, self.home(person), bed)
        return MoveReason.STEP_DOWN if level_totals(terms)[2] < 0 else None

    def rank(self, person: str) -> tuple[object, ...]:
        """Residents first, whose beds others may need; then emergencies, then by weight."""
        request = self.network.request_of.get(person)
        weight = 0 if request is None else waiting_weight(self.network, request)
        return (self.home(person) is None, not self.urgent(person), -weight, person)

    def company(self, person: str, room: str) -> set[str] | None:
        """Who must have left the room before; None while one of them cannot have."""
        network, me = self.network, occupant(self.network.persons[person])
        cohort, found = network.rooms[room].cohort, set()
        for bed, who in claimants(network, room).items():
            mate = occupant(network.persons[who])
            if who == person or not room_relations(me, [mate], cohort):
                continue
            gone = self.steps.get(who)
            if gone is None or gone.from_bed != bed or mate.isolation in ROUTES:
                return None
            found.add(who)
        for who, step in self.steps.items():
            there = network.beds[step.to_bed].room == room
            if there and room_relations(me, [occupant(network.persons[who])], cohort):
                return None
        return found

    def beds(self, person: str) -> list[tuple[datetime, str, str | None]]:
        """The beds the person may have now: when each is fit, and who left it."""
        network = self.network
        found: list[tuple[datetime, str, str | None]] = []
        for bed in self.targets[person]:
            stay = network.stay_in_bed.get(bed)
            if bed in self.taken:
                continue
            if stay is None:
                found.append((network.now, bed, None))
            elif stay.person in self.steps and stay.person != person:
                fit = self.steps[stay.person].ready_at + network.policy.turnaround
                found.append((fit, bed, stay.person))
        return found

    def short(self, person: str, unit: str) -> int:
        """How many departures the unit's staff, or its reserve, needs before this arrival."""
        if self.unit(self.home(person)) == unit:
            return 0
        network = self.network
        people = network.people_in_unit[unit] + self.arrived[unit] + 1
        staffed, reserve = network.staffed_beds[unit], network.units[unit].reserve
        if not reserve or self.urgent(person):
            return max(0, people - staffed)
        for other, beds in self.targets.items():
            coming = other not in self.steps and other != person and self.urgent(other)
            if coming and self.unit(beds[0]) == unit != self.unit(self.home(other)):
                people += 1
        return max(0, people - (staffed - reserve))

    def closed(self, people: Iterable[str]) -> frozenset[str]:
        people = frozenset(people)
        return people.union(*(self.behind[it] for it in people))

    def go(self, person: str) -> bool:
        """Move the person if they can go now."""
        network = self.network
        room = network.beds[self.targets[person][0]].room
        unit = network.rooms[room].unit
        company, beds = self.company(person, room), self.beds(person)
        if company is None or not beds:
            return False
        for_itself = person not in network.request_of

        def order(it: tuple[datetime, str, str | None]) -> tuple[object, ...]:
            leaver = it[2]
            helped = leaver is not None and self.own_reason(leaver, self.steps[leaver].to_bed)
            return (for_itself and leaver is not None and helped is None, it)

        ready, bed, leaver = min(beds, key=order)
        after = company | ({leaver} if leaver is not None else set())
        behind = self.closed(after)
        left = self.departed.get(unit, [])
        missing = self.short(person, unit) - sum(it in behind for it in left)
        more = [it for it in left if it not in behind]
        more.sort(key=lambda it: network.persons[it].need.route in ROUTES)
        if missing > len(more):
            return False
        after |= set(more[: max(0, missing)])
        behind = self.closed(after)
        if any(self._disinfect(it, room) for it in behind):
            return False
        turnaround = network.policy.turnaround
        ready = max([ready, *(self.steps[it].ready_at for it in after)])
        ready = max([ready, *(self.steps[it].ready_at + turnaround for it in company)])
        here = self.home(person)
        self.steps[person] = _Step(person, here, bed, frozenset(after), ready)
        self.behind[person] = behind
        self.taken.add(bed)
        if self.unit(here) != unit:
            self.arrived[unit] += 1
            if here is not None:
                self.departed.setdefault(network.unit_of(here).id, []).append(person)
        return True

    def _disinfect(self, leaver: str, room: str) -> bool:
        bed = self.steps[leaver].from_bed
        isolated = self.network.persons[leaver].need.route in ROUTES
        return isolated and bed is not None and self.network.beds[bed].room == room

    def moves(self, kept: list[_Step]) -> tuple[list[Move], set[str]]:
        """The steps as moves with reasons, and the helpers nobody counts on."""
        network = self.network
        ids = {step.person: f"m{i:04d}" for i, step in enumerate(kept, 1)}
        own = {step.person: self.own_reason(step.person, step.to_bed) for step in kept}
        most, count = network.policy.max_moves_per_placement, Counter[str]()
        found: list[Move] = []
        groundless: set[str] = set()
        for step in kept:
            person, reason = step.person, own[step.person]
            request, displaced = network.request_of.get(person), None
            if reason is None:
                served = [it for it in ids if person in self.behind[it]]
                waiting = [it for it in served if own[it] is MoveReason.PLACE_WAITING]
                righted = [it for it in served if own[it] is MoveReason.RIGHT_A_MISPLACED]
                nearest = next((it for it in waiting if count[it] < most), None)
                if nearest is not None:
                    count[nearest] += 1
                    displaced = network.request_of[nearest].id
                elif righted and all(count[it] < most for it in righted):
                    count.update(righted)
                else:
                    groundless.add(person)
            found.append(
                Move(
                    id=ids[person],
                    person=person,
                    from_bed=step.from_bed,
                    to_bed=step.to_bed,
                    request=None if request is None else request.id,
                    reason=reason or MoveReason.MAKE_ROOM,
                    after=tuple(sorted(ids[it] for it in step.after)),
                    ready_at=step.ready_at,
                    displaced_for=displaced,
                    terms=move_terms(network, person, step.from_bed, step.to_bed),
                )
            )
        return found, groundless


def in_order(network: Network, targets: Targets) -> tuple[list[Move], int]:
    """Moves in an order that works, and how many of the targets had to be dropped.

    Whoever is left in a circle goes first in the next walk: somebody else may have taken the one
    bed that would have opened it, and can have the bed it gives back.
    """
    ahead: set[str] = set()
    while True:
        walk, left = _walked(network, targets, ahead)
        if not left or set(left) <= ahead:
            break
        ahead |= set(left)
    kept = list(walk.steps.values())
    while True:
        moves, groundless = walk.moves(kept)
        if not groundless:
            return moves, len(targets) - len(moves)
        kept = [
            it
            for it in kept
            if it.person not in groundless and not walk.behind[it.person] & groundless
        ]


def _walked(network: Network, targets: Targets, ahead: Collection[str]) -> tuple[_Walk, list[str]]:
    walk = _Walk(network, targets)
    left = sorted(targets, key=lambda it: (it not in ahead, walk.rank(it)))
    while left:
        still = [it for it in left if not walk.go(it)]
        if len(still) == len(left):
            break
        left = still
    return walk, left
