"""Where the emergency lane leads: units of medical care, and external hospitals as they are found.

An external hospital has a name and a duty phone and perhaps nothing else on record. Somebody who
is taken there lies somewhere all the same, so what is missing is put on record on the spot.
"""

from collections.abc import Iterable
from itertools import count
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from service.errors import Invalid, NotFound, Refused
from service.store import events
from service.store.seats import UnitSeat, rooms_of_unit, unit_seat
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.placing.offers import MEDICAL_KINDS
from solver.codes import Grade, Isolation, Observation, Owner, Security, UnitKind, Zone

_OLDEST: Final = 150


def lane_units(
    conn: Connection, ctx: Context, *, unit: str | None = None, facility: str | None = None
) -> list[UnitSeat]:
    """The units of medical care that are meant: the one named, or all that a facility has in use.

    An external facility without a unit is given one. Call it before any lock is taken, and
    ``furnish`` after.

    Raises:
        Refused: ``emergency-is-medical``, the unit or everything in the facility is no medical
            care.
        NotFound: no such place in use.
        Invalid: neither is named, or both and they differ.
    """
    if unit is None and facility is None:
        raise Invalid.field(
            "/unit", "missing", "name the unit or the facility the person is taken to"
        )
    if unit is not None:
        named = unit_seat(conn, unit)
        if facility not in (None, named.facility):
            raise Invalid.field(
                "/unit", "not-of-this-facility", f"name a unit of {facility}, or no facility", unit
            )
        found = [named]
    else:
        found = _units_of(conn, ctx, str(facility))
    for it in found:
        if it.retired:
            raise NotFound("unit-not-found", f"unit {it.unit} is no longer in use", unit=it.unit)
    medical = [it for it in found if it.kind in MEDICAL_KINDS]
    if not medical:
        what = f"unit {unit} is a {found[0].kind}" if unit else f"facility {facility} has no ward"
        raise Refused(
            "emergency-is-medical",
            f"{what}: the emergency lane leads to medical care only; choose a ward or a hospital, "
            "external ones too",
            unit=unit,
            facility=facility,
        )
    return medical


def furnish(conn: Connection, ctx: Context, units: Iterable[UnitSeat]) -> None:
    """Give each of these units that has no room one; the caller holds them."""
    for it in units:
        if not rooms_of_unit(conn, it.unit):
            add_room(conn, ctx, it)


def may_get_room(conn: Connection, unit: UnitSeat) -> bool:
    """Whether the lane may put a room of this unit on record: then it is held alone, so that no
    two calls reach for the same id while one of them waits for a person."""
    return unit.kind is UnitKind.EXT or not rooms_of_unit(conn, unit.unit)


def add_room(conn: Connection, ctx: Context, unit: UnitSeat) -> str:
    """Put a room for surge places on record, the first id that was never used; returns it.
    The caller holds the unit alone."""
    for number in count(1):
        room = f"{unit.unit}.surge{number}"
        values = {
            "id": room,
            "unit_id": unit.unit,
            "name": f"surge {number}",
            "isolation": Isolation.NONE.value,
            "cohort": False,
            "version": 1,
        }
        made = insert(core.room).values(**values).on_conflict_do_nothing(index_elements=["id"])
        if conn.execute(made.returning(core.room.c.id)).scalar_one_or_none() is not None:
            break
    events.append(
        conn, ctx.actor, "room.created", "room", room, unit=unit.unit, facility=unit.facility
    )
    return room


def _units_of(conn: Connection, ctx: Context, facility: str) -> list[UnitSeat]:
    row = conn.execute(
        select(core.facility.c.external, core.facility.c.retired_at).where(
            core.facility.c.id == facility
        )
    ).one_or_none()
    if row is None or row.retired_at is not None:
        raise NotFound(
            "facility-not-found", f"there is no facility {facility} in use", facility=facility
        )
    of_facility = (
        select(core.unit.c.id)
        .where(core.unit.c.facility_id == facility, core.unit.c.retired_at.is_(None))
        .order_by(core.unit.c.id)
    )
    units = list(conn.execute(of_facility).scalars())
    if not units and row.external:
        units = [_add_unit(conn, ctx, facility)]
    return [unit_seat(conn, it) for it in units]


def _add_unit(conn: Connection, ctx: Context, facility: str) -> str:
    """The emergency department of an external hospital that has nothing on record yet."""
    for number in count(1):
        unit = f"{facility}.er" if number == 1 else f"{facility}.er{number}"
        made = (
            insert(core.unit)
            .values(
                id=unit,
                facility_id=facility,
                name="emergency department",
                kind=UnitKind.EXT.value,
                min_age=0,
                max_age=_OLDEST,
                zone=Zone.GENERAL.value,
                level_of_care=Grade.G5.value,
                security=Security.OPEN.value,
                observation=Observation.NONE.value,
                licences=[],
                bases=[],
                security_owner=Owner.NONE.value,
                medical_owner=Owner.HEALTH.value,
                reserve=0,
                version=1,
            )
            .on_conflict_do_nothing(index_elements=["id"])
            .returning(core.unit.c.id)
        )
        if conn.execute(made).scalar_one_or_none() is not None:
            events.append(
                conn, ctx.actor, "unit.created", "unit", unit, unit=unit, facility=facility
            )
            return unit
        if not unit_seat(conn, unit).retired:
            # Somebody else was faster by a moment.
            return unit
    raise AssertionError("ids do not end")
