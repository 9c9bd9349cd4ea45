"""Surge places 加床: a bed put up on the spot, taken away again when its person leaves."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from service.access.scope import require_facility
from service.errors import Conflict, Invalid, NotFound
from service.store import events
from service.store.locks import lock
from service.store.seats import Seat, UnitSeat, add_surge_bed, rooms_of_unit, seat, unit_seat
from service.workflow.context import Context


@dataclass(frozen=True, slots=True)
class SurgePlace:
    """A surge place and where it stands. It counts as no licensed bed."""

    bed: str
    room: str
    unit: str
    facility: str


def open_surge_place(
    conn: Connection, ctx: Context, unit: str, *, room: str | None = None
) -> SurgePlace:
    """Put up a surge place in a room of the unit, the first by id unless named.

    Raises:
        NotFound: no such unit. Invalid: a room of another unit. Forbidden: another facility's key.
        Conflict: ``no-room``, the unit has none in use.
    """
    place = unit_seat(conn, unit)
    require_facility(ctx.actor, place.facility)
    chosen = room_for(conn, place, room)
    now = lock(conn, facilities=[place.facility], units=[unit], rooms=[chosen])
    made = put_up(conn, ctx, chosen, now)
    return SurgePlace(made.bed, made.room, made.unit, made.facility)


def room_for(conn: Connection, unit: UnitSeat, room: str | None) -> str:
    """The room a surge place of this unit is put up in. Raises Invalid, NotFound or Conflict."""
    rooms = rooms_of_unit(conn, unit.unit)
    if unit.retired:
        raise NotFound("unit-not-found", f"unit {unit.unit} is no longer in use", unit=unit.unit)
    if room is not None and room not in rooms:
        raise Invalid.field(
            "/room", "not-of-this-unit", f"name a room of unit {unit.unit}, or none", room
        )
    if not rooms:
        raise Conflict(
            "no-room",
            f"unit {unit.unit} has no room in use to put a surge place in; create one first",
            unit=unit.unit,
        )
    return room if room is not None else rooms[0]


def put_up(conn: Connection, ctx: Context, room: str, now: datetime) -> Seat:
    """Put up a surge place; the caller holds the room."""
    made = seat(conn, add_surge_bed(conn, room, by=ctx.actor.id, now=now))
    events.append(
        conn,
        ctx.actor,
        "bed.surge_opened",
        "bed",
        made.bed,
        bed=made.bed,
        unit=made.unit,
        facility=made.facility,
        data={"room": room},
        occurred_at=now,
    )
    return made
