"""From moves to a plan the checker can judge: who is left, and what it all costs."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from solver.codes import PlanStatus
from solver.cost import LEVELS, price
from solver.domain import LevelResult, Move, Network, Plan, Unplaced

NO_BOUND = float("-inf")


def finished(
    network: Network, moves: Iterable[Move], bounds: Sequence[float] = (NO_BOUND,) * LEVELS
) -> Plan:
    """The plan of these moves with its recounted price. A bound above the value, of a model whose
    answer could not be carried out whole, is lowered to the value."""
    moves = tuple(moves)
    placed = {move.request for move in moves}
    left = tuple(Unplaced(it.id, ()) for it in network.requests if it.id not in placed)
    plan = Plan(moves, left, (), PlanStatus.WITHIN_GAP, 0)
    values = price(network, plan).levels
    levels = tuple(LevelResult(i, values[i], min(bounds[i], values[i])) for i in range(LEVELS))
    proven = all(it.bound == it.value for it in levels)
    return replace(plan, levels=levels, status=PlanStatus.OPTIMAL if proven else plan.status)
