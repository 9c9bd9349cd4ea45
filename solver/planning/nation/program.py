"""A linear program collected column by column, priced on five levels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from ortools.math_opt import model_pb2

from solver.cost import LEVELS
from solver.planning.engine import Floats, Ints, run_highs

Levels = tuple[int, ...]
FREE: Levels = (0,) * LEVELS


class LeveledProgram:
    """Columns from 0 to ``upper`` with a cost on each level; rows ``a @ x <= limit`` or equal."""

    def __init__(self) -> None:
        self.cost: list[Levels] = []
        self.upper: list[float] = []
        self.whole: list[int] = []
        self.limit: list[float] = []
        self.equal: list[bool] = []
        self.places: list[tuple[int, int]] = []
        self.coefficients: list[float] = []

    def column(self, upper: float, cost: Levels = FREE, *, whole: bool = False) -> int:
        """A new column; its number. ``whole``: it must be whole where that is asked for."""
        self.cost.append(cost)
        self.upper.append(float(upper))
        if whole:
            self.whole.append(len(self.cost) - 1)
        return len(self.cost) - 1

    def row(self, limit: float, *, equal: bool = False) -> int:
        """A new empty row; its number."""
        self.limit.append(float(limit))
        self.equal.append(equal)
        return len(self.limit) - 1

    def put(self, row: int, column: int, coefficient: float) -> None:
        """Add to a coefficient."""
        self.places.append((row, column))
        self.coefficients.append(coefficient)

    def append(self, other: "LeveledProgram") -> int:
        """Put another program beside this one; the number of its first column here."""
        column, row = len(self.cost), len(self.limit)
        self.cost += other.cost
        self.upper += other.upper
        self.whole += [it + column for it in other.whole]
        self.limit += other.limit
        self.equal += other.equal
        self.places += [(a + row, b + column) for a, b in other.places]
        self.coefficients += other.coefficients
        return column

    def matrix(self) -> tuple[Ints, Ints, Floats]:
        """The rows as triplets, each place once."""
        at = np.array(self.places, np.int64).reshape(-1, 2)
        place, inverse = np.unique(at[:, 0] * len(self.cost) + at[:, 1], return_inverse=True)
        value = np.zeros(len(place))
        np.add.at(value, inverse, np.array(self.coefficients))
        return place // len(self.cost), place % len(self.cost), value

    def level_cost(self, level: int) -> Floats:
        """Each column's cost at a level."""
        return np.array([it[level] for it in self.cost], dtype=np.float64)

    def solve(
        self,
        cost: Floats,
        limits: Sequence[tuple[Floats, float]] = (),
        *,
        whole: Sequence[int] = (),
        fixed: Mapping[int, float] = MappingProxyType({}),
        within: float = 0.0,
        nodes: int = 20,
        seconds: float | None = None,
    ) -> "Point":
        """The cheapest point under further rows ``a @ x <= limit``.

        ``fixed``: with these columns at these values; ``whole``: with these whole, to within a
        relative gap, so many branch and bound nodes at most. ``seconds`` is the wall-clock last
        resort. No point at all: ``x`` None, the bound infinite. Raises ``EngineError`` when HiGHS
        fails.
        """
        integer = bool(whole)
        proto = self._proto(cost, limits, whole)
        for column, value in fixed.items():
            proto.variables.lower_bounds[column] = value
            proto.variables.upper_bounds[column] = value
        ended = run_highs(proto, mixed=integer, nodes=nodes, seconds=seconds, within=within)
        if ended is None:
            return Point(None, float("inf"))
        return Point(ended.x, ended.bound, ended.dual, ended.timed_out)

    def _proto(
        self, cost: Floats, limits: Sequence[tuple[Floats, float]], whole: Sequence[int]
    ) -> model_pb2.ModelProto:
        columns = len(self.cost)
        row, column, coefficient = self.matrix()
        for i, (values, _) in enumerate(limits):
            priced = np.flatnonzero(values)
            row = np.append(row, np.full(len(priced), len(self.limit) + i))
            column = np.append(column, priced)
            coefficient = np.append(coefficient, values[priced])
        upper = self.limit + [it for _, it in limits]
        equal = self.equal + [False] * len(limits)
        flags = np.zeros(columns, dtype=np.bool_)
        flags[list(whole)] = True
        proto = model_pb2.ModelProto()
        proto.variables.ids.extend(range(columns))
        proto.variables.lower_bounds.extend([0.0] * columns)
        proto.variables.upper_bounds.extend(self.upper)
        proto.variables.integers.extend(flags.tolist())
        priced = np.flatnonzero(cost)
        proto.objective.linear_coefficients.ids.extend(priced.tolist())
        proto.objective.linear_coefficients.values.extend(cost[priced].tolist())
        proto.linear_constraints.ids.extend(range(len(upper)))
        proto.linear_constraints.lower_bounds.extend(
            it if same else -np.inf for it, same in zip(upper, equal, strict=True)
        )
        proto.linear_constraints.upper_bounds.extend(upper)
        proto.linear_constraint_matrix.row_ids.extend(row.tolist())
        proto.linear_constraint_matrix.column_ids.extend(column.tolist())
        proto.linear_constraint_matrix.coefficients.extend(coefficient.tolist())
        return proto


@dataclass(frozen=True)
class Point:
    """``x`` is None when none was found; ``bound`` is proven. ``prices`` (linear programs only):
    each row's dual value, never above zero where the row is ``<=``."""

    x: Floats | None
    bound: float
    prices: Floats | None = None
    timed_out: bool = False
