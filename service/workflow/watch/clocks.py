"""What time alone brings about, written once each: lapsed holds and proposals nobody answered.

Any number of workers may run these; each row is taken under its person's lock and looked at again.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import Connection, Row, select, update

from service.lifecycle import ProposalState, RequestState, TransferState
from service.store import events, requests, transfers
from service.store.claims import holds
from service.store.claims.rows import Claim
from service.store.engine import in_savepoint
from service.store.engine import now as clock
from service.store.locks import lock
from service.store.postgres_errors import ServerGone
from service.store.tables import core
from service.store.transfers import TransferRow
from service.workflow.context import Context
from service.workflow.moves.transfer_ends import end_transfer
from service.workflow.placing.fallbacks import after_lapse, locks_for
from service.workflow.plans.planning_decisions import close_decided_runs
from service.workflow.stays.departures import people_behind

T = TypeVar("T")

_log = structlog.get_logger(__name__)

BATCH: Final = 50
"""How many rows one transaction takes, so that none writes for long."""


@dataclass(frozen=True, slots=True)
class Lapsed:
    """How many of each were written; ``more`` says that another call has work. ``failed``: the
    rows that could not be written, which that call is told to leave out."""

    holds: int = 0
    transfers: int = 0
    proposals: int = 0
    more: bool = False
    failed: frozenset[str] = frozenset()


def lapse_holds(
    conn: Connection, ctx: Context, *, limit: int = BATCH, skip: Collection[str] = ()
) -> Lapsed:
    """Write every hold that is over and was not used, once: its request waits again, its
    transfer expires, and the bed can be offered to the next. An accepted hold lapses when grace
    after the expected arrival is over; somebody on the way is never written off.

    A hold that cannot be written is undone alone and logged by its id; the others go on, those
    behind a whole batch of faulty ones too (``skip``: holds to leave out).
    """
    seen = holds.lapsing(conn, clock(conn), limit, skip=skip)
    if not seen:
        return Lapsed()
    people = {hold.person for hold in seen}
    for hold in seen:
        if hold.transfer is not None:
            people |= people_behind(conn, transfers.transfer(conn, hold.transfer).stay)
    now = lock(conn, persons=people, **locks_for(conn, [hold.request for hold in seen]))
    done = [alone(conn, hold.id, _lapse, ctx, hold, now) for hold in seen]
    return Lapsed(
        holds=sum(it.holds for it in done if it is not None),
        transfers=sum(it.transfers for it in done if it is not None),
        more=len(seen) == limit,
        failed=frozenset(it.id for it, lapsed in zip(seen, done, strict=True) if lapsed is None),
    )


def _lapse(conn: Connection, ctx: Context, hold: Claim, now: datetime) -> Lapsed:
    if not holds.lapse(conn, hold.id, now=now):
        return Lapsed()
    ended = 0
    waiting = None
    if hold.request is not None:
        row = requests.request(conn, hold.request)
        if row.state in (RequestState.HELD, RequestState.ACCEPTED):
            waiting = requests.step(conn, row, RequestState.WAITING, now=now)
    if hold.transfer is not None:
        move = transfers.transfer(conn, hold.transfer)
        if move.state in (TransferState.APPROVED, TransferState.ACCEPTED):
            end_transfer(conn, ctx, move, TransferState.EXPIRED, "hold_lapsed", now)
            ended = 1
    _told(conn, ctx, hold)
    if waiting is not None:
        after_lapse(conn, ctx, waiting, hold, now)
    return Lapsed(holds=1, transfers=ended)


def alone(
    conn: Connection,
    id_: str,
    one: Callable[[Connection, Context, T, datetime], Lapsed],
    ctx: Context,
    row: T,
    now: datetime,
) -> Lapsed | None:
    """Write one row of a batch by itself; None, and its id in the log, when it cannot be."""
    try:
        return in_savepoint(conn, one, ctx, row, now)
    except ServerGone:
        raise
    except Exception as error:
        # One faulty row must not keep every other bed from the people who wait.
        _log.error("clock_row_failed", id=id_, error=type(error).__name__)
        return None


def expire_proposals(
    conn: Connection, ctx: Context, *, limit: int = BATCH, skip: Collection[str] = ()
) -> Lapsed:
    """End transfers and planned moves that were proposed longer ago than the policy allows and
    that nobody has approved or rejected."""
    before = clock(conn) - timedelta(hours=ctx.policy.clocks.proposal_hours)
    seen = transfers.unanswered(conn, before, limit, skip=skip)
    moves = _unanswered_moves(conn, before, limit)
    people = {row.person for row in seen} | {move.person_id for move in moves}
    for row in seen:
        people |= people_behind(conn, row.stay)
    now = lock(conn, persons=people)
    done = [alone(conn, row.id, _expire, ctx, row, now) for row in seen]
    return Lapsed(
        transfers=sum(it.transfers for it in done if it is not None),
        proposals=_expire_moves(conn, ctx, moves, now),
        more=len(seen) == limit or len(moves) == limit,
        failed=frozenset(it.id for it, ended in zip(seen, done, strict=True) if ended is None),
    )


def _expire(conn: Connection, ctx: Context, row: TransferRow, now: datetime) -> Lapsed:
    fresh = transfers.transfer(conn, row.id)
    if fresh.state is not TransferState.PROPOSED:
        return Lapsed()
    end_transfer(conn, ctx, fresh, TransferState.EXPIRED, "not_answered", now)
    return Lapsed(transfers=1)


def _unanswered_moves(
    conn: Connection, before: datetime, limit: int
) -> Sequence[Row[Any, Any, Any]]:
    proposal, run = core.plan_proposal.c, core.planning_run.c
    return conn.execute(
        select(proposal.id, proposal.run_id, proposal.person_id)
        .join(core.planning_run, run.id == proposal.run_id)
        .where(proposal.state == ProposalState.PROPOSED.value, run.finished_at <= before)
        .order_by(proposal.id)
        .limit(limit)
    ).all()


def _expire_moves(
    conn: Connection, ctx: Context, moves: Sequence[Row[Any, Any, Any]], now: datetime
) -> int:
    """Close the moves and every run that has none left to decide on; the caller holds the
    persons. The runs are locked before their moves, as whoever decides on one does."""
    proposal, run = core.plan_proposal.c, core.planning_run.c
    runs = {move.run_id for move in moves}
    conn.execute(select(run.id).where(run.id.in_(runs)).order_by(run.id).with_for_update())
    expired = conn.execute(
        update(core.plan_proposal)
        .where(
            proposal.id.in_([move.id for move in moves]),
            proposal.state == ProposalState.PROPOSED.value,
        )
        .values(
            state=ProposalState.SUPERSEDED.value,
            decided_by=ctx.actor.id,
            decided_at=now,
            decision_reason="not_answered",
            version=proposal.version + 1,
        )
        .returning(proposal.id, proposal.run_id, proposal.person_id)
    ).all()
    for row in expired:
        events.append(
            conn,
            ctx.actor,
            "proposal.superseded",
            "plan_proposal",
            row.id,
            person=row.person_id,
            data={"run": row.run_id, "reason": "not_answered"},
            occurred_at=now,
        )
    close_decided_runs(conn, {row.run_id for row in expired})
    return len(expired)


def _told(conn: Connection, ctx: Context, hold: Claim) -> None:
    events.append(
        conn,
        ctx.actor,
        "hold.lapsed",
        "bed_claim",
        hold.id,
        person=hold.person,
        bed=hold.bed,
        unit=hold.unit,
        facility=hold.facility,
        data={
            "request": hold.request,
            "transfer": hold.transfer,
            "accepted": hold.accepted_at is not None,
        },
        occurred_at=hold.until,
    )
