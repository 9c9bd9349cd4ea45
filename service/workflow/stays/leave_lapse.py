"""A leave that nobody ended: the bed is not kept for ever, and nobody is forgotten with it.

Any number of workers may run it; each stay is taken under its person's lock and looked at again.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection

from service.lifecycle import StayState
from service.store import stays
from service.store.claims import people_promised, rows
from service.store.engine import in_savepoint
from service.store.engine import now as clock
from service.store.locks import lock
from service.store.postgres_errors import ServerGone
from service.store.seats import locks_of, seats
from service.store.stays import StayRow
from service.store.tables.claims import ClaimKind, StayEnd
from service.workflow.context import Context
from service.workflow.emergencies.emergency_papers import call_off_papers
from service.workflow.stays.discharge import beds_of_rooms, told
from service.workflow.stays.kept_beds import free
from service.workflow.stays.leave import LEAVE_END
from service.workflow.stays.leave_return import ask_back
from service.workflow.watch import due
from service.workflow.watch.clocks import BATCH

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LeavesLapsed:
    """How many leaves lapsed; ``more`` says that another call has work."""

    leaves: int = 0
    more: bool = False


def lapse_leaves(conn: Connection, ctx: Context, *, limit: int = BATCH) -> LeavesLapsed:
    """End every leave whose end and the policy's grace are over: the stay ends ``leave_lapsed``,
    the kept bed is free, and for somebody under a term a request for the way back opens.

    The term never ends by it. A leave that cannot be written is undone alone and logged by its id.
    """
    before = clock(conn) - ctx.policy.leave_grace
    seen = stays.leaves_over(conn, before, limit)
    if not seen:
        return LeavesLapsed()
    beds = {it.bed for row in seen for it in rows.segments(conn, row.id)[-1:]}
    places = seats(conn, beds)
    beside = beds_of_rooms(conn, {it.room for it in places.values()})
    wanted = locks_of(seats(conn, beds | beside).values())
    people = {row.person for row in seen}.union(*(people_promised(conn, bed) for bed in beds))
    now = lock(conn, persons=people, **wanted)
    done = [_alone(conn, ctx, row, frozenset(people), now) for row in seen]
    return LeavesLapsed(
        leaves=sum(it is True for it in done),
        more=len(seen) == limit and any(it is not None for it in done),
    )


def _alone(
    conn: Connection, ctx: Context, row: StayRow, locked: frozenset[str], now: datetime
) -> bool | None:
    """Lapse one leave by itself; None, and its id in the log, when it cannot be written."""
    try:
        return in_savepoint(conn, lapse_leave, ctx, row.id, locked, now)
    except ServerGone:
        raise
    except Exception as error:
        # One faulty row must not keep every other bed from the people who wait.
        _log.error("leave_not_lapsed", id=row.id, error=type(error).__name__)
        return None


def lapse_leave(
    conn: Connection, ctx: Context, stay: str, locked: frozenset[str], now: datetime
) -> bool:
    """End one leave if it is over still; whether it was. The caller holds the person, the bed with
    its room and unit, and the ``locked`` people the bed is promised to."""
    row = stays.stay(conn, stay)
    if row.state is not StayState.ON_LEAVE:
        return False
    leave = rows.segments(conn, row.id)[-1]
    over = leave.expected_end is not None and leave.expected_end + ctx.policy.leave_grace <= now
    if leave.kind is not ClaimKind.LEAVE or not over:
        return False
    place = seats(conn, [leave.bed])[leave.bed]
    rows.end(conn, ctx.actor, leave, now, now=now)
    row = stays.step(
        conn, row, StayState.ENDED, at=now, code=StayEnd.LEAVE_LAPSED, end_reason="leave_lapsed"
    )
    free(conn, ctx, row.person, place, locked, now, now)
    due.settle(conn, ctx, LEAVE_END, subject=("stay", row.id), now=now, outcome="lapsed")
    due.on_stay_end(conn, ctx, row.id, now)
    call_off_papers(conn, ctx, row, now)
    told(conn, ctx, row, leave, "leave.lapsed", now, code=StayEnd.LEAVE_LAPSED.value)
    ask_back(conn, ctx, row, place, now)
    return True
