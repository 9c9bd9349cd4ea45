"""One level after the other: solve, keep to the optimal face, go on.

At each level the linear program gives the bound. Once the use of rooms is fixed the rest is a
min-cost flow, so the candidates (the use so far, the linear program's if it is whole, a short
mixed-integer program's if neither meets the bound) are seated by the flow code. A level proven is
kept by pinning every column whose reduced cost is not zero, which leaves exactly its optima. A
level not proven keeps its value by a row, and only columns too dear for the gap are pinned.
Levels are never added up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from solver.cost import LEVELS
from solver.domain import COST_LIMIT
from solver.planning.columns import Relaxed, open_columns, relax
from solver.planning.engine import TOLERANCE, Floats, Ints, solve
from solver.planning.face import Face, whole_face
from solver.planning.flow import FlowTooLargeError
from solver.planning.model import SLOT_ARC, Model, SideRow
from solver.planning.seating import seated

CLOSE = 1e-3
"""A gap this small below level 1 is not worth a mixed-integer program."""
_EXACT = 14_000
"""Columns a mixed-integer program may have; where fewer are within the gap, it proves."""
_SMALL = 6_000
"""Columns up to which everything may be whole at once."""
_EFFORT = 4_000_000
"""Nodes times columns a mixed-integer program may take."""


@dataclass(frozen=True)
class Limits:
    """How hard to try. ``nodes``: branch and bound nodes a level; ``rounds``: how often a plan
    that cannot be carried out is planned anew; ``seconds``: wall clock for one solve, the last
    resort: a plan it stopped is marked so. ``levels``: settle only the first so many; the others
    are priced as they come, with bounds that say little."""

    nodes: int = 2_000
    rounds: int = 8
    seconds: float = 30.0
    levels: int = LEVELS

    def __post_init__(self) -> None:
        for name in ("nodes", "rounds", "seconds", "levels"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)} - give more than 0")


@dataclass
class Solution:
    """A point of the model and the proven lower bound of each level, given the levels above.
    ``stopped``: it was told to stop, or ran out of time."""

    flow: Ints
    use: Ints
    bounds: list[float]
    stopped: bool = False


def solve_levels(
    model: Model,
    limits: Limits,
    seed: int,
    stop: Callable[[], bool] | None = None,
    *,
    sparing: bool = False,
) -> Solution:
    """Settle the levels in order. The present state is always a point, so there is an answer.

    ``sparing``: once levels 0 and 1 are settled, those who gain nothing by moving are moved as
    seldom as that allows, before the levels below are looked at. Its bounds are not those of the
    model.

    Raises ``engine.EngineError`` when the solver fails, ``flow.FlowTooLargeError`` when weights
    are too large for the flow code.
    """
    people = int(model.supply[model.supply > 0].sum())
    dearest = int(np.abs(model.cost).max(initial=0))
    if people * dearest > COST_LIMIT:
        raise FlowTooLargeError(f"policy weights: {people} people at up to {dearest} - lower them")
    face = whole_face(model)
    best = face.present.copy()
    bounds: list[float] = []
    stopped = False
    for level in range(len(model.cost)):
        cost = model.level_cost(level)
        stopped = stopped or (stop is not None and stop())
        if level == 2 and sparing and not stopped:
            best, _, late = _one_level(face, model.helping(), level, best, limits, seed)
            stopped = late
            _spare(face, best)
        if level >= limits.levels < LEVELS or stopped:
            bounds.append(_trivial(face, cost))
        elif not np.any(cost[face.lower < face.upper]):
            bounds.append(float(cost @ best))
        else:
            best, bound, late = _one_level(face, cost, level, best, limits, seed)
            bounds.append(bound)
            stopped = late
    first = model.arcs + model.uses
    whole = np.rint(best).astype(np.int64)
    return Solution(whole[: model.arcs], whole[model.arcs : first], bounds[:LEVELS], stopped)


def _spare(face: Face, best: Floats) -> None:
    """Leave rooms people live in as the plan so far uses them, and of those who gain nothing move
    only such as live like those it moves, to where it moves them."""
    model = face.model
    used = np.flatnonzero(model.block_of_use >= 0) + model.arcs
    face.lower[used] = face.upper[used] = best[used]
    home = np.array(
        [-1 if it.home is None else model.seat_of_bed[it.home] for it in model.classes] + [-1]
    )
    way = home[model.owner] * (len(model.slots) + 1) + model.target
    helping = model.helping()[: model.arcs] > 0
    other = helping & ~np.isin(way, way[helping & (best[: model.arcs] > TOLERANCE)])
    face.upper[: model.arcs][other] = 0.0


def certify(
    model: Model,
    values: Sequence[int],
    limits: Limits,
    seed: int,
    stop: Callable[[], bool] | None = None,
) -> list[float]:
    """A proven lower bound of each level among all points no worse than a plan's values at the
    levels above, by linear programs alone. ``values``: what the plan is worth by level."""
    face = whole_face(model)
    bounds: list[float] = []
    stopped = False
    for level, value in enumerate(values):
        cost = model.level_cost(level)
        stopped = stopped or (stop is not None and stop())
        if level >= limits.levels or stopped:
            bounds.append(_trivial(face, cost))
            continue
        relaxed = relax(face, cost, seed=seed, seconds=limits.seconds)
        if relaxed.x is None:
            bounds.append(max(relaxed.bound, _trivial(face, cost)))
            stopped = True
            continue
        bounds.append(float(np.ceil(relaxed.bound - TOLERANCE)))
        _pin(face, cost, relaxed, value)
    return bounds


def _trivial(face: Face, cost: Floats) -> float:
    """A bound without solving: everybody as cheap as any of their ways."""
    model = face.model
    owned = np.flatnonzero((model.owner >= 0) & (face.upper[: model.arcs] > 0))
    least = np.full(len(model.classes), np.inf)
    np.minimum.at(least, model.owner[owned], cost[owned])
    many = model.supply[: len(model.classes)]
    return float(least @ many) if len(many) else 0.0


def _one_level(
    face: Face, cost: Floats, level: int, best: Floats, limits: Limits, seed: int
) -> tuple[Floats, float, bool]:
    relaxed = relax(face, cost, seed=seed, seconds=limits.seconds)
    value = float(cost @ best)
    if relaxed.x is None:
        face.rows.append(_keep(cost, value))
        return best, max(relaxed.bound, _trivial(face, cost)), True
    bound, stopped = float(np.ceil(relaxed.bound - TOLERANCE)), relaxed.timed_out
    best, value = _by_flow(face, cost, relaxed, best, value, bound)
    if value > bound and not (level > 1 and value - bound <= CLOSE * abs(value)):
        best, value, bound, late = _mixed(face, cost, relaxed, (best, value, bound), limits, seed)
        stopped = stopped or late
    _pin(face, cost, relaxed, value)
    return best, bound, stopped


def _by_flow(
    face: Face, cost: Floats, relaxed: Relaxed, best: Floats, value: float, bound: float
) -> tuple[Floats, float]:
    """The best seating under the use of rooms so far, or under the linear program's."""
    assert relaxed.x is not None
    model = face.model
    uses = slice(model.arcs, model.arcs + model.uses)
    whole = np.rint(relaxed.x[uses])
    tries = [best[uses]]
    if np.all(np.abs(relaxed.x[uses] - whole) < TOLERANCE):
        tries.insert(0, whole)
    priced = cost + _row_prices(face, relaxed.row_prices)
    loyal = _loyal(face, cost)
    for use in tries:
        for wanted in (cost, priced, loyal):
            if value > bound:
                best, value = _better(face, use, cost, best, value, wanted)
    return best, value


def _mixed(
    face: Face,
    cost: Floats,
    relaxed: Relaxed,
    known: tuple[Floats, float, float],
    limits: Limits,
    seed: int,
) -> tuple[Floats, float, float, bool]:
    """Mixed-integer programs: with whole uses, with everything whole under the best uses so far,
    and in a model small enough with everything whole. Where every column within the gap can be
    looked at, their bound counts for the whole face."""
    model = face.model
    best, value, bound = known
    uses = slice(model.arcs, model.arcs + model.uses)
    exact = _open_within(face, relaxed, value - relaxed.bound)
    priced = cost + _row_prices(face, relaxed.row_prices)
    loyal = _loyal(face, cost)
    small = int(face.free.sum()) <= _SMALL
    stopped = False
    for everything, settled in ((False, False), (True, True), (True, False)):
        if value <= bound or (not model.uses and (settled or not everything)):
            continue
        if everything and not settled and not small:
            continue
        ends = face.lower[uses].copy(), face.upper[uses].copy()
        if settled:
            face.lower[uses] = face.upper[uses] = best[uses]
        part = face.part(cost)
        kinds = np.append(model.integer(everything)[part.columns], np.zeros(len(face.rows), bool))
        nodes = max(20, min(limits.nodes, _EFFORT // (1 + len(part.columns))))
        mixed = solve(
            part.program, part.cost, kinds, seed=seed, nodes=nodes, seconds=limits.seconds
        )
        stopped = stopped or mixed.timed_out
        point = None if mixed.x is None else np.rint(face.whole(part, mixed.x))
        face.lower[uses], face.upper[uses] = ends
        if exact and not settled and np.isfinite(mixed.bound):
            lifted = float(np.ceil(mixed.bound + part.settled - TOLERANCE))
            bound = max(bound, min(value, lifted))
        if point is None:
            continue
        for wanted in (priced, loyal):
            best, value = _better(face, point[uses], cost, best, value, wanted)
        if everything and face.allows(point) and float(cost @ point) < value:
            best, value = point, float(cost @ point)
    return best, value, bound, stopped


def _open_within(face: Face, relaxed: Relaxed, gap: float) -> bool:
    """Look at every column a better point could use, where they are not too many; else at those
    of the people whose place is wanting. Whether it is every one."""
    model = face.model
    hidden = (relaxed.reduced <= gap + TOLERANCE) & (face.lower < face.upper) & ~face.opened
    every = int(hidden.sum() + face.free.sum()) <= _EXACT
    if not every:
        needy = np.array([not it.helper for it in model.classes] + [True], dtype=np.bool_)
        hidden[: model.arcs] &= needy[model.owner]
        hidden[model.arcs :] = False
    if hidden.any():
        arcs = np.flatnonzero(hidden[: model.arcs] & (model.meaning == SLOT_ARC))
        used = np.flatnonzero(hidden[model.arcs : model.arcs + model.uses])
        rooms = np.unique(model.block_of_use[used])
        open_columns(face, arcs, rooms[rooms >= 0])
    return every


def _pin(face: Face, cost: Floats, relaxed: Relaxed, value: float) -> None:
    """Keep to the level: to its optima when it is proven, else to its value."""
    reduced, gap = relaxed.reduced, value - relaxed.bound
    rows = list(face.rows)
    if gap < TOLERANCE:
        gap = 0.0
    else:
        face.rows.append(_keep(cost, value))
    at_lower = reduced > gap + TOLERANCE
    at_upper = (reduced < -gap - TOLERANCE) & np.isfinite(face.upper) & face.opened
    face.upper[at_lower] = face.lower[at_lower]
    face.lower[at_upper] = face.upper[at_upper]
    for row, price in zip(rows, relaxed.row_prices, strict=True):
        row.tight = row.tight or bool(-price > gap + TOLERANCE)


def _keep(cost: Floats, value: float) -> SideRow:
    """No worse than this value at its level."""
    priced = np.flatnonzero(cost)
    return SideRow(priced, cost[priced], value, kept=True)


def _row_prices(face: Face, prices: Floats) -> Floats:
    """What the side rows charge each column: the flow cannot see the rows, but it can pay."""
    charged = np.zeros(face.model.columns)
    for row, price in zip(face.rows, prices, strict=False):
        np.add.at(charged, row.column, -row.coefficient * price)
    return charged


def _loyal(face: Face, cost: Floats) -> Floats:
    """The level's cost after those of the unproven levels above, which the flow keeps best by
    paying much more for them; only to find points, which are then judged level by level."""
    loyal = cost.copy()
    for row in reversed(face.rows):
        if row.kept:
            dearer = 8.0 * (1.0 + float(np.abs(loyal).max(initial=0.0)))
            loyal[row.column] += dearer * row.coefficient
    return loyal


def _better(
    face: Face, use: Floats, cost: Floats, best: Floats, value: float, wanted: Floats
) -> tuple[Floats, float]:
    """The seating under a use of rooms that is cheapest by ``wanted``, if it beats the best point
    so far by ``cost``."""
    point = seated(face, np.rint(use).astype(np.int64), wanted)
    if point is None or not face.allows(point) or float(cost @ point) >= value:
        return best, value
    return point, float(cost @ point)
