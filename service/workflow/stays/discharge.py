"""Discharge and release 出院, 解除(出所): a stay ends; its bed must be cleaned before the next."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from service.access.scope import require_facility
from service.errors import Conflict, Invalid
from service.lifecycle import RequestState, StayState, TransferState, advance
from service.store import events, stays, transfers
from service.store.claims import isolated, rows
from service.store.claims.rows import Claim
from service.store.locks import lock
from service.store.seats import Seat, seats, seats_of_room, set_state
from service.store.stays import StayRow
from service.store.tables.claims import StayEnd
from service.workflow.consent.consent_clocks import left
from service.workflow.context import Context
from service.workflow.emergencies.emergency_papers import stay_over
from service.workflow.judgement import past_instant, reasoned
from service.workflow.law import term_ends
from service.workflow.moves.transfer_ends import end_transfer
from service.workflow.persons import restraints
from service.workflow.placing.request_ends import end_live_request
from service.workflow.privacy.visibility import basis_kind_of, require_stay
from service.workflow.views import StayView, stay_view
from service.workflow.watch.due import on_death, on_stay_end, owe
from service.workflow.watch.watching import rejudge
from solver.codes import CONSENSUAL_BASES, CUSTODIAL_BASES, BedKind, BedState, LegalBasis

ENDS: Final = (
    StayEnd.RELEASED,
    StayEnd.DISCHARGED,
    StayEnd.CONSENT_WITHDRAWN,
    StayEnd.ESCAPED,
    StayEnd.DIED,
)
"""The codes a discharge may have; the others are written by transfers and corrections."""

FREE_TO_LEAVE: Final = CONSENSUAL_BASES | {LegalBasis.INVOLUNTARY_PSYCHIATRIC}
"""Bases of patients and volunteers: whoever leaves a stay that rests on one has not escaped."""

IN_CUSTODY: Final = CUSTODIAL_BASES | {LegalBasis.OUT_MEDICAL}
"""Bases of a decision: no consent carries a stay on one, so none taken back ends it."""

_ENDS_A_TRANSFER: Final = {
    StayEnd.ESCAPED: TransferState.ESCAPED,
    StayEnd.DIED: TransferState.DIED,
}


def discharge(
    conn: Connection,
    ctx: Context,
    stay: str,
    *,
    code: StayEnd,
    occurred_at: datetime | None = None,
    reason: str,
    of_term: bool = False,
) -> StayView:
    """End a stay; its bed goes to housekeeping, or is contaminated with its whole room.

    ``of_term``: a use case of the person's term ends the stay, has shown who may, and writes the
    term itself; otherwise the term follows what happened.

    A death ends every open stay of the person, an escape (custody only) too. A live transfer is
    ended with a coded reason, and so is a live request after a death or an escape.

    Raises:
        Invalid: a code that is not a discharge, an escape outside custody, a consent taken back
            from a decision, an instant in the future, no reason.
        Conflict: ``illegal-step``, ``before-its-segment``, ``world-moved``.
        Forbidden: another facility's key.
    """
    if code not in ENDS:
        raise Invalid.field(
            "/code", "not-a-discharge", f"use one of: {', '.join(ENDS)}", code.value
        )
    why = reasoned(reason)
    require_stay(conn, ctx, stay)
    peeked = stays.stay(conn, stay)
    if not of_term:
        require_facility(ctx.actor, peeked.facility)
    everything = code in _ENDS_A_TRANSFER
    now, ending = _lock(conn, peeked, everything)
    row = stays.stay(conn, stay)
    advance("stay", row.state, StayState.ENDED)
    at = past_instant("occurred_at", occurred_at, now)
    _check_custody(conn, ending, row, code)
    _check_consent(conn, row, code)
    move = transfers.live_transfer(conn, row.person)
    if move is not None and (everything or move.stay == row.id):
        to = _ENDS_A_TRANSFER.get(code, TransferState.CANCELLED)
        end_transfer(conn, ctx, move, to, f"stay_{code.value}", now, left=True)
    if everything:
        reason_code = f"stay_{code.value}"
        end_live_request(conn, ctx, row.person, RequestState.WITHDRAWN, reason_code, now)
    for it in stays.open_stays(conn, row.person):
        if it.id in ending:
            _end(conn, ctx, it, ending[it.id], code, at, now, why)
    if not of_term:
        why_due = row.discharge_due_code
        term_ends.stay_ended(conn, ctx, row.person, code, at, now, due_code=why_due)
    if code is StayEnd.DIED:
        on_death(conn, ctx, stay, now)
    rejudge(conn, ctx, now, persons=[row.person])
    return stay_view(conn, stays.stay(conn, stay))


def due(
    conn: Connection, ctx: Context, stay: str, *, expected_end: datetime | None = None
) -> StayView:
    """Mark that a discharge is due; the bed may then be promised to somebody else. Its clock runs
    to the forecast end, or the policy's time.

    Raises Conflict ``illegal-step``, Forbidden for another facility's key, Invalid for a forecast
    in the past.
    """
    require_stay(conn, ctx, stay)
    peeked = stays.stay(conn, stay)
    require_facility(ctx.actor, peeked.facility)
    now = lock(conn, persons=[peeked.person])
    row = stays.stay(conn, stay)
    if expected_end is not None and (expected_end.tzinfo is None or expected_end < now):
        raise Invalid.field(
            "/expected_end", "in-the-past", "a forecast lies in the future", str(expected_end)
        )
    forecast = expected_end if expected_end is not None else row.expected_end
    row = stays.step(conn, row, StayState.DISCHARGE_DUE, expected_end=forecast)
    claim = rows.segments(conn, row.id)[-1]
    owe(
        conn,
        ctx,
        "discharge_due",
        subject=("stay", row.id),
        now=now,
        person=row.person,
        facility=row.facility,
        due_at=forecast if forecast is not None and forecast > now else None,
    )
    told(conn, ctx, row, claim, "stay.discharge_due", now)
    return stay_view(conn, row)


def vacate(
    conn: Connection,
    ctx: Context,
    place: Seat,
    at: datetime,
    now: datetime,
    *,
    contaminated: bool,
) -> None:
    """Somebody has left the bed for good: write what the bed, and after an isolated person the
    whole room, needs before the next. The caller holds the room and all of its beds, and has
    ended the claim."""
    if place.kind is BedKind.SURGE:
        _state(conn, ctx, place, BedState.CLOSED, at, now, retire=True)
    elif place.state is BedState.CLOSING:
        _state(conn, ctx, place, BedState.CLOSED, at, now)
    elif place.state is not BedState.CLOSED:
        dirty = BedState.CONTAMINATED if contaminated else BedState.HOUSEKEEPING
        _state(conn, ctx, place, dirty, at, now)
    if not contaminated:
        return
    others = [it for it in seats_of_room(conn, place.room) if it.bed != place.bed]
    taken = rows.on_beds(conn, [it.bed for it in others], now)
    for other in others:
        if other.bed not in taken and other.state in (BedState.IN_SERVICE, BedState.HOUSEKEEPING):
            _state(conn, ctx, other, BedState.CONTAMINATED, at, now)


def back_in_use(conn: Connection, ctx: Context, place: Seat, at: datetime, now: datetime) -> None:
    """The departure is taken back: the bed waits for no cleaning, its person is in it. A bed that
    was closed behind them is closing again."""
    if place.state in (BedState.HOUSEKEEPING, BedState.CONTAMINATED):
        _state(conn, ctx, place, BedState.IN_SERVICE, at, now)
    elif place.state is BedState.CLOSED:
        _state(conn, ctx, place, BedState.CLOSING, at, now, correcting=True)


def beds_of_rooms(conn: Connection, rooms: Collection[str]) -> set[str]:
    """Every bed in use of these rooms, which ``vacate`` needs locked."""
    return {it.bed for room in rooms for it in seats_of_room(conn, room)}


def told(
    conn: Connection,
    ctx: Context,
    row: StayRow,
    claim: Claim,
    operation: str,
    at: datetime,
    **data: str | bool | list[str] | None,
) -> None:
    """Write a stay's event on the bed it concerns."""
    events.append(
        conn,
        ctx.actor,
        operation,
        "stay",
        row.id,
        person=row.person,
        bed=claim.bed,
        unit=claim.unit,
        facility=claim.facility,
        data=data,
        occurred_at=at,
    )


def _lock(
    conn: Connection, peeked: StayRow, everything: bool
) -> tuple[datetime, dict[str, list[Claim]]]:
    """Lock the person and the rooms of what ends; return its open segments by stay."""
    before = _open_segments(conn, peeked, everything)
    rooms = {claim.room for claims in before.values() for claim in claims}
    now = lock(conn, persons=[peeked.person], rooms=rooms, beds=beds_of_rooms(conn, rooms))
    after = _open_segments(conn, peeked, everything)
    if {c.room for claims in after.values() for c in claims} - rooms:
        raise Conflict(
            "world-moved",
            "this person was moved a moment ago; read the stay again and go on from there",
            stay=peeked.id,
        )
    return now, after


def _open_segments(conn: Connection, stay: StayRow, everything: bool) -> dict[str, list[Claim]]:
    ending = stays.open_stays(conn, stay.person) if everything else [stay]
    return {
        it.id: [claim for claim in rows.segments(conn, it.id) if claim.until is None]
        for it in ending
    }


def _check_custody(
    conn: Connection, ending: dict[str, list[Claim]], row: StayRow, code: StayEnd
) -> None:
    if code is not StayEnd.ESCAPED:
        return
    places = seats(conn, {claim.bed for claim in ending[row.id]})
    held = basis_kind_of(conn, row)
    if held in FREE_TO_LEAVE or not any(place.custodial for place in places.values()):
        raise Invalid.field(
            "/code",
            "not-custody",
            "nobody escapes from a place they may leave; record discharged or consent_withdrawn",
            code.value,
        )


def _check_consent(conn: Connection, row: StayRow, code: StayEnd) -> None:
    if code is not StayEnd.CONSENT_WITHDRAWN or basis_kind_of(conn, row) not in IN_CUSTODY:
        return
    lawful = ", ".join(it for it in ENDS if it is not StayEnd.CONSENT_WITHDRAWN)
    raise Invalid.field(
        "/code",
        "not-by-consent",
        f"this stay rests on a decision and on nobody's consent; record one of: {lawful}",
        code.value,
    )


def _end(
    conn: Connection,
    ctx: Context,
    row: StayRow,
    open_claims: list[Claim],
    code: StayEnd,
    at: datetime,
    now: datetime,
    reason: str,
) -> None:
    contaminated = isolated(conn, row.person)
    for claim in open_claims:
        if at <= claim.since:
            raise Conflict(
                "before-its-segment",
                f"this person came into bed {claim.bed} at {claim.since.isoformat()}; give a "
                "later time, or cancel the admission or transfer that is wrong",
                stay=row.id,
                since=claim.since.isoformat(),
            )
        rows.end(conn, ctx.actor, claim, at, now=now)
    row = stays.step(conn, row, StayState.ENDED, at=at, code=code, end_reason=reason)
    left(conn, ctx, row, now)
    stay_over(conn, ctx, row, now)
    on_stay_end(conn, ctx, row.id, now)
    restraints.end_with_stay(conn, ctx, row, now)
    for claim in open_claims:
        place = seats(conn, [claim.bed])[claim.bed]
        vacate(conn, ctx, place, at, now, contaminated=contaminated)
        told(conn, ctx, row, claim, "stay.ended", at, code=_told_as(code), backdated=at < now)


def _told_as(code: StayEnd) -> str:
    """The code in the log, which says nothing of a word given or taken back."""
    return (StayEnd.DISCHARGED if code is StayEnd.CONSENT_WITHDRAWN else code).value


def _state(
    conn: Connection,
    ctx: Context,
    place: Seat,
    state: BedState,
    at: datetime,
    now: datetime,
    *,
    retire: bool = False,
    correcting: bool = False,
) -> None:
    if place.state is state:
        return
    advance("bed", place.state, state, correcting=correcting)
    set_state(conn, place.bed, state, since=at, by=ctx.actor.id, now=now, retire=retire)
    events.append(
        conn,
        ctx.actor,
        "bed.state_changed",
        "bed",
        place.bed,
        bed=place.bed,
        unit=place.unit,
        facility=place.facility,
        data={"from": place.state.value, "to": state.value, "retired": retire},
        occurred_at=at,
    )
