"""What the levels settled so far leave open, and the part of it the solver looks at.

Every column of the model has bounds, which pins tighten level by level. Columns that are not
*opened* keep their present value: most residents stay, most rooms are used as they are, and only
``columns`` says, by prices, whose turn it is to be looked at.
"""

from dataclasses import dataclass, field

import numpy as np

from solver.cost import LEVELS
from solver.planning.engine import TOLERANCE, Flags, Floats, Ints, Program
from solver.planning.model import SLOT_ARC, Model, SideRow

_FEW = 8


@dataclass(frozen=True)
class Part:
    """The program of the opened columns: ``program`` with its side rows' slacks at the end,
    ``columns`` and ``rows``: which of the model's they are, ``settled``: the cost of the rest."""

    program: Program
    columns: Ints
    rows: Ints
    cost: Floats
    settled: float


@dataclass
class Face:
    """Bounds of all columns, side rows, and which columns the solver looks at."""

    model: Model
    lower: Floats
    upper: Floats
    present: Floats
    opened: Flags
    rows: list[SideRow] = field(default_factory=list)

    @property
    def free(self) -> Flags:
        """Columns that are opened and not pinned."""
        return self.opened & (self.lower < self.upper)

    @property
    def fixed(self) -> Floats:
        """The values of the columns that are not free."""
        return np.where(self.lower < self.upper, self.present, self.lower)

    def allows(self, x: Floats) -> bool:
        """Whether a point keeps to the side rows; the pins are the flow's own bounds."""
        for row in self.rows:
            slack = row.limit - float(row.coefficient @ x[row.column])
            if slack < -TOLERANCE or (row.tight and slack > TOLERANCE):
                return False
        return True

    def part(self, cost: Floats) -> Part:
        """The program of the opened columns under a cost, the rest as it is."""
        model, free, fixed = self.model, self.free, self.fixed
        row, column, value, rhs = model.matrix
        nodes, first_slack = len(model.supply) - 1, model.arcs + model.uses
        loose = free[column]
        still = ~loose & (column < first_slack)
        rhs = rhs - np.bincount(
            row[still], weights=value[still] * fixed[column[still]], minlength=len(rhs)
        )
        wanted = np.zeros(len(rhs), dtype=np.bool_)
        wanted[row[loose & (column < first_slack)]] = True
        # A coupling of an arc that carries nothing binds nobody, unless it must be used up.
        idle = ~free[model.coupled] & (fixed[model.coupled] <= TOLERANCE)
        idle &= self.upper[first_slack:] > TOLERANCE
        wanted[nodes + np.flatnonzero(idle)] = False
        kept_columns = free.copy()
        kept_columns[first_slack:] &= wanted[nodes : nodes + len(model.coupled)]
        columns, rows = np.flatnonzero(kept_columns), np.flatnonzero(wanted)
        column_number = np.cumsum(kept_columns) - 1
        row_number = np.cumsum(wanted) - 1
        kept = kept_columns[column] & wanted[row]
        parts = [(row_number[row[kept]], column_number[column[kept]], value[kept])]
        right, at = [rhs[rows]], len(rows)
        for i, side in enumerate(self.rows):
            inside = kept_columns[side.column]
            outside = side.column[~inside]
            spent = float(side.coefficient[~inside] @ fixed[outside])
            parts.append(
                (
                    np.full(int(inside.sum()) + 1, at + i),
                    np.append(column_number[side.column[inside]], len(columns) + i),
                    np.append(side.coefficient[inside], 1.0),
                )
            )
            right.append(np.array([side.limit - spent]))
        ends = np.array([0.0 if side.tight else np.inf for side in self.rows])
        program = Program(
            np.append(self.lower[columns], np.zeros(len(ends))),
            np.append(self.upper[columns], ends),
            np.concatenate(right),
            np.concatenate([it[0] for it in parts]).astype(np.int64),
            np.concatenate([it[1] for it in parts]).astype(np.int64),
            np.concatenate([it[2] for it in parts]),
        )
        still_there = ~kept_columns
        still_there[first_slack:] = False
        settled = float(cost[still_there] @ fixed[still_there])
        return Part(program, columns, rows, np.append(cost[columns], np.zeros(len(ends))), settled)

    def whole(self, part: Part, x: Floats) -> Floats:
        """The point of the whole model behind a point of its part."""
        point = self.fixed.copy()
        point[part.columns] = x[: len(part.columns)]
        model = self.model
        coupling, use, much = model.lending
        capacity = model.base.astype(np.float64)
        np.add.at(capacity, coupling, much * point[model.arcs + use])
        point[model.arcs + model.uses :] = capacity - point[model.coupled]
        return point


def whole_face(model: Model) -> Face:
    """Nothing settled yet: everything is allowed that the model allows.

    Opened are the ways through slots and units, the uses of rooms nobody lives in and of units,
    and, of everybody whose place is wanting (who waits, who is misplaced, whom the last plan
    moved), the few best ways.
    """
    lower, upper = model.bounds()
    opened = np.ones(model.columns, dtype=np.bool_)
    helper = np.array([it.helper and it.wish is None for it in model.classes], dtype=np.bool_)
    opened[: model.arcs] = model.meaning != SLOT_ARC
    opened[model.present_arc[helper]] = False
    opened[_few(model, ~helper)] = True
    face = Face(model, lower, upper, model.present(), opened)
    for block in model.blocks:
        opened[model.arcs + block.first : model.arcs + block.first + block.uses] = False
        if not all(helper[block.classes]):
            open_block(face, block.first, block.uses, block.classes, block.stays)
        else:
            opened[[arc for _, _, arc in block.stays]] = False
    face.rows = [SideRow(it.column, it.coefficient, it.limit) for it in model.side_rows]
    return face


def _few(model: Model, who: Flags) -> Ints:
    """The few arcs of each of these classes that are dear at no level."""
    arcs = np.flatnonzero(model.meaning == SLOT_ARC)
    arcs = arcs[who[model.owner[arcs]]]
    keys = [model.cost[level, arcs] for level in (4, 2, *range(LEVELS, len(model.cost)))]
    return first_of_each(arcs[np.lexsort((arcs, *keys, model.owner[arcs]))], model.owner, _FEW)


def first_of_each(arcs: Ints, owner: Ints, count: int) -> Ints:
    """Of arcs sorted by class, each class's first so many."""
    start = np.flatnonzero(np.diff(owner[arcs], prepend=-1))
    rank = np.arange(len(arcs)) - np.repeat(start, np.diff(np.append(start, len(arcs))))
    return arcs[rank < count]


def open_block(
    face: Face, first: int, uses: int, classes: list[int], stays: list[tuple[int, int, int]]
) -> None:
    """Look at every use of a room, and at all ways its residents may stay."""
    arcs = face.model.arcs
    face.opened[arcs + first : arcs + first + uses] = True
    face.opened[[arc for _, _, arc in stays]] = True
    face.opened[face.model.present_arc[classes]] = True
