"""The plan as a network flow: classes of people, slots of like beds, and the use of open rooms.

Every person is one unit of flow: from their class to a slot, to staying where they are, or to
remaining unplaced; from the slot through its unit (staffed beds) out. A resident who leaves frees
the bed for the slot, so chains of moves need no words of their own. Only how many open rooms of a
type get each use is not flow: integer columns that lend capacity to slots and leave to stay.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from solver.cost import LEVELS, Seat
from solver.planning.engine import Flags, Floats, Ints
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
class Block:
    """An open room people live in: ``uses`` columns from ``first``, the present one first; the
    ``classes`` of its residents; ``stays`` as (use column, class, the arc by which they stay)."""

    first: int
    uses: int
    classes: list[int] = field(default_factory=list)
    stays: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Residents:
    """Every resident class of an open room under every use of it: the ``use`` column, ``who``,
    the ``arc`` by which they stay under it (-1: they must go) and the ``block``. ``first``: by
    block, its present use."""

    use: Ints
    who: Ints
    arc: Ints
    block: Ints
    first: Ints


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
    ``present_arc``: by class, the arc everybody is on while nobody moves. ``use_change``: by use
    column, how many people of the last plan it leaves without their bed.
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
    present_arc: Ints
    blocks: list[Block]
    use_change: Ints
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
        if level == LEVELS:
            cost[self.arcs : self.arcs + self.uses] = self.use_change
        return cost

    def helping(self) -> Floats:
        """One for every move of somebody who gains nothing by it."""
        cost = np.zeros(self.columns)
        helper = np.array([it.helper for it in self.classes] + [False], dtype=np.bool_)
        moves = (self.meaning == SLOT_ARC) & helper[self.owner] & (self.cost[2] >= 0)
        cost[: self.arcs] = moves
        return cost

    def bounds(self) -> tuple[Floats, Floats]:
        """Lower and upper bounds of all columns, before any level is settled."""
        lower = np.zeros(self.columns)
        upper = np.full(self.columns, np.inf)
        upper[: self.arcs] = self.upper
        upper[self.arcs : self.arcs + self.uses] = self.type_count[self.use_type]
        return lower, upper

    def present(self) -> Floats:
        """Nobody moves, nobody is placed: the point every level starts from."""
        x = np.zeros(self.columns)
        flow = x[: self.arcs]
        flow[self.present_arc] = self.upper[self.present_arc]
        if self.uses:
            first = np.unique(self.use_type, return_index=True)[1]
            x[self.arcs + first] = self.type_count[self.use_type[first]]
        # Slots pass on what stays in them, then units what their slots pass on.
        through = np.flatnonzero(self.meaning == THROUGH_ARC)
        for arcs in (through[self.target[through] >= 0], through[self.target[through] < 0]):
            into = np.bincount(self.head, weights=flow, minlength=len(self.supply))
            flow[arcs] = into[self.tail[arcs]]
        use = np.rint(x[self.arcs : self.arcs + self.uses]).astype(np.int64)
        x[self.arcs + self.uses :] = self.capacity(use) - flow[self.coupled]
        return x

    @cached_property
    def lending(self) -> tuple[Ints, Ints, Ints]:
        """What uses lend, as (coupling, use, how much)."""
        parts = [(i, use, much) for i, lent in enumerate(self.lent) for use, much in lent]
        table = np.array(parts, dtype=np.int64).reshape(-1, 3)
        return table[:, 0], table[:, 1], table[:, 2]

    def capacity(self, use: Ints) -> Ints:
        """The upper bound of each coupled arc when the rooms are used so."""
        coupling, column, much = self.lending
        found = self.base.copy()
        np.add.at(found, coupling, much * use[column])
        return found

    @cached_property
    def residents(self) -> Residents:
        """Who lives in the open rooms, under each use."""
        rows: list[tuple[int, int, int, int]] = []
        for number, block in enumerate(self.blocks):
            arc_of = {(use, who): arc for use, who, arc in block.stays}
            rows += [
                (use, who, arc_of.get((use, who), -1), number)
                for use in range(block.first, block.first + block.uses)
                for who in block.classes
            ]
        table = np.array(rows, dtype=np.int64).reshape(-1, 4)
        first = np.array([it.first for it in self.blocks], dtype=np.int64)
        return Residents(table[:, 0], table[:, 1], table[:, 2], table[:, 3], first)

    @cached_property
    def block_of_use(self) -> Ints:
        """By use column, the number of its open room people live in; -1 for none."""
        found = np.full(self.uses, -1, dtype=np.int64)
        for number, block in enumerate(self.blocks):
            found[block.first : block.first + block.uses] = number
        return found

    @cached_property
    def block_of_class(self) -> Ints:
        """By class, the number of the open room it lives in; -1 for none."""
        found = np.full(len(self.classes), -1, dtype=np.int64)
        for number, block in enumerate(self.blocks):
            found[block.classes] = number
        return found

    @cached_property
    def coupling_of(self) -> Ints:
        """By arc, its coupling; -1 for none."""
        found = np.full(self.arcs, -1, dtype=np.int64)
        found[self.coupled] = np.arange(len(self.coupled))
        return found

    @cached_property
    def matrix(self) -> tuple[Ints, Ints, Floats, Floats]:
        """The rows ``A x = rhs`` of all columns as triplets (row, column, coefficient) and the
        right-hand side: nodes but the sink (whose row follows from the others), couplings with
        their slacks, then room types."""
        nodes, couplings = len(self.supply) - 1, len(self.coupled)
        numbers = np.arange(self.arcs)
        leaves, enters = self.tail < nodes, self.head < nodes
        coupling, use, much = self.lending
        rows = nodes + np.arange(couplings)
        row = (
            self.tail[leaves],
            self.head[enters],
            rows,
            rows,
            nodes + coupling,
            nodes + couplings + self.use_type,
        )
        column = (
            numbers[leaves],
            numbers[enters],
            self.coupled,
            self.arcs + self.uses + np.arange(couplings),
            self.arcs + use,
            self.arcs + np.arange(self.uses),
        )
        value = (
            np.ones(int(leaves.sum())),
            -np.ones(int(enters.sum())),
            np.ones(couplings),
            np.ones(couplings),
            -much.astype(np.float64),
            np.ones(self.uses),
        )
        rhs = (self.supply[:nodes], self.base, self.type_count)
        return (
            np.concatenate(row).astype(np.int64),
            np.concatenate(column).astype(np.int64),
            np.concatenate(value),
            np.concatenate(rhs).astype(np.float64),
        )
