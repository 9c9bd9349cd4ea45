"""A round through the wards: many beds reported or confirmed at once, each for itself."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, any_, bindparam, update
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from service.access.scope import acts_for, require_facility
from service.errors import FieldError, Invalid, NotFound, ServiceError
from service.store import events
from service.store.engine import in_savepoint
from service.store.locks import lock
from service.store.postgres_errors import Conflict as LostRace
from service.store.tables.core import bed, unit
from service.workflow.context import Context
from service.workflow.inventory.bed_state import LOOK_AT_BEDS, lock_for_state, record_seen
from service.workflow.inventory.place_fields import BedStateRow
from service.workflow.inventory.places import beds_of_unit, check_editable, get_row
from solver.codes import BedState

LARGEST_BATCH: Final = 500


_CONFIRM: Final = (
    update(bed)
    .where(bed.c.id == any_(bindparam("ids", type_=ARRAY(TEXT))), bed.c.retired_at.is_(None))
    .values(confirmed_at=bindparam("at"), confirmed_by=bindparam("by"))
    .returning(bed.c.unit_id, bed.c.facility_id)
)


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row of many: ``recorded``, or refused with the problem."""

    bed: str
    outcome: str
    version: int | None = None
    code: str | None = None
    detail: str | None = None
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class Confirmed:
    """How many beds somebody confirmed to be as recorded, and when."""

    beds: int
    confirmed_at: datetime


def record_bed_states(
    conn: Connection, ctx: Context, rows: Sequence[BedStateRow]
) -> list[RowResult]:
    """Record many beds' states, each for itself: a row that is refused stops no other.

    Raises Invalid when there are too many rows or a bed is named twice: then nothing is recorded.
    """
    if len(rows) > LARGEST_BATCH:
        raise Invalid.field(
            "/rows", "too-many", f"send at most {LARGEST_BATCH} rows at a time", len(rows)
        )
    lines: dict[str, int] = {}
    for number, row in enumerate(rows):
        if row.bed in lines:
            raise Invalid.field(
                f"/rows/{number}/bed",
                "named-twice",
                f"bed {row.bed} stands in row {lines[row.bed]} already; name each bed once",
                row.bed,
            )
        lines[row.bed] = number
    looked = conn.execute(LOOK_AT_BEDS, {"ids": sorted(lines)}).mappings()
    seen = {found["id"]: found for found in looked}
    own = {id_: it for id_, it in seen.items() if acts_for(ctx.actor, it["facility_id"])}
    fit = [row.bed for row in rows if row.state is BedState.IN_SERVICE and row.bed in own]
    at = lock_for_state(conn, own, fit)
    return [_one_of_many(conn, ctx, row, seen.get(row.bed), at) for row in rows]


def _one_of_many(
    conn: Connection, ctx: Context, row: BedStateRow, seen: RowMapping | None, at: datetime
) -> RowResult:
    try:
        if seen is None:
            raise NotFound("bed-not-found", f"there is no bed {row.bed}", bed=[row.bed])
        require_facility(ctx.actor, seen["facility_id"])
        done = in_savepoint(conn, record_seen, ctx, seen, row, row.version, at)
    except ServiceError as error:
        return RowResult(row.bed, "refused", None, error.code, error.detail, error.errors)
    except LostRace as error:
        return RowResult(row.bed, "refused", None, "lost-race", str(error))
    return RowResult(row.bed, "recorded", done.bed.version)


def confirm_bed(conn: Connection, ctx: Context, bed_id: str) -> Confirmed:
    """Say that the bed is as recorded; nothing changes but how fresh that is.

    Raises NotFound, Forbidden, and Conflict ``retired``.
    """
    row = get_row(conn, bed, bed_id)
    require_facility(ctx.actor, row["facility_id"])
    check_editable("bed", row, None)
    return confirm_seen(conn, ctx, [bed_id])


def confirm_unit(conn: Connection, ctx: Context, unit_id: str) -> Confirmed:
    """Say that every bed of the unit is as recorded.

    Raises NotFound, Forbidden, and Conflict ``retired``.
    """
    row = get_row(conn, unit, unit_id)
    require_facility(ctx.actor, row["facility_id"])
    check_editable("unit", row, None)
    return confirm_seen(conn, ctx, beds_of_unit(conn, unit_id))


def confirm_seen(conn: Connection, ctx: Context, beds: Collection[str]) -> Confirmed:
    """Say that these beds are as recorded: one event a unit. The caller has checked the scope."""
    at = lock(conn, beds=beds)
    done = conn.execute(_CONFIRM, {"ids": sorted(beds), "at": at, "by": ctx.actor.id}).all()
    for (unit_id, facility_id), count in sorted(Counter(map(tuple, done)).items()):
        events.append(
            conn,
            ctx.actor,
            "unit.beds_confirmed",
            "unit",
            unit_id,
            unit=unit_id,
            facility=facility_id,
            data={"beds": count},
            occurred_at=at,
        )
    return Confirmed(len(done), at)
