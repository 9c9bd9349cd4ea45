"""Corrections of the past: an admission or an arrival that never happened is taken back."""

from datetime import datetime

from sqlalchemy import Connection

from service.access.scope import require_facility
from service.errors import Conflict
from service.lifecycle import RequestState, StayState, TransferState, advance
from service.store import requests, stays, transfers
from service.store.claims import people_promised, promises, rows
from service.store.claims.rows import Claim
from service.store.locks import lock
from service.store.seats import locks_of, seat, seats
from service.store.stays import StayRow
from service.store.tables.claims import StayEnd
from service.store.transfers import TransferRow
from service.workflow.context import Context
from service.workflow.emergencies.emergency_moves import call_off_all
from service.workflow.emergencies.emergency_papers import call_off_papers
from service.workflow.judgement import reasoned
from service.workflow.moves.transfer_ends import told
from service.workflow.placing.offers import keep_time
from service.workflow.stays.corrections import give_back, no_transfer
from service.workflow.stays.departures import keep_promise
from service.workflow.stays.discharge import told as stay_told
from service.workflow.views import StayView, TransferView, stay_view, transfer_view
from service.workflow.watch.watching import rejudge


def cancel_admission(conn: Connection, ctx: Context, stay: str, *, reason: str) -> StayView:
    """An admission was recorded in error: the person never came. The stay stands as entered in
    error, the request waits again with the time it has waited, and the bed is free.

    Raises:
        Conflict: ``illegal-step`` (it has ended: cancel the discharge first), ``transferred``
            (it began by a transfer, or went on in another bed), ``transfer-live``, ``on-leave``.
        Invalid: no reason.
    """
    why = reasoned(reason)
    peeked = stays.stay(conn, stay)
    require_facility(ctx.actor, peeked.facility)
    before = seats(conn, {it.bed for it in rows.segments(conn, stay)})
    people = {peeked.person}.union(*(people_promised(conn, bed) for bed in before))
    now = lock(conn, persons=people, **locks_of(before.values()))
    row = stays.stay(conn, stay)
    advance("stay", row.state, StayState.ENDED)
    segments = rows.segments(conn, stay)
    _never_moved(row, segments)
    no_transfer(conn, row)
    for segment in segments:
        rows.void(conn, ctx.actor, segment.id, why, now=now)
    row = stays.step(
        conn,
        row,
        StayState.ENDED,
        at=row.admitted_at,
        code=StayEnd.ENTERED_IN_ERROR,
        end_reason=why,
    )
    call_off_all(conn, ctx, ("stay", row.id), now)
    call_off_papers(conn, ctx, row, now)
    _wait_again(conn, ctx, row, now)
    _offer_on(conn, ctx, segments[-1].bed, people, now)
    stay_told(
        conn,
        ctx,
        row,
        segments[-1],
        "stay.admission_cancelled",
        row.admitted_at,
        old_admitted_at=row.admitted_at.isoformat(),
        request=row.request,
    )
    rejudge(conn, ctx, now, persons=[row.person])
    return stay_view(conn, row)


def cancel_transfer(conn: Connection, ctx: Context, transfer: str, *, reason: str) -> TransferView:
    """An arrival was recorded in error: the person never left the bed they came from.

    Raises:
        Conflict: ``illegal-step`` (not completed), ``moved-on`` (something happened since: take
            that back first), ``bed-given-away``, ``bed-promised``, ``bed-retired``.
        Invalid: no reason.
    """
    why = reasoned(reason)
    peeked = transfers.transfer(conn, transfer)
    places = seats(conn, [peeked.from_bed, peeked.to_bed])
    require_facility(ctx.actor, places[peeked.to_bed].facility)
    people = {peeked.person} | people_promised(conn, peeked.to_bed)
    now = lock(conn, persons=people, **locks_of(places.values()))
    row = transfers.transfer(conn, transfer)
    advance("transfer", row.state, TransferState.CANCELLED, correcting=True)
    there = _arrived(conn, row)
    origin = stays.stay(conn, row.stay)
    no_transfer(conn, origin)
    own = [it for it in rows.segments(conn, origin.id) if it.id != there.id]
    rows.void(conn, ctx.actor, there.id, why, now=now)
    give_back(conn, ctx, origin, own[-1], seat(conn, row.from_bed), why, now)
    if there.stay != origin.id:
        _reopen(conn, ctx, origin, there, why, now)
    changed = transfers.step(
        conn, row, TransferState.CANCELLED, now=now, reason=why, correcting=True
    )
    _offer_on(conn, ctx, row.to_bed, people, now)
    old = row.arrived_at.isoformat() if row.arrived_at is not None else None
    told(conn, ctx, changed, "transfer.arrival_cancelled", row.arrived_at or now, old_arrival=old)
    rejudge(conn, ctx, now, persons=[row.person])
    return transfer_view(conn, changed)


def _never_moved(row: StayRow, segments: list[Claim]) -> None:
    if not segments or any(it.transfer is not None for it in segments):
        raise Conflict(
            "transferred",
            f"stay {row.id} began or went on by a transfer; cancel that transfer instead",
            stay=row.id,
        )
    if row.state is StayState.ON_LEAVE:
        raise Conflict(
            "on-leave",
            f"stay {row.id} is on leave; record the return first, then cancel the admission",
            stay=row.id,
        )


def _wait_again(conn: Connection, ctx: Context, row: StayRow, now: datetime) -> None:
    """The request waits again, unless another of this person's does: then it is closed."""
    if row.request is None:
        return
    asked = requests.request(conn, row.request)
    if asked.state is not RequestState.ADMITTED:
        return
    live = requests.live_request(conn, row.person)
    to = RequestState.WAITING if live is None else RequestState.WITHDRAWN
    asked = requests.step(conn, asked, to, now=now, reason="admission_cancelled", correcting=True)
    keep_time(conn, ctx, asked, now)


def _arrived(conn: Connection, row: TransferRow) -> Claim:
    """The open segment that the arrival began. Raises Conflict ``moved-on``."""
    found = [it for it in rows.of_transfer(conn, row.id) if it.until is None]
    if not found:
        raise Conflict(
            "moved-on",
            "something was recorded for this person since that arrival; take that back first",
            transfer=row.id,
        )
    return found[0]


def _reopen(
    conn: Connection, ctx: Context, origin: StayRow, there: Claim, reason: str, now: datetime
) -> None:
    """Between facilities: the new stay stands as entered in error, the old one goes on."""
    new = stays.stay(conn, str(there.stay))
    new = stays.step(
        conn,
        new,
        StayState.ENDED,
        at=new.admitted_at,
        code=StayEnd.ENTERED_IN_ERROR,
        end_reason=reason,
    )
    call_off_all(conn, ctx, ("stay", new.id), now)
    back = stays.step(conn, origin, StayState.ACTIVE, correcting=True, end_reason=None)
    stay_told(conn, ctx, new, there, "stay.admission_cancelled", new.admitted_at)
    here = rows.segments(conn, back.id)[-1]
    stay_told(conn, ctx, back, here, "stay.discharge_cancelled", new.admitted_at)


def _offer_on(conn: Connection, ctx: Context, bed: str, locked: set[str], now: datetime) -> None:
    """The bed is free after all: whoever it was promised to gets it held."""
    promise = promises.promised(conn, bed)
    if promise is not None and promise.person in locked:
        keep_promise(conn, ctx, bed, now)
