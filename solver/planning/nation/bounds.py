"""The uses of open rooms and reserves the nation wants, and proven lower bounds of levels 0 to 3,
each given the values of the levels above."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from solver.planning.engine import TOLERANCE, Floats
from solver.planning.nation.pooled import Pooled
from solver.planning.nation.program import Point

POOLED = 4
"""Levels 0 to 3 read nothing of where anybody lives."""
WITHIN, NODES = 0.0005, 5
"""How near to its optimum, and with how many nodes, a level with whole uses is settled."""
PROVED = (0, 1)
"""Levels worth a mixed-integer program: those below rarely ask for another use."""
LARGE = 20_000
"""Columns up to which a bound is looked for with whole uses."""

Limits = Sequence[tuple[Floats, float]]


class Settling:
    """One pooled program and its point so far. ``timed_out``: the wall clock ended a solve, so
    that a rerun need not give the same."""

    def __init__(self, program: Pooled, seconds: float) -> None:
        self.program, self.seconds = program, seconds
        self.x: Floats | None = None
        self.timed_out = False

    def uses(self) -> Floats:
        """Whole uses good for levels 0 to 3 in turn, in the order of ``program.whole``; those the
        linear program leaves torn are asked to be whole, with all others as they are."""
        above: list[int] = []
        for level in range(POOLED):
            self._settle(level, self._limits(above))
            if self.x is None:
                break
            value = float(self.program.level_cost(level) @ self.x)
            above.append(int(np.ceil(value - TOLERANCE)) + self.program.constant(level))
        if self.x is None:
            return np.zeros(0)
        return np.rint(self.x[self.program.whole])

    def bounds(self, values: Sequence[int]) -> list[float]:
        """A bound of each of the levels 0 to 3 given a plan's values at the levels above."""
        found = []
        for level in range(POOLED):
            cost, limits = self.program.level_cost(level), self._limits(values[:level])
            constant = self.program.constant(level)
            relaxed = self._solved(cost, limits)
            bound = relaxed.bound
            torn = [] if relaxed.x is None else _torn(self.program, relaxed.x)
            small = len(self.program.cost) <= LARGE
            if torn and small and level in PROVED and not _near(values[level] - constant, bound):
                point = self._solved(cost, limits, torn)
                bound = max(bound, point.bound) if np.isfinite(point.bound) else bound
            found.append(float(np.ceil(bound - TOLERANCE)) + constant)
        return found

    def _settle(self, level: int, limits: Limits) -> None:
        program, cost = self.program, self.program.level_cost(level)
        relaxed = self._solved(cost, limits)
        best = None if self.x is None else self._kept(cost, limits)
        if relaxed.x is not None and (best is None or not _near(float(cost @ best), relaxed.bound)):
            found, torn = relaxed, _torn(program, relaxed.x)
            if torn and (best is None or level in PROVED):
                others = set(program.whole) - set(torn)
                found = self._solved(
                    cost, limits, torn, {it: round(relaxed.x[it]) for it in others}
                )
            elif torn:
                found = Point(None, relaxed.bound)
            if found.x is not None and (best is None or cost @ found.x < cost @ best - TOLERANCE):
                best = found.x
        self.x = self.x if best is None else best

    def _kept(self, cost: Floats, limits: Limits) -> Floats | None:
        """The best point under the uses found so far."""
        assert self.x is not None
        return self._solved(
            cost, limits, (), {it: float(round(self.x[it])) for it in self.program.whole}
        ).x

    def _limits(self, above: Sequence[int]) -> Limits:
        program = self.program
        return [
            (program.level_cost(i), value - program.constant(i) + TOLERANCE)
            for i, value in enumerate(above)
        ]

    def _solved(
        self,
        cost: Floats,
        limits: Limits,
        whole: Sequence[int] = (),
        fixed: Mapping[int, float] = MappingProxyType({}),
    ) -> Point:
        point = self.program.solve(
            cost,
            limits,
            whole=whole,
            fixed=fixed,
            within=WITHIN,
            nodes=NODES,
            seconds=self.seconds,
        )
        self.timed_out = self.timed_out or point.timed_out
        return point


def _torn(program: Pooled, x: Floats) -> list[int]:
    """The columns meant to be whole that are not."""
    whole = np.array(program.whole, np.int64)
    torn = whole[np.abs(x[whole] - np.rint(x[whole])) > TOLERANCE]
    return sorted(set(torn.tolist()))


def _near(value: float, bound: float) -> bool:
    """Whether a value is as near to a bound as is asked for."""
    return value - bound < max(1.0 - TOLERANCE, WITHIN * abs(value))
