"""Handover 转运交接: the receiving side accepts or declines, the person departs, arrives or turns
back. Until arrival they keep the bed they come from; a person on the way never loses the other."""

from datetime import datetime

from sqlalchemy import Connection, select

from service.access.scope import require_facility
from service.errors import Conflict, Refused
from service.lifecycle import StayState, TransferState, advance
from service.store import requests, stays, transfers
from service.store.claims import holds, isolated, key_of, promises, rows
from service.store.claims.rows import Claim
from service.store.locks import lock
from service.store.seats import Seat, seat, seats
from service.store.stays import StayRow, remember_origin
from service.store.tables import core
from service.store.tables.claims import ClaimKind, StayEnd
from service.store.transfers import TransferRow
from service.workflow.admission import clear
from service.workflow.answers import arrival_of, check_decline, live_hold
from service.workflow.context import Context
from service.workflow.discharge import beds_of_rooms, vacate
from service.workflow.discharge import told as stay_told
from service.workflow.judgement import look_again, past_instant
from service.workflow.transfer_ends import end_transfer, told
from service.workflow.transfers import end_as, lock_transfer
from service.workflow.views import TransferView, transfer_view
from solver.codes import COMPULSORY_CENTRES


def accept_transfer(
    conn: Connection, ctx: Context, transfer: str, *, expected_arrival: datetime | None = None
) -> TransferView:
    """The receiving facility accepts: the hold lasts to the expected arrival plus grace. A bed
    that is only promised yet is accepted too; its hold begins when it is fit.

    Raises Forbidden, Conflict (``illegal-step``, ``hold-lapsed``), Invalid.
    """
    now, row = lock_transfer(conn, transfer)
    require_facility(ctx.actor, seat(conn, row.to_bed).facility)
    advance("transfer", row.state, TransferState.ACCEPTED)
    arrival = arrival_of(ctx, expected_arrival, now)
    promise = promises.promised_to(conn, row.person)
    if promise is None or promise.transfer != row.id:
        hold = live_hold(conn, now, transfer=row.id)
        holds.accept(conn, ctx.actor, hold, arrival + ctx.policy.arrival_grace, now=now)
    row = transfers.step(conn, row, TransferState.ACCEPTED, now=now, expected_arrival=arrival)
    told(conn, ctx, row, "transfer.accepted", now, expected_arrival=arrival.isoformat())
    return transfer_view(conn, row)


def decline_transfer(
    conn: Connection, ctx: Context, transfer: str, *, code: str, reason: str = ""
) -> TransferView:
    """The receiving facility does not take this person, for a coded reason lawful for its kind.

    Raises Forbidden, Invalid, Conflict ``illegal-step``.
    """
    now, row = lock_transfer(conn, transfer, behind=True)
    target = seat(conn, row.to_bed)
    require_facility(ctx.actor, target.facility)
    advance("transfer", row.state, TransferState.DECLINED)
    check_decline(conn, ctx, target, row.person, code)
    hold = holds.hold_for(conn, transfer=row.id)
    requests.add_decline(
        conn,
        ctx.actor,
        transfer=row.id,
        unit=target.unit,
        claim=hold.id if hold is not None else None,
        code=code,
        reason=reason.strip(),
        now=now,
    )
    row = end_transfer(conn, ctx, row, TransferState.DECLINED, code, now)
    return transfer_view(conn, row)


def depart(
    conn: Connection, ctx: Context, transfer: str, *, occurred_at: datetime | None = None
) -> TransferView:
    """The person leaves for the other bed. From now on the hold never lapses: late is an alarm.

    Raises:
        Refused: the other place is no longer lawful or safe, or a movement stop stands.
        Conflict: ``illegal-step``, ``no-hold`` (the bed is not fit yet), ``hold-lapsed``.
        Invalid, Forbidden: another facility than the one they leave.
    """
    peeked = transfers.transfer(conn, transfer)
    places = seats(conn, [peeked.from_bed, peeked.to_bed])
    target = places[peeked.to_bed]
    require_facility(ctx.actor, places[peeked.from_bed].facility)
    now = lock(conn, persons=[peeked.person], **target.locks())
    row = transfers.transfer(conn, transfer)
    advance("transfer", row.state, TransferState.IN_TRANSIT)
    hold = live_hold(conn, now, transfer=row.id)
    at = past_instant("occurred_at", occurred_at, now)
    _check_stop(conn, row)
    look_again(conn, ctx, row.person, target, now)
    rows.keep_until(conn, hold, None)
    row = transfers.step(conn, row, TransferState.IN_TRANSIT, now=now, departed_at=at)
    told(conn, ctx, row, "transfer.departed", at, backdated=at < now)
    return transfer_view(conn, row)


def arrive(
    conn: Connection, ctx: Context, transfer: str, *, occurred_at: datetime | None = None
) -> TransferView:
    """The person is there: one transaction ends the bed they left and begins the new one.

    Between facilities the stay ends as transferred and a new one begins; within a facility it
    goes on as a new segment. The bed they left needs cleaning before anybody else.

    Raises:
        Refused: the place is no longer lawful or safe for them: turn back, or correct what says so.
        Conflict: ``illegal-step``, ``bed-not-in-service``, ``bed-was-taken``.
        Invalid: an instant in the future or before the departure. Forbidden.
    """
    peeked = transfers.transfer(conn, transfer)
    places = seats(conn, [peeked.from_bed, peeked.to_bed])
    origin, target = places[peeked.from_bed], places[peeked.to_bed]
    require_facility(ctx.actor, target.facility)
    locks = target.locks()
    now = lock(
        conn,
        persons=[peeked.person],
        facilities=locks["facilities"],
        units=locks["units"],
        units_exclusive=locks["units_exclusive"],
        rooms=[target.room, origin.room],
        beds={target.bed, *beds_of_rooms(conn, [origin.room])},
    )
    row = transfers.transfer(conn, transfer)
    advance("transfer", row.state, TransferState.COMPLETED)
    hold = live_hold(conn, now, transfer=row.id)
    at = past_instant("occurred_at", occurred_at, now)
    _check_after(row, at)
    look_again(conn, ctx, row.person, target, now)
    here = rows.segments(conn, row.stay)[-1]
    key = key_of(conn, row.person, cohort=target.cohort)
    clear(conn, ctx, row.person, target, at, now, key=key, ignoring=[hold.id, here.id])
    rows.end(conn, ctx.actor, here, at, now=now)
    holds.use(conn, ctx.actor, hold, at, now=now)
    stay = _go_on(conn, ctx, row, origin, target, at, now)
    rows.add(
        conn,
        ctx.actor,
        target,
        row.person,
        ClaimKind.STAY,
        at,
        None,
        now=now,
        key=key,
        stay=stay.id,
        request=stay.request,
        transfer=row.id,
    )
    row = transfers.step(
        conn, row, TransferState.COMPLETED, now=now, reason="arrived", arrived_at=at
    )
    vacate(conn, ctx, seat(conn, origin.bed), at, now, contaminated=isolated(conn, row.person))
    told(conn, ctx, row, "transfer.arrived", at, to_stay=stay.id, backdated=at < now)
    return transfer_view(conn, row)


def turn_back(conn: Connection, ctx: Context, transfer: str, *, reason: str) -> TransferView:
    """The person comes back to the bed they left, which was kept for them.

    Raises Conflict ``illegal-step``, Invalid without a reason, Forbidden for a facility that
    neither sends nor receives.
    """
    return end_as(conn, ctx, transfer, TransferState.TURNED_BACK, reason=reason)


def _go_on(
    conn: Connection,
    ctx: Context,
    row: TransferRow,
    origin: Seat,
    target: Seat,
    at: datetime,
    now: datetime,
) -> StayRow:
    """The stay they are in from now: the same within a facility, a new one elsewhere."""
    stay = stays.stay(conn, row.stay)
    if origin.unit_kind in COMPULSORY_CENTRES and target.unit_kind not in COMPULSORY_CENTRES:
        remember_origin(conn, row.person, origin.unit)
    if origin.facility == target.facility:
        return stay
    here: Claim = rows.segments(conn, stay.id)[-1]
    ended = stays.step(conn, stay, StayState.ENDED, at=at, code=StayEnd.TRANSFERRED)
    stay_told(conn, ctx, ended, here, "stay.ended", at, code=StayEnd.TRANSFERRED.value)
    return stays.add(
        conn,
        ctx.actor,
        row.person,
        target.facility,
        at,
        now=now,
        request=stay.request,
        basis=stay.basis,
    )


def _check_after(row: TransferRow, at: datetime) -> None:
    if row.departed_at is not None and at < row.departed_at:
        raise Conflict(
            "before-departure",
            f"this person left at {row.departed_at.isoformat()}; give a later arrival",
            departed_at=row.departed_at.isoformat(),
        )


def _check_stop(conn: Connection, row: TransferRow) -> None:
    stop = core.movement_stop.c
    found = conn.execute(
        select(stop.id).where(stop.person_id == row.person, stop.lifted_at.is_(None))
    ).first()
    if found is not None:
        raise Refused(
            "not-movable",
            "a clinician has stopped every move of this person; ask the clinician",
            reasons=["a movement stop stands"],
        )
