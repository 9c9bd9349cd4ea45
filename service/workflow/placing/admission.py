"""Admission 收治: somebody arrives on an accepted hold, and the hold becomes a stay."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from service.access.scope import acts_for
from service.errors import Conflict, Invalid
from service.lifecycle import RequestState, advance
from service.store import events, requests, stays
from service.store.claims import holds, key_of, rows
from service.store.claims.rows import Claim
from service.store.engine import now as clock
from service.store.locks import lock
from service.store.requests import RequestRow
from service.store.seats import Seat, locks_of, rooms_of_unit, seat
from service.store.stays import StayRow
from service.store.tables.claims import ClaimKind
from service.workflow.consent.consent_clocks import came
from service.workflow.context import Context
from service.workflow.judgement import past_instant
from service.workflow.law import terms
from service.workflow.moves.arrivals import place_at_arrival
from service.workflow.persons.psychiatric_reviews import begin_reassessment
from service.workflow.placing.answers import live_hold, moved
from service.workflow.placing.asking import require_answering
from service.workflow.placing.offers import keep_time
from service.workflow.privacy.visibility import basis_kind_of
from service.workflow.stays.kept_beds import give_up, kept_for
from service.workflow.stays.leave_return import leave_hospital, places_left
from service.workflow.views import StayView, stay_view
from service.workflow.watch import due
from service.workflow.watch.watching import rejudge
from solver.codes import COMPULSORY_CENTRES, LegalBasis


def admit(
    conn: Connection,
    ctx: Context,
    request: str,
    *,
    occurred_at: datetime | None = None,
    expected_end: datetime | None = None,
) -> StayView:
    """Record that the person came. ``occurred_at`` may lie in the past and is shown as such.

    The rules are judged as of ``occurred_at`` (a compulsory decision must have been served by
    then: Anti-Drug Law art. 40); rules set aside in the decision stay set aside. When the bed that
    was kept cannot be had after all, or an emergency took it while the person was on the way, a
    surge place is put up in the same unit: nobody is left at the door.

    Raises:
        Refused: with every rule that says no by now.
        Conflict: ``illegal-step``, ``hold-lapsed``, ``bed-was-taken`` (at the earlier instant
            given), ``person-elsewhere``, ``world-moved``.
        Invalid: an instant in the future or without an offset.
        Forbidden: another facility's key.
    """
    peeked = requests.request(conn, request)
    seen = holds.hold_for(conn, request=request)
    if seen is None and peeked.state is RequestState.WAITING:
        seen = holds.lost_to_emergency(conn, request, clock(conn))
    place = seat(conn, seen.bed) if seen is not None else None
    if place is not None:
        require_answering(ctx.actor, place.facility)
    from_where = places_left(conn, peeked)
    kept = kept_for(conn, peeked.person, place)
    places = [*from_where, *kept.places, *([place] if place is not None else [])]
    rooms = rooms_of_unit(conn, place.unit) if place is not None else ()
    locks = locks_of(places)
    people = {peeked.person, *kept.people}
    now = lock(conn, persons=people, **{**locks, "rooms": [*locks["rooms"], *rooms]})
    row = requests.request(conn, request)
    hold = _arriving_on(conn, row, now)
    if place is None or hold.bed != place.bed:
        raise moved(request)
    at = past_instant("occurred_at", occurred_at, now)
    if expected_end is not None and expected_end <= at:
        raise Invalid.field(
            "/expected_end", "before-admission", "must lie after the admission", str(expected_end)
        )
    arrival = place_at_arrival(
        conn,
        ctx,
        row.person,
        place,
        now,
        rooms=rooms,
        at=at,
        overridden=requests.overrides_of(conn, row.id, place.bed),
        emergency=row.emergency,
    )
    place = arrival.seat
    leave_hospital(conn, ctx, row, at, now, locked=from_where)
    give_up(conn, ctx, kept, at, now)
    key = key_of(conn, row.person, cohort=place.cohort)
    if arrival.surge and row.state is RequestState.ACCEPTED:
        rows.void(conn, ctx.actor, hold.id, "bed_not_there", now=now)
    clear(
        conn,
        ctx,
        row.person,
        place,
        at,
        now,
        key=key,
        ignoring=[hold.id],
        emergency=not arrival.company,
    )
    if not arrival.surge:
        holds.use(conn, ctx.actor, hold, at, now=now)
    stay = stays.add(
        conn,
        ctx.actor,
        row.person,
        place.facility,
        at,
        now=now,
        request=row.id,
        expected_end=expected_end,
        responsible=_who_answers(row.responsible, place),
    )
    rows.add(
        conn,
        ctx.actor,
        place,
        row.person,
        ClaimKind.STAY,
        at,
        None,
        now=now,
        key=key,
        emergency=not arrival.company,
        stay=stay.id,
        request=row.id,
    )
    came(conn, ctx, stay, place, now)
    row = _admitted(conn, row, now)
    keep_time(conn, ctx, row, now)
    terms.came_into(conn, ctx, row.person, place, at, now)
    due.on_admission(conn, ctx, stay.id, now)
    if basis_kind_of(conn, stay) is LegalBasis.INVOLUNTARY_PSYCHIATRIC:
        begin_reassessment(conn, ctx, stay, now)
    _stays_responsible(conn, row.person, stay)
    rejudge(conn, ctx, now, persons=[row.person])
    events.append(
        conn,
        ctx.actor,
        "stay.admitted",
        "stay",
        stay.id,
        person=row.person,
        bed=place.bed,
        unit=place.unit,
        facility=place.facility,
        data={"request": row.id, "surge": arrival.surge, "backdated": at < now},
        occurred_at=at,
    )
    return stay_view(conn, stay)


def _arriving_on(conn: Connection, row: RequestRow, now: datetime) -> Claim:
    """The accepted hold somebody arrives on, or the one an emergency took while they were on the
    way. Raises Conflict ``illegal-step``, ``hold-lapsed`` or ``no-hold``."""
    if row.state is RequestState.WAITING:
        lost = holds.lost_to_emergency(conn, row.id, now)
        if lost is not None:
            return lost
    advance("request", row.state, RequestState.ADMITTED)
    return live_hold(conn, now, request=row.id)


def _admitted(conn: Connection, row: RequestRow, now: datetime) -> RequestRow:
    """The request is met; one whose hold an emergency took goes through every state at once."""
    steps = (RequestState.HELD, RequestState.ACCEPTED, RequestState.ADMITTED)
    for to in steps if row.state is RequestState.WAITING else steps[2:]:
        reason = "admitted" if to is RequestState.ADMITTED else None
        row = requests.step(conn, row, to, now=now, reason=reason)
    return row


def _who_answers(asked: str | None, place: Seat) -> str | None:
    """The centre that goes on answering for the person; None where the bed's own facility does."""
    own = place.facility == asked or place.unit_kind in COMPULSORY_CENTRES
    return None if own else asked


def _stays_responsible(conn: Connection, person: str, stay: StayRow) -> None:
    """The centre that took the person in executes their term, though another place has the bed."""
    term = terms.term_of(conn, person)
    if term is not None and stay.responsible not in (None, term.responsible):
        terms.answers_for(conn, term, str(stay.responsible))


def clear(
    conn: Connection,
    ctx: Context,
    person: str,
    place: Seat,
    since: datetime,
    now: datetime,
    *,
    key: str,
    until: datetime | None = None,
    ignoring: Sequence[str] = (),
    stay: bool = True,
    emergency: bool = False,
) -> None:
    """Make sure that nothing stands in the way of a claim from ``since``, or say what does.

    Holds of the past are voided: they took no place in the end. Raises Conflict.
    """
    if since < now:
        holds.void_past_holds(
            conn, ctx.actor, place.room, since, now=now, reason="somebody_was_there"
        )
    others = rows.blockers(
        conn,
        place,
        person,
        since,
        until,
        key=key,
        stay=stay,
        emergency=emergency,
        ignoring=ignoring,
    )
    if others:
        raise _in_the_way(ctx, others[0], place, person)


def _in_the_way(ctx: Context, other: Claim, place: Seat, person: str) -> Conflict:
    if other.person == person and other.bed != place.bed:
        if not acts_for(ctx.actor, other.facility):
            # Where somebody is treated by their own consent is no other facility's business.
            return Conflict(
                "person-elsewhere",
                "at that time this person was in another facility; correct the time, or ask the "
                "coordinator to end that stay first",
            )
        return Conflict(
            "person-elsewhere",
            f"at that time this person was in stay {other.stay}; end it or begin a leave first, "
            "or correct the time",
            stay=other.stay,
            since=other.since.isoformat(),
            until=other.until.isoformat() if other.until is not None else None,
        )
    what = f"bed {place.bed}" if other.bed == place.bed else f"room {place.room}"
    how = "was taken" if other.bed == place.bed else "was in other use"
    until = other.until.isoformat() if other.until is not None else "now"
    return Conflict(
        "bed-was-taken",
        f"{what} {how} from {other.since.isoformat()} until {until}; give a time outside that, "
        "choose another bed, or correct that record first",
        bed=place.bed,
        since=other.since.isoformat(),
        until=other.until.isoformat() if other.until is not None else None,
    )
