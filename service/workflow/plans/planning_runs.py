"""A planning run: asked for, solved by a worker, its moves laid before a named human.

The run's row is the truth. A job that carries its id may run twice or be lost; a run that a dead
worker left ``running`` is taken up again, and a finished run is never solved a second time.
"""

import gzip
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, and_, insert, or_, select, text, update

from service.errors import Conflict, Invalid
from service.lifecycle import ProposalState, RunOutcome, RunState, RunTrigger, WorkState, advance
from service.store import events, jobs
from service.store.engine import now
from service.store.ids import new_id
from service.store.network import load_network
from service.store.sequencer import ADVISORY_CLASS
from service.store.tables.core import plan_proposal, planning_run
from service.workflow.context import Context
from service.workflow.plans import last_plan, superseding
from service.workflow.plans.run_views import RunShown as RunShown
from service.workflow.plans.run_views import get_run as get_run
from service.workflow.plans.run_views import list_runs as list_runs
from solver.changes import Change, standing
from solver.domain import Move, Network, Plan
from solver.instance import network_to_json, plan_to_json

ABANDONED_AFTER: Final = timedelta(minutes=15)
"""A run still ``running`` after this long lost its worker: ``Settings.solve_limit_s`` is less."""
_UNHURRIED: Final = text("SET LOCAL idle_in_transaction_session_timeout = 120000")
_FINISHING: Final = text("SELECT pg_advisory_xact_lock(:class, :lock)")
_FINISHER: Final = 3

MAX_SEED: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A run in a worker's hands: its snapshot as JSON, and which attempt at it this is.

    ``last``: the plan before it as it was, to tell the new one apart from. ``previous``: what of
    that is undecided and still possible, as JSON, for the planner to keep where it can;
    ``network``: what the snapshot was written from.
    """

    run: str
    snapshot: bytes
    seed: int
    attempt: int
    last: Plan | None = None
    previous: bytes | None = None
    network: Network | None = None


def request_run(
    conn: Connection,
    ctx: Context,
    *,
    seed: int = 0,
    trigger: RunTrigger = RunTrigger.ASKED,
    position: int | None = None,
) -> RunShown:
    """Ask for a plan of the whole network as it is when a worker takes it up.

    ``trigger``, ``position``: what calls for it and the event that did, where nobody asked.

    Raises:
        Invalid: the seed is not in [0, 2**31).
    """
    if not 0 <= seed <= MAX_SEED:
        raise Invalid.field("/seed", "out-of-range", f"seed must be 0 to {MAX_SEED}", seed)
    run = new_id("pr")
    conn.execute(
        insert(planning_run).values(
            id=run,
            kind="now",
            state=RunState.QUEUED,
            seed=seed,
            requested_by=ctx.actor.id,
            requested_at=now(conn),
            trigger=trigger,
            trigger_position=position,
            version=1,
        )
    )
    jobs.enqueue(conn, jobs.PLANNING_QUEUE, jobs.SOLVE_RUN, subject=run)
    events.append(
        conn,
        ctx.actor,
        "planning_run.queued",
        "planning_run",
        run,
        data={"trigger": trigger.value},
    )
    return get_run(conn, ctx, run)


def take_up(
    conn: Connection, ctx: Context, run: str, network: Network | None = None
) -> TakenUp | None:
    """Take a queued or abandoned run in hand, or None if it is finished or in another's hands.

    ``network``: the snapshot to plan, from a keeper that has just been brought up to the log; None
    reads everything. Call it in a REPEATABLE READ transaction: a snapshot read here and its event
    position are then one view.
    """
    # A city is put together between statements; a slow machine takes longer than any use case may.
    conn.execute(_UNHURRIED)
    at = now(conn)
    row = conn.execute(
        select(
            planning_run.c.state,
            planning_run.c.started_at,
            planning_run.c.seed,
            planning_run.c.version,
        )
        .where(planning_run.c.id == run)
        .with_for_update()
    ).one_or_none()
    if row is None:
        return None
    abandoned = row.state == RunState.RUNNING and row.started_at < at - ABANDONED_AFTER
    if row.state != RunState.QUEUED and not abandoned:
        return None
    network = network or load_network(conn, ctx.policy)
    snapshot = network_to_json(network).encode()
    before = last_plan.newest(conn)
    conn.execute(
        update(planning_run)
        .where(planning_run.c.id == run)
        .values(
            state=RunState.RUNNING,
            started_at=at,
            network_position=network.position,
            policy_version=ctx.policy.version,
            snapshot=gzip.compress(snapshot, compresslevel=3, mtime=0),
            snapshot_hash=hashlib.sha256(snapshot).hexdigest(),
            previous_run=before.run if before is not None else None,
            version=planning_run.c.version + 1,
        )
    )
    events.append(conn, ctx.actor, "planning_run.started", "planning_run", run)
    if before is None:
        return TakenUp(run, snapshot, row.seed, row.version + 1, network=network)
    left = replace(before.plan, moves=standing(network, before.undecided), unplaced=(), levels=())
    return TakenUp(
        run, snapshot, row.seed, row.version + 1, before.plan, plan_to_json(left).encode(), network
    )


def finish(
    conn: Connection,
    ctx: Context,
    taken: TakenUp,
    plan: Plan,
    seconds: Mapping[str, float],
    changes: Collection[Change] = (),
) -> None:
    """Store a checked plan: its moves become proposals, plans of older snapshots are superseded.

    A plan that comes after one of a newer snapshot is superseded from the start; so is one that
    nobody asked for, where it proposes nothing new or somebody is deciding on the plan before it
    (``outcome``): its changes are kept, its moves are not. A move that stands as it did is
    ``kept_from`` its older proposal. A plan that counts is explained next; what one more bed would
    buy takes long and is worked out for a plan that somebody asked for. Call it in a READ COMMITTED
    transaction, so that whoever waits for the lock sees what was done under it.

    Raises:
        Conflict: ``run-overtaken``, another worker has taken the run up since.
    """
    conn.execute(_FINISHING, {"class": ADVISORY_CLASS, "lock": _FINISHER})
    at = now(conn)
    row = _leave_running(conn, taken, RunState.SOLVED)
    solved = conn.execute(
        select(planning_run.c.id, planning_run.c.network_position)
        .where(planning_run.c.state == RunState.SOLVED, planning_run.c.id != taken.run)
        .with_for_update()
    ).all()
    others = [other.id for other in solved]
    late = any(other.network_position > row["network_position"] for other in solved)
    outcome = None if late else superseding.outcome_of(conn, ctx, row, others, plan, at)
    counts, asked = not late and outcome is None, row["trigger"] == RunTrigger.ASKED
    conn.execute(
        update(planning_run)
        .where(planning_run.c.id == taken.run)
        .values(
            finished_at=at,
            status=plan.status,
            levels=[asdict(level) | {"gap": level.gap} for level in plan.levels],
            unplaced=[
                {
                    "request": left.request,
                    "by_rule": dict(left.by_rule),
                    "expected_free": left.expected_free and left.expected_free.isoformat(),
                }
                for left in plan.unplaced
            ],
            seconds=dict(seconds),
            changes=[asdict(line) for line in changes],
            outcome=outcome,
            explained=WorkState.PENDING if counts else None,
            worth_state=WorkState.PENDING if counts and asked else None,
        )
    )
    if outcome is None and plan.moves:
        kept = superseding.kept(conn, others, plan)
        ids = {move.id: new_id("pp") for move in plan.moves}
        conn.execute(
            insert(plan_proposal),
            [
                _proposal(taken.run, ordinal, move, ids) | {"kept_from": kept.get(move.id)}
                for ordinal, move in enumerate(plan.moves, start=1)
            ],
        )
    events.append(
        conn,
        ctx.actor,
        "planning_run.solved",
        "planning_run",
        taken.run,
        data={"moves": str(len(plan.moves)), "unplaced": str(len(plan.unplaced))},
    )
    superseding.supersede(conn, ctx, others if counts else [taken.run])
    if counts:
        jobs.enqueue(conn, jobs.EXPLAINING_QUEUE, jobs.EXPLAIN_RUN, subject=taken.run)
    if counts and asked:
        jobs.enqueue(conn, jobs.WEIGHING_QUEUE, jobs.WEIGH_RUN, subject=taken.run)
    if outcome is RunOutcome.YIELDED:
        superseding.told_of_yielding(conn, ctx, row)


def fail(conn: Connection, ctx: Context, taken: TakenUp, code: str) -> None:
    """Record that the run gave no plan, with a coded reason; nothing half done is shown.

    Raises:
        Conflict: ``run-overtaken``, another worker has taken the run up since.
    """
    _leave_running(conn, taken, RunState.FAILED)
    conn.execute(
        update(planning_run)
        .where(planning_run.c.id == taken.run)
        .values(finished_at=now(conn), failure=code)
    )
    events.append(
        conn, ctx.actor, "planning_run.failed", "planning_run", taken.run, data={"failure": code}
    )


def abandoned_runs(conn: Connection, ctx: Context) -> list[str]:
    """Runs that no worker has in hand: left running by one that died, or with a lost job."""
    at = now(conn)
    lost = (
        conn.execute(
            select(planning_run.c.id).where(
                or_(
                    and_(
                        planning_run.c.state == RunState.RUNNING,
                        planning_run.c.started_at < at - ABANDONED_AFTER,
                    ),
                    and_(
                        planning_run.c.state == RunState.QUEUED,
                        planning_run.c.requested_at < at - ABANDONED_AFTER,
                    ),
                )
            )
        )
        .scalars()
        .all()
    )
    return list(lost)


def _leave_running(conn: Connection, taken: TakenUp, state: RunState) -> RowMapping:
    """Step the run on, if this attempt is still the one in hand; what it was made from and for."""
    found = conn.execute(
        select(
            planning_run.c.id,
            planning_run.c.state,
            planning_run.c.version,
            planning_run.c.network_position,
            planning_run.c.previous_run,
            planning_run.c.trigger,
        )
        .where(planning_run.c.id == taken.run)
        .with_for_update()
    )
    row = found.mappings().one()
    if row["version"] != taken.attempt:
        raise Conflict(
            "run-overtaken",
            "another worker has taken this run up since; its answer counts",
            run=taken.run,
        )
    advance("run", row["state"], state)
    conn.execute(
        update(planning_run)
        .where(planning_run.c.id == taken.run)
        .values(state=state, version=planning_run.c.version + 1)
    )
    return row


def _proposal(run: str, ordinal: int, move: Move, ids: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": ids[move.id],
        "run_id": run,
        "ordinal": ordinal,
        "move_id": move.id,
        "person_id": move.person,
        "from_bed_id": move.from_bed,
        "to_bed_id": move.to_bed,
        "request_id": move.request,
        "displaced_for": move.displaced_for,
        "reason": move.reason,
        "after": [ids[earlier] for earlier in move.after],
        "ready_at": move.ready_at,
        "terms": dict(move.terms),
        "state": ProposalState.PROPOSED,
        "version": 1,
    }
