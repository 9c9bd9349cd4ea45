"""A planning run: asked for, solved by a worker, its moves laid before a named human.

The run's row is the truth. A job that carries its id may run twice or be lost; a run that a dead
worker left ``running`` is taken up again, and a finished run is never solved a second time.
"""

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, and_, insert, or_, select, text, update

from service.errors import Conflict, Invalid, NotFound
from service.lifecycle import ProposalState, RunState, advance
from service.store import events, jobs
from service.store.engine import now
from service.store.ids import new_id
from service.store.network import load_network
from service.store.sequencer import ADVISORY_CLASS
from service.store.tables.core import plan_proposal, planning_run
from service.workflow.context import Context
from solver.domain import Move, Plan
from solver.instance import network_to_json

ABANDONED_AFTER: Final = timedelta(minutes=15)
"""A run still ``running`` after this long lost its worker: ``Settings.solve_limit_s`` is less."""
_UNHURRIED: Final = text("SET LOCAL idle_in_transaction_session_timeout = 120000")
_FINISHING: Final = text("SELECT pg_advisory_xact_lock(:class, :lock)")
_FINISHER: Final = 3

MAX_SEED: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class LevelShown:
    """One cost level of the plan shown: its value, a proven lower bound, the relative gap."""

    level: int
    value: int
    bound: float
    gap: float


@dataclass(frozen=True, slots=True)
class UnplacedShown:
    """A request the plan gives no bed: beds removed by each rule, and when one is expected."""

    request: str
    by_rule: dict[str, int]
    expected_free: datetime | None


@dataclass(frozen=True, slots=True)
class RunShown:
    """A planning run as its readers see it; the snapshot itself stays inside."""

    id: str
    kind: str
    state: RunState
    seed: int
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    network_position: int | None
    policy_version: str | None
    snapshot_hash: str | None
    status: str | None
    levels: tuple[LevelShown, ...]
    unplaced: tuple[UnplacedShown, ...]
    seconds: dict[str, float]
    failure: str | None
    version: int


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A run in a worker's hands: its snapshot as JSON, and which attempt at it this is."""

    run: str
    snapshot: bytes
    seed: int
    attempt: int


_SHOWN: Final = tuple(column for column in planning_run.c if column.name != "snapshot")


def request_run(conn: Connection, ctx: Context, *, seed: int = 0) -> RunShown:
    """Ask for a plan of the whole network as it is when a worker takes it up.

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
            version=1,
        )
    )
    jobs.enqueue(conn, jobs.PLANNING_QUEUE, jobs.SOLVE_RUN, subject=run)
    events.append(conn, ctx.actor, "planning_run.queued", "planning_run", run)
    return get_run(conn, ctx, run)


def get_run(conn: Connection, ctx: Context, run: str) -> RunShown:
    """One run with value, bound and gap by level.

    Raises:
        NotFound: no run by that id.
    """
    row = conn.execute(select(*_SHOWN).where(planning_run.c.id == run)).mappings().one_or_none()
    if row is None:
        raise NotFound("planning-run-not-found", f"there is no planning run {run}")
    return _shown(row)


def list_runs(
    conn: Connection, ctx: Context, *, limit: int, after: str | None = None
) -> list[RunShown]:
    """Runs, newest first, at most ``limit`` of those before the id ``after``."""
    query = select(*_SHOWN).order_by(planning_run.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(planning_run.c.id < after)
    return [_shown(row) for row in conn.execute(query).mappings()]


def take_up(conn: Connection, ctx: Context, run: str) -> TakenUp | None:
    """Take a queued or abandoned run in hand, or None if it is finished or in another's hands.

    Call it in a REPEATABLE READ transaction: the snapshot and its event position are one view.
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
    network = load_network(conn, ctx.policy)
    snapshot = network_to_json(network).encode()
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
            version=planning_run.c.version + 1,
        )
    )
    events.append(conn, ctx.actor, "planning_run.started", "planning_run", run)
    return TakenUp(run, snapshot, row.seed, row.version + 1)


def finish(
    conn: Connection, ctx: Context, taken: TakenUp, plan: Plan, seconds: Mapping[str, float]
) -> None:
    """Store a checked plan: its moves become proposals, plans of older snapshots are superseded.

    A plan that comes after one of a newer snapshot is superseded from the start. Call it in a
    READ COMMITTED transaction, so that whoever waits for the lock sees what was done under it.

    Raises:
        Conflict: ``run-overtaken``, another worker has taken the run up since.
    """
    conn.execute(_FINISHING, {"class": ADVISORY_CLASS, "lock": _FINISHER})
    at = now(conn)
    position = _leave_running(conn, taken, RunState.SOLVED)
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
        )
    )
    ids = {move.id: new_id("pp") for move in plan.moves}
    rows = [
        _proposal(taken.run, ordinal, move, ids) for ordinal, move in enumerate(plan.moves, start=1)
    ]
    if rows:
        conn.execute(insert(plan_proposal), rows)
    events.append(
        conn,
        ctx.actor,
        "planning_run.solved",
        "planning_run",
        taken.run,
        data={"moves": str(len(rows)), "unplaced": str(len(plan.unplaced))},
    )
    solved = conn.execute(
        select(planning_run.c.id, planning_run.c.network_position)
        .where(planning_run.c.state == RunState.SOLVED, planning_run.c.id != taken.run)
        .with_for_update()
    ).all()
    if any(other.network_position > position for other in solved):
        _supersede(conn, ctx, [taken.run])
    else:
        _supersede(conn, ctx, [other.id for other in solved])


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


def _leave_running(conn: Connection, taken: TakenUp, state: RunState) -> int:
    """Step the run on, if this attempt is still the one in hand; its snapshot's position."""
    row = conn.execute(
        select(planning_run.c.state, planning_run.c.version, planning_run.c.network_position)
        .where(planning_run.c.id == taken.run)
        .with_for_update()
    ).one()
    if row.version != taken.attempt:
        raise Conflict(
            "run-overtaken",
            "another worker has taken this run up since; its answer counts",
            run=taken.run,
        )
    advance("run", row.state, state)
    conn.execute(
        update(planning_run)
        .where(planning_run.c.id == taken.run)
        .values(state=state, version=planning_run.c.version + 1)
    )
    position: int = row.network_position
    return position


def _supersede(conn: Connection, ctx: Context, runs: Sequence[str]) -> None:
    """Another plan counts now: what nobody decided on is closed, what was decided stays."""
    conn.execute(
        update(plan_proposal)
        .where(plan_proposal.c.run_id.in_(runs), plan_proposal.c.state == ProposalState.PROPOSED)
        .values(state=ProposalState.SUPERSEDED, version=plan_proposal.c.version + 1)
    )
    conn.execute(
        update(planning_run)
        .where(planning_run.c.id.in_(runs))
        .values(state=RunState.SUPERSEDED, version=planning_run.c.version + 1)
    )
    for each in runs:
        events.append(conn, ctx.actor, "planning_run.superseded", "planning_run", each)


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


def _shown(row: RowMapping) -> RunShown:
    levels: Sequence[Mapping[str, Any]] = row["levels"] or ()
    unplaced: Sequence[Mapping[str, Any]] = row["unplaced"] or ()
    return RunShown(
        id=row["id"],
        kind=row["kind"],
        state=RunState(row["state"]),
        seed=row["seed"],
        requested_by=row["requested_by"],
        requested_at=row["requested_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        network_position=row["network_position"],
        policy_version=row["policy_version"],
        snapshot_hash=row["snapshot_hash"],
        status=row["status"],
        levels=tuple(LevelShown(**level) for level in levels),
        unplaced=tuple(
            UnplacedShown(
                request=left["request"],
                by_rule=left["by_rule"],
                expected_free=(
                    datetime.fromisoformat(left["expected_free"]) if left["expected_free"] else None
                ),
            )
            for left in unplaced
        ),
        seconds=row["seconds"] or {},
        failure=row["failure"],
        version=row["version"],
    )
