"""Placement requests 收治申请: somebody needs a bed, says so, and may stop saying so."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from service.access.scope import facility_scope
from service.errors import Conflict, Forbidden, NotFound
from service.lifecycle import LIVE_REQUEST_STATES, RequestState, StayState
from service.store import events, requests, stays
from service.store.claims import holds, promises, rows
from service.store.locks import lock
from service.store.requests import RequestRow
from service.workflow.context import Context
from service.workflow.judgement import reasoned, require_current
from service.workflow.views import RequestView, request_view
from service.workflow.visibility import hidden, hidden_requests, require_request
from solver import ranking
from solver.domain import Network

NOTE = "placement_request.note"
"""What a request's note is sealed for."""


def submit(
    conn: Connection, ctx: Context, person: str, *, emergency: bool = False, note: str | None = None
) -> RequestView:
    """Ask for a bed for a person. A person has one live request at a time.

    Raises:
        NotFound: no such person.
        Forbidden: the police side asks for somebody treated by their own consent; whether there
            is a stay or a request is not told.
        Conflict: ``request-live`` naming it, ``person-in-a-bed`` naming the stay (ask for a
            transfer), or ``person-merged``.
    """
    now = lock(conn, persons=[person])
    require_current(conn, person)
    if hidden(conn, ctx, [person]):
        raise Forbidden(
            "not-for-this-role",
            "this key may not ask for a bed for this person; ask the coordinator",
        )
    live = requests.live_request(conn, person)
    if live is not None:
        raise Conflict(
            "request-live",
            f"this person already has placement request {live.id}, which is {live.state}; "
            "go on with that one or withdraw it",
            request=live.id,
            state=live.state.value,
        )
    here = [it for it in stays.open_stays(conn, person) if it.state is not StayState.ON_LEAVE]
    if here:
        raise Conflict(
            "person-in-a-bed",
            f"this person is in stay {here[0].id}; ask for a transfer instead",
            stay=here[0].id,
        )
    sealed = ctx.vault.seal_text(note, NOTE) if note else None
    row = requests.add(conn, ctx.actor, person, emergency=emergency, note=sealed, now=now)
    _told(conn, ctx, row, "request.submitted", now)
    return request_view(conn, row, note)


def withdraw(conn: Connection, ctx: Context, request: str, *, reason: str) -> RequestView:
    """The asking side no longer asks. Decisions taken stand as they were; a hold is released."""
    return _finish(
        conn, ctx, request, RequestState.WITHDRAWN, "request.withdrawn", reasoned(reason)
    )


def refuse(conn: Connection, ctx: Context, request: str, *, reason: str) -> RequestView:
    """The person says no 本人拒绝: it ends the request and triggers nothing else."""
    return _finish(conn, ctx, request, RequestState.REFUSED, "request.refused", reasoned(reason))


def no_lawful_bed(conn: Connection, ctx: Context, request: str, *, reason: str) -> RequestView:
    """Record that the network has no lawful bed for this person; possible while waiting only."""
    return _finish(
        conn, ctx, request, RequestState.NO_LAWFUL_BED, "request.no_lawful_bed", reasoned(reason)
    )


def _finish(
    conn: Connection, ctx: Context, request: str, to: RequestState, operation: str, reason: str
) -> RequestView:
    now, row = lock_request(conn, request)
    row = settled(conn, ctx, row, now)
    row = requests.step(conn, row, to, now=now, reason=reason)
    release(conn, ctx, row, to.value, now)
    _told(conn, ctx, row, operation, now)
    return request_view(conn, row)


def get(conn: Connection, ctx: Context, request: str) -> RequestView:
    """One request. A key of a facility sees it while a bed of that facility is held for it."""
    require_request(conn, ctx, request)
    row = requests.request(conn, request)
    view = request_view(
        conn, row, ctx.vault.open_text(row.note, NOTE) if row.note is not None else None
    )
    scope = facility_scope(ctx.actor)
    if scope is not None and (view.hold is None or view.hold.facility != scope):
        raise NotFound("request-not-found", f"there is no placement request {request} here")
    return view


def listed(
    conn: Connection,
    ctx: Context,
    *,
    after: str | None,
    limit: int,
    states: Sequence[RequestState] = LIVE_REQUEST_STATES,
    person: str | None = None,
) -> list[RequestView]:
    """Requests in the order they were made, without their notes."""
    scope = facility_scope(ctx.actor)
    found: list[RequestRow] = []
    while len(found) < limit:
        rows = requests.page(
            conn, after=after, limit=limit, states=states, person=person, held_at=scope
        )
        unseen = hidden_requests(conn, ctx, rows)
        found += [row for row in rows if row.id not in unseen]
        if len(rows) < limit:
            break
        after = rows[-1].id
    return [request_view(conn, row) for row in found[:limit]]


def candidates(network: Network, request: RequestView, limit: int = 20) -> ranking.Ranking:
    """Rank the free beds for a live request on a snapshot: fits by cost, refusals for the rest.

    A request that is held is ranked too, as if it waited: an officer may look for a better bed.

    Raises:
        Conflict: the request is no longer live, or the snapshot does not know the person yet.
    """
    if request.state not in LIVE_REQUEST_STATES:
        raise Conflict(
            "request-ended",
            f"placement request {request.id} is {request.state}; submit a new one",
            request=request.id,
            state=request.state.value,
        )
    if request.id in network.request_by_id:
        return ranking.candidates(network, request.id, limit)
    person = network.persons.get(request.person)
    if person is None:
        raise Conflict(
            "not-ranked-yet",
            "this request is newer than the snapshot beds are ranked on; ask again in a second",
            request=request.id,
        )
    return ranking.rank_person(
        network, person, emergency=request.emergency, request_id=request.id, limit=limit
    )


def lock_request(conn: Connection, request: str) -> tuple[datetime, RequestRow]:
    """Take the lock that guards a request, its person's, and read it again."""
    peeked = requests.request(conn, request)
    now = lock(conn, persons=[peeked.person])
    return now, requests.request(conn, request)


def settled(conn: Connection, ctx: Context, row: RequestRow, now: datetime) -> RequestRow:
    """The request as it truly stands: a hold that is over by the clock is written off first."""
    hold = holds.hold_for(conn, request=row.id)
    if hold is None or not hold.over(now) or not holds.lapse(conn, hold.id, now=now):
        return row
    row = requests.step(conn, row, RequestState.WAITING, now=now)
    events.append(
        conn,
        ctx.actor,
        "hold.lapsed",
        "bed_claim",
        hold.id,
        person=row.person,
        bed=hold.bed,
        unit=hold.unit,
        facility=hold.facility,
        data={"request": row.id, "accepted": hold.accepted_at is not None},
        occurred_at=hold.until,
    )
    return row


def release(conn: Connection, ctx: Context, row: RequestRow, reason: str, now: datetime) -> None:
    """Free what was held or promised for a request that no longer needs it."""
    hold = holds.hold_for(conn, request=row.id)
    if hold is not None:
        rows.void(conn, ctx.actor, hold.id, reason, now=now)
        events.append(
            conn,
            ctx.actor,
            "hold.released",
            "bed_claim",
            hold.id,
            person=row.person,
            bed=hold.bed,
            unit=hold.unit,
            facility=hold.facility,
            data={"request": row.id, "reason": reason},
            occurred_at=now,
        )
    promise = promises.promised_to(conn, row.person)
    if promise is not None and promise.request == row.id:
        promises.cancel(conn, promise, reason, now=now)
        events.append(
            conn,
            ctx.actor,
            "promise.cancelled",
            "bed_next",
            promise.id,
            person=row.person,
            bed=promise.bed,
            data={"request": row.id, "reason": reason},
            occurred_at=now,
        )


def _told(conn: Connection, ctx: Context, row: RequestRow, operation: str, now: datetime) -> None:
    events.append(
        conn,
        ctx.actor,
        operation,
        "placement_request",
        row.id,
        person=row.person,
        data={"state": row.state.value, "emergency": row.emergency},
        occurred_at=now,
    )
