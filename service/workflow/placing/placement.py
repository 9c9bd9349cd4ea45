"""Placement requests 收治申请: somebody needs a bed, says so, and may stop saying so."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from service.access.scope import acts_for, facility_scope
from service.errors import Conflict, NotFound
from service.lifecycle import LIVE_REQUEST_STATES, RequestState, StayState
from service.store import events, requests, stays
from service.store.claims import holds, promises, rows
from service.store.locks import lock
from service.store.requests import RequestRow
from service.store.stays import StayRow
from service.workflow.context import Context
from service.workflow.judgement import reasoned, require_current
from service.workflow.persons.people import require_alive
from service.workflow.placing.alternatives import alternatives
from service.workflow.placing.asking import (
    not_for_you,
    require_own_request,
    require_police_may_know,
    responsible_for,
)
from service.workflow.placing.offers import keep_time
from service.workflow.placing.request_events import request_told
from service.workflow.privacy.refusal_records import keep_refusal, last_rules
from service.workflow.privacy.visibility import hidden_requests, hidden_stays, require_request
from service.workflow.views import RequestView, request_view
from solver import ranking
from solver.domain import Network

NOTE = "placement_request.note"
"""What a request's note is sealed for."""


def submit(
    conn: Connection,
    ctx: Context,
    person: str,
    *,
    emergency: bool = False,
    note: str | None = None,
    responsible_facility: str | None = None,
) -> RequestView:
    """Ask for a bed for a person. A person has one live request at a time.

    ``responsible_facility``: the centre that took the person in and answers for them, wherever
    they go on to; of a hospital's own request the hospital.

    Raises:
        NotFound: no such person, or one whom the police side may not know of.
        Forbidden: a hospital asks for somebody else's patient; whether there is a stay or a
            request is not told.
        Invalid: ``responsible_facility`` is no centre.
        Conflict: ``request-live`` naming it, ``person-in-a-bed`` naming the stay (ask for a
            transfer), ``person-merged``, or ``person-died`` (not for an emergency).
    """
    require_police_may_know(conn, ctx, person)
    now = lock(conn, persons=[person])
    require_current(conn, person)
    if not emergency:
        require_alive(conn, person)
    responsible = responsible_for(conn, ctx, person, responsible_facility)
    live = requests.live_request(conn, person)
    here = [it for it in stays.open_stays(conn, person) if it.state is not StayState.ON_LEAVE]
    if hidden_stays(conn, ctx, here) or (live is not None and hidden_requests(conn, ctx, [live])):
        raise not_for_you()
    if live is not None:
        raise _live_already(ctx, live)
    if here:
        raise _in_a_bed(ctx, here[0])
    sealed = ctx.vault.seal_text(note, NOTE) if note else None
    row = requests.add(
        conn,
        ctx.actor,
        person,
        emergency=emergency,
        note=sealed,
        now=now,
        responsible=responsible,
    )
    request_told(conn, ctx, row, "request.submitted", now, emergency=row.emergency)
    keep_time(conn, ctx, row, now)
    return request_view(conn, row, note)


def _live_already(ctx: Context, live: RequestRow) -> Conflict:
    scope = facility_scope(ctx.actor)
    if scope is not None and live.responsible != scope:
        return Conflict(
            "request-live",
            "this person has a live placement request of somebody else's; the coordinator says "
            "how to go on",
        )
    return Conflict(
        "request-live",
        f"this person already has placement request {live.id}, which is {live.state}; "
        "go on with that one or withdraw it",
        request=live.id,
        state=live.state.value,
    )


def _in_a_bed(ctx: Context, here: StayRow) -> Conflict:
    if not acts_for(ctx.actor, here.facility):
        return Conflict(
            "person-in-a-bed",
            "this person is in a bed of the network already; the coordinator says how to go on",
        )
    return Conflict(
        "person-in-a-bed",
        f"this person is in stay {here.id}; ask for a transfer instead",
        stay=here.id,
    )


def withdraw(conn: Connection, ctx: Context, request: str, *, reason: str) -> RequestView:
    """The asking side no longer asks. Decisions taken stand as they were; a hold is released."""
    return _finish(
        conn, ctx, request, RequestState.WITHDRAWN, "request.withdrawn", reasoned(reason)
    )


def refuse(conn: Connection, ctx: Context, request: str, *, reason: str) -> RequestView:
    """The person says no 本人拒绝: it ends the request and triggers nothing else."""
    return _finish(conn, ctx, request, RequestState.REFUSED, "request.refused", reasoned(reason))


def no_lawful_bed(
    conn: Connection, ctx: Context, request: str, *, reason: str, rules: Iterable[str] = ()
) -> RequestView:
    """Record that the network has no lawful bed for this person; possible while waiting only.

    ``rules``: those that keep every bed away, as ranked; the answer names what the law offers
    instead.
    """
    because = tuple(rules)
    view = _finish(
        conn, ctx, request, RequestState.NO_LAWFUL_BED, "request.no_lawful_bed", reasoned(reason)
    )
    keep_refusal(conn, ctx, request, because)
    return replace(view, alternatives=alternatives(because))


def _finish(
    conn: Connection, ctx: Context, request: str, to: RequestState, operation: str, reason: str
) -> RequestView:
    now, row = lock_request(conn, request)
    require_own_request(ctx, row)
    row = settled(conn, ctx, row, now)
    row = requests.step(conn, row, to, now=now, reason=reason)
    release(conn, ctx, row, to.value, now)
    request_told(conn, ctx, row, operation, now, emergency=row.emergency)
    keep_time(conn, ctx, row, now)
    return request_view(conn, row)


def get(conn: Connection, ctx: Context, request: str) -> RequestView:
    """One request. A key of a facility sees it while a bed of that facility is held for it, and
    where that facility answers for the person."""
    require_request(conn, ctx, request)
    row = requests.request(conn, request)
    view = request_view(
        conn, row, ctx.vault.open_text(row.note, NOTE) if row.note is not None else None
    )
    scope = facility_scope(ctx.actor)
    held_there = view.hold is not None and view.hold.facility == scope
    if scope not in (None, row.responsible) and not held_there:
        raise NotFound(
            "request-not-found", f"there is no placement request {request}", request=request
        )
    if row.state is RequestState.NO_LAWFUL_BED:
        view = replace(view, alternatives=alternatives(last_rules(conn, row.id)))
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
            conn, after=after, limit=limit, states=states, person=person, facility=scope
        )
        unseen = hidden_requests(conn, ctx, rows)
        found += [row for row in rows if row.id not in unseen]
        if len(rows) < limit:
            break
        after = rows[-1].id
    return [request_view(conn, row) for row in found[:limit]]


def in_line(
    conn: Connection, ctx: Context, ranks: Mapping[str, int], *, after: str | None, limit: int
) -> list[RequestView]:
    """Waiting requests in the order of the queue, each with its place in it, without their notes.

    ``ranks``: places by request id, in order. ``after``: the request to go on behind.
    """
    ids = list(ranks)
    start = ids.index(after) + 1 if after is not None and after in ranks else 0
    scope = facility_scope(ctx.actor)
    found: list[RequestRow] = []
    while len(found) < limit and start < len(ids):
        asked = requests.by_ids(conn, ids[start : start + limit])
        start += limit
        unseen = hidden_requests(conn, ctx, asked)
        found += [
            row
            for row in asked
            if row.id not in unseen
            and scope in (None, row.responsible)
            and row.state is RequestState.WAITING
        ]
    return [replace(request_view(conn, row), rank=ranks[row.id]) for row in found[:limit]]


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


def lock_request(
    conn: Connection, request: str, **places: Iterable[str]
) -> tuple[datetime, RequestRow]:
    """Take the lock that guards a request, its person's, and read it again. ``places``: what else
    is locked with it."""
    peeked = requests.request(conn, request)
    now = lock(conn, persons=[peeked.person], **places)
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
    keep_time(conn, ctx, row, now)
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
