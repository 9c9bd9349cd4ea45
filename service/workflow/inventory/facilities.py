"""Facilities: centres, ward sites and hospitals, and the external hospitals people are sent to."""

from sqlalchemy import Connection, RowMapping, exists, select

from service.access.scope import facility_scope, require_facility
from service.errors import Invalid
from service.store import events
from service.store.locks import lock
from service.store.tables.core import bed, facility, room, unit
from service.workflow.context import Context
from service.workflow.inventory.place_fields import (
    FacilityChange,
    FacilityFields,
    FacilityRecord,
    NewFacility,
)
from service.workflow.inventory.places import (
    Retired,
    beds_of_unit,
    check_editable,
    get_row,
    insert_new,
    live_use,
    merged,
    require_empty,
    require_network_role,
    retire_rows,
    retire_within,
    units_of_facility,
    values_of,
    write_change,
)
from solver.codes import BedKind, UnitKind


def record_of(row: RowMapping) -> FacilityRecord:
    """A facility's row as its readers see it."""
    return FacilityRecord.model_validate(dict(row))


def get_facility(conn: Connection, ctx: Context, facility_id: str) -> FacilityRecord:
    """One facility, retired ones too. Raises NotFound."""
    return record_of(get_row(conn, facility, facility_id))


def list_facilities(
    conn: Connection,
    ctx: Context,
    *,
    limit: int,
    after: str | None = None,
    retired: bool = False,
) -> list[FacilityRecord]:
    """Facilities by id, at most ``limit`` of those after the id ``after``."""
    query = select(facility).order_by(facility.c.id.collate("C")).limit(limit)
    if after is not None:
        query = query.where(facility.c.id.collate("C") > after)
    if not retired:
        query = query.where(facility.c.retired_at.is_(None))
    own = facility_scope(ctx.actor)
    if own is not None:
        query = query.where(facility.c.id == own)
    return [record_of(row) for row in conn.execute(query).mappings()]


def create_facility(conn: Connection, ctx: Context, new: NewFacility) -> FacilityRecord:
    """Enter a facility into the network.

    Raises:
        Forbidden: the caller speaks for one facility only.
        Conflict: ``id-taken``.
    """
    require_network_role(ctx.actor, "entering a facility")
    insert_new(conn, facility, {"id": new.id, **values_of(new), "version": 1})
    events.append(conn, ctx.actor, "facility.created", "facility", new.id, facility=new.id)
    return get_facility(conn, ctx, new.id)


def change_facility(
    conn: Connection,
    ctx: Context,
    facility_id: str,
    change: FacilityChange,
    *,
    version: int | None = None,
) -> FacilityRecord:
    """Change what is recorded of a facility; members not given stay.

    Raises:
        Forbidden: the caller speaks for another facility, or would make this one external.
        PreconditionFailed: ``version`` is not the present one.
        Conflict: ``retired``.
        Invalid: a member is not valid, or the units there do not fit an external facility.
    """
    require_facility(ctx.actor, facility_id)
    lock(conn, facilities_exclusive=[facility_id])
    row = get_row(conn, facility, facility_id)
    check_editable("facility", row, version)
    after = merged(FacilityFields, record_of(row), change.model_dump(exclude_unset=True))
    if after.external != row["external"]:
        require_network_role(ctx.actor, "moving a facility in or out of the network")
        _check_external(conn, facility_id, after.external)
    changed = write_change(conn, facility, row, values_of(after))
    if changed:
        events.append(
            conn,
            ctx.actor,
            "facility.changed",
            "facility",
            facility_id,
            facility=facility_id,
            data={"changed": changed},
        )
    return get_facility(conn, ctx, facility_id)


def _check_external(conn: Connection, facility_id: str, external: bool) -> None:
    """The kinds of unit and bed already there must fit what the facility becomes."""
    is_external = unit.c.kind == UnitKind.EXT.value
    wrong_unit = exists().where(
        unit.c.facility_id == facility_id,
        unit.c.retired_at.is_(None),
        ~is_external if external else is_external,
    )
    wrong_bed = exists().where(
        bed.c.facility_id == facility_id,
        bed.c.retired_at.is_(None),
        bed.c.kind != BedKind.SURGE.value,
    )
    units_wrong, beds_wrong = conn.execute(select(wrong_unit, wrong_bed)).one()
    if units_wrong or (external and beds_wrong):
        raise Invalid.field(
            "/external",
            "units-do-not-fit",
            "an external facility has units of kind EXT with surge places only, and no other "
            f"facility has them; retire the units of {facility_id} that do not fit first",
            external,
        )


def retire_facility(
    conn: Connection, ctx: Context, facility_id: str, *, version: int | None = None
) -> Retired:
    """Take a facility out of the network with everything in it; its history stays.

    Raises:
        Forbidden: the caller speaks for one facility only.
        PreconditionFailed: ``version`` is not the present one.
        Conflict: ``in-use`` while anybody has a claim there, ``retired``.
    """
    require_network_role(ctx.actor, "retiring a facility")
    units = units_of_facility(conn, facility_id)
    beds = [one for unit_id in units for one in beds_of_unit(conn, unit_id)]
    at = lock(conn, facilities_exclusive=[facility_id], units_exclusive=units, beds=beds)
    row = get_row(conn, facility, facility_id)
    check_editable("facility", row, version)
    inside = bed.c.facility_id == facility_id
    require_empty("facility", facility_id, live_use(conn, inside))
    beds_gone = retire_within(conn, ctx.actor, at, beds=inside)
    own_units = select(unit.c.id).where(unit.c.facility_id == facility_id)
    rooms_gone = retire_rows(conn, room, at, room.c.unit_id.in_(own_units))
    units_gone = retire_rows(conn, unit, at, unit.c.facility_id == facility_id)
    retire_rows(conn, facility, at, facility.c.id == facility_id)
    for unit_id in units:
        events.append(
            conn, ctx.actor, "unit.retired", "unit", unit_id, unit=unit_id, facility=facility_id
        )
    events.append(
        conn, ctx.actor, "facility.retired", "facility", facility_id, facility=facility_id
    )
    return Retired(facility_id, at, units_gone, rooms_gone, beds_gone)
