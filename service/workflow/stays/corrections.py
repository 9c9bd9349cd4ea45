"""Corrections of the past: what was recorded wrongly is voided with a reason and written anew.

Nothing is deleted. Every correction is an event that carries the time it corrects and the time it
was recorded. Where a bed has since been given to somebody else the answer is a conflict that says
what to do first.
"""

from datetime import datetime

from sqlalchemy import Connection

from service.access.scope import require_facility
from service.errors import Conflict, Invalid
from service.lifecycle import StayState, advance
from service.store import stays, transfers
from service.store.claims import key_of, promises, rows
from service.store.claims.rows import Claim
from service.store.locks import lock
from service.store.seats import Seat, locks_of, seats
from service.store.stays import StayRow
from service.store.tables.claims import StayEnd
from service.workflow.context import Context
from service.workflow.emergencies.emergency_moves import call_off_all
from service.workflow.emergencies.emergency_papers import owe_papers
from service.workflow.judgement import judged, past_instant, reasoned, refused
from service.workflow.law.term_reopening import stay_goes_on
from service.workflow.placing.admission import clear
from service.workflow.stays.discharge import back_in_use, told
from service.workflow.stays.leave import keep_leave
from service.workflow.stays.leave_return import withdraw_return
from service.workflow.views import StayView, stay_view
from service.workflow.watch.watching import rejudge
from solver.eligibility import law, place, refusals


def correct_times(
    conn: Connection,
    ctx: Context,
    stay: str,
    *,
    admitted_at: datetime | None = None,
    ended_at: datetime | None = None,
    reason: str,
) -> StayView:
    """Correct when a stay began, ended, or both.

    Raises:
        Invalid: neither time, a time in the future, an end of a stay that is open, no reason.
        Refused: the decision had not been served by then (Anti-Drug Law art. 40).
        Conflict: ``out-of-order`` within the stay, ``bed-was-taken``, ``person-elsewhere``.
    """
    why = reasoned(reason)
    if admitted_at is None and ended_at is None:
        raise Invalid.field("/admitted_at", "missing", "give the right admitted_at or ended_at")
    peeked = stays.stay(conn, stay)
    require_facility(ctx.actor, peeked.facility)
    now, row, segments, places = lock_stay(conn, peeked)
    if ended_at is not None and row.ended_at is None:
        raise Invalid.field(
            "/ended_at", "still-open", "this stay has not ended; discharge it", str(ended_at)
        )
    first, last = segments[0], segments[-1]
    if admitted_at is not None:
        since = past_instant("admitted_at", admitted_at, now)
        _check_served(conn, ctx, row, places[first.bed], since, now)
    else:
        since = first.since
    until = past_instant("ended_at", ended_at, now) if ended_at is not None else last.until
    for claim in {first.id: first, last.id: last}.values():
        begins = since if claim is first else claim.since
        ends = until if claim.id == last.id else claim.until
        if (begins, ends) == (claim.since, claim.until):
            continue
        _check_order(begins, ends)
        rewrite(
            conn,
            ctx,
            claim,
            places[claim.bed],
            why,
            now,
            since=begins,
            until=ends,
        )
    old = {"old_admitted_at": row.admitted_at.isoformat()}
    if row.ended_at is not None:
        old["old_ended_at"] = row.ended_at.isoformat()
    row = stays.rewrite(
        conn, row, admitted_at=since, ended_at=until if row.ended_at is not None else None
    )
    told(conn, ctx, row, first, "stay.times_corrected", since, **old)
    return stay_view(conn, row)


def swap(
    conn: Connection, ctx: Context, stay: str, other: str, *, reason: str
) -> tuple[StayView, StayView]:
    """Two people were recorded in each other's beds: exchange them, each from when they came.

    Raises:
        Invalid: the same stay twice, no reason.
        Conflict: ``not-in-bed``, ``other-facility``, ``transfer-live``, ``bed-promised``,
            ``bed-was-taken`` by somebody else before one of them came.
    """
    why = reasoned(reason)
    if stay == other:
        raise Invalid.field("/other_stay", "same-stay", "name two different stays", other)
    one, two = stays.stay(conn, stay), stays.stay(conn, other)
    for it in (one, two):
        require_facility(ctx.actor, it.facility)
    before = {it.id: _open_segment(conn, it) for it in (one, two)}
    places = seats(conn, {claim.bed for claim in before.values()})
    now = lock(conn, persons=[one.person, two.person], **locks_of(places.values()))
    one, two = stays.stay(conn, stay), stays.stay(conn, other)
    mine, theirs = _open_segment(conn, one), _open_segment(conn, two)
    if {mine.bed, theirs.bed} - places.keys():
        raise Conflict("world-moved", "one of them was moved a moment ago; look again", stay=stay)
    if one.facility != two.facility:
        raise Conflict(
            "other-facility",
            "these stays are in two facilities; cancel the transfer or admission that is wrong",
            facilities=sorted({one.facility, two.facility}),
        )
    for row, claim in ((one, mine), (two, theirs)):
        no_transfer(conn, row)
        no_promise(conn, claim.bed)
    with rows.rearranging(conn):
        for claim, target, partner in ((mine, theirs, theirs), (theirs, mine, mine)):
            rewrite(
                conn,
                ctx,
                claim,
                places[target.bed],
                why,
                now,
                since=claim.since,
                until=None,
                ignoring=partner.id,
            )
    for row, was, claim in ((one, mine, theirs), (two, theirs, mine)):
        told(conn, ctx, row, claim, "stay.bed_swapped", was.since, old_bed=was.bed)
    rejudge(conn, ctx, now, persons=[one.person, two.person])
    return stay_view(conn, one), stay_view(conn, two)


def cancel_discharge(conn: Connection, ctx: Context, stay: str, *, reason: str) -> StayView:
    """A discharge was recorded in error: the person never left. A term that it ended or
    interrupted runs again.

    Raises:
        Conflict: ``illegal-step``, ``not-discharged`` (it ended by a transfer or in error),
            ``bed-given-away``, ``bed-promised``, ``bed-retired``, ``person-elsewhere``,
            ``term-ended`` (an organ's end of the term stands), ``absent-already``.
        Invalid: no reason.
    """
    why = reasoned(reason)
    peeked = stays.stay(conn, stay)
    require_facility(ctx.actor, peeked.facility)
    now, row, segments, places = lock_stay(conn, peeked)
    if row.end_code in (StayEnd.TRANSFERRED, StayEnd.ENTERED_IN_ERROR) or not segments:
        raise Conflict(
            "not-discharged",
            f"stay {stay} ended as {row.end_code}, not by a discharge; correct the transfer or "
            "admit the person again",
            stay=stay,
        )
    last = segments[-1]
    back = StayState.ACTIVE if last.kind == "stay" else StayState.ON_LEAVE
    advance("stay", row.state, back, correcting=True)
    place_now = places[last.bed]
    give_back(conn, ctx, row, last, place_now, why, now)
    old = row.ended_at.isoformat() if row.ended_at is not None else None
    call_off_all(conn, ctx, ("stay", row.id), now)
    was, row = row, stays.step(conn, row, back, correcting=True, end_reason=None)
    stay_goes_on(conn, ctx, was, place_now, now)
    told(conn, ctx, row, last, "stay.discharge_cancelled", last.until or now, old_ended_at=old)
    if back is StayState.ON_LEAVE:
        keep_leave(conn, ctx, row, now)
        withdraw_return(conn, ctx, row.person, "discharge_cancelled", now)
    elif row.emergency:
        owe_papers(conn, ctx, [row], now)
    rejudge(conn, ctx, now, persons=[row.person])
    return stay_view(conn, row)


def give_back(
    conn: Connection,
    ctx: Context,
    row: StayRow,
    last: Claim,
    place_now: Seat,
    reason: str,
    now: datetime,
) -> None:
    """Open the last segment of a stay again, if its bed is still to be had; the caller holds
    person, room and bed. Raises Conflict ``bed-given-away``, ``bed-promised``, ``bed-retired``."""
    if place_now.retired:
        raise Conflict(
            "bed-retired",
            f"bed {place_now.bed} is no longer in use; admit the person to another bed",
            bed=place_now.bed,
        )
    no_promise(conn, place_now.bed)
    taken = rows.on_beds(conn, [place_now.bed], last.until or now)
    if taken:
        raise Conflict(
            "bed-given-away",
            f"bed {place_now.bed} has been given to somebody else since; release that hold or "
            "move that person first, or admit this person to another bed",
            bed=place_now.bed,
        )
    rewrite(conn, ctx, last, place_now, reason, now, since=last.since, until=None)
    back_in_use(conn, ctx, place_now, last.until or now, now)


def rewrite(
    conn: Connection,
    ctx: Context,
    claim: Claim,
    target: Seat,
    reason: str,
    now: datetime,
    *,
    since: datetime,
    until: datetime | None,
    ignoring: str | None = None,
) -> Claim:
    """Void a claim and write it as it should have been. Raises Conflict for what is in the way."""
    moved = target.bed != claim.bed
    key = key_of(conn, claim.person, cohort=target.cohort) if moved else str(claim.mix_key)
    known = [claim.id, *([ignoring] if ignoring is not None else [])]
    clear(
        conn,
        ctx,
        claim.person,
        target,
        since,
        now,
        key=key,
        until=until,
        ignoring=known,
        stay=claim.kind == "stay",
        emergency=claim.emergency,
    )
    rows.void(conn, ctx.actor, claim.id, reason, now=now)
    return rows.add(
        conn,
        ctx.actor,
        target,
        claim.person,
        claim.kind,
        since,
        until,
        now=now,
        key=key,
        stay=claim.stay,
        request=claim.request,
        transfer=claim.transfer,
        emergency=claim.emergency,
        expected_end=claim.expected_end,
    )


def lock_stay(
    conn: Connection, peeked: StayRow
) -> tuple[datetime, StayRow, list[Claim], dict[str, Seat]]:
    """Lock a stay's person and every place it was in; return it and its segments as they are.

    Raises Conflict ``no-segment`` for a stay entered in error, ``world-moved``.
    """
    before = seats(conn, {it.bed for it in rows.segments(conn, peeked.id)})
    now = lock(conn, persons=[peeked.person], **locks_of(before.values()))
    segments = rows.segments(conn, peeked.id)
    if {it.bed for it in segments} - before.keys():
        raise Conflict(
            "world-moved", "this person was moved a moment ago; look again", stay=peeked.id
        )
    if not segments:
        raise Conflict(
            "no-segment",
            f"stay {peeked.id} was entered in error; there is nothing left to correct",
            stay=peeked.id,
        )
    return now, stays.stay(conn, peeked.id), segments, seats(conn, before)


def _check_served(
    conn: Connection, ctx: Context, row: StayRow, seat: Seat, at: datetime, now: datetime
) -> None:
    network, who = judged(conn, ctx, row.person, seat, now, at=at)
    no = [it for it in refusals(who, place(network, seat.bed)) if it.rule == law.served_first.id]
    if no:
        raise refused(no)


def _check_order(since: datetime, until: datetime | None) -> None:
    if until is not None and until <= since:
        raise Conflict(
            "out-of-order",
            f"this part of the stay would end at {until.isoformat()}, before it began at "
            f"{since.isoformat()}; correct the other time too",
            since=since.isoformat(),
            until=until.isoformat(),
        )


def _open_segment(conn: Connection, row: StayRow) -> Claim:
    segments = rows.segments(conn, row.id)
    if not segments or segments[-1].until is not None:
        raise Conflict(
            "not-in-bed",
            f"stay {row.id} is {row.state}; only present beds are exchanged",
            stay=row.id,
            state=row.state.value,
        )
    return segments[-1]


def no_transfer(conn: Connection, row: StayRow) -> None:
    """Raise Conflict ``transfer-live`` while the person is in one."""
    live = transfers.live_transfer(conn, row.person)
    if live is not None:
        raise Conflict(
            "transfer-live",
            f"transfer {live.id} of this person is {live.state}; cancel it first",
            transfer=live.id,
        )


def no_promise(conn: Connection, bed: str) -> None:
    """Raise Conflict ``bed-promised`` while the bed is somebody's next."""
    promise = promises.promised(conn, bed)
    if promise is not None:
        raise Conflict(
            "bed-promised",
            f"bed {bed} has been promised to somebody else since; cancel that request's or "
            "transfer's promise first",
            bed=bed,
            request=promise.request,
            transfer=promise.transfer,
        )
