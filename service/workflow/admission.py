"""Admission 收治: somebody arrives on an accepted hold, and the hold becomes a stay."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from service.access.scope import acts_for, require_facility
from service.errors import Conflict, Invalid
from service.lifecycle import RequestState, advance
from service.store import events, requests, stays
from service.store.claims import holds, key_of, rows
from service.store.claims.rows import Claim
from service.store.locks import lock
from service.store.seats import Seat, seat
from service.store.tables.claims import ClaimKind
from service.workflow.answers import live_hold
from service.workflow.context import Context
from service.workflow.judgement import look_again, past_instant
from service.workflow.views import StayView, stay_view


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
    then: Anti-Drug Law art. 40); rules set aside in the decision stay set aside.

    Raises:
        Refused: with every rule and relation that says no by now.
        Conflict: ``illegal-step``, ``hold-lapsed``, ``bed-not-in-service``, ``bed-was-taken``,
            ``person-elsewhere``, ``world-moved``.
        Invalid: an instant in the future or without an offset.
        Forbidden: another facility's key.
    """
    peeked = requests.request(conn, request)
    seen = holds.hold_for(conn, request=request)
    place = seat(conn, seen.bed) if seen is not None else None
    if place is not None:
        require_facility(ctx.actor, place.facility)
    now = lock(conn, persons=[peeked.person], **(place.locks() if place is not None else {}))
    row = requests.request(conn, request)
    advance("request", row.state, RequestState.ADMITTED)
    hold = live_hold(conn, now, request=row.id)
    if place is None or hold.bed != place.bed:
        raise moved(request)
    at = past_instant("occurred_at", occurred_at, now)
    if expected_end is not None and expected_end <= at:
        raise Invalid.field(
            "/expected_end", "before-admission", "must lie after the admission", str(expected_end)
        )
    look_again(
        conn,
        ctx,
        row.person,
        place,
        now,
        at=at,
        overridden=requests.overrides_of(conn, row.id, place.bed),
        emergency=row.emergency,
    )
    key = key_of(conn, row.person, cohort=place.cohort)
    clear(conn, ctx, row.person, place, at, now, key=key, ignoring=[hold.id])
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
        stay=stay.id,
        request=row.id,
    )
    requests.step(conn, row, RequestState.ADMITTED, now=now, reason="admitted")
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
        data={"request": row.id, "backdated": at < now},
        occurred_at=at,
    )
    return stay_view(conn, stay)


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


def moved(request: str) -> Conflict:
    """The hold went to another bed between reading and locking."""
    return Conflict(
        "world-moved",
        "the hold changed a moment ago; read the request again and go on from there",
        request=request,
    )
