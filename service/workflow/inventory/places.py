"""What facilities, units, rooms and beds have in common: versions, retirement, live claims.

A place is never deleted. It can be retired once nobody has a claim on a bed in it: no stay, no
leave, no hold, no promise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    and_,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from service.access.caller import FACILITY_ROLES, Actor
from service.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from service.store.tables.claims import ClaimKind, NextState
from service.store.tables.core import bed, bed_claim, bed_next, out_of_service_period, room, unit
from service.workflow.versions import require_version

M = TypeVar("M", bound=BaseModel)

_EXAMPLES: Final[Mapping[str, str]] = {"unit": "w4", "room": "r03", "bed": "b6"}


def get_row(conn: Connection, table: Table, place: str) -> RowMapping:
    """The row of a place. Raises NotFound naming what and which."""
    row = conn.execute(select(table).where(table.c.id == place)).mappings().one_or_none()
    if row is None:
        what = table.name.replace("_", "-")
        raise NotFound(f"{what}-not-found", f"there is no {what} {place}")
    return row


def check_editable(what: str, row: Mapping[Any, Any], version: int | None) -> None:
    """Refuse an edit of a retired place, or one that rests on an older version.

    Raises PreconditionFailed, Conflict.
    """
    if version is not None:
        require_version(version, row["version"])
    if row["retired_at"] is not None:
        raise Conflict(
            "retired",
            f"{what} {row['id']} was retired and is kept for its history only; "
            f"create a new {what} under another id",
        )


def require_network_role(actor: Actor, what: str) -> None:
    """Refuse a facility's own key where the whole network is concerned."""
    if actor.role in FACILITY_ROLES:
        raise Forbidden(
            "network-only", f"{what} is for a coordinator; ask the network's coordinator"
        )


def merged(model: type[M], row: M, given: Mapping[str, Any]) -> M:
    """The place as it stands with the given members put over it, validated as a whole.

    Raises Invalid naming the member at fault.
    """
    try:
        return model.model_validate({**row.model_dump(include=set(model.model_fields)), **given})
    except ValidationError as error:
        raise Invalid("invalid-field", "a member is not valid", errors=faults(error)) from None


def faults(error: ValidationError) -> list[FieldError]:
    """What a model refuses, member by member."""
    found = []
    for fault in error.errors(include_url=False, include_context=False):
        pointer = "".join(f"/{part}" for part in fault["loc"])
        value = fault["input"]
        shown = value if isinstance(value, str | int | float | bool) else None
        found.append(FieldError(pointer, fault["type"].replace("_", "-"), fault["msg"], shown))
    return found


def values_of(fields: BaseModel, *, exclude: set[str] | None = None) -> dict[str, Any]:
    """Members of a model as column values: codes as their values, sets as sorted lists."""
    return {
        name: plain(value) for name, value in fields if name not in (exclude or ()) and name != "id"
    }


def plain(value: Any) -> Any:
    """A member's value as a column holds it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, frozenset):
        return sorted(plain(one) for one in value)
    return value


def require_id_within(what: str, place: str, within: str, parent: str) -> None:
    """Refuse the id of a new ``what`` that does not say where it stands.

    Ids are hierarchical: a unit's begins with its facility's and a dot, a room's with its unit's,
    a bed's with its room's. So a slip of the pen, in the id or in the place named, makes no bed
    that does not exist. ``within`` is the kind of place, ``parent`` its id.

    Raises Invalid naming the id and what it must begin with.
    """
    start = f"{parent}."
    if not place.startswith(start) or place == start:
        raise Invalid.field(
            "/id",
            "id-not-within",
            f"the id {place} does not begin with '{start}', as that of a {what} in {within} "
            f"{parent} must; correct the id, as in '{start}{_EXAMPLES[what]}', or name the "
            f"{within} it stands in",
            place,
        )


def insert_new(conn: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Insert a new place. Raises Conflict if its id is taken."""
    statement = insert(table).values(**values).on_conflict_do_nothing(index_elements=["id"])
    made = conn.execute(statement.returning(table.c.id)).scalar_one_or_none()
    if made is None:
        raise Conflict(
            "id-taken",
            f"there is already a {table.name} {values['id']}, or was one; "
            "choose another id, or change the one there is",
        )


def write_change(
    conn: Connection, table: Table, row: RowMapping, values: Mapping[str, Any]
) -> list[str]:
    """Write what differs and count the version up; the names of what was changed."""
    changed = sorted(name for name, value in values.items() if _differs(row[name], value))
    if changed:
        conn.execute(
            update(table)
            .where(table.c.id == row["id"])
            .values(version=table.c.version + 1, **{name: values[name] for name in changed})
        )
    return changed


def _differs(stored: Any, given: Any) -> bool:
    if isinstance(stored, list):
        return sorted(stored) != sorted(given)
    return bool(stored != given)


@dataclass(frozen=True, slots=True)
class LiveUse:
    """How many people have a claim on beds of a place: stays (leave included), holds, promises."""

    stays: int
    holds: int
    promises: int

    @property
    def any(self) -> bool:
        """Whether anybody has."""
        return bool(self.stays or self.holds or self.promises)

    def words(self) -> str:
        """Said in a sentence: ``2 stays, 1 hold``."""
        counts = (("stay", self.stays), ("hold", self.holds), ("promised bed", self.promises))
        return ", ".join(f"{n} {name}{'s' if n != 1 else ''}" for name, n in counts if n)


LIVE_CLAIM: Final = and_(
    bed_claim.c.voided_at.is_(None),
    or_(
        func.upper_inf(bed_claim.c.during), func.upper(bed_claim.c.during) > func.clock_timestamp()
    ),
)
"""Claims that stand now or will: neither voided nor over by arithmetic."""


def live_use(conn: Connection, of: ColumnElement[bool]) -> LiveUse:
    """Who has a claim on the beds that ``of`` (a condition on ``bed``) picks."""
    picked = select(bed.c.id).where(of)
    is_hold = bed_claim.c.kind == ClaimKind.HOLD.value
    stays, holds = conn.execute(
        select(func.count().filter(~is_hold), func.count().filter(is_hold)).where(
            bed_claim.c.bed_id.in_(picked), LIVE_CLAIM
        )
    ).one()
    promises = conn.execute(
        select(func.count())
        .select_from(bed_next)
        .where(bed_next.c.bed_id.in_(picked), bed_next.c.state == NextState.LIVE.value)
    ).scalar_one()
    return LiveUse(stays, holds, promises)


def require_empty(what: str, place: str, use: LiveUse) -> None:
    """Refuse to retire a place somebody has a claim in. Raises Conflict saying what to do."""
    if use.any:
        raise Conflict(
            "in-use",
            f"{what} {place} has {use.words()}: move or discharge the people, release the holds "
            "and promises, then retire it",
            stays=use.stays,
            holds=use.holds,
            promises=use.promises,
        )


@dataclass(frozen=True, slots=True)
class Retired:
    """What was retired with a place: the units, rooms and beds that were in it."""

    id: str
    retired_at: datetime
    units: int
    rooms: int
    beds: int


def retire_within(
    conn: Connection, actor: Actor, at: datetime, *, beds: ColumnElement[bool]
) -> int:
    """Retire the beds that ``beds`` picks and end their out-of-service periods; how many."""
    picked = select(bed.c.id).where(beds, bed.c.retired_at.is_(None))
    conn.execute(
        update(out_of_service_period)
        .where(
            out_of_service_period.c.bed_id.in_(picked), out_of_service_period.c.ended_at.is_(None)
        )
        .values(
            ended_at=func.greatest(at, out_of_service_period.c.began_at),
            closed_by=actor.id,
            version=out_of_service_period.c.version + 1,
        )
    )
    return retire_rows(conn, bed, at, beds)


def retire_rows(conn: Connection, table: Table, at: datetime, which: ColumnElement[bool]) -> int:
    """Mark rows of a table retired; how many were not yet."""
    done = conn.execute(
        update(table)
        .where(which, table.c.retired_at.is_(None))
        .values(retired_at=at, version=table.c.version + 1)
    )
    return done.rowcount


def beds_of_unit(conn: Connection, unit_id: str) -> list[str]:
    """The beds of a unit that are not retired, in id order."""
    return _ids(conn, bed, bed.c.unit_id == unit_id)


def rooms_of_unit(conn: Connection, unit_id: str) -> list[str]:
    """The rooms of a unit that are not retired, in id order."""
    return _ids(conn, room, room.c.unit_id == unit_id)


def units_of_facility(conn: Connection, facility_id: str) -> list[str]:
    """The units of a facility that are not retired, in id order."""
    return _ids(conn, unit, unit.c.facility_id == facility_id)


def beds_of_room(conn: Connection, room_id: str) -> list[str]:
    """The beds of a room that are not retired, in id order."""
    return _ids(conn, bed, bed.c.room_id == room_id)


def _ids(conn: Connection, table: Table, of: ColumnElement[bool]) -> list[str]:
    query = select(table.c.id).where(of, table.c.retired_at.is_(None)).order_by(table.c.id)
    return list(conn.execute(query).scalars())
