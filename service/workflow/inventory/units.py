"""Units: wards, brigades and zones. Kind, licences, owners and accepted bases live here."""

from typing import Any

from sqlalchemy import Connection, RowMapping, select

from service.access.scope import facility_scope, require_facility
from service.errors import Invalid
from service.store import events
from service.store.locks import lock
from service.store.tables.core import bed, facility, room, unit
from service.workflow.context import Context
from service.workflow.inventory.place_fields import NewUnit, UnitChange, UnitFields, UnitRecord
from service.workflow.inventory.places import (
    Retired,
    beds_of_unit,
    check_editable,
    get_row,
    insert_new,
    live_use,
    merged,
    require_empty,
    require_id_within,
    retire_rows,
    retire_within,
    rooms_of_unit,
    values_of,
    write_change,
)
from service.workflow.watch.watching import rejudge
from solver.codes import UnitKind


def record_of(row: RowMapping) -> UnitRecord:
    """A unit's row as its readers see it."""
    members: dict[str, Any] = dict(row)
    members["facility"] = members.pop("facility_id")
    return UnitRecord.model_validate(members)


def get_unit(conn: Connection, ctx: Context, unit_id: str) -> UnitRecord:
    """One unit, retired ones too. Raises NotFound."""
    return record_of(get_row(conn, unit, unit_id))


def list_units(
    conn: Connection,
    ctx: Context,
    *,
    limit: int,
    after: str | None = None,
    facility_id: str | None = None,
    retired: bool = False,
) -> list[UnitRecord]:
    """Units by id, at most ``limit`` of those after the id ``after``; of one facility if named."""
    query = select(unit).order_by(unit.c.id.collate("C")).limit(limit)
    if after is not None:
        query = query.where(unit.c.id.collate("C") > after)
    if not retired:
        query = query.where(unit.c.retired_at.is_(None))
    for only in (facility_id, facility_scope(ctx.actor)):
        if only is not None:
            query = query.where(unit.c.facility_id == only)
    return [record_of(row) for row in conn.execute(query).mappings()]


def create_unit(conn: Connection, ctx: Context, new: NewUnit) -> UnitRecord:
    """Open a unit in a facility.

    Raises:
        NotFound: there is no such facility.
        Forbidden: the caller speaks for another facility.
        Conflict: ``id-taken``, or the facility is retired.
        Invalid: its kind does not fit the facility, or its id does not begin with the facility's.
    """
    require_facility(ctx.actor, new.facility)
    lock(conn, facilities=[new.facility])
    owner = get_row(conn, facility, new.facility)
    check_editable("facility", owner, None)
    require_id_within("unit", new.id, "facility", new.facility)
    _check_kind(new.kind, owner)
    values = values_of(new, exclude={"facility"})
    insert_new(conn, unit, {"id": new.id, "facility_id": new.facility, **values, "version": 1})
    events.append(
        conn, ctx.actor, "unit.created", "unit", new.id, unit=new.id, facility=new.facility
    )
    return get_unit(conn, ctx, new.id)


def _check_kind(kind: UnitKind, owner: RowMapping) -> None:
    if (kind is UnitKind.EXT) != owner["external"]:
        where = "is external: its units are" if owner["external"] else "is in the network: none is"
        raise Invalid.field(
            "/kind",
            "kind-does-not-fit",
            f"facility {owner['id']} {where} of kind EXT (a hospital outside the network); "
            "choose another kind, or another facility",
            kind.value,
        )


def change_unit(
    conn: Connection, ctx: Context, unit_id: str, change: UnitChange, *, version: int | None = None
) -> UnitRecord:
    """Change what is recorded of a unit; members not given stay.

    Nobody is moved by it: people who no longer fit are shown as misplaced, and a plan proposes
    where they may go.

    Raises:
        Forbidden: the caller speaks for another facility.
        PreconditionFailed: ``version`` is not the present one.
        Conflict: ``retired``.
        Invalid: a member is not valid.
    """
    facility_id = get_row(conn, unit, unit_id)["facility_id"]
    require_facility(ctx.actor, facility_id)
    at = lock(conn, facilities=[facility_id], units_exclusive=[unit_id])
    row = get_row(conn, unit, unit_id)
    check_editable("unit", row, version)
    after = merged(UnitFields, record_of(row), change.model_dump(exclude_unset=True))
    _check_kind(after.kind, get_row(conn, facility, facility_id))
    changed = write_change(conn, unit, row, values_of(after))
    if changed:
        events.append(
            conn,
            ctx.actor,
            "unit.changed",
            "unit",
            unit_id,
            unit=unit_id,
            facility=facility_id,
            data={"changed": changed},
        )
        rejudge(conn, ctx, at, units=[unit_id])
    return get_unit(conn, ctx, unit_id)


def retire_unit(
    conn: Connection, ctx: Context, unit_id: str, *, version: int | None = None
) -> Retired:
    """Close a unit for good, with its rooms and beds; its history stays.

    Raises:
        Forbidden: the caller speaks for another facility.
        PreconditionFailed: ``version`` is not the present one.
        Conflict: ``in-use`` while anybody has a claim there, ``retired``.
    """
    facility_id = get_row(conn, unit, unit_id)["facility_id"]
    require_facility(ctx.actor, facility_id)
    at = lock(
        conn,
        facilities=[facility_id],
        units_exclusive=[unit_id],
        rooms=rooms_of_unit(conn, unit_id),
        beds=beds_of_unit(conn, unit_id),
    )
    row = get_row(conn, unit, unit_id)
    check_editable("unit", row, version)
    inside = bed.c.unit_id == unit_id
    require_empty("unit", unit_id, live_use(conn, inside))
    beds_gone = retire_within(conn, ctx.actor, at, beds=inside)
    rooms_gone = retire_rows(conn, room, at, room.c.unit_id == unit_id)
    retire_rows(conn, unit, at, unit.c.id == unit_id)
    events.append(
        conn, ctx.actor, "unit.retired", "unit", unit_id, unit=unit_id, facility=facility_id
    )
    return Retired(unit_id, at, 1, rooms_gone, beds_gone)
