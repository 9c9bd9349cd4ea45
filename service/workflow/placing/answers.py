"""Answers to a hold: the receiving side accepts or declines, the officer releases, nobody comes."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from service.errors import Conflict, Invalid
from service.lifecycle import RequestState, advance
from service.store import events, requests
from service.store.claims import holds, rows
from service.store.claims.rows import Claim
from service.store.discrepancies import fresh_and_fit
from service.store.network_papers import basis_kinds
from service.store.requests import RequestRow
from service.store.seats import Seat, seat
from service.store.tables.watch import DiscrepancyKind
from service.workflow.context import Context
from service.workflow.judgement import future_instant, reasoned
from service.workflow.placing.asking import require_answering, require_own_request
from service.workflow.placing.fallbacks import locks_for, next_after
from service.workflow.placing.offers import keep_time
from service.workflow.placing.placement import lock_request, release
from service.workflow.views import RequestView, request_view
from service.workflow.ward.discrepancies import open_discrepancy
from solver.codes import LegalBasis


def accept(
    conn: Connection, ctx: Context, request: str, *, expected_arrival: datetime | None = None
) -> RequestView:
    """The receiving facility accepts: the hold now lasts to the expected arrival plus grace.

    Raises:
        Forbidden: another facility's key.
        Conflict: ``hold-lapsed``, ``illegal-step``.
        Invalid: an arrival in the past or further off than the policy allows.
    """
    now, row, hold = _held(conn, ctx, request, RequestState.ACCEPTED)
    arrival = arrival_of(ctx, expected_arrival, now)
    holds.accept(conn, ctx.actor, hold, arrival + ctx.policy.arrival_grace, now=now)
    row = requests.step(conn, row, RequestState.ACCEPTED, now=now)
    _told(conn, ctx, row, hold, "hold.accepted", now, expected_arrival=arrival.isoformat())
    keep_time(conn, ctx, row, now)
    return request_view(conn, row)


def decline(
    conn: Connection, ctx: Context, request: str, *, code: str, reason: str = ""
) -> RequestView:
    """The receiving facility does not take this person, for a coded reason 不予接收(附理由).

    The hold is void and the answer stays on record. The next bed its officer named is held at
    once; without one the request waits again. A no to a bed whose own status says free and fresh
    opens a discrepancy: the status or the answer is wrong.

    Raises:
        Forbidden: another facility's key.
        Invalid: an unknown code, or one this kind of unit may not lawfully give.
        Conflict: ``hold-lapsed``, ``illegal-step``, ``decline-overruled``, ``world-moved``.
    """
    seen = holds.hold_for(conn, request=request)
    now, row, hold = _held(conn, ctx, request, RequestState.WAITING, **locks_for(conn, [request]))
    if seen is None or seen.id != hold.id:
        raise moved(request)
    place = seat(conn, hold.bed)
    check_decline(conn, ctx, place, row.person, code)
    free = fresh_and_fit(conn, place, now)
    _not_overruled(conn, row.id, place.unit, code, free=free)
    rows.void(conn, ctx.actor, hold.id, "declined", now=now)
    declined = requests.add_decline(
        conn,
        ctx.actor,
        request=row.id,
        unit=hold.unit,
        claim=hold.id,
        code=code,
        reason=reason.strip(),
        now=now,
    )
    row = requests.step(conn, row, RequestState.WAITING, now=now)
    _told(conn, ctx, row, hold, "hold.declined", now, code=code)
    if free:
        open_discrepancy(
            conn,
            ctx,
            DiscrepancyKind.DECLINED_FREE_BED,
            facility=place.facility,
            unit=place.unit,
            bed=place.bed,
            subject=("decline", declined),
            now=now,
        )
    return request_view(conn, next_after(conn, ctx, row, now))


def _not_overruled(conn: Connection, request: str, unit: str, code: str, *, free: bool) -> None:
    """Raise Conflict for the same no a second time, once a coordinator has overruled it and the
    bed is still as fit as it was."""
    again = [it for it in requests.declines(conn, request) if it.unit == unit and it.code == code]
    if free and again and again[-1].overruled:
        raise Conflict(
            "decline-overruled",
            f"a coordinator overruled this unit's decline {code!r}; accept the person, report the "
            "bed as it is if it cannot be used, or ring the on-call coordinator",
            unit=unit,
            decline=code,
        )


def release_hold(conn: Connection, ctx: Context, request: str, *, reason: str) -> RequestView:
    """The officer gives the bed back; the request waits again, with no next bed named.

    Raises Conflict ``hold-lapsed`` or ``illegal-step``, Invalid without a reason.
    """
    why = reasoned(reason)
    now, row = lock_request(conn, request)
    require_own_request(ctx, row)
    advance("request", row.state, RequestState.WAITING)
    hold = live_hold(conn, now, request=row.id)
    row = requests.set_fallbacks(conn, row, ())
    row = requests.step(conn, row, RequestState.WAITING, now=now)
    rows.void(conn, ctx.actor, hold.id, why, now=now)
    _told(conn, ctx, row, hold, "hold.released", now)
    keep_time(conn, ctx, row, now)
    return request_view(conn, row)


def not_arrived(conn: Connection, ctx: Context, request: str, *, reason: str) -> RequestView:
    """The receiving facility records that an accepted person did not come; the request ends.

    Raises Conflict ``hold-lapsed`` or ``illegal-step``, Forbidden, Invalid without a reason.
    """
    why = reasoned(reason)
    now, row, hold = _held(conn, ctx, request, RequestState.NOT_ARRIVED)
    release(conn, ctx, row, "not_arrived", now)
    row = requests.step(conn, row, RequestState.NOT_ARRIVED, now=now, reason=why)
    _told(conn, ctx, row, hold, "request.not_arrived", now)
    keep_time(conn, ctx, row, now)
    return request_view(conn, row)


def arrival_of(ctx: Context, given: datetime | None, now: datetime) -> datetime:
    """The expected arrival: the one named, or the policy's usual one. Raises Invalid."""
    clocks = ctx.policy.clocks
    return future_instant(
        "expected_arrival",
        given,
        now,
        timedelta(minutes=clocks.arrival_default_minutes),
        timedelta(minutes=clocks.arrival_longest_minutes),
    )


def check_decline(conn: Connection, ctx: Context, place: Seat, person: str, code: str) -> None:
    """Raise Invalid for a code that is unknown, or not lawful for this kind of unit or about
    somebody on this legal basis. Without a basis on record only a code that is lawful about
    everybody is."""
    basis = basis_kinds(conn, [person]).get(person)
    about = frozenset(LegalBasis) if basis is None else frozenset({basis})
    lawful = sorted(
        it
        for it, rule in ctx.policy.declines.items()
        if place.unit_kind in rule.kinds and about <= rule.bases
    )
    if code not in ctx.policy.declines:
        raise Invalid.field(
            "/code", "unknown-code", f"use one of: {', '.join(lawful) or 'none'}", code
        )
    if code not in lawful:
        raise Invalid.field(
            "/code",
            "not-lawful-here",
            f"a unit of kind {place.unit_kind} may not decline this person with this code; it may "
            f"with: "
            f"{', '.join(lawful) or 'none'}",
            code,
        )


def live_hold(
    conn: Connection, now: datetime, *, request: str | None = None, transfer: str | None = None
) -> Claim:
    """The hold that an answer is about.

    Raises:
        Conflict: ``hold-lapsed`` when its time is over, ``no-hold`` when there is none.
    """
    hold = holds.hold_for(conn, request=request, transfer=transfer)
    if hold is None:
        raise Conflict(
            "no-hold", "no bed is held for this now; decide for a candidate first", bed=None
        )
    if hold.over(now):
        raise Conflict(
            "hold-lapsed",
            f"the hold of bed {hold.bed} ended at {hold.until}; the request waits again: "
            "read the candidates and decide anew",
            bed=hold.bed,
            ended_at=hold.until.isoformat() if hold.until is not None else None,
        )
    return hold


def moved(request: str) -> Conflict:
    """The hold changed between reading and locking."""
    return Conflict(
        "world-moved",
        "the hold changed a moment ago; read the request again and go on from there",
        request=request,
    )


def _held(
    conn: Connection, ctx: Context, request: str, to: RequestState, **places: Iterable[str]
) -> tuple[datetime, RequestRow, Claim]:
    """The request under its lock, with a live hold, able to take the step. ``places``: what else
    is locked with it."""
    now, row = lock_request(conn, request, **places)
    hold = holds.hold_for(conn, request=row.id)
    if hold is not None:
        require_answering(ctx.actor, hold.facility)
    advance("request", row.state, to)
    return now, row, live_hold(conn, now, request=row.id)


def _told(
    conn: Connection,
    ctx: Context,
    row: RequestRow,
    hold: Claim,
    operation: str,
    now: datetime,
    **data: str,
) -> None:
    events.append(
        conn,
        ctx.actor,
        operation,
        "bed_claim",
        hold.id,
        person=row.person,
        bed=hold.bed,
        unit=hold.unit,
        facility=hold.facility,
        data={"request": row.id, **data},
        occurred_at=now,
    )
