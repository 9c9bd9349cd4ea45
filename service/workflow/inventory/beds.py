"""Beds of a room: what each is equipped for. A bed never leaves its room."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, func, select
from sqlalchemy.sql.functions import FunctionElement

from service.access.scope import facility_scope, require_facility
from service.errors import Invalid, NotFound
from service.store import events
from service.store.locks import lock
from service.store.tables.core import bed, facility, room, unit
from service.workflow.context import Context
from service.workflow.inventory.place_fields import BedChange, BedFields, BedRecord, NewBed
from service.workflow.inventory.places import (
    Retired,
    check_editable,
    get_row,
    insert_new,
    live_use,
    merged,
    require_empty,
    require_id_within,
    retire_within,
    values_of,
    write_change,
)
from service.workflow.watch.watching import rejudge
from solver.codes import BedKind, BedState

_TTL: Final[FunctionElement[Any]] = func.make_interval(0, 0, 0, 0, 0, facility.c.status_ttl_minutes)
BED_VIEW: Final = select(
    bed, (bed.c.confirmed_at + _TTL <= func.clock_timestamp()).label("stale")
).join(facility, facility.c.id == bed.c.facility_id)
"""Beds with whether their status is stale now."""


def record_of(row: Mapping[Any, Any]) -> BedRecord:
    """A bed's row, ``stale`` beside it, as its readers see it."""
    members: dict[str, Any] = dict(row)
    for place in ("room", "unit", "facility"):
        members[place] = members.pop(f"{place}_id")
    return BedRecord.model_validate(members)


def get_bed(conn: Connection, ctx: Context, bed_id: str) -> BedRecord:
    """One bed with its own state, retired ones too. Raises NotFound."""
    row = conn.execute(BED_VIEW.where(bed.c.id == bed_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("bed-not-found", f"there is no bed {bed_id}", bed=[bed_id])
    return record_of(row)


def list_beds(
    conn: Connection,
    ctx: Context,
    *,
    limit: int,
    after: str | None = None,
    unit_id: str | None = None,
    facility_id: str | None = None,
    state: BedState | None = None,
    retired: bool = False,
) -> list[BedRecord]:
    """Beds by id, at most ``limit`` of those after the id ``after``; narrowed as asked."""
    query = BED_VIEW.order_by(bed.c.id.collate("C")).limit(limit)
    if after is not None:
        query = query.where(bed.c.id.collate("C") > after)
    if not retired:
        query = query.where(bed.c.retired_at.is_(None))
    if unit_id is not None:
        query = query.where(bed.c.unit_id == unit_id)
    if state is not None:
        query = query.where(bed.c.state == state.value)
    for only in (facility_id, facility_scope(ctx.actor)):
        if only is not None:
            query = query.where(bed.c.facility_id == only)
    return [record_of(row) for row in conn.execute(query).mappings()]


def create_bed(conn: Connection, ctx: Context, new: NewBed) -> BedRecord:
    """Set up a bed in a room, in service and confirmed now.

    Raises:
        NotFound: there is no such room.
        Forbidden: the caller speaks for another facility.
        Conflict: ``id-taken``, or the room is retired.
        Invalid: the room is of another unit or facility than the one named, the id does not begin
            with the room's, or an external facility is given a bed that is not a surge place.
    """
    owner = get_row(conn, room, new.room)
    home = get_row(conn, unit, owner["unit_id"])
    require_facility(ctx.actor, home["facility_id"])
    _check_room_is_meant(new, home)
    require_id_within("bed", new.id, "room", new.room)
    at = lock(conn, facilities=[home["facility_id"]], units=[home["id"]], rooms=[new.room])
    check_editable("room", get_row(conn, room, new.room), None)
    _check_external(conn, new.kind, home["facility_id"])
    values = values_of(new, exclude={"room", "unit", "facility"})
    values["name"] = new.name or new.id.rpartition(".")[2]
    insert_new(
        conn,
        bed,
        {
            "id": new.id,
            "room_id": new.room,
            "unit_id": home["id"],
            "facility_id": home["facility_id"],
            **values,
            "state": BedState.IN_SERVICE.value,
            "state_since": at,
            "confirmed_at": at,
            "confirmed_by": ctx.actor.id,
            "version": 1,
        },
    )
    _event(conn, ctx, "bed.created", new.id, home["id"], home["facility_id"])
    rejudge(conn, ctx, at, units=[home["id"]])
    return get_bed(conn, ctx, new.id)


def _check_room_is_meant(new: NewBed, home: RowMapping) -> None:
    if new.unit is not None and new.unit != home["id"]:
        raise Invalid.field(
            "/room",
            "other-unit",
            f"room {new.room} belongs to unit {home['id']}, not to {new.unit}; "
            "name a room of that unit, or leave 'unit' out",
            new.room,
        )
    if new.facility is not None and new.facility != home["facility_id"]:
        raise Invalid.field(
            "/room",
            "other-facility",
            f"room {new.room} belongs to facility {home['facility_id']}, not to {new.facility}; "
            "name a room of that facility, or leave 'facility' out",
            new.room,
        )


def _check_external(conn: Connection, kind: BedKind, facility_id: str) -> None:
    external = conn.execute(
        select(facility.c.external).where(facility.c.id == facility_id)
    ).scalar_one()
    if external and kind is not BedKind.SURGE:
        raise Invalid.field(
            "/kind",
            "external-has-surge-only",
            f"facility {facility_id} is external and has no licensed beds of the network: "
            "a stay there takes a SURGE place",
            kind.value,
        )


def change_bed(
    conn: Connection, ctx: Context, bed_id: str, change: BedChange, *, version: int | None = None
) -> BedRecord:
    """Change what a bed is equipped for; members not given stay.

    Raises:
        Forbidden: the caller speaks for another facility.
        PreconditionFailed: ``version`` is not the present one.
        Conflict: ``retired``.
        Invalid: a member is not valid.
    """
    found = get_row(conn, bed, bed_id)
    require_facility(ctx.actor, found["facility_id"])
    at = lock(conn, facilities=[found["facility_id"]], units=[found["unit_id"]], beds=[bed_id])
    row = get_row(conn, bed, bed_id)
    check_editable("bed", row, version)
    after = merged(BedFields, get_bed(conn, ctx, bed_id), change.model_dump(exclude_unset=True))
    if after.name is None:
        raise Invalid.field("/name", "missing", "a bed has a name; leave it out to keep it", None)
    _check_external(conn, after.kind, row["facility_id"])
    changed = write_change(conn, bed, row, values_of(after))
    if changed:
        _event(conn, ctx, "bed.changed", bed_id, row["unit_id"], row["facility_id"], changed)
        rejudge(conn, ctx, at, units=[row["unit_id"]])
    return get_bed(conn, ctx, bed_id)


def retire_bed(
    conn: Connection, ctx: Context, bed_id: str, *, version: int | None = None
) -> Retired:
    """Take a bed out for good; its history stays.

    Raises:
        Forbidden: the caller speaks for another facility.
        PreconditionFailed: ``version`` is not the present one.
        Conflict: ``in-use`` while anybody has a claim on it, ``retired``.
    """
    found = get_row(conn, bed, bed_id)
    require_facility(ctx.actor, found["facility_id"])
    at = lock(
        conn,
        facilities=[found["facility_id"]],
        units=[found["unit_id"]],
        rooms=[found["room_id"]],
        beds=[bed_id],
    )
    check_editable("bed", get_row(conn, bed, bed_id), version)
    require_empty("bed", bed_id, live_use(conn, bed.c.id == bed_id))
    retire_within(conn, ctx.actor, at, beds=bed.c.id == bed_id)
    _event(conn, ctx, "bed.retired", bed_id, found["unit_id"], found["facility_id"])
    rejudge(conn, ctx, at, units=[found["unit_id"]])
    return Retired(bed_id, at, 0, 0, 1)


def _event(
    conn: Connection,
    ctx: Context,
    operation: str,
    bed_id: str,
    unit_id: str,
    facility_id: str,
    changed: list[str] | None = None,
) -> None:
    events.append(
        conn,
        ctx.actor,
        operation,
        "bed",
        bed_id,
        bed=bed_id,
        unit=unit_id,
        facility=facility_id,
        data={"changed": changed} if changed else None,
    )
