"""Bed to bed inside a unit, in one step: no transfer, no journey, the rules looked at again."""

from datetime import datetime

from sqlalchemy import Connection

from service.access.caller import Role
from service.access.scope import require_facility
from service.errors import Conflict
from service.lifecycle import StayState
from service.store import stays
from service.store.claims import isolated, key_of, rows
from service.store.locks import lock
from service.store.seats import seat, seats
from service.store.tables.claims import ClaimKind
from service.workflow.context import Context
from service.workflow.judgement import look_again, past_instant, reasoned
from service.workflow.moves.transfer_ends import require_no_transfer
from service.workflow.persons.fitness import require_no_stop
from service.workflow.placing.admission import clear
from service.workflow.stays.discharge import beds_of_rooms, told, vacate
from service.workflow.views import StayView, stay_view


def move_bed(
    conn: Connection,
    ctx: Context,
    stay: str,
    to_bed: str,
    *,
    reason: str,
    occurred_at: datetime | None = None,
) -> StayView:
    """The person lies in another bed of the same unit from now. The bed they left needs cleaning,
    with its whole room if they were isolated there.

    Raises:
        Refused: a rule or relation says no, or a clinician's movement stop stands (``not-movable``;
            a clinician may move them all the same).
        Conflict: ``not-in-bed``, ``other-unit`` (that is a transfer), ``same-bed``,
            ``transfer-live``, ``bed-taken``, ``bed-not-in-service``, ``before-its-segment``.
        Invalid: no reason, an instant in the future. Forbidden: another facility's key.
    """
    why = reasoned(reason)
    peeked = stays.stay(conn, stay)
    require_facility(ctx.actor, peeked.facility)
    here = rows.segments(conn, stay)[-1]
    places = seats(conn, [here.bed, to_bed])
    origin, target = places[here.bed], places[to_bed]
    if target.unit != origin.unit:
        raise Conflict(
            "other-unit",
            f"bed {to_bed} is in unit {target.unit}; another unit takes a transfer",
            bed=to_bed,
            unit=target.unit,
        )
    locks = target.locks()
    now = lock(
        conn,
        persons=[peeked.person],
        facilities=locks["facilities"],
        units=locks["units"],
        units_exclusive=locks["units_exclusive"],
        rooms={origin.room, target.room},
        beds={target.bed, *beds_of_rooms(conn, {origin.room})},
    )
    row = stays.stay(conn, stay)
    if row.state not in (StayState.ACTIVE, StayState.DISCHARGE_DUE):
        raise Conflict(
            "not-in-bed",
            f"stay {stay} is {row.state}; only somebody in their bed changes beds",
            stay=stay,
            state=row.state.value,
        )
    segment = rows.segments(conn, stay)[-1]
    if segment.bed != origin.bed:
        raise Conflict("world-moved", "this person was moved a moment ago; look again", stay=stay)
    if segment.bed == to_bed:
        raise Conflict("same-bed", f"this person is in bed {to_bed} already", bed=to_bed)
    at = past_instant("occurred_at", occurred_at, now)
    if at <= segment.since:
        raise Conflict(
            "before-its-segment",
            f"this person came into bed {segment.bed} at {segment.since.isoformat()}; give a "
            "later time",
            since=segment.since.isoformat(),
        )
    require_no_transfer(conn, row.person)
    if ctx.actor.role is not Role.CLINICIAN:
        require_no_stop(conn, row.person)
    look_again(conn, ctx, row.person, target, now)
    key = key_of(conn, row.person, cohort=target.cohort)
    clear(conn, ctx, row.person, target, at, now, key=key, ignoring=[segment.id])
    rows.end(conn, ctx.actor, segment, at, now=now)
    made = rows.add(
        conn,
        ctx.actor,
        target,
        row.person,
        ClaimKind.STAY,
        at,
        None,
        now=now,
        key=key,
        stay=row.id,
        request=row.request,
    )
    vacate(conn, ctx, seat(conn, origin.bed), at, now, contaminated=isolated(conn, row.person))
    told(conn, ctx, row, made, "stay.bed_changed", at, from_bed=origin.bed, backdated=at < now)
    rows.write(conn, made.id, move_reason=why)
    return stay_view(conn, stays.stay(conn, stay))
