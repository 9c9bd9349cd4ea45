"""The way back of a resident whose kept bed was given free: a request of its own.

It waits until a doctor's statement says that the person is fit for the unit that takes them; then
it is placed as any other, and the arrival ends the stay in the hospital.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select

from service.errors import Conflict, Refused
from service.lifecycle import RequestState, StayState
from service.store import requests, stays, transfers
from service.store.claims import isolated, rows
from service.store.network_people import legal_day
from service.store.requests import RequestRow
from service.store.seats import Seat, seat, seats
from service.store.stays import StayRow
from service.store.tables import core
from service.store.tables.claims import StayEnd
from service.store.tables.workflow import RequestKind
from service.workflow.context import Context
from service.workflow.emergencies.emergency_papers import call_off_papers
from service.workflow.law import terms
from service.workflow.placing.offers import keep_time
from service.workflow.placing.placement import release, settled
from service.workflow.placing.request_events import request_told
from service.workflow.stays.discharge import beds_of_rooms, told, vacate
from service.workflow.watch import due


def ask_back(
    conn: Connection, ctx: Context, row: StayRow, place: Seat, now: datetime
) -> RequestRow | None:
    """A leave from ``place`` has lapsed: open the request for the way back of somebody under a
    term; the caller holds the person.

    None without a term, from a place that held nobody, and where a live request, a live transfer
    or another custodial bed leads back already.
    """
    if not place.custodial or terms.term_of(conn, row.person) is None:
        return None
    if requests.live_request(conn, row.person) or transfers.live_transfer(conn, row.person):
        return None
    if any(seat(conn, it.bed).custodial for it in _segments(conn, row.person)):
        return None
    made = requests.add(
        conn,
        ctx.actor,
        row.person,
        emergency=False,
        note=None,
        now=now,
        responsible=row.responsible or row.facility,
        kind=RequestKind.RETURN,
    )
    keep_time(conn, ctx, made, now)
    request_told(conn, ctx, made, "request.submitted", now, kind=made.kind.value)
    return made


def withdraw_return(
    conn: Connection, ctx: Context, person: str, reason: str, now: datetime
) -> None:
    """The person is back, or their kept bed is: a request for the way back asks for nothing more.
    The caller holds the person."""
    live = requests.live_request(conn, person)
    if live is None or live.kind is not RequestKind.RETURN:
        return
    live = settled(conn, ctx, live, now)
    live = requests.step(conn, live, RequestState.WITHDRAWN, now=now, reason=reason)
    release(conn, ctx, live, reason, now)
    keep_time(conn, ctx, live, now)
    request_told(conn, ctx, live, "request.withdrawn", now, kind=live.kind.value)


def require_fit_to_return(
    conn: Connection, ctx: Context, row: RequestRow, place: Seat, now: datetime
) -> None:
    """Somebody who lies in a hospital goes back when a doctor says so (Shanghai Ordinance art.
    35), not because a bed is free. Call it before a bed is held for a request.

    Raises Refused ``not-fit-to-return``.
    """
    if row.kind is not RequestKind.RETURN or not _segments(conn, row.person):
        return
    fitness = core.fitness_statement.c
    kinds = conn.execute(
        select(fitness.kinds)
        .where(
            fitness.person_id == row.person,
            fitness.revoked_at.is_(None),
            fitness.ends_on >= legal_day(now, ctx.policy.zone),
        )
        .order_by(fitness.recorded_at.desc(), fitness.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    if kinds is None or place.unit_kind.value not in kinds:
        raise Refused(
            "not-fit-to-return",
            f"this person is under treatment and no doctor's statement in force says that they may "
            f"move to a unit of kind {place.unit_kind}; the request waits for one",
            rule="X03",
            request=row.id,
        )


def places_left(conn: Connection, row: RequestRow) -> list[Seat]:
    """The beds to lock, with all of their rooms, before a person is admitted on this request:
    those that their arrival leaves behind. None but for a way back."""
    if row.kind is not RequestKind.RETURN:
        return []
    beds = {it.bed for it in _segments(conn, row.person)}
    rooms = {it.room for it in seats(conn, beds).values()}
    return list(seats(conn, beds | beds_of_rooms(conn, rooms)).values())


def leave_hospital(
    conn: Connection,
    ctx: Context,
    row: RequestRow,
    at: datetime,
    now: datetime,
    *,
    locked: Collection[Seat],
) -> None:
    """The person is back on their own request: the stays they come from end, their beds wait for
    cleaning. The caller holds the person and has ``places_left`` locked.

    Raises Conflict ``world-moved``, ``before-its-segment``.
    """
    if row.kind is not RequestKind.RETURN:
        return
    infectious = isolated(conn, row.person)
    for there in stays.open_stays(conn, row.person):
        if there.state is StayState.ON_LEAVE:
            continue
        segment = rows.segments(conn, there.id)[-1]
        if segment.bed not in {it.bed for it in locked}:
            raise Conflict(
                "world-moved", "this person was moved a moment ago; look again", stay=there.id
            )
        if at <= segment.since:
            raise Conflict(
                "before-its-segment",
                f"this person came into the bed they leave at {segment.since.isoformat()}; give a "
                "later time",
                since=segment.since.isoformat(),
            )
        rows.end(conn, ctx.actor, segment, at, now=now)
        ended = stays.step(
            conn, there, StayState.ENDED, at=at, code=StayEnd.TRANSFERRED, end_reason="returned"
        )
        due.on_stay_end(conn, ctx, ended.id, now)
        call_off_papers(conn, ctx, ended, now)
        vacate(conn, ctx, seat(conn, segment.bed), at, now, contaminated=infectious)
        told(conn, ctx, ended, segment, "stay.ended", at, code=StayEnd.TRANSFERRED.value)


def _segments(conn: Connection, person: str) -> list[rows.Claim]:
    """Where the person lies now, if anywhere; a bed kept for them is not where they are."""
    return [
        rows.segments(conn, it.id)[-1]
        for it in stays.open_stays(conn, person)
        if it.state is not StayState.ON_LEAVE
    ]
