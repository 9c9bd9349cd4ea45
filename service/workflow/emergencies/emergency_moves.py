"""The two halves of a move by the emergency lane: everything left behind, and the arrival.

What is left behind: a live transfer ends, a request closes, an open stay becomes a leave with an
end, so that the bed is kept and no longer than that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeGuard

from sqlalchemy import Connection, func, select

from service.lifecycle import RequestState, StayState
from service.store import due as due_rows
from service.store import requests, stays
from service.store.claims import holds, rows
from service.store.claims.rows import Claim
from service.store.requests import RequestRow
from service.store.seats import Seat, seats
from service.store.stays import StayRow
from service.store.tables import core
from service.store.tables.claims import ClaimKind
from service.store.tables.workflow import RequestKind
from service.workflow.context import Context
from service.workflow.judgement import past_instant
from service.workflow.law import terms
from service.workflow.placing.offers import keep_time
from service.workflow.placing.placement import release, settled
from service.workflow.placing.request_events import request_told
from service.workflow.stays.discharge import back_in_use, told
from service.workflow.stays.leave import divert, put_on_leave
from service.workflow.watch import due
from solver.codes import COMPULSORY_CENTRES, BedState

_JUST_AFTER: Final = timedelta(microseconds=1)
"""A change on a bed is later than the one before it; the record counts in these."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a person in danger left behind: the request that the emergency met, and the facility
    that goes on answering for them."""

    request: str | None
    responsible: str | None


def lane_instant(
    conn: Connection, given: datetime | None, now: datetime, people: Iterable[str]
) -> datetime:
    """When an emergency happened, as it can be written. Nothing blocks here: a time that is not
    yet, by a clock that runs fast, means now; one before the last change on any of these people's
    beds means just after that change. What was said is kept beside it (``said_at``).

    Raises Invalid for an instant without an offset.
    """
    at = past_instant("occurred_at", min(given, now) if _aware(given) else given, now)
    known = sorted(set(people))
    if at == now or not known:
        return at
    claim = core.bed_claim.c
    began, over = func.lower(claim.during), func.upper(claim.during)
    changes = conn.execute(
        select(began, over).where(
            claim.person_id.in_(known),
            claim.voided_at.is_(None),
            claim.kind.in_((ClaimKind.STAY.value, ClaimKind.LEAVE.value)),
        )
    )
    for changed in (it for row in changes for it in row if it is not None and it < now):
        at = max(at, changed + _JUST_AFTER)
    return min(at, now)


def said(given: datetime | None, at: datetime) -> datetime | None:
    """The time somebody gave, where another had to be written."""
    return given if given is not None and given != at else None


def _aware(given: datetime | None) -> TypeGuard[datetime]:
    return given is not None and given.tzinfo is not None


def leave_behind(conn: Connection, ctx: Context, person: str, at: datetime, now: datetime) -> Left:
    """End what the person was in and keep their bed; the caller holds the person and
    ``people_waiting_on`` them.

    A request made for this emergency is admitted, another is withdrawn; the way back of a resident
    goes on waiting. ``at``: as ``lane_instant`` says.
    """
    divert(conn, ctx, person, now)
    met = close_request(conn, ctx, person, now)
    here = {row.id: row for row in stays.open_stays(conn, person)}
    beds = {id_: it.bed for id_, it in rows.last_segments(conn, here).items()}
    places = seats(conn, beds.values())
    until = now + ctx.policy.emergency_leave
    for row in here.values():
        if row.state is StayState.ON_LEAVE:
            continue
        origin = places[beds[row.id]]
        if origin.unit_kind in COMPULSORY_CENTRES:
            stays.remember_origin(conn, person, origin.unit)
        left, kept = put_on_leave(conn, ctx, row, at, now, expected_end=until)
        told(conn, ctx, left, kept, "leave.begun", at, emergency=True)
    for row in here.values():
        if row.responsible is not None:
            return Left(met, row.responsible)
        if row.id in beds and places[beds[row.id]].custodial:
            return Left(met, row.facility)
    return Left(met, _answering(conn, person))


def arrive(
    conn: Connection,
    ctx: Context,
    person: str,
    place: Seat,
    left: Left,
    at: datetime,
    now: datetime,
    *,
    officer: str,
    reason: str,
    surge: bool,
    key: str,
    said_at: datetime | None = None,
) -> tuple[StayRow, Claim]:
    """Write the stay and its claim, and tell of it. ``key``: with whom the person shares the room,
    as ``Space.key`` says. ``said_at``: the time given, where another is written. The claim is
    flagged as an emergency's only where the company in the room forbids the person; any other room
    stays guarded."""
    if surge:
        holds.void_past_holds(conn, ctx.actor, place.room, at, now=now, reason="emergency")
    row = stays.add(
        conn,
        ctx.actor,
        person,
        place.facility,
        at,
        now=now,
        request=left.request,
        officer=officer,
        reason=reason,
        responsible=left.responsible if left.responsible != place.facility else None,
    )
    claim = rows.add(
        conn,
        ctx.actor,
        place,
        person,
        ClaimKind.STAY,
        at,
        None,
        now=now,
        key=key,
        emergency=bool(rows.blockers(conn, place, person, at, None, key=key, stay=False)),
        stay=row.id,
        request=row.request,
    )
    if place.state is BedState.HOUSEKEEPING:
        # Nobody waits for cleaning here; the bed is in use from now.
        back_in_use(conn, ctx, place, at, now)
    if place.custodial:
        terms.came_into(conn, ctx, person, place, at, now)
        due.set_review(conn, ctx, row.id, now)
    due.on_grave_illness(conn, ctx, row.id, now)
    given = {} if said_at is None else {"said_at": said_at.astimezone(UTC).isoformat()}
    told(conn, ctx, row, claim, "stay.emergency_admitted", at, surge=surge, **given)
    return row, claim


def call_off_all(conn: Connection, ctx: Context, subject: tuple[str, str], now: datetime) -> None:
    """What these clocks ran for has not happened, or is over."""
    kinds = tuple({it.kind for it in due_rows.running(conn, subject)})
    if kinds:
        due.settle(conn, ctx, kinds, subject=subject, now=now, outcome="called_off")


def close_request(
    conn: Connection, ctx: Context, person: str, now: datetime, *, meets: bool = True
) -> str | None:
    """What becomes of the person's own request; the id of one that the emergency meets, which is
    then its stay's. ``meets`` false: the stay came of another request already."""
    live = requests.live_request(conn, person)
    if live is None:
        return None
    live = settled(conn, ctx, live, now)
    release(conn, ctx, live, "emergency", now)
    if live.emergency and meets:
        return _met(conn, ctx, live, now).id
    if live.kind is RequestKind.RETURN:
        if live.state is not RequestState.WAITING:
            live = requests.step(conn, live, RequestState.WAITING, now=now)
        keep_time(conn, ctx, live, now)
        return None
    live = requests.step(conn, live, RequestState.WITHDRAWN, now=now, reason="emergency")
    keep_time(conn, ctx, live, now)
    request_told(conn, ctx, live, "request.withdrawn", now, reason="emergency")
    return None


def _met(conn: Connection, ctx: Context, live: RequestRow, now: datetime) -> RequestRow:
    steps = [RequestState.HELD, RequestState.ACCEPTED, RequestState.ADMITTED]
    known = steps.index(live.state) + 1 if live.state in steps else 0
    for to in steps[known:]:
        live = requests.step(conn, live, to, now=now, reason="emergency")
    keep_time(conn, ctx, live, now)
    return live


def _answering(conn: Connection, person: str) -> str | None:
    """The facility that answers for somebody in no bed: the centre of their term, or whoever asked
    for a bed for them last."""
    term, asked = core.term.c, core.placement_request.c
    of_term = conn.execute(
        select(term.responsible_facility_id).where(
            term.person_id == person, term.closed_at.is_(None)
        )
    ).scalar_one_or_none()
    if of_term is not None:
        return str(of_term)
    found: str | None = conn.execute(
        select(asked.responsible_facility_id)
        .where(asked.person_id == person, asked.responsible_facility_id.is_not(None))
        .order_by(asked.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    return found
