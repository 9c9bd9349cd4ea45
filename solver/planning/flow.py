"""Min-cost flow with lower bounds on arcs: the exact seating once the use of rooms is fixed."""

import numpy as np
from ortools.graph.python import min_cost_flow

from solver.domain import COST_LIMIT
from solver.planning.engine import Ints


class FlowTooLargeError(ValueError):
    """Costs so large that the flow code could overflow; lower the policy's weights."""


def solve_flow(
    tail: Ints, head: Ints, lower: Ints, upper: Ints, cost: Ints, supply: Ints
) -> Ints | None:
    """The cheapest integral flow, or None when there is none.

    Arc ``a`` carries ``lower[a]`` to ``upper[a]`` units at ``cost[a]`` each; ``supply`` is by node
    and sums to zero. Raises ``FlowTooLargeError`` before an overflow could happen.
    """
    if np.any(lower > upper):
        return None
    units = int(supply[supply > 0].sum())
    if len(cost) and units * int(np.abs(cost).max()) > COST_LIMIT:
        raise FlowTooLargeError(f"{units} people at up to {int(np.abs(cost).max())} each")
    balance = supply.copy()
    np.subtract.at(balance, tail, lower)
    np.add.at(balance, head, lower)
    flow = min_cost_flow.SimpleMinCostFlow()
    arcs = flow.add_arcs_with_capacity_and_unit_cost(
        tail.astype(np.int32), head.astype(np.int32), upper - lower, cost
    )
    flow.set_nodes_supplies(np.arange(len(supply), dtype=np.int32), balance)
    status = flow.solve()
    if status == flow.OPTIMAL:
        return np.asarray(flow.flows(arcs), dtype=np.int64) + lower
    if status in (flow.INFEASIBLE, flow.UNBALANCED):
        return None
    raise FlowTooLargeError(f"the flow code ended with {status.name}")
