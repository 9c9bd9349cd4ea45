"""Who is to be planned in which region: one national flow once the use of rooms is settled.

Everybody who waits is one unit of flow: to a slot of their own region, or through the like beds
of the whole nation, or to no bed. Far beds cost the same wherever they are, so like beds of all
regions meet in one node and the arcs stay few. A bed that a low grade has in one region and a
high grade of another needs goes to the high grade; nobody changes region without an improvement
at levels 0 to 3.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from solver.cost import Profile, Seat
from solver.eligibility import Facts
from solver.planning.engine import Ints
from solver.planning.flow import solve_flow
from solver.planning.nation.census import PersonKind, Slot
from solver.planning.nation.fits import Fits
from solver.planning.nation.sketch import Residents, Sketch, Waiting

UNPLACED, NEEDLESS, MOVED, AWAY, FIT = 4_000, 160, 80, 12, 4
"""What a unit of levels 0 and 1, one of level 2, a resident's move and a change of region weigh
in the flow, and how many units of level 4 weigh one: each before the next, as far as chains of a
few changes go."""

Like = tuple[Seat, bool, str, bool]
"""Beds like each other in all regions: a slot's, and whether for emergencies alone."""


@dataclass(frozen=True)
class Assignment:
    """The region each waiting person is to be planned in, by number, and how many residents each
    region needs to move."""

    region: dict[str, int]
    moves: tuple[int, ...]


def assign(
    sketches: Sequence[Sketch],
    unit_kind: Mapping[str, str],
    fits: Fits,
    far: Mapping[str, float],
    busy: Mapping[str, tuple[int, int]],
    budget: int,
) -> Assignment:
    """Settle who is planned where, with at most ``budget`` residents moved in all. Of like people
    those go elsewhere who live farthest from the places of their own region (``far``, km).
    ``busy``: what a bed of each unit costs more at level 4 than one of its kind in an empty unit,
    for emergencies and for others."""
    region = {
        who: number
        for number, one in enumerate(sketches)
        for it in one.waiting
        for who in it.people
    }
    exchange = _Exchange(sketches, unit_kind, fits, busy)
    flow = exchange.solve(0)
    low, high = 0, 1
    while flow is not None and sum(exchange.moves(flow)) > budget and high < exchange.highest:
        low, high = high, 2 * high
        flow = exchange.solve(high)
    while flow is not None and high - low > max(1, high // 64):
        middle = (low + high) // 2
        cheaper = exchange.solve(middle)
        if cheaper is not None and sum(exchange.moves(cheaper)) <= budget:
            high, flow = middle, cheaper
        else:
            low = middle
    if flow is None:
        return Assignment(region, tuple(0 for _ in sketches))
    region.update(exchange.abroad(flow, far))
    moves, left = [], budget
    for wanted in exchange.moves(flow):
        moves.append(min(wanted, left))
        left -= moves[-1]
    return Assignment(region, tuple(moves))


class _Exchange:
    def __init__(
        self,
        sketches: Sequence[Sketch],
        unit_kind: Mapping[str, str],
        fits: Fits,
        busy: Mapping[str, tuple[int, int]],
    ) -> None:
        self.fits, self.busy = fits, busy
        self.tail: list[int] = []
        self.head: list[int] = []
        self.upper: list[int] = []
        self.cost: list[int] = []
        self.supply: list[int] = [0]
        remains = [it.remain for one in sketches for it in one.waiting]
        remains += [it.remain for one in sketches for it in one.residents]
        self.dearest = max((it[1] for it in remains), default=0)
        self.least = min((it[0] for it in remains if it[0]), default=0)
        self.slot: dict[Slot, int] = {}
        self.unit: dict[str, int] = {}
        self.like: dict[Like, int] = {}
        self.like_of: dict[Slot, int] = {}
        self.out: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.pool: dict[tuple[tuple[int, int], ...], int] = {}
        self.pooled: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.groups: list[tuple[list[Waiting], list[tuple[int, int]], int, int]] = []
        for number, one in enumerate(sketches):
            self._places(number, one, unit_kind)
        self.rows: dict[tuple[Facts, tuple[str, str]], tuple[tuple[int, int], ...]] = {}
        self.moving: list[list[int]] = [[] for _ in sketches]
        for number, one in enumerate(sketches):
            self._people(one)
            for it in one.residents:
                self._residents(number, it, one)
        self.highest = 4 * max((abs(it) for it in self.cost), default=0) + 1

    def _node(self, supply: int = 0) -> int:
        self.supply.append(supply)
        self.supply[0] -= supply
        return len(self.supply) - 1

    def _arc(self, start: int, end: int, many: int, price: int = 0) -> int:
        self.tail.append(start)
        self.head.append(end)
        self.upper.append(many)
        self.cost.append(price)
        return len(self.tail) - 1

    def _places(self, region: int, one: Sketch, unit_kind: Mapping[str, str]) -> None:
        for slot, many in one.beds.items():
            seat, cohort, company = slot
            places = one.places[seat.unit]
            if not places.many:
                continue
            if seat.unit not in self.unit:
                self.unit[seat.unit] = self._node()
                self._arc(self.unit[seat.unit], 0, places.many)
            self.slot[slot] = self._node()
            self._arc(self.slot[slot], self.unit[seat.unit], many)
            kind = Seat(
                seat.place, unit_kind[seat.unit], "", security=seat.security, stale=seat.stale
            )
            like = kind, cohort, company, places.urgent
            if like not in self.like:
                self.like[like] = self._node()
            self.like_of[slot] = self.like[like]
            busy_here = self._busy(seat.unit, places.urgent)
            arc = self._arc(self.like[like], self.slot[slot], many, busy_here)
            self.out[self.like[like]].append((arc, region))

    def _busy(self, unit: str, emergency: bool) -> int:
        return self.busy.get(unit, (0, 0))[not emergency] // FIT

    def _open(self, it: Waiting) -> tuple[tuple[int, int], ...]:
        """The like beds open to somebody, by node, with what each weighs."""
        same = it.facts, it.companies
        if same not in self.rows:
            kind = PersonKind(Profile(it.facts), it.companies, it.remain, True)
            slots = [
                (node, like[:3])
                for like, node in self.like.items()
                if it.facts.emergency or not like[3]
            ]
            arcs = self.fits.arcs(kind, slots)
            self.rows[same] = tuple(
                (node, cost[2] * NEEDLESS + cost[4] // FIT) for node, cost in arcs
            )
        return self.rows[same]

    def _people(self, one: Sketch) -> None:
        """The region's people by what is open to them: each group a node of its own."""
        alike: dict[tuple[object, ...], list[Waiting]] = defaultdict(list)
        for it in one.waiting:
            alike[self._open(it), it.barred].append(it)
        for waiting in alike.values():
            first = waiting[0]
            node = self._node(sum(len(it.people) for it in waiting))
            left = [
                (self._arc(node, 0, len(it.people), self._left(it.remain)), i)
                for i, it in enumerate(waiting)
            ]
            prices = dict(self._open(first))
            for slot, many in one.beds.items():
                if slot not in self.slot or slot[0].unit in first.barred:
                    continue
                if self.like_of[slot] in prices:
                    price = prices[self.like_of[slot]]
                    price += self._busy(slot[0].unit, first.facts.emergency)
                    self._arc(node, self.slot[slot], many, price)
            pooled = -1
            if prices and not first.barred:
                pooled = self._arc(node, self._pool(self._open(first)), self.supply[node], AWAY)
            self.groups.append((waiting, left, pooled, self.head[pooled] if pooled >= 0 else -1))

    def _pool(self, arcs: tuple[tuple[int, int], ...]) -> int:
        if arcs not in self.pool:
            self.pool[arcs] = node = self._node()
            for like, price in arcs:
                self.pooled[node].append((self._arc(node, like, 1 << 30, price), like))
        return self.pool[arcs]

    def _left(self, remain: tuple[int, int]) -> int:
        """What somebody left as they are weighs: level 0 before level 1."""
        urgent = remain[0] - self.least + 1 + self.dearest if remain[0] else 0
        return UNPLACED * (remain[1] + urgent)

    def _residents(self, region: int, it: Residents, one: Sketch) -> None:
        node = self._node(it.many)
        left = it.many
        for slot, many in it.stays:
            at = self.unit.get(it.unit, 0) if slot is None else self.slot.get(slot, 0)
            self._arc(node, at, many, self._left(it.remain))
            left -= many
        if left:  # who must leave an open room; dear, so that there is always a flow
            self._arc(node, 0, left, UNPLACED * (self.dearest + 1))
        for slot, level2, fit in it.moves:
            unit = slot[0].unit
            if slot in self.slot and (unit == it.unit or not one.places[unit].urgent):
                price = level2 * NEEDLESS + MOVED + fit // FIT + self._busy(unit, False)
                self.moving[region].append(self._arc(node, self.slot[slot], it.many, price))

    def moves(self, flow: Ints) -> list[int]:
        """How many residents each region moves."""
        return [int(flow[arcs].sum()) if arcs else 0 for arcs in self.moving]

    def solve(self, dearer: int) -> Ints | None:
        """The cheapest flow when every resident's move costs so much more; None: none."""
        if not self.slot:
            return None
        arcs = len(self.tail)
        people = -self.supply[0]
        upper = np.minimum(np.array(self.upper, np.int64), people)
        cost = np.array(self.cost, np.int64)
        for moving in self.moving:
            cost[moving] += dearer
        return solve_flow(
            np.array(self.tail, np.int64),
            np.array(self.head, np.int64),
            np.zeros(arcs, np.int64),
            upper,
            cost,
            np.array(self.supply, np.int64),
        )

    def abroad(self, flow: Ints, far: Mapping[str, float]) -> list[tuple[str, int]]:
        """Who goes to which other region in a flow."""
        going: dict[int, list[str]] = defaultdict(list)
        for waiting, left, pooled, pool in self.groups:
            if pooled >= 0 and flow[pooled]:
                going[pool] += self._going(waiting, left, int(flow[pooled]), flow, far)
        found = []
        free = {
            like: [region for arc, region in out for _ in range(int(flow[arc]))]
            for like, out in self.out.items()
        }
        for pool, arcs_out in self.pooled.items():
            people_out = iter(going[pool])
            for arc, like in arcs_out:
                for _ in range(int(flow[arc])):
                    found.append((next(people_out), free[like].pop(0)))
        return found

    def _going(
        self,
        waiting: Sequence[Waiting],
        left: Sequence[tuple[int, int]],
        many: int,
        flow: Ints,
        far: Mapping[str, float],
    ) -> list[str]:
        without = {i: int(flow[arc]) for arc, i in left}
        placed: list[str] = []
        for i, it in enumerate(waiting):
            order = sorted(it.people, key=lambda who: (far.get(who, 0.0), who))
            placed += order[without[i] :]
        return sorted(placed, key=lambda who: (-far.get(who, 0.0), who))[:many]
