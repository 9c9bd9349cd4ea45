"""Rooms of a unit. A room never leaves its unit."""

from typing import Any

from sqlalchemy import Connection, RowMapping, select

from service.access.scope import facility_scope, require_facility
from service.errors import Conflict, Invalid
from service.store import events
from service.store.locks import lock
from service.store.tables.core import bed, room, unit
from service.workflow.context import Context
from service.workflow.inventory.place_fields import NewRoom, RoomChange, RoomFields, RoomRecord
from service.workflow.inventory.places import (
    Retired,
    beds_of_room,
    check_editable,
    get_row,
    insert_new,
    live_use,
    merged,
    require_empty,
    require_id_within,
    retire_rows,
    retire_within,
    values_of,
    write_change,
)
from service.workflow.watch.watching import rejudge

_WITH_UNIT = select(room, unit.c.facility_id).join(unit, unit.c.id == room.c.unit_id)


def record_of(row: RowMapping) -> RoomRecord:
    """A room's row, its unit's facility beside it, as its readers see it."""
    members: dict[str, Any] = dict(row)
    members["unit"] = members.pop("unit_id")
    members["facility"] = members.pop("facility_id")
    return RoomRecord.model_validate(members)


def get_room(conn: Connection, ctx: Context, room_id: str) -> RoomRecord:
    """One room, retired ones too. Raises NotFound."""
    get_row(conn, room, room_id)
    return record_of(conn.execute(_WITH_UNIT.where(room.c.id == room_id)).mappings().one())


def list_rooms(
    conn: Connection,
    ctx: Context,
    *,
    limit: int,
    after: str | None = None,
    unit_id: str | None = None,
    retired: bool = False,
) -> list[RoomRecord]:
    """Rooms by id, at most ``limit`` of those after the id ``after``; of one unit if named."""
    query = _WITH_UNIT.order_by(room.c.id.collate("C")).limit(limit)
    if after is not None:
        query = query.where(room.c.id.collate("C") > after)
    if not retired:
        query = query.where(room.c.retired_at.is_(None))
    if unit_id is not None:
        query = query.where(room.c.unit_id == unit_id)
    own = facility_scope(ctx.actor)
    if own is not None:
        query = query.where(unit.c.facility_id == own)
    return [record_of(row) for row in conn.execute(query).mappings()]


def create_room(conn: Connection, ctx: Context, new: NewRoom) -> RoomRecord:
    """Enter a room of a unit.

    Raises:
        NotFound: there is no such unit.
        Forbidden: the caller speaks for another facility.
        Conflict: ``id-taken``, or the unit is retired.
        Invalid: the unit is of another facility than the one named, or the id does not begin with
            the unit's.
    """
    owner = get_row(conn, unit, new.unit)
    require_facility(ctx.actor, owner["facility_id"])
    if new.facility is not None and new.facility != owner["facility_id"]:
        raise Invalid.field(
            "/unit",
            "other-facility",
            f"unit {new.unit} belongs to facility {owner['facility_id']}, not to {new.facility}; "
            "name a unit of that facility, or leave 'facility' out",
            new.unit,
        )
    require_id_within("room", new.id, "unit", new.unit)
    lock(conn, facilities=[owner["facility_id"]], units=[new.unit])
    check_editable("unit", get_row(conn, unit, new.unit), None)
    values = values_of(new, exclude={"unit", "facility"})
    values["name"] = new.name or new.id.rpartition(".")[2]
    insert_new(conn, room, {"id": new.id, "unit_id": new.unit, **values, "version": 1})
    events.append(
        conn,
        ctx.actor,
        "room.created",
        "room",
        new.id,
        unit=new.unit,
        facility=owner["facility_id"],
    )
    return get_room(conn, ctx, new.id)


def change_room(
    conn: Connection, ctx: Context, room_id: str, change: RoomChange, *, version: int | None = None
) -> RoomRecord:
    """Change what is recorded of a room; members not given stay.

    Whether it is a cohort room decides who may share it, for everybody who has a claim in it, so
    that changes only while the room is empty.

    Raises:
        Forbidden: the caller speaks for another facility.
        PreconditionFailed: ``version`` is not the present one.
        Conflict: ``retired``, or ``in-use``.
        Invalid: a member is not valid.
    """
    found = get_room(conn, ctx, room_id)
    facility_id = found.facility or ""
    require_facility(ctx.actor, facility_id)
    at = lock(conn, facilities=[facility_id], units=[found.unit], rooms=[room_id])
    row = get_row(conn, room, room_id)
    check_editable("room", row, version)
    present = get_room(conn, ctx, room_id)
    after = merged(RoomFields, present, change.model_dump(exclude_unset=True))
    if after.name is None:
        raise Invalid.field("/name", "missing", "a room has a name; leave it out to keep it", None)
    if after.cohort != row["cohort"]:
        use = live_use(conn, bed.c.room_id == room_id)
        if use.any:
            raise Conflict(
                "in-use",
                f"room {room_id} has {use.words()}, and who may share it rests on 'cohort': "
                "empty the room first, then change it",
                stays=use.stays,
                holds=use.holds,
                promises=use.promises,
            )
    changed = write_change(conn, room, row, values_of(after))
    if changed:
        events.append(
            conn,
            ctx.actor,
            "room.changed",
            "room",
            room_id,
            unit=found.unit,
            facility=facility_id,
            data={"changed": changed},
        )
        rejudge(conn, ctx, at, units=[found.unit])
    return get_room(conn, ctx, room_id)


def retire_room(
    conn: Connection, ctx: Context, room_id: str, *, version: int | None = None
) -> Retired:
    """Close a room for good, with its beds; its history stays.

    Raises:
        Forbidden: the caller speaks for another facility.
        PreconditionFailed: ``version`` is not the present one.
        Conflict: ``in-use`` while anybody has a claim there, ``retired``.
    """
    found = get_room(conn, ctx, room_id)
    facility_id = found.facility or ""
    require_facility(ctx.actor, facility_id)
    at = lock(
        conn,
        facilities=[facility_id],
        units_exclusive=[found.unit],
        rooms=[room_id],
        beds=beds_of_room(conn, room_id),
    )
    check_editable("room", get_row(conn, room, room_id), version)
    inside = bed.c.room_id == room_id
    require_empty("room", room_id, live_use(conn, inside))
    beds_gone = retire_within(conn, ctx.actor, at, beds=inside)
    retire_rows(conn, room, at, room.c.id == room_id)
    events.append(
        conn, ctx.actor, "room.retired", "room", room_id, unit=found.unit, facility=facility_id
    )
    return Retired(room_id, at, 0, 1, beds_gone)
