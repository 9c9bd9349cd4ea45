"""All regions in one program over kinds, levels 0 to 3: the national bound, and which use of
open rooms and reserves the nation wants.

Levels 0 to 3 read nothing of where anybody lives, so like beds of all regions meet in one pool:
people go to pools, pools to the slots of each unit. Slots, units, rooms and their staff stay one
by one, so nothing is lost but homes, and the columns are few. Every plan of the network, counted
by kind, is a point of it; so its optima, given the values of the levels above, are lower bounds.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from solver.cost import Seat
from solver.domain import Policy
from solver.planning.engine import Ints
from solver.planning.nation.census import Census, PersonKind, RoomKind, Slot, Staff, stable
from solver.planning.nation.fits import Arcs, Fits
from solver.planning.nation.program import LeveledProgram
from solver.planning.rooms import Use, uses

StayKey = tuple[int, RoomKind, Seat, bool, str]
"""Residents of one company in like beds of a region's open rooms of a kind."""


@dataclass(frozen=True)
class OpenRooms:
    """Rooms of a kind in one region, the ways to use them, and the column of each."""

    region: int
    kind: RoomKind
    count: int
    ways: tuple[Use, ...]
    columns: tuple[int, ...]

    def slot(self, bed: str, use: Use) -> Slot:
        """The slot a bed of it, by number, is in under a use."""
        return self.kind.beds[int(bed)][0], self.kind.cohort, use.company


class Pooled(LeveledProgram):
    """The program of all censuses."""

    def __init__(
        self,
        censuses: Sequence[Census],
        unit_kind: Mapping[str, str],
        policy: Policy,
        fits: Fits | None = None,
        kinds: Sequence[PersonKind] | None = None,
    ) -> None:
        """``kinds``: everybody of the nation by kind, where these censuses are a part of it."""
        super().__init__()
        self.censuses, self.unit_kind = censuses, unit_kind
        self.fits = fits or Fits(policy)
        self.settled = [sum(it.settled[i] for it in censuses) for i in (0, 1)]
        self.like_of_seat: dict[Seat, Seat] = {}
        self.slots: dict[Slot, int] = {}
        self.slot_row: list[int] = []
        self.slot_like: list[int] = []
        self.unit_of_slot: list[str] = []
        self.slots_of_unit: dict[str, list[tuple[int, Slot]]] = defaultdict(list)
        self.likes: dict[Slot, int] = {}
        self.rooms: list[OpenRooms] = []
        self.stay_rows: dict[StayKey, dict[int, int]] = {}
        self.lets_stay: dict[int, list[int]] = defaultdict(list)
        self.mode: dict[str, int] = {}
        self.staff_row: dict[str, tuple[int, int]] = {}
        self.shut_row: dict[str, int] = {}
        self.kinds = self._national_kinds() if kinds is None else list(kinds)
        self.urgent = any(it.profile.facts.emergency for it in self.kinds)
        for number, census in enumerate(censuses):
            for slot in sorted(census.free, key=stable):
                self.limit[self.slot_row[self._slot(slot)]] += census.free[slot]
            self._rooms(number, census)
            lived_in: Counter[str] = Counter()
            for kind, people in census.people.items():
                if kind.home is not None:
                    lived_in[kind.home.seat.unit] += len(people)
            for it in census.staff:
                self._staff(it, lived_in[it.unit])
        self._pools()
        self.budget_row = self.row(policy.move_budget)
        self.types: dict[Arcs, int] = {}
        self.bundles: dict[tuple[Arcs, bool], int] = {}
        self.left: dict[tuple[int, tuple[int, int]], int] = {}
        self._arcs: dict[PersonKind, Arcs] = {}
        for number, census in enumerate(censuses):
            for kind in sorted(census.people, key=stable):
                many = len(census.people[kind])
                if kind.home is None:
                    self._waiting(kind, many)
                else:
                    self._resident(number, kind, many)

    def constant(self, level: int) -> int:
        """What those nobody may move or place cost at a level."""
        return self.settled[level] if level < len(self.settled) else 0

    def _like(self, seat: Seat) -> Seat:
        if seat not in self.like_of_seat:
            self.like_of_seat[seat] = replace(seat, unit=self.unit_kind[seat.unit])
        return self.like_of_seat[seat]

    def _national_kinds(self) -> list[PersonKind]:
        """Everybody by kind, homes and declines dropped; for the companies rooms may serve."""
        found = {
            replace(it, home=None, barred=frozenset(), remain=(0, 0), agreed=None)
            for census in self.censuses
            for it in census.people
        }
        return sorted(found, key=stable)

    def _slot(self, slot: Slot) -> int:
        if slot not in self.slots:
            self.slots[slot] = len(self.slots)
            self.slot_row.append(self.row(0.0))
            self.unit_of_slot.append(slot[0].unit)
            self.slots_of_unit[slot[0].unit].append((self.slots[slot], slot))
            like = self._like(slot[0]), slot[1], slot[2]
            self.slot_like.append(self.likes.setdefault(like, len(self.likes)))
        return self.slots[slot]

    def _rooms(self, region: int, census: Census) -> None:
        for kind in sorted(census.rooms, key=stable):
            count, state = census.rooms[kind], kind.state()
            seats = {self._like(seat) for seat, usable, _ in kind.beds if usable}
            wanted = self.fits.companies(self.kinds, seats, kind.cohort)
            apart: dict[Seat, str] = {}
            for bed in state.usable:
                apart.setdefault(kind.beds[int(bed)][0], bed)
            ways = uses(state, wanted, apart.values())
            row = self.row(count, equal=True)
            columns = tuple(self.column(count, whole=True) for _ in ways)
            rooms = OpenRooms(region, kind, count, ways, columns)
            self.rooms.append(rooms)
            for use, column in zip(ways, columns, strict=True):
                self.put(row, column, 1.0)
                for bed in use.beds:
                    self.put(self.slot_row[self._slot(rooms.slot(bed, use))], column, -1.0)
                for bed in sorted(use.stay):
                    self._may_stay(rooms, use, bed, column)

    def _may_stay(self, rooms: OpenRooms, use: Use, bed: str, column: int) -> None:
        seat, usable, who = rooms.kind.beds[int(bed)]
        assert who is not None
        slot = self._slot(rooms.slot(bed, use)) if bed in use.beds else -1
        heads = self.stay_rows.setdefault((rooms.region, rooms.kind, seat, usable, who), {})
        if slot not in heads:
            heads[slot] = self.row(0.0)
        self.put(heads[slot], column, -1.0)
        self.lets_stay[heads[slot]].append(column)

    def allowed(self, row: int, use: Ints) -> int:
        """How many residents a stay row lets stay under a use of rooms."""
        return sum(int(use[column]) for column in self.lets_stay[row])

    def _staff(self, it: Staff, lived_in: int) -> None:
        """A unit's row of all newcomers, and of those who are no emergency, less departures. A
        unit for emergencies alone takes nobody else, whoever leaves."""
        self.staff_row[it.unit] = self.row(it.others), self.row(it.others)
        if self.urgent and it.emergencies > it.others:
            self.mode[it.unit] = column = self.column(1.0, whole=True)
            self.put(self.staff_row[it.unit][0], column, float(it.others - it.emergencies))
            self.put(self.staff_row[it.unit][1], column, float(it.others))
            self.shut_row[it.unit] = self.row(it.others + lived_in)
            self.put(self.shut_row[it.unit], column, float(it.others + lived_in))

    def _pools(self) -> None:
        """From each pool, for emergencies and for others, to the slots of like beds."""
        self.pool_row = [(self.row(0, equal=True), self.row(0, equal=True)) for _ in self.likes]
        for slot, number in self.slots.items():
            total, others = self.staff_row[slot[0].unit]
            for urgent in (False, True) if self.urgent else (False,):
                column = self.column(float("inf"))
                self.put(self.pool_row[self.slot_like[number]][urgent], column, -1.0)
                self.put(self.slot_row[number], column, 1.0)
                self.put(total, column, 1.0)
                if not urgent:
                    self.put(others, column, 1.0)
                    if slot[0].unit in self.shut_row:
                        self.put(self.shut_row[slot[0].unit], column, 1.0)

    def _open(self, kind: PersonKind) -> Arcs:
        """The pools open to a kind, each with its cost; the cost of leaving home included."""
        plain = replace(kind, barred=frozenset(), remain=(0, 0), agreed=None, waiting=False)
        if kind.home is not None:
            home = replace(kind.home, seat=self._like(kind.home.seat), room=None, slot=None)
            plain = replace(plain, home=home)
        if plain not in self._arcs:
            self._arcs[plain] = self.fits.arcs(
                plain, ((number, like) for like, number in self.likes.items())
            )
        return self._arcs[plain]

    def _waiting(self, kind: PersonKind, many: int) -> None:
        arcs, urgent = self._open(kind), kind.profile.facts.emergency
        if (arcs, urgent) not in self.bundles:
            self.bundles[arcs, urgent] = self.row(0, equal=True)
            for like, cost in arcs:
                column = self.column(float("inf"), cost)
                self.put(self.bundles[arcs, urgent], column, 1.0)
                self.put(self.pool_row[like][urgent], column, 1.0)
        row = self.bundles[arcs, urgent]
        self.limit[row] += many
        if (row, kind.remain) not in self.left:
            self.left[row, kind.remain] = self.column(0, (*kind.remain, 0, 0, 0))
            self.put(row, self.left[row, kind.remain], 1.0)
        self.upper[self.left[row, kind.remain]] += many

    def _resident(self, region: int, kind: PersonKind, many: int) -> None:
        home = kind.home
        assert home is not None
        row = self.row(many, equal=True)
        for slot, own in self._heads(region, kind):
            column = self.column(many, (*kind.remain, 0, 0, 0))
            self.put(row, column, 1.0)
            if slot >= 0:
                self.put(self.slot_row[slot], column, 1.0)
            if own is not None:
                self.put(own, column, 1.0)
        total, others = self.staff_row[home.seat.unit]
        if kind.agreed is not None:
            known = [it for unit in sorted(kind.agreed) for it in self.slots_of_unit.get(unit, ())]
            for slot, cost in self.fits.arcs(kind, known):
                column = self.column(many, cost)
                unit = self.unit_of_slot[slot]
                there = self.staff_row[unit]
                if unit in self.shut_row and unit != home.seat.unit:
                    self.put(self.shut_row[unit], column, 1.0)
                for at, sign in ((total, -1.0), (others, -1.0), (there[0], 1.0), (there[1], 1.0)):
                    self.put(at, column, sign)
                for at in (row, self.slot_row[slot], self.budget_row):
                    self.put(at, column, 1.0)
            return
        if home.seat.unit in self.shut_row:
            within = self.fits.arcs(kind, self.slots_of_unit[home.seat.unit])
            for slot, cost in within:
                column = self.column(many, cost)
                for at in (row, self.slot_row[slot], self.budget_row):
                    self.put(at, column, 1.0)
        arcs = self._open(kind)
        if not arcs:
            return
        if arcs not in self.types:
            self.types[arcs] = self.row(0, equal=True)
            for like, cost in arcs:
                column = self.column(float("inf"), cost)
                self.put(self.types[arcs], column, -1.0)
                self.put(self.pool_row[like][False], column, 1.0)
        column = self.column(many)
        for at, sign in (
            (row, 1.0),
            (self.types[arcs], 1.0),
            (self.budget_row, 1.0),
            (total, -1.0),
            (others, -1.0),
        ):
            self.put(at, column, sign)

    def _heads(self, region: int, kind: PersonKind) -> list[tuple[int, int | None]]:
        """The ways to be left as one is: the slot it takes a bed of (-1: none), and its row."""
        home = kind.home
        assert home is not None
        if home.room is not None:
            who = kind.companies[home.cohort]
            key = region, home.room, home.seat, home.usable, who
            return sorted(self.stay_rows.get(key, {}).items())
        if home.slot is None:
            return [(-1, None)]
        return [(self.slots[home.seat, home.cohort, home.slot], None)]
