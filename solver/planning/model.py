"""The plan as a network flow: classes of people, slots of like beds, and the use of open rooms.

Every person is one unit of flow: from their class to a slot, to staying where they are, or to
remaining unplaced; from the slot through its unit (staffed beds) out. A resident who leaves frees
the bed for the slot, so chains of moves need no words of their own. Only how many open rooms of a
type get each use is not flow: integer columns that lend capacity to slots and leave to stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from solver.cost import Seat
from solver.planning.engine import Flags, Floats, Ints, Program
from solver.planning.people import PeopleClass
from solver.planning.rooms import RoomState, Use

SLOT_ARC, STAY_ARC, UNPLACED_ARC, THROUGH_ARC = range(4)
"""What an arc means: a new seat, staying, no bed, or passing from a slot or unit onwards."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Like beds for like company: equal in all that rules and cost terms read."""

    seat: int
    cohort: bool
    company: str


@dataclass(frozen=True, slots=True)
class RoomType:
    """Like rooms and the uses each of them can have; the first use is the present one. A unit
    that may be shut to newcomers, or keep a reserve for emergencies, is one too, without rooms."""

    states: tuple[RoomState, ...]
    uses: tuple[tuple[Use, ...], ...]
    """Of each room, its uses in the same order."""


@dataclass
class SideRow:
    """``coefficient @ x[column] <= limit`` on columns of the model; equal when ``tight``;
    ``kept``: it keeps the value of an unproven level."""

    column: Ints
    coefficient: Floats
    limit: float
    tight: bool = False
    kept: bool = False


@dataclass
class Model:
    """All of it as arrays. Columns: arcs, then uses of room types, then slacks of couplings.

    A coupling says ``x[arc] <= base + sum(lent * use)``; ``cost`` is one row a level.
    """

    classes: list[PeopleClass]
    slots: list[Slot]
    seats: list[Seat]
    seat_of_bed: dict[str, int]
    types: list[RoomType]
    type_count: Ints
    closed: list[tuple[RoomState, Use]]
    meaning: Ints
    owner: Ints
    target: Ints
    tail: Ints
    head: Ints
    upper: Ints
    supply: Ints
    cost: Ints
    use_type: Ints
    use_number: Ints
    coupled: Ints
    base: Ints
    lent: list[list[tuple[int, int]]]
    side_rows: list[SideRow] = field(default_factory=list)

    @property
    def arcs(self) -> int:
        """How many of the columns are arcs."""
        return len(self.tail)

    @property
    def uses(self) -> int:
        """How many columns are uses of room types."""
        return len(self.use_type)

    @property
    def columns(self) -> int:
        """All columns: arcs, uses, slacks."""
        return self.arcs + self.uses + len(self.coupled)

    def integer(self, everything: bool) -> Flags:
        """The columns that must be whole: the uses, or ``everything`` but slacks."""
        flags = np.zeros(self.columns, dtype=np.bool_)
        flags[0 if everything else self.arcs : self.arcs + self.uses] = True
        return flags

    def level_cost(self, level: int) -> Floats:
        """The cost of every column at a level."""
        cost = np.zeros(self.columns)
        cost[: self.arcs] = self.cost[level]
        return cost

    def bounds(self) -> tuple[Floats, Floats]:
        """Lower and upper bounds of all columns, before any level is settled."""
        lower = np.zeros(self.columns)
        upper = np.full(self.columns, np.inf)
        upper[: self.arcs] = self.upper
        upper[self.arcs : self.arcs + self.uses] = self.type_count[self.use_type]
        return lower, upper

    def present(self) -> Floats:
        """Nobody moves: the point every level starts from."""
        x = np.zeros(self.columns)
        for first in np.unique(self.use_type, return_index=True)[1]:
            x[self.arcs + first] = self.type_count[self.use_type[first]]
        return x

    def capacity(self, use: Ints) -> Ints:
        """The upper bound of each coupled arc when the rooms are used so."""
        found = self.base.copy()
        for i, parts in enumerate(self.lent):
            found[i] += sum(count * int(use[column]) for column, count in parts)
        return found

    def program(self, lower: Floats, upper: Floats, side_rows: Sequence[SideRow]) -> Program:
        """The linear program's rows under these column bounds; side rows get slacks at the end."""
        arcs, first_use = self.arcs, self.arcs
        first_slack = self.arcs + self.uses
        nodes = len(self.supply) - 1  # the sink's row follows from the others
        numbers = np.arange(arcs)
        leaves, enters = self.tail < nodes, self.head < nodes
        row = [self.tail[leaves], self.head[enters]]
        column = [numbers[leaves], numbers[enters]]
        value = [np.ones(int(leaves.sum())), -np.ones(int(enters.sum()))]
        rhs = [self.supply[:nodes].astype(np.float64)]
        at = nodes
        lent = [(at + i, use, -count) for i, parts in enumerate(self.lent) for use, count in parts]
        rows = at + np.arange(len(self.coupled))
        row += [rows, rows, np.array([it[0] for it in lent], dtype=np.int64)]
        column += [
            self.coupled,
            first_slack + np.arange(len(self.coupled)),
            first_use + np.array([it[1] for it in lent], dtype=np.int64),
        ]
        value += [
            np.ones(len(rows)),
            np.ones(len(rows)),
            np.array([it[2] for it in lent], dtype=np.float64),
        ]
        rhs.append(self.base.astype(np.float64))
        at += len(rows)
        row.append(at + self.use_type)
        column.append(first_use + np.arange(self.uses))
        value.append(np.ones(self.uses))
        rhs.append(self.type_count.astype(np.float64))
        at += len(self.types)
        for i, side in enumerate(side_rows):
            row += [np.full(len(side.column) + 1, at + i)]
            column += [np.append(side.column, self.columns + i)]
            value += [np.append(side.coefficient, 1.0)]
            rhs.append(np.array([side.limit]))
        extra = len(side_rows)
        return Program(
            np.append(lower, np.zeros(extra)),
            np.append(upper, [0.0 if side.tight else np.inf for side in side_rows]),
            np.concatenate(rhs),
            np.concatenate(row).astype(np.int64),
            np.concatenate(column).astype(np.int64),
            np.concatenate(value),
        )
