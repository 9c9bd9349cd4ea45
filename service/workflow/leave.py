"""Leave 外出就医(保留床位): the bed is kept while its person is treated elsewhere."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from service.access.scope import require_facility
from service.errors import Conflict
from service.lifecycle import StayState, TransferState, advance
from service.store import stays, transfers
from service.store.claims import key_of, rows
from service.store.claims.rows import Claim
from service.store.locks import lock
from service.store.seats import Seat, seat
from service.store.stays import StayRow
from service.store.tables.claims import ClaimKind
from service.workflow.admission import clear
from service.workflow.context import Context
from service.workflow.departures import people_behind
from service.workflow.discharge import told
from service.workflow.judgement import future_instant, may_stay, past_instant
from service.workflow.transfer_ends import end_transfer
from service.workflow.views import StayView, stay_view
from solver.codes import BedState

LONGEST_LEAVE: Final = timedelta(days=90)
"""A bed is not kept on one forecast for longer; the leave can be forecast anew."""


def begin_leave(
    conn: Connection,
    ctx: Context,
    stay: str,
    *,
    ends_at: datetime,
    to: str | None = None,
    occurred_at: datetime | None = None,
) -> StayView:
    """The person goes out for treatment and their bed is kept. ``ends_at`` is a forecast: the
    leave ends when the return is recorded. ``to``: the facility that treats them.

    Raises:
        Conflict: ``illegal-step``, ``transfer-live`` (cancel it or depart), ``before-its-segment``.
        Invalid: instants the wrong way round. Forbidden: another facility's key.
    """
    peeked = stays.stay(conn, stay)
    require_facility(ctx.actor, peeked.facility)
    now = lock(conn, persons=[peeked.person])
    row = stays.stay(conn, stay)
    advance("stay", row.state, StayState.ON_LEAVE)
    at = past_instant("occurred_at", occurred_at, now)
    until = future_instant("ends_at", ends_at, now, LONGEST_LEAVE, LONGEST_LEAVE)
    move = transfers.live_transfer(conn, row.person)
    if move is not None:
        raise Conflict(
            "transfer-live",
            f"transfer {move.id} of this person is {move.state}; cancel it, or let them depart",
            transfer=move.id,
        )
    row = put_on_leave(conn, ctx, row, at, now, expected_end=until)
    told(conn, ctx, row, _last(conn, row), "leave.begun", at, to=to, backdated=at < now)
    return stay_view(conn, row)


def end_leave(
    conn: Connection, ctx: Context, stay: str, *, occurred_at: datetime | None = None
) -> StayView:
    """The person is back in their bed.

    Raises:
        Refused: their place is no longer lawful or safe for them, or the company excludes them.
        Conflict: ``illegal-step``, ``bed-not-in-service`` (nobody lies down in a bed that is
            closed or waits for cleaning), ``person-elsewhere`` (end the stay there first),
            ``before-its-segment``.
        Invalid, Forbidden.
    """
    peeked = stays.stay(conn, stay)
    require_facility(ctx.actor, peeked.facility)
    place = seat(conn, _last(conn, peeked).bed)
    now = lock(conn, persons=[peeked.person], **place.locks())
    row = stays.stay(conn, stay)
    advance("stay", row.state, StayState.ACTIVE)
    if row.state is not StayState.ON_LEAVE:
        raise Conflict(
            "not-on-leave",
            f"stay {stay} is {row.state}: nobody is away; there is no leave to end",
            stay=stay,
            state=row.state.value,
        )
    at = past_instant("occurred_at", occurred_at, now)
    leave = _last(conn, row)
    if leave.bed != place.bed:
        raise Conflict(
            "world-moved", "another bed is kept for them since a moment ago; look again", stay=stay
        )
    _check_order(leave, at)
    _check_fit(seat(conn, place.bed))
    may_stay(conn, ctx, row.person, place, now)
    key = key_of(conn, row.person, cohort=place.cohort)
    clear(conn, ctx, row.person, place, at, now, key=key, ignoring=[leave.id])
    rows.end(conn, ctx.actor, leave, at, now=now)
    rows.add(
        conn,
        ctx.actor,
        place,
        row.person,
        ClaimKind.STAY,
        at,
        None,
        now=now,
        key=key,
        stay=row.id,
        request=row.request,
    )
    row = stays.step(conn, row, StayState.ACTIVE)
    told(conn, ctx, row, _last(conn, row), "leave.ended", at, backdated=at < now)
    return stay_view(conn, row)


def put_on_leave(
    conn: Connection,
    ctx: Context,
    row: StayRow,
    at: datetime,
    now: datetime,
    *,
    expected_end: datetime | None,
) -> StayRow:
    """Turn the open segment of a stay into a leave; the caller holds the person.

    Raises Conflict ``before-its-segment`` or ``illegal-step``.
    """
    segment = _last(conn, row)
    _check_order(segment, at)
    rows.end(conn, ctx.actor, segment, at, now=now)
    rows.add(
        conn,
        ctx.actor,
        seat(conn, segment.bed),
        row.person,
        ClaimKind.LEAVE,
        at,
        None,
        now=now,
        key=str(segment.mix_key),
        emergency=segment.emergency,
        stay=row.id,
        request=row.request,
        expected_end=expected_end,
    )
    return stays.step(conn, row, StayState.ON_LEAVE)


def divert(conn: Connection, ctx: Context, person: str, now: datetime) -> None:
    """An emergency ends whatever transfer the person was in: diverted if they were on the way,
    cancelled otherwise. The caller holds the person and ``people_behind`` their stays."""
    move = transfers.live_transfer(conn, person)
    if move is None:
        return
    on_the_way = move.state is TransferState.IN_TRANSIT
    to = TransferState.DIVERTED if on_the_way else TransferState.CANCELLED
    end_transfer(conn, ctx, move, to, "emergency", now)


def people_waiting_on(conn: Connection, person: str) -> set[str]:
    """Everybody whose bed hangs on this person's departure."""
    found: set[str] = set()
    for row in stays.open_stays(conn, person):
        found |= people_behind(conn, row.id)
    return found


def _last(conn: Connection, row: StayRow) -> Claim:
    segments = rows.segments(conn, row.id)
    if not segments:
        raise Conflict(
            "no-segment",
            f"stay {row.id} was entered in error and has no bed; nothing can be done with it",
            stay=row.id,
        )
    return segments[-1]


def _check_fit(place: Seat) -> None:
    if place.state not in (BedState.IN_SERVICE, BedState.CLOSING):
        raise Conflict(
            "bed-not-in-service",
            f"the bed kept for this person, {place.bed}, is {place.state}; record it in service "
            "again, or end this stay and ask for another bed",
            bed=place.bed,
            state=place.state.value,
        )


def _check_order(segment: Claim, at: datetime) -> None:
    if at <= segment.since:
        raise Conflict(
            "before-its-segment",
            f"the last change on bed {segment.bed} was at {segment.since.isoformat()}; give a "
            "later time",
            since=segment.since.isoformat(),
        )
