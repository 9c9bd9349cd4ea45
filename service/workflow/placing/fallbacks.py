"""The next bed: what happens when the facility that was asked says no, or says nothing.

The officer who decided may have named the beds to hold next, in order. Then the first of them
that can be had lawfully is held at once, by that officer's decision; otherwise the request waits
for a new one. Whoever may come to that takes the locks of those beds beforehand (``locks_for``).
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from service.errors import Conflict, NotFound
from service.lifecycle import RequestState
from service.store import events, requests
from service.store.claims import key_of, rows
from service.store.claims.rows import Claim
from service.store.requests import RequestRow
from service.store.seats import Seat, locks_of, seat, seats
from service.store.tables.claims import ClaimKind
from service.workflow.context import Context
from service.workflow.judgement import look_again
from service.workflow.placing.offers import keep_time


def locks_for(conn: Connection, waiting: Iterable[str | None]) -> dict[str, list[str]]:
    """Arguments for ``locks.lock``, persons apart, of whoever may hold the next bed of these
    requests."""
    named = requests.fallbacks_of(conn, [it for it in waiting if it is not None])
    return locks_of(seats(conn, named).values()) if named else {}


def next_after(conn: Connection, ctx: Context, row: RequestRow, now: datetime) -> RequestRow:
    """Hold the next bed its officer named for a request that waits again, and start its clock.

    Beds that rules, relations or somebody else's claim keep away, and those of units that declined,
    are passed by for good. A rule set aside for the first bed is not set aside for another.
    The caller holds the person and, by ``locks_for``, the beds.
    """
    if row.state is RequestState.WAITING and row.fallbacks:
        declined = requests.declined_units(conn, row.id)
        for number, bed in enumerate(row.fallbacks, 1):
            place = seat(conn, bed)
            if place.unit not in declined and _can_be_had(conn, ctx, row, place, now):
                row = requests.set_fallbacks(conn, row, row.fallbacks[number:])
                return _hold(conn, ctx, row, place, now)
        row = requests.set_fallbacks(conn, row, ())
    keep_time(conn, ctx, row, now)
    return row


def after_lapse(
    conn: Connection, ctx: Context, row: RequestRow, hold: Claim, now: datetime
) -> RequestRow:
    """A hold is over by the clock. Where its facility never answered the next bed is held; where
    it had accepted, nobody came, and the request waits for a new decision."""
    if hold.accepted_at is None:
        return next_after(conn, ctx, row, now)
    row = requests.set_fallbacks(conn, row, ())
    keep_time(conn, ctx, row, now)
    return row


def _can_be_had(
    conn: Connection, ctx: Context, row: RequestRow, place: Seat, now: datetime
) -> bool:
    try:
        look_again(conn, ctx, row.person, place, now, emergency=row.emergency)
    except (Conflict, NotFound):
        return False
    return True


def _hold(
    conn: Connection, ctx: Context, row: RequestRow, place: Seat, now: datetime
) -> RequestRow:
    hold = rows.add(
        conn,
        ctx.actor,
        place,
        row.person,
        ClaimKind.HOLD,
        now,
        now + ctx.policy.hold,
        now=now,
        key=key_of(conn, row.person, cohort=place.cohort),
        request=row.id,
    )
    row = requests.step(conn, row, RequestState.HELD, now=now)
    decision = requests.repeat_decision(
        conn, row.id, bed=place.bed, claim=hold.id, fallbacks=row.fallbacks, now=now
    )
    _told(conn, ctx, row, place, hold, decision, now)
    keep_time(conn, ctx, row, now, hold=hold)
    return row


def _told(
    conn: Connection,
    ctx: Context,
    row: RequestRow,
    place: Seat,
    hold: Claim,
    decision: str,
    now: datetime,
) -> None:
    events.append(
        conn,
        ctx.actor,
        "hold.placed",
        "bed_claim",
        hold.id,
        person=row.person,
        bed=place.bed,
        unit=place.unit,
        facility=place.facility,
        data={"request": row.id, "decision": decision, "overrides": 0, "fallback": True},
        occurred_at=now,
    )
