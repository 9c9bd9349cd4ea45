"""One level after the other: solve, keep to the optimal face, go on.

At each level the linear program gives the bound. Once the use of rooms is fixed the rest is a
min-cost flow, so the candidates (the use so far, the linear program's if it is whole, a short
mixed-integer program's if neither meets the bound) are seated by the flow code. A level proven is
kept by pinning every column whose reduced cost is not zero, which leaves exactly its optima. A
level not proven keeps its value by a row, and only columns too dear for the gap are pinned.
Levels are never added up.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from solver.cost import LEVELS
from solver.planning.engine import TOLERANCE, Floats, Ints, solve
from solver.planning.flow import COST_LIMIT, FlowTooLargeError, solve_flow
from solver.planning.model import Model, SideRow


@dataclass(frozen=True)
class Limits:
    """How hard to try. ``nodes``: branch and bound nodes a level; ``rounds``: how often a plan
    that cannot be carried out is planned anew; ``seconds``: wall clock for one solve, the last
    resort: a plan it stopped is marked so."""

    nodes: int = 2_000
    rounds: int = 8
    seconds: float = 30.0

    def __post_init__(self) -> None:
        for name in ("nodes", "rounds", "seconds"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)} - give more than 0")


@dataclass
class Solution:
    """A point of the model and the proven lower bound of each level, given the levels above."""

    flow: Ints
    use: Ints
    bounds: list[float]
    timed_out: bool = False


@dataclass
class _Face:
    """What the levels settled so far leave open."""

    model: Model
    lower: Floats
    upper: Floats
    rows: list[SideRow] = field(default_factory=list)

    def allows(self, x: Floats) -> bool:
        """Whether a point keeps to the side rows; the pins are the flow's own bounds."""
        for row in self.rows:
            slack = row.limit - float(row.coefficient @ x[row.column])
            if slack < -TOLERANCE or (row.tight and slack > TOLERANCE):
                return False
        return True


def solve_levels(model: Model, limits: Limits, seed: int) -> Solution:
    """Settle the levels in order. The present state is always a point, so there is an answer.

    Raises ``engine.EngineError`` when the solver fails, ``flow.FlowTooLargeError`` when weights
    are too large for the flow code.
    """
    people = int(model.supply[model.supply > 0].sum())
    dearest = int(np.abs(model.cost).max(initial=0))
    if people * dearest > COST_LIMIT:
        raise FlowTooLargeError(f"policy weights: {people} people at up to {dearest} - lower them")
    lower, upper = model.bounds()
    face = _Face(model, lower, upper, [replace(row) for row in model.side_rows])
    best = _staying(model)
    bounds: list[float] = []
    timed_out = False
    for level in range(LEVELS):
        cost = model.level_cost(level)
        if not np.any(cost[face.lower < face.upper]):
            bounds.append(float(cost @ best))
            continue
        best, bound, stopped = _one_level(face, cost, best, limits, seed)
        bounds.append(bound)
        timed_out = timed_out or stopped
    first = model.arcs + model.uses
    whole = np.rint(best).astype(np.int64)
    return Solution(whole[: model.arcs], whole[model.arcs : first], bounds, timed_out)


def _staying(model: Model) -> Floats:
    """Nobody moves, nobody is placed."""
    use = np.rint(model.present()[model.arcs : model.arcs + model.uses]).astype(np.int64)
    face = _Face(model, *model.bounds())
    face.upper[: model.arcs][model.meaning == 0] = 0.0
    point = _seated(face, use, np.zeros(model.columns))
    if point is None:
        raise AssertionError("the present state is not a point of its own model")
    return point


def _one_level(
    face: _Face, cost: Floats, best: Floats, limits: Limits, seed: int
) -> tuple[Floats, float, bool]:
    model, columns = face.model, face.model.columns
    program = model.program(face.lower, face.upper, face.rows)
    full_cost = np.append(cost, np.zeros(len(face.rows)))
    answer = solve(program, full_cost, seed=seed, seconds=limits.seconds)
    if answer.x is None or answer.reduced is None:
        face.rows.append(_keep(cost, best))
        return best, answer.bound, answer.timed_out
    relaxed, bound = answer.bound, float(np.ceil(answer.bound - TOLERANCE))
    value, stopped = float(cost @ best), answer.timed_out
    uses = slice(model.arcs, model.arcs + model.uses)
    whole = np.rint(answer.x[uses])
    tries = [best[uses]]
    if np.all(np.abs(answer.x[uses] - whole) < TOLERANCE):
        tries.insert(0, whole)
    priced = cost + _row_prices(face, answer.reduced[columns:])
    loyal = _loyal(face, cost)
    for use in tries:
        for wanted in (cost, priced, loyal):
            if value > bound:
                best, value = _better(face, use, cost, best, value, wanted)
    for everything in (False, True):
        if value > bound and (everything or model.uses):
            integer = np.append(model.integer(everything), np.zeros(len(face.rows), dtype=np.bool_))
            mixed = solve(
                program,
                full_cost,
                integer,
                seed=seed,
                nodes=limits.nodes,
                seconds=limits.seconds,
            )
            stopped = stopped or mixed.timed_out
            if np.isfinite(mixed.bound):
                bound = max(bound, min(value, float(np.ceil(mixed.bound - TOLERANCE))))
            if mixed.x is None:
                continue
            for wanted in (priced, loyal):
                best, value = _better(face, mixed.x[uses], cost, best, value, wanted)
            point = np.rint(mixed.x[:columns])
            if everything and face.allows(point) and float(cost @ point) < value:
                best, value = point, float(cost @ point)
    reduced, gap = answer.reduced[:columns], value - relaxed
    if gap < TOLERANCE:
        gap = 0.0
    else:
        face.rows.append(_keep(cost, best))
    at_lower = reduced > gap + TOLERANCE
    at_upper = (reduced < -gap - TOLERANCE) & np.isfinite(face.upper)
    face.upper[at_lower] = face.lower[at_lower]
    face.lower[at_upper] = face.upper[at_upper]
    for row, price in zip(face.rows, answer.reduced[columns:], strict=False):
        row.tight = row.tight or bool(price > gap + TOLERANCE)
    return best, bound, stopped


def _keep(cost: Floats, best: Floats) -> SideRow:
    """No worse than this point at its level."""
    priced = np.flatnonzero(cost)
    return SideRow(priced, cost[priced], float(cost @ best), kept=True)


def _row_prices(face: _Face, reduced: Floats) -> Floats:
    """What the side rows charge each column: the flow cannot see the rows, but it can pay."""
    charged = np.zeros(face.model.columns)
    for row, price in zip(face.rows, reduced, strict=True):
        np.add.at(charged, row.column, row.coefficient * price)
    return charged


def _loyal(face: _Face, cost: Floats) -> Floats:
    """The level's cost after those of the unproven levels above, which the flow keeps best by
    paying much more for them; only to find points, which are then judged level by level."""
    loyal = cost.copy()
    for row in reversed(face.rows):
        if row.kept:
            dearer = 8.0 * (1.0 + float(np.abs(loyal).max(initial=0.0)))
            loyal[row.column] += dearer * row.coefficient
    return loyal


def _better(
    face: _Face, use: Floats, cost: Floats, best: Floats, value: float, wanted: Floats
) -> tuple[Floats, float]:
    """The seating under a use of rooms that is cheapest by ``wanted``, if it beats the best point
    so far by ``cost``."""
    point = _seated(face, np.rint(use).astype(np.int64), wanted)
    if point is None or not face.allows(point) or float(cost @ point) >= value:
        return best, value
    return point, float(cost @ point)


def _seated(face: _Face, use: Ints, cost: Floats) -> Floats | None:
    """The cheapest flow under a use of rooms that keeps to the pins; None when there is none.

    Of equally cheap ones the one with the fewest moves, as far as the flow code can tell costs
    apart: there are far more plans with needless moves than the move budget allows.
    """
    model = face.model
    arcs, slack = model.arcs, model.arcs + model.uses
    if np.any(use < face.lower[arcs:slack]) or np.any(use > face.upper[arcs:slack]):
        return None
    lower = np.rint(face.lower[:arcs]).astype(np.int64)
    upper = np.rint(face.upper[:arcs]).astype(np.int64)
    capacity = model.capacity(use)
    upper[model.coupled] = np.minimum(upper[model.coupled], capacity)
    tight = face.upper[slack:] <= TOLERANCE
    lower[model.coupled[tight]] = capacity[tight]
    fine = cost[:arcs]
    people = int(model.supply[model.supply > 0].sum())
    scale = min(
        people + 1, COST_LIMIT // (4 * (people + 1) * (1 + int(np.abs(fine).max(initial=0))))
    )
    whole = np.rint(fine * max(1, scale)).astype(np.int64)
    if scale > 1:
        whole += model.cost[3]
    if people * int(np.abs(whole).max(initial=0)) > COST_LIMIT:
        return None
    flow = solve_flow(model.tail, model.head, lower, upper, whole, model.supply)
    if flow is None:
        return None
    point = np.zeros(model.columns)
    point[:arcs] = flow
    point[arcs:slack] = use
    point[slack:] = capacity - flow[model.coupled]
    return point
