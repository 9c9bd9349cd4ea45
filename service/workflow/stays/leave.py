"""Leave 外出就医(保留床位): the bed is kept while its person is treated elsewhere, until an end."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, exists, select

from service.access.scope import require_facility
from service.errors import Conflict
from service.lifecycle import StayState, TransferState, advance
from service.store import due as due_rows
from service.store import stays, transfers
from service.store.claims import key_of, rows
from service.store.claims.rows import Claim
from service.store.locks import lock
from service.store.network_people import legal_day
from service.store.seats import Seat, seat
from service.store.stays import StayRow
from service.store.tables import core
from service.store.tables.claims import ClaimKind
from service.workflow.context import Context
from service.workflow.judgement import future_instant, may_stay, past_instant, reasoned
from service.workflow.moves.transfer_ends import end_transfer
from service.workflow.persons import restraints
from service.workflow.placing.admission import clear
from service.workflow.stays.departures import people_behind
from service.workflow.stays.discharge import told
from service.workflow.versions import require_version
from service.workflow.views import StayView, stay_view
from service.workflow.watch import due
from service.workflow.watch.watching import rejudge
from service.workflow.watch.watching_basis import require_basis_for_move
from solver.codes import BedState

LONGEST_LEAVE: Final = timedelta(days=90)
"""A bed is not kept on one end for longer; the leave can be extended."""
LEAVE_END: Final = "leave_end"
"""The clock that runs while somebody is on leave."""


def begin_leave(
    conn: Connection,
    ctx: Context,
    stay: str,
    *,
    ends_at: datetime,
    to: str | None = None,
    occurred_at: datetime | None = None,
) -> StayView:
    """The person goes out for treatment and their bed is kept until ``ends_at``: an unreturned
    leave lapses after it (``leave_lapse``). ``to``: the facility that treats them.

    Raises:
        Conflict: ``illegal-step``, ``transfer-live`` (cancel it or depart), ``before-its-segment``,
            ``no-basis-to-move`` (release, or the emergency lane).
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
    require_basis_for_move(conn, ctx, row.person, now)
    row, kept = put_on_leave(conn, ctx, row, at, now, expected_end=until)
    told(conn, ctx, row, kept, "leave.begun", at, to=to, backdated=at < now)
    rejudge(conn, ctx, now, persons=[row.person])
    return stay_view(conn, row)


def end_leave(
    conn: Connection, ctx: Context, stay: str, *, occurred_at: datetime | None = None
) -> StayView:
    """The person is back in their bed; nobody is left at the door. Unless a doctor has examined
    them, or stated them fit for this unit, since they left, one sees them soon: the answer says by
    when (``doctor_sees_by``).

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
    due.settle(conn, ctx, LEAVE_END, subject=("stay", row.id), now=now)
    told(conn, ctx, row, _last(conn, row), "leave.ended", at, backdated=at < now)
    unseen = _doctor_sees(conn, ctx, row, place, leave.since, now)
    rejudge(conn, ctx, now, persons=[row.person])
    return replace(stay_view(conn, row), doctor_sees_by=unseen)


def _doctor_sees(
    conn: Connection, ctx: Context, row: StayRow, place: Seat, since: datetime, now: datetime
) -> datetime | None:
    """By when a doctor sees somebody who is back; None where one has looked since they left."""
    found, fit = core.assessment.c, core.fitness_statement.c
    seen = conn.execute(
        select(
            exists().where(found.person_id == row.person, found.assessed_at >= since)
            | exists().where(
                fit.person_id == row.person,
                fit.recorded_at >= since,
                fit.revoked_at.is_(None),
                fit.ends_on >= legal_day(now, ctx.policy.zone),
                fit.kinds.contains([place.unit_kind.value]),
            )
        )
    ).scalar_one()
    if seen:
        return None
    about = ("person", row.person)
    due.owe(
        conn,
        ctx,
        "doctor_sees",
        subject=about,
        now=now,
        person=row.person,
        facility=row.facility,
    )
    return next(it.due_at for it in due_rows.running(conn, about) if it.kind == "doctor_sees")


def extend_leave(
    conn: Connection,
    ctx: Context,
    stay: str,
    *,
    ends_at: datetime,
    reason: str,
    version: int | None = None,
) -> StayView:
    """Set another end for a running leave, for a reason that is kept with the end it replaces.

    Raises:
        Conflict: ``not-on-leave``. PreconditionFailed: ``version`` is not the present one.
        Invalid: no reason, an end in the past or too far off. Forbidden: another facility's key.
    """
    why = reasoned(reason)
    peeked = stays.stay(conn, stay)
    require_facility(ctx.actor, peeked.facility)
    now = lock(conn, persons=[peeked.person])
    row = stays.stay(conn, stay)
    if version is not None:
        require_version(version, row.version)
    if row.state is not StayState.ON_LEAVE:
        raise Conflict(
            "not-on-leave",
            f"stay {stay} is {row.state}: nobody is away; there is no leave to extend",
            stay=stay,
            state=row.state.value,
        )
    until = future_instant("ends_at", ends_at, now, LONGEST_LEAVE, LONGEST_LEAVE)
    with rows.rearranging(conn):
        rows.forecast(conn, ctx.actor, _last(conn, row), until, why, now=now)
    row = stays.rewrite(conn, row)
    _keep_time(conn, ctx, row, until, now)
    told(conn, ctx, row, _last(conn, row), "leave.extended", now, ends_at=until.isoformat())
    return stay_view(conn, row)


def _keep_time(
    conn: Connection, ctx: Context, row: StayRow, until: datetime, now: datetime
) -> None:
    """Let the clock of a leave run to its end."""
    subject = ("stay", row.id)
    opened = due.owe(
        conn,
        ctx,
        LEAVE_END,
        subject=subject,
        now=now,
        person=row.person,
        facility=row.facility,
        due_at=until,
    )
    if opened is None:
        due_rows.move_item(conn, LEAVE_END, subject, until)


def put_on_leave(
    conn: Connection,
    ctx: Context,
    row: StayRow,
    at: datetime,
    now: datetime,
    *,
    expected_end: datetime,
) -> tuple[StayRow, Claim]:
    """Turn the open segment of a stay into a leave with an end; the caller holds the person.
    Returns the stay and the claim that keeps its bed.

    Raises Conflict ``before-its-segment`` or ``illegal-step``.
    """
    segment = _last(conn, row)
    _check_order(segment, at)
    rows.end(conn, ctx.actor, segment, at, now=now)
    kept = rows.add(
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
    left = stays.step(conn, row, StayState.ON_LEAVE)
    restraints.end_with_stay(conn, ctx, left, now)
    if row.discharge_due_code is None:
        about = ("stay", row.id)
        due.settle(conn, ctx, "discharge_due", subject=about, now=now, outcome="called_off")
    _keep_time(conn, ctx, left, expected_end, now)
    return left, kept


def keep_leave(conn: Connection, ctx: Context, row: StayRow, now: datetime) -> None:
    """A leave that was ended in error runs again: to its end, or, when that is over, for as long
    as an emergency's. The caller holds the person."""
    leave = _last(conn, row)
    until = leave.expected_end
    if until is None or until <= now:
        until = now + ctx.policy.emergency_leave
        with rows.rearranging(conn):
            rows.forecast(conn, ctx.actor, leave, until, "leave_goes_on", now=now)
    _keep_time(conn, ctx, row, until, now)


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
