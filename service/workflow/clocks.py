"""What time alone brings about, written once each: lapsed holds and proposals nobody answered.

Any number of workers may run these; each row is taken under its person's lock and looked at again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select, update

from service.lifecycle import ProposalState, RequestState, TransferState
from service.store import events, requests, transfers
from service.store.claims import holds
from service.store.claims.rows import Claim
from service.store.engine import now as clock
from service.store.locks import lock
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.departures import people_behind
from service.workflow.transfer_ends import end_transfer

BATCH: Final = 50
"""How many rows one transaction takes, so that none writes for long."""


@dataclass(frozen=True, slots=True)
class Lapsed:
    """How many of each were written; ``more`` says that another call has work."""

    holds: int = 0
    transfers: int = 0
    proposals: int = 0
    more: bool = False


def lapse_holds(conn: Connection, ctx: Context, *, limit: int = BATCH) -> Lapsed:
    """Write every hold that is over and was not used, once: its request waits again, its
    transfer expires, and the bed can be offered to the next. An accepted hold lapses when grace
    after the expected arrival is over; somebody on the way is never written off."""
    seen = holds.lapsing(conn, clock(conn), limit)
    if not seen:
        return Lapsed()
    people = {hold.person for hold in seen}
    for hold in seen:
        if hold.transfer is not None:
            people |= people_behind(conn, transfers.transfer(conn, hold.transfer).stay)
    now = lock(conn, persons=people)
    written = ended = 0
    for hold in seen:
        if not holds.lapse(conn, hold.id, now=now):
            continue
        written += 1
        if hold.request is not None:
            row = requests.request(conn, hold.request)
            if row.state in (RequestState.HELD, RequestState.ACCEPTED):
                requests.step(conn, row, RequestState.WAITING, now=now)
        if hold.transfer is not None:
            move = transfers.transfer(conn, hold.transfer)
            if move.state in (TransferState.APPROVED, TransferState.ACCEPTED):
                end_transfer(conn, ctx, move, TransferState.EXPIRED, "hold_lapsed", now)
                ended += 1
        _told(conn, ctx, hold)
    return Lapsed(holds=written, transfers=ended, more=len(seen) == limit)


def expire_proposals(conn: Connection, ctx: Context, *, limit: int = BATCH) -> Lapsed:
    """End transfers and planned moves that were proposed longer ago than the policy allows and
    that nobody has approved or rejected."""
    before = clock(conn) - timedelta(hours=ctx.policy.clocks.proposal_hours)
    seen = transfers.unanswered(conn, before, limit)
    people = {row.person for row in seen}
    for row in seen:
        people |= people_behind(conn, row.stay)
    now = lock(conn, persons=people)
    ended = 0
    for row in seen:
        fresh = transfers.transfer(conn, row.id)
        if fresh.state is TransferState.PROPOSED:
            end_transfer(conn, ctx, fresh, TransferState.EXPIRED, "not_answered", now)
            ended += 1
    moves = _expire_moves(conn, ctx, before, now, limit)
    return Lapsed(transfers=ended, proposals=moves, more=limit in (len(seen), moves))


def _expire_moves(
    conn: Connection, ctx: Context, before: datetime, now: datetime, limit: int
) -> int:
    proposal, run = core.plan_proposal.c, core.planning_run.c
    due = (
        select(proposal.id)
        .join(core.planning_run, run.id == proposal.run_id)
        .where(proposal.state == ProposalState.PROPOSED.value, run.finished_at <= before)
        .order_by(proposal.id)
        .limit(limit)
    )
    expired = conn.execute(
        update(core.plan_proposal)
        .where(proposal.id.in_(due), proposal.state == ProposalState.PROPOSED.value)
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
