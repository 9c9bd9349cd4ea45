"""Decisions 派床: a named officer gives a person a bed, and the bed is held against everybody else.

The person, the unit, the room and the bed are locked, everything is looked at again, and then the
decision, the hold and the event are written at once.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection

from service.errors import Conflict, Invalid
from service.lifecycle import RequestState, advance
from service.store import events, requests
from service.store.claims import key_of, promises, rows
from service.store.locks import lock
from service.store.requests import RequestRow
from service.store.seats import Seat, seat
from service.store.tables.claims import ClaimKind
from service.workflow.context import Context
from service.workflow.judgement import Override, bed_taken, lifted, look_again, may_follow, reasoned
from service.workflow.placing.asking import require_own_bed
from service.workflow.placing.offers import keep_time
from service.workflow.placing.placement import settled
from service.workflow.placing.queue import NOBODY, PASSED_OVER, PassedOver, may_pass
from service.workflow.privacy.audit_flags import raise_flag
from service.workflow.stays.departures import departing, occupant_of
from service.workflow.stays.leave_return import require_fit_to_return
from service.workflow.views import RequestView, request_view
from service.workflow.watch.watching_basis import require_basis_for_move


@dataclass(frozen=True, slots=True)
class Choice:
    """What the officer saw when they decided: the ranked beds and the position of the snapshot.

    ``rank``: the place of the chosen bed among them from 1, None when it was not ranked.
    ``then``: the beds to hold next, in order, should the facility decline or not answer.
    ``passed``: whom this decision would pass over in the queue; ``past_reason``: why a coordinator
    does so all the same.
    """

    officer: str
    reason: str
    rank: int | None = None
    alternatives: Sequence[str] = ()
    overrides: Sequence[Override] = ()
    network_position: int = 0
    proposal: str | None = None
    then: Sequence[str] = ()
    passed: PassedOver = NOBODY
    past_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision and the request it was taken on, with its hold or promise; whom to ring when
    nobody answers."""

    decision: str
    request: RequestView
    on_call_phone: str


def decide(conn: Connection, ctx: Context, request: str, bed: str, choice: Choice) -> Decided:
    """Give the bed to the request's person and hold it for the time the policy names.

    A hold of this request that is over by the clock is written off first; a promise to the same
    request is given up for the new bed.

    Raises:
        Refused: with every rule and relation that says no; nothing is changed.
        Conflict: ``bed-taken``, ``bed-not-in-service``, ``bed-retired``, ``illegal-step`` (it is
            held or at an end), ``passes-over``, ``world-moved``.
        Invalid, Forbidden: an override, a bed or a way past the queue that this caller may not
            choose, or no reason.
    """
    reason, overridden = reasoned(choice.reason), lifted(ctx, choice.overrides)
    officer = reasoned(choice.officer, "/officer")
    place = seat(conn, bed)
    now = lock(conn, persons=[requests.request(conn, request).person], **place.locks())
    row = settled(conn, ctx, requests.request(conn, request), now)
    _check_beds(conn, ctx, row, place, choice.then)
    require_fit_to_return(conn, ctx, row, place, now)
    advance("request", row.state, RequestState.HELD)
    if not row.emergency:
        require_basis_for_move(conn, ctx, row.person, now)
    look_again(conn, ctx, row.person, place, now, overridden=overridden, emergency=row.emergency)
    passed = may_pass(ctx, choice.passed, choice.past_reason)
    _give_up_promise(conn, ctx, row, now)
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
    row = requests.set_fallbacks(conn, row, choice.then)
    row = requests.step(conn, row, RequestState.HELD, now=now)
    decision = _record(conn, ctx, row, bed, choice, officer, reason, hold.id, now, passed)
    _told(conn, ctx, row, place, "hold.placed", hold.id, decision, choice, now)
    keep_time(conn, ctx, row, now, hold=hold)
    return Decided(decision, request_view(conn, row), ctx.policy.offers.on_call_phone)


def promise_bed(conn: Connection, ctx: Context, request: str, bed: str, choice: Choice) -> Decided:
    """Give a bed that is still occupied or not yet fit: it becomes a hold when it is fit.

    Possible behind an approved departure, a stay whose discharge is due, or on a bed that waits
    for cleaning. The request goes on waiting meanwhile.

    Raises as ``decide``, and Conflict ``no-departure`` or ``already-promised``.
    """
    reason, overridden = reasoned(choice.reason), lifted(ctx, choice.overrides)
    officer = reasoned(choice.officer, "/officer")
    place = seat(conn, bed)
    leaving = occupant_of(conn, bed)
    people = {requests.request(conn, request).person, *([leaving.person] if leaving else [])}
    now = lock(conn, persons=people, **place.locks())
    row = settled(conn, ctx, requests.request(conn, request), now)
    advance("request", row.state, RequestState.HELD)
    _check_beds(conn, ctx, row, place, ())
    require_fit_to_return(conn, ctx, row, place, now)
    if not row.emergency:
        require_basis_for_move(conn, ctx, row.person, now)
    waits_for = departing(conn, bed, leaving, now)
    may_follow(conn, ctx, row.person, place, now, overridden=overridden, emergency=row.emergency)
    if promises.promised(conn, bed) is not None:
        raise bed_taken(conn, bed, now)
    _give_up_promise(conn, ctx, row, now)
    promise = promises.promise(
        conn,
        ctx.actor,
        bed,
        row.person,
        now=now,
        request=row.id,
        waits_for_stay=waits_for,
    )
    decision = _record(conn, ctx, row, bed, choice, officer, reason, None, now)
    _told(conn, ctx, row, place, "promise.made", promise.id, decision, choice, now)
    return Decided(decision, request_view(conn, row), ctx.policy.offers.on_call_phone)


def _check_beds(
    conn: Connection, ctx: Context, row: RequestRow, place: Seat, then: Sequence[str]
) -> None:
    """The caller may decide for these beds, and the next ones named are others, each once."""
    require_own_bed(conn, ctx, row, place)
    most = ctx.policy.offers.most_fallbacks
    if len(then) > most:
        raise Invalid.field("/then", "too-many", f"name at most {most} beds", len(then))
    for number, bed in enumerate(then):
        if bed == place.bed or bed in then[:number]:
            raise Invalid.field(
                f"/then/{number}",
                "named-twice",
                "name each bed once, the chosen one not at all",
                bed,
            )
        require_own_bed(conn, ctx, row, seat(conn, bed))


def _give_up_promise(conn: Connection, ctx: Context, row: RequestRow, now: datetime) -> None:
    found = promises.promised_to(conn, row.person)
    if found is None:
        return
    if found.request != row.id:
        raise Conflict(
            "already-promised",
            f"bed {found.bed} is promised to this person by a transfer; cancel that first",
            transfer=found.transfer,
        )
    promises.cancel(conn, found, "decided_anew", now=now)
    events.append(
        conn,
        ctx.actor,
        "promise.cancelled",
        "bed_next",
        found.id,
        person=row.person,
        bed=found.bed,
        data={"request": row.id, "reason": "decided_anew"},
        occurred_at=now,
    )


def _record(
    conn: Connection,
    ctx: Context,
    row: RequestRow,
    bed: str,
    choice: Choice,
    officer: str,
    reason: str,
    claim: str | None,
    now: datetime,
    passed: tuple[int, str | None] = (0, None),
) -> str:
    count, past_reason = passed
    decision = requests.add_decision(
        conn,
        request_id=row.id,
        bed_id=bed,
        claim_id=claim,
        decided_by=ctx.actor.id,
        officer=officer,
        reason=reason,
        decided_at=now,
        policy_version=ctx.policy.version,
        network_position=choice.network_position,
        rank=choice.rank,
        alternatives=list(choice.alternatives),
        overrides=[{**asdict(it), "by": ctx.actor.id} for it in choice.overrides],
        proposal_id=choice.proposal,
        fallbacks=list(choice.then),
        passed_over=count,
        passed_over_reason=past_reason,
    )
    if count:
        raise_flag(
            conn,
            ctx,
            PASSED_OVER,
            now,
            person=row.person,
            request=row.id,
            subject=("placement_decision", decision),
            data={"ranks": list(choice.passed.ranks)},
        )
    return decision


def _told(
    conn: Connection,
    ctx: Context,
    row: RequestRow,
    place: Seat,
    operation: str,
    subject: str,
    decision: str,
    choice: Choice,
    now: datetime,
) -> None:
    events.append(
        conn,
        ctx.actor,
        operation,
        "bed_claim" if operation == "hold.placed" else "bed_next",
        subject,
        person=row.person,
        bed=place.bed,
        unit=place.unit,
        facility=place.facility,
        data={
            "request": row.id,
            "decision": decision,
            "overrides": len(choice.overrides),
        },
        occurred_at=now,
    )
