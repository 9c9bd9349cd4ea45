"""The plan for now, from snapshot to moves in order; its steps read as the method."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np

from solver.check import Violation, violations
from solver.codes import PlanStatus
from solver.cost import LEVELS, price
from solver.domain import LevelResult, Move, Network, Plan
from solver.planning.build import build
from solver.planning.levels import Limits, Solution, solve_levels
from solver.planning.model import SLOT_ARC, Model, SideRow
from solver.planning.naming import Mover, name_people
from solver.planning.order import Schedule, cycles, put_in_order
from solver.planning.reasons import Reasoned, reasoned_moves
from solver.planning.unplaced import BedCounts


class DirtyPlanError(RuntimeError):
    """The plan made breaks a rule and is not shown; ``violations`` names each."""

    def __init__(self, broken: tuple[Violation, ...]) -> None:
        super().__init__(f"the plan breaks {len(broken)} rules; first: {broken[0].text}")
        self.violations = broken


@dataclass
class RunStats:
    """What a run took; never part of the plan. ``seconds`` by step, ``rounds`` of planning anew,
    ``dropped`` people the last round could not carry out."""

    seconds: dict[str, float] = field(default_factory=dict)
    rounds: int = 0
    dropped: int = 0
    classes: int = 0
    slots: int = 0
    arcs: int = 0
    open_rooms: int = 0

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time of a block to a step."""
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + perf_counter() - start


def make_plan(
    network: Network, seed: int = 0, limits: Limits | None = None
) -> tuple[Plan, RunStats]:
    """Plan the whole network for now: who waits is placed, who is misplaced is moved, residents
    move on only with a reason. Level by level, each with its proven bound.

    The same network and seed give the same plan, byte for byte, unless its status is ``STOPPED``.
    A plan is clean under ``check.violations`` or ``DirtyPlanError`` is raised and none is shown.
    """
    limits = limits or Limits()
    stats = RunStats()
    with stats.timed("model"):
        model = build(network)
        model.side_rows += _budget_row(network, model)
    stats.classes, stats.slots, stats.arcs = len(model.classes), len(model.slots), model.arcs
    stats.open_rooms = sum(len(kind.states) for kind in model.types)
    first: Solution | None = None
    impossible: set[tuple[str, ...]] = set()
    while True:
        stats.rounds += 1
        with stats.timed("levels"):
            solution = solve_levels(model, limits, seed)
        first = first or solution
        with stats.timed("names and order"):
            schedule, reasoned, groups = _carried_out(network, model, solution)
        impossible |= {tuple(it.person for it in group) for group in groups}
        if not schedule.stuck and not reasoned.groundless:
            break
        if stats.rounds >= limits.rounds:
            reasoned = _without(network, schedule, reasoned, stats)
            break
        model.side_rows += _new_rows(network, model, solution, schedule, reasoned, groups)
    with stats.timed("explain"):
        plan = _assemble(network, reasoned.moves, solution, first, impossible, seed)
    with stats.timed("check"):
        broken = violations(network, plan)
    if broken:
        raise DirtyPlanError(broken)
    return plan, stats


def _budget_row(network: Network, model: Model) -> list[SideRow]:
    """No more resident moves than the policy's budget."""
    arcs = _resident_arcs(model)
    if not len(arcs):
        return []
    return [SideRow(arcs, np.ones(len(arcs)), float(network.policy.move_budget))]


def _resident_arcs(model: Model) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    resident = np.array([it.home is not None for it in model.classes], dtype=np.bool_)
    moves = np.flatnonzero(model.meaning == SLOT_ARC)
    return moves[resident[model.owner[moves]]] if len(resident) else moves


def _carried_out(
    network: Network, model: Model, solution: Solution
) -> tuple[Schedule, Reasoned, list[list[Mover]]]:
    """Names, order and reasons; emergencies first, unless that leaves others stuck."""
    naming = name_people(network, model, solution)
    for urgent_first in (True, False):
        schedule = put_in_order(network, model, naming, urgent_first)
        reasoned = reasoned_moves(network, schedule)
        if not schedule.stuck and not reasoned.groundless:
            return schedule, reasoned, []
    return schedule, reasoned, cycles(network, model, naming, schedule.stuck)


def _new_rows(
    network: Network,
    model: Model,
    solution: Solution,
    schedule: Schedule,
    reasoned: Reasoned,
    groups: list[list[Mover]],
) -> list[SideRow]:
    """Rows that rule out what could not be carried out.

    A circle of residents needs one departure that leaves its slots for good. A helper nobody
    counted on is not moved for this.
    """
    rows = []
    for group in groups:
        slots = {it.slot for it in group}
        rows.append(_opened_circle(model, solution, {it.arc for it in group}, slots))
    groundless = set(reasoned.groundless)
    arcs = {it.mover.arc for it in schedule.steps if it.mover.person in groundless}
    if not groups and not arcs:
        arcs = {it.arc for it in schedule.stuck}
    for arc in sorted(arcs):
        rows.append(SideRow(np.array([arc]), np.ones(1), float(solution.flow[arc] - 1)))
    return rows


def _opened_circle(model: Model, solution: Solution, circle: set[int], slots: set[int]) -> SideRow:
    seats = {model.slots[it].seat for it in slots}
    inside = np.array(sorted(circle))
    leaving = [
        arc
        for arc in _resident_arcs(model)
        if model.seat_of_bed[model.classes[model.owner[arc]].home or ""] in seats
        and int(model.target[arc]) not in slots
    ]
    return SideRow(
        np.concatenate([inside, np.array(leaving, dtype=np.int64)]),
        np.concatenate([np.ones(len(inside)), -np.ones(len(leaving))]),
        float(solution.flow[inside].sum() - 1),
    )


def _without(network: Network, schedule: Schedule, reasoned: Reasoned, stats: RunStats) -> Reasoned:
    """The last resort: leave out who has no true reason, and whoever counted on them."""
    out = set(reasoned.groundless)
    while True:
        out |= {it.mover.person for it in schedule.steps if schedule.behind[it.mover.person] & out}
        kept = replace(
            schedule, steps=[it for it in schedule.steps if it.mover.person not in out], stuck=[]
        )
        found = reasoned_moves(network, kept)
        if not found.groundless:
            stats.dropped = len(out) + len(schedule.stuck)
            return found
        out |= set(found.groundless)


def _assemble(
    network: Network,
    moves: Iterable[Move],
    solution: Solution,
    first: Solution,
    impossible: set[tuple[str, ...]],
    seed: int,
) -> Plan:
    moves = tuple(moves)
    placed = {move.request for move in moves}
    left = sorted(
        (it for it in network.requests if it.id not in placed), key=lambda it: (it.since, it.id)
    )
    counts = BedCounts(network, (move.to_bed for move in moves)) if left else None
    plan = Plan(
        moves=moves,
        unplaced=tuple(counts.explain(it) for it in left) if counts else (),
        levels=(),
        status=PlanStatus.NOTHING_TO_DO,
        seed=seed,
        impossible=tuple(sorted(impossible)),
    )
    values = price(network, plan).levels
    levels = tuple(_results(values, solution, first))
    if solution.timed_out or first.timed_out:
        status = PlanStatus.STOPPED
    elif any(it.gap > 0 for it in levels):
        status = PlanStatus.WITHIN_GAP
    elif network.requests or moves:
        status = PlanStatus.OPTIMAL
    else:
        status = PlanStatus.NOTHING_TO_DO
    return replace(plan, levels=levels, status=status)


def _results(values: tuple[int, ...], solution: Solution, first: Solution) -> Iterator[LevelResult]:
    """Each level's value and bound. The first round's bounds hold as long as every level above is
    proven; below an unproven level a bound is given the values above it."""
    proven = True
    for level in range(LEVELS):
        bound = (first if proven else solution).bounds[level]
        proven = proven and values[level] <= bound + 1e-6
        yield LevelResult(level, values[level], min(bound, float(values[level])) + 0.0)
