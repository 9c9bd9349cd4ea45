"""The plans of regions as one plan of the network."""

from collections.abc import Iterable
from dataclasses import replace

from solver.codes import PlanStatus
from solver.domain import Move, Network, Plan
from solver.planning.unplaced import BedCounts


def merged(network: Network, plans: Iterable[Plan], seed: int) -> Plan:
    """The regions' moves in the order of the regions, numbered anew; who gets no bed explained
    against the whole network. Levels are left to be priced."""
    moves: list[Move] = []
    impossible: set[tuple[str, ...]] = set()
    for plan in plans:
        impossible.update(plan.impossible)
        first = len(moves) + 1
        ids = {move.id: f"m{number:04d}" for number, move in enumerate(plan.moves, first)}
        moves += [
            replace(move, id=ids[move.id], after=tuple(sorted(ids[it] for it in move.after)))
            for move in plan.moves
        ]
    placed = {move.request for move in moves}
    left = sorted(
        (it for it in network.requests if it.id not in placed), key=lambda it: (it.since, it.id)
    )
    counts = BedCounts(network, (move.to_bed for move in moves)) if left else None
    return Plan(
        moves=tuple(moves),
        unplaced=tuple(counts.explain(it) for it in left) if counts is not None else (),
        levels=(),
        status=PlanStatus.NOTHING_TO_DO,
        seed=seed,
        impossible=tuple(sorted(impossible)),
    )
