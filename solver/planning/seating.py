"""Everybody seated at once by the flow code, under a fixed use of rooms and units."""

import numpy as np

from solver.domain import COST_LIMIT
from solver.planning.engine import TOLERANCE, Floats, Ints
from solver.planning.face import Face
from solver.planning.flow import solve_flow


def seated(face: Face, use: Ints, cost: Floats) -> Floats | None:
    """The cheapest flow under a use of rooms that keeps to the pins; None when there is none.

    Of equally cheap ones the one with the fewest moves, as far as the flow code can tell costs
    apart: there are far more plans with needless moves than the move budget allows.
    """
    model = face.model
    arcs, slack = model.arcs, model.arcs + model.uses
    free, fixed = face.free, face.fixed
    lower = np.where(free, face.lower, fixed)
    upper = np.where(free, face.upper, fixed)
    if np.any(use < lower[arcs:slack]) or np.any(use > upper[arcs:slack]):
        return None
    low, high = np.rint(lower[:arcs]).astype(np.int64), np.rint(upper[:arcs]).astype(np.int64)
    capacity = model.capacity(use)
    high[model.coupled] = np.minimum(high[model.coupled], capacity)
    tight = face.upper[slack:] <= TOLERANCE
    low[model.coupled[tight]] = capacity[tight]
    if np.any(low > high):
        return None
    fine = cost[:arcs]
    people = int(model.supply[model.supply > 0].sum())
    dearest = int(np.abs(fine).max(initial=0))
    scale = min(people + 1, COST_LIMIT // (4 * (people + 1) * (1 + dearest)))
    whole = np.rint(fine * max(1, scale)).astype(np.int64)
    if scale > 1:
        whole += model.cost[3]
    if people * int(np.abs(whole).max(initial=0)) > COST_LIMIT:
        return None
    open_arcs = np.flatnonzero(low < high)
    still = np.flatnonzero(low == high)
    supply = model.supply.copy()
    np.subtract.at(supply, model.tail[still], low[still])
    np.add.at(supply, model.head[still], low[still])
    found = solve_flow(
        model.tail[open_arcs],
        model.head[open_arcs],
        low[open_arcs],
        high[open_arcs],
        whole[open_arcs],
        supply,
    )
    if found is None:
        return None
    point = np.zeros(model.columns)
    point[:arcs] = low
    point[open_arcs] = found
    point[arcs:slack] = use
    point[slack:] = capacity - np.rint(point[model.coupled]).astype(np.int64)
    return point
