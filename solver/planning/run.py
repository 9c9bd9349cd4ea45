"""The plan for now, from snapshot to moves in order; its steps read as the method."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import perf_counter

import numpy as np

from solver.check import Violation, violations
from solver.codes import PlanStatus
from solver.cost import move_terms, price
from solver.domain import LevelResult, Move, Network, Plan, Unplaced
from solver.planning.build import build
from solver.planning.levels import Limits, Solution, certify, solve_levels
from solver.planning.model import SLOT_ARC, STAY_ARC, THROUGH_ARC, Model, SideRow
from solver.planning.naming import Mover, name_people
from solver.planning.order import Schedule, cycles, put_in_order
from solver.planning.reasons import Reasoned, reasoned_moves
from solver.planning.unplaced import BedCounts

_WALKS = 4
_MANY_HELPERS = 800
"""Kinds of residents who gain nothing by moving, from which on they are spared from the start."""


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
    network: Network,
    seed: int = 0,
    limits: Limits | None = None,
    *,
    previous: Plan | None = None,
    stop: Callable[[], bool] | None = None,
    report: Callable[[str], None] | None = None,
) -> tuple[Plan, RunStats]:
    """Plan the whole network for now: who waits is placed, who is misplaced is moved, residents
    move on only with a reason. Level by level, each with its proven bound.

    The same network and seed give the same plan, byte for byte, unless its status is ``STOPPED``.
    A plan is clean under ``check.violations`` or ``DirtyPlanError`` is raised and none is shown.
    ``previous``: the last plan; at equal value on every level as much of it as can be is kept.
    ``stop``: asked between solves; once it says so the best plan so far is finished, ``STOPPED``.
    ``report`` hears of each step in a line.
    """
    limits = limits or Limits()
    stats = RunStats()
    with stats.timed("model"):
        model = build(network, previous)
        model.side_rows += _budget_row(network, model)
    stats.classes, stats.slots, stats.arcs = len(model.classes), len(model.slots), model.arcs
    stats.open_rooms = sum(len(kind.states) for kind in model.types)
    if report is not None:
        report(f"{stats.classes} classes, {stats.slots} slots, {stats.arcs} arcs")
    settled = _settled(network, model)
    own_rows = len(model.side_rows)
    sparing = sum(it.helper and it.home is not None for it in model.classes) > _MANY_HELPERS
    spared = sparing
    first: Solution | None = None
    best: _Carried | None = None
    impossible: set[tuple[str, ...]] = set()
    while True:
        stats.rounds += 1
        with stats.timed("levels"):
            solution = solve_levels(model, limits, seed, stop, sparing=sparing)
        first = first or solution
        with stats.timed("names and order"):
            schedule, reasoned, groups = _carried_out(network, model, solution, previous)
            impossible |= {tuple(it.person for it in group) for group in groups}
            whole = not schedule.stuck and not reasoned.groundless
            found = _without(network, schedule, reasoned)
            best = found if best is None or found.values <= best.values else best
            sparing = sparing or bool(reasoned.groundless)
        if report is not None:
            report(f"round {stats.rounds}: {', '.join(str(it) for it in best.values)} by level")
        if whole or stats.rounds >= limits.rounds or (stop is not None and stop()):
            break
        if best.values == tuple(_plus(first.bounds, settled)) and not spared:
            break
        model.side_rows += _new_rows(network, model, solution, schedule, reasoned, groups)
    stats.dropped = best.dropped
    bounds, stopped = _plus(first.bounds, settled), first.stopped or solution.stopped
    if previous is not None:
        best = _as_before(network, previous, best)
    if spared or (best.values != tuple(bounds) and stats.rounds > 1):
        with stats.timed("bounds"):
            del model.side_rows[own_rows:]
            own = [a - b for a, b in zip(best.values, settled, strict=True)]
            certified = _plus(certify(model, own, limits, seed, stop), settled)
            stopped = stopped or (stop is not None and stop())
        held = not spared
        for level, value in enumerate(best.values):
            proven = bounds[level]
            bounds[level] = max(proven, certified[level]) if held else certified[level]
            held = held and value <= proven
    with stats.timed("explain"):
        plan = _assemble(network, best, bounds, stopped, impossible, seed)
    with stats.timed("check"):
        broken = violations(network, plan)
    if broken:
        raise DirtyPlanError(broken)
    return plan, stats


def _settled(network: Network, model: Model) -> list[int]:
    """What those cost at each level whom the plan may neither move nor place."""
    nothing = price(network, Plan((), (), (), PlanStatus.NOTHING_TO_DO, 0)).levels
    present = model.present()
    return [
        value - round(float(model.level_cost(level) @ present))
        for level, value in enumerate(nothing)
    ]


def _plus(bounds: Sequence[float], settled: Sequence[int]) -> list[float]:
    return [a + b for a, b in zip(bounds, settled, strict=True)]


def _as_before(network: Network, previous: Plan, best: "_Carried") -> "_Carried":
    """What of the last plan can still be done, where that is as good on every level: whoever
    reads plans is not to be told of changes that gain nothing."""
    moves: list[Move] = []
    ready: dict[str, datetime] = {}
    left: dict[str, str | None] = {}
    for move in previous.moves:
        stay, request = network.stay_of.get(move.person), network.request_of.get(move.person)
        here = None if stay is None else stay.bed
        asked = None if request is None else request.id
        known = move.person in network.persons and move.to_bed in network.beds
        if not known or here != move.from_bed or asked != move.request:
            continue
        after = tuple(it for it in move.after if it in ready)
        fit = network.now
        room = network.beds[move.to_bed].room
        for earlier in after:
            # Its room must be made fit; of staff, the going is enough.
            waits = network.policy.turnaround if left[earlier] == room else timedelta()
            fit = max(fit, ready[earlier] + waits)
        terms = move_terms(network, move.person, move.from_bed, move.to_bed)
        ready[move.id] = fit
        left[move.id] = None if here is None else network.beds[here].room
        moves.append(replace(move, after=after, ready_at=fit, terms=terms))
    kept = _Carried(Reasoned(moves), _worth(network, moves), 0)
    if kept.values > best.values or violations(network, _whole(network, kept)):
        return best
    return kept


def _whole(network: Network, carried: "_Carried") -> Plan:
    """The moves as a plan the checker can judge."""
    left = {it.id for it in network.requests} - {it.request for it in carried.reasoned.moves}
    return Plan(
        tuple(carried.reasoned.moves),
        tuple(Unplaced(it, ()) for it in sorted(left)),
        tuple(LevelResult(i, value, value) for i, value in enumerate(carried.values)),
        PlanStatus.NOTHING_TO_DO,
        0,
    )


def _worth(network: Network, moves: Sequence[Move]) -> tuple[int, ...]:
    return price(network, Plan(tuple(moves), (), (), PlanStatus.NOTHING_TO_DO, 0)).levels


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
    network: Network, model: Model, solution: Solution, previous: Plan | None
) -> tuple[Schedule, Reasoned, list[list[Mover]]]:
    """Names, order and reasons; emergencies first, unless that leaves others stuck."""
    naming = name_people(network, model, solution, previous)
    for urgent_first in (True, False):
        ahead: frozenset[str] = frozenset()
        for _ in range(_WALKS):
            schedule = put_in_order(network, model, naming, urgent_first, ahead)
            reasoned = reasoned_moves(network, schedule)
            if not schedule.stuck and not reasoned.groundless:
                return schedule, reasoned, []
            # A circle may run where one of its beds is free before others take it for good.
            more = ahead | {it.person for it in schedule.stuck if it.from_bed is not None}
            if more == ahead:
                break
            ahead = more
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
    """One departure that frees a bed of the circle for good, or one of its moves fewer."""
    inside = np.array(sorted(circle))
    first = len(model.classes)
    stays = np.flatnonzero(np.isin(model.meaning, STAY_ARC) & np.isin(model.head - first, [*slots]))
    coupling, use, _ = model.lending
    lending = np.isin(model.target[model.coupled[coupling]], [*slots])
    lending &= model.meaning[model.coupled[coupling]] == THROUGH_ARC
    blocks = np.unique(model.block_of_use[use[lending]])
    from_here = set(model.owner[stays].tolist())
    from_here |= {who for it in blocks[blocks >= 0] for who in model.blocks[it].classes}
    moves = _resident_arcs(model)
    leaving = moves[
        np.isin(model.owner[moves], [*from_here]) & ~np.isin(model.target[moves], [*slots])
    ]
    most = float(solution.flow[inside].sum() - 1)
    if solution.flow[leaving].any():
        # Somebody leaves already, and it did not help: this circle is not to be tried again.
        return SideRow(inside, np.ones(len(inside)), most)
    return SideRow(
        np.concatenate([inside, leaving]),
        np.concatenate([np.ones(len(inside)), -np.ones(len(leaving))]),
        most,
    )


@dataclass(frozen=True)
class _Carried:
    """What can be carried out of a solution: its moves, what they are worth by level, and how
    many people had to be left out for it."""

    reasoned: Reasoned
    values: tuple[int, ...]
    dropped: int


def _without(network: Network, schedule: Schedule, reasoned: Reasoned) -> _Carried:
    """Leave out who has no true reason, and whoever counted on them."""
    out = set(reasoned.groundless)
    found = reasoned
    while out:
        out |= {it.mover.person for it in schedule.steps if schedule.behind[it.mover.person] & out}
        kept = replace(
            schedule, steps=[it for it in schedule.steps if it.mover.person not in out], stuck=[]
        )
        found = reasoned_moves(network, kept)
        if not found.groundless:
            break
        out |= set(found.groundless)
    return _Carried(found, _worth(network, found.moves), len(out) + len(schedule.stuck))


def _assemble(
    network: Network,
    best: _Carried,
    bounds: Sequence[float],
    stopped: bool,
    impossible: set[tuple[str, ...]],
    seed: int,
) -> Plan:
    moves = tuple(best.reasoned.moves)
    placed = {move.request for move in moves}
    left = sorted(
        (it for it in network.requests if it.id not in placed), key=lambda it: (it.since, it.id)
    )
    counts = BedCounts(network, (move.to_bed for move in moves)) if left else None
    levels = tuple(
        LevelResult(level, value, min(bounds[level], float(value)) + 0.0)
        for level, value in enumerate(best.values)
    )
    if stopped:
        status = PlanStatus.STOPPED
    elif any(it.gap > 0 for it in levels):
        status = PlanStatus.WITHIN_GAP
    elif network.requests or moves:
        status = PlanStatus.OPTIMAL
    else:
        status = PlanStatus.NOTHING_TO_DO
    return Plan(
        moves=moves,
        unplaced=tuple(counts.explain(it) for it in left) if counts else (),
        levels=levels,
        status=status,
        seed=seed,
        impossible=tuple(sorted(impossible)),
    )
