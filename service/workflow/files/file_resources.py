"""What can go through a file: facilities, units, rooms, beds and bed states.

Each kind names its columns, reads what stands now, and applies one row through the same use case
the API calls: a rule holds at every door. A row that says what stands already changes nothing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import Connection, Select, select

from service.access.scope import facility_scope
from service.errors import Invalid
from service.store.locks import lock
from service.store.tables.core import bed, facility, room, unit
from service.workflow.context import Context
from service.workflow.inventory.bed_state import lock_for_state, look, record_bed_state
from service.workflow.inventory.beds import change_bed, create_bed
from service.workflow.inventory.facilities import change_facility, create_facility
from service.workflow.inventory.place_fields import (
    BedChange,
    BedStateFields,
    BedStateRow,
    FacilityChange,
    NewBed,
    NewFacility,
    NewRoom,
    NewUnit,
    RoomChange,
    UnitChange,
)
from service.workflow.inventory.rooms import change_room, create_room
from service.workflow.inventory.units import change_unit, create_unit
from solver.codes import BedState

Members = dict[str, Any]


@dataclass(frozen=True)
class FileResource:
    """One kind of file. ``parents`` are members that say where a place stands and never change."""

    name: str
    key: str
    model: type[BaseModel]
    columns: tuple[str, ...]
    text: frozenset[str]
    lists: frozenset[str]
    now: Select[Any]
    facility: Any
    apply: Callable[[Connection, Context, BaseModel, Members, bool], None]
    locks: Callable[[Connection, Collection[str], Sequence[BaseModel]], datetime]
    parents: frozenset[str] = frozenset()
    updates_only: bool = False

    def present(self, conn: Connection, keys: Collection[str]) -> dict[str, Members]:
        """What stands now of these, in the form of a row."""
        column = self.now.selected_columns[self.key]
        query = self.now.where(column.in_(sorted(keys)))
        return {row[self.key]: row_form(row) for row in conn.execute(query).mappings()}

    def page(self, conn: Connection, ctx: Context, after: str, limit: int) -> list[Members]:
        """Rows in use by key, after ``after``, of the caller's facility where they have one."""
        column = self.now.selected_columns[self.key].collate("C")
        query = self.now.where(column > after).order_by(column).limit(limit)
        own = facility_scope(ctx.actor)
        if own is not None:
            query = query.where(self.facility == own)
        return [row_form(row) for row in conn.execute(query).mappings()]

    def members(self, given: Mapping[str, Any], *, from_text: bool) -> Members:
        """A row's members as the model takes them: empty cells are none, lists are cut."""
        if not from_text:
            return dict(given)
        found: Members = {}
        for name, cell in given.items():
            if name in self.lists:
                found[name] = [part.strip() for part in cell.split(";") if part.strip()]
            elif cell == "":
                found[name] = None
            elif name in _WHOLE_NUMBERS and cell.strip().lstrip("-").isdigit():
                found[name] = int(cell)
            else:
                found[name] = cell
        return found


_WHOLE_NUMBERS: Final = frozenset(
    {
        "status_ttl_minutes",
        "min_age",
        "max_age",
        "level_of_care",
        "security",
        "staffed_beds",
        "reserve",
    }
)


def row_form(members: Mapping[Any, Any]) -> Members:
    """Members as a row holds them: codes as their values, lists in order, instants as text."""
    return {str(name): _row_value(value) for name, value in members.items()}


def _row_value(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, frozenset | list | tuple):
        return sorted(_row_value(one) for one in value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def _given(model: BaseModel, changed: Members) -> Members:
    return {name: getattr(model, name) for name in changed}


def _facility(
    conn: Connection, ctx: Context, row: BaseModel, changed: Members, is_new: bool
) -> None:
    assert isinstance(row, NewFacility)
    if is_new:
        create_facility(conn, ctx, row)
    else:
        change = FacilityChange.model_validate(_given(row, changed))
        change_facility(conn, ctx, row.id, change)


def _unit(conn: Connection, ctx: Context, row: BaseModel, changed: Members, is_new: bool) -> None:
    assert isinstance(row, NewUnit)
    if is_new:
        create_unit(conn, ctx, row)
    else:
        change_unit(conn, ctx, row.id, UnitChange.model_validate(_given(row, changed)))


def _room(conn: Connection, ctx: Context, row: BaseModel, changed: Members, is_new: bool) -> None:
    assert isinstance(row, NewRoom)
    if is_new:
        create_room(conn, ctx, row)
    else:
        change_room(conn, ctx, row.id, RoomChange.model_validate(_given(row, changed)))


def _bed(conn: Connection, ctx: Context, row: BaseModel, changed: Members, is_new: bool) -> None:
    assert isinstance(row, NewBed)
    if is_new:
        create_bed(conn, ctx, row)
    else:
        change_bed(conn, ctx, row.id, BedChange.model_validate(_given(row, changed)))


def _bed_state(
    conn: Connection, ctx: Context, row: BaseModel, changed: Members, is_new: bool
) -> None:
    assert isinstance(row, BedStateRow)
    record_bed_state(
        conn,
        ctx,
        row.bed,
        BedStateFields.model_validate(row.model_dump(include={"state", "reason", "expected_end"})),
    )


def _lock_facilities(conn: Connection, there: Collection[str], rows: Sequence[Any]) -> datetime:
    return lock(conn, facilities_exclusive=there)


def _lock_units(conn: Connection, there: Collection[str], rows: Sequence[Any]) -> datetime:
    owners = _existing(conn, facility, {row.facility for row in rows})
    return lock(conn, facilities=owners, units_exclusive=there)


def _lock_rooms(conn: Connection, there: Collection[str], rows: Sequence[Any]) -> datetime:
    units = conn.execute(
        select(unit.c.id, unit.c.facility_id).where(unit.c.id.in_({row.unit for row in rows}))
    ).all()
    return lock(
        conn,
        facilities={it.facility_id for it in units},
        units={it.id for it in units},
        rooms=there,
    )


def _lock_beds(conn: Connection, there: Collection[str], rows: Sequence[Any]) -> datetime:
    rooms = conn.execute(
        select(room.c.id, room.c.unit_id, unit.c.facility_id)
        .join(unit, unit.c.id == room.c.unit_id)
        .where(room.c.id.in_({row.room for row in rows}))
    ).all()
    return lock(
        conn,
        facilities={it.facility_id for it in rooms},
        units={it.unit_id for it in rooms},
        rooms={it.id for it in rooms},
        beds=there,
    )


def _lock_bed_states(conn: Connection, there: Collection[str], rows: Sequence[Any]) -> datetime:
    fit = [row.bed for row in rows if row.state is BedState.IN_SERVICE and row.bed in set(there)]
    return lock_for_state(conn, look(conn, there), fit)


def _existing(conn: Connection, table: Any, ids: Collection[str]) -> list[str]:
    return list(conn.execute(select(table.c.id).where(table.c.id.in_(sorted(ids)))).scalars())


_FACILITY_COLUMNS: Final = (
    "id",
    "name",
    "operator",
    "external",
    "duty_phone",
    "east_km",
    "north_km",
    "status_ttl_minutes",
)
_UNIT_COLUMNS: Final = (
    "id",
    "facility",
    "name",
    "kind",
    "sex",
    "min_age",
    "max_age",
    "zone",
    "level_of_care",
    "security",
    "observation",
    "licences",
    "bases",
    "security_owner",
    "medical_owner",
    "staffed_beds",
    "reserve",
)

RESOURCES: Final[Mapping[str, FileResource]] = {
    it.name: it
    for it in (
        FileResource(
            name="facilities",
            key="id",
            model=NewFacility,
            columns=_FACILITY_COLUMNS,
            text=frozenset({"name", "duty_phone"}),
            lists=frozenset(),
            now=select(*(facility.c[name] for name in _FACILITY_COLUMNS)).where(
                facility.c.retired_at.is_(None)
            ),
            facility=facility.c.id,
            apply=_facility,
            locks=_lock_facilities,
        ),
        FileResource(
            name="units",
            key="id",
            model=NewUnit,
            columns=_UNIT_COLUMNS,
            text=frozenset({"name"}),
            lists=frozenset({"licences", "bases"}),
            now=select(
                *(
                    unit.c.facility_id.label("facility") if name == "facility" else unit.c[name]
                    for name in _UNIT_COLUMNS
                )
            ).where(unit.c.retired_at.is_(None)),
            facility=unit.c.facility_id,
            apply=_unit,
            locks=_lock_units,
            parents=frozenset({"facility"}),
        ),
        FileResource(
            name="rooms",
            key="id",
            model=NewRoom,
            columns=("id", "unit", "facility", "name", "sex", "isolation", "cohort"),
            text=frozenset({"name"}),
            lists=frozenset(),
            now=select(
                room.c.id,
                room.c.unit_id.label("unit"),
                unit.c.facility_id.label("facility"),
                room.c.name,
                room.c.sex,
                room.c.isolation,
                room.c.cohort,
            )
            .join(unit, unit.c.id == room.c.unit_id)
            .where(room.c.retired_at.is_(None)),
            facility=unit.c.facility_id,
            apply=_room,
            locks=_lock_rooms,
            parents=frozenset({"unit", "facility"}),
        ),
        FileResource(
            name="beds",
            key="id",
            model=NewBed,
            columns=("id", "room", "unit", "facility", "name", "kind", "features"),
            text=frozenset({"name"}),
            lists=frozenset({"features"}),
            now=select(
                bed.c.id,
                bed.c.room_id.label("room"),
                bed.c.unit_id.label("unit"),
                bed.c.facility_id.label("facility"),
                bed.c.name,
                bed.c.kind,
                bed.c.features,
            ).where(bed.c.retired_at.is_(None)),
            facility=bed.c.facility_id,
            apply=_bed,
            locks=_lock_beds,
            parents=frozenset({"room", "unit", "facility"}),
        ),
        FileResource(
            name="bed_states",
            key="bed",
            model=BedStateRow,
            columns=("bed", "state", "reason", "expected_end"),
            text=frozenset(),
            lists=frozenset(),
            now=select(
                bed.c.id.label("bed"),
                bed.c.state,
                bed.c.state_reason.label("reason"),
                bed.c.expected_end,
            ).where(bed.c.retired_at.is_(None)),
            facility=bed.c.facility_id,
            apply=_bed_state,
            locks=_lock_bed_states,
            updates_only=True,
        ),
    )
}


def resource_named(name: str) -> FileResource:
    """The kind of file by that name. Raises Invalid naming the kinds there are."""
    found = RESOURCES.get(name)
    if found is None:
        raise Invalid.field(
            "query/resource",
            "unknown-resource",
            f"a file holds one of {', '.join(RESOURCES)}",
            name,
        )
    return found
