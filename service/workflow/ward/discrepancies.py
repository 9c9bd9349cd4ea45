"""Discrepancies: the record and the ward differ, and somebody must look which of them is wrong."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from service.access.scope import facility_scope, require_facility
from service.errors import Conflict, NotFound
from service.store import events
from service.store.engine import now as clock
from service.store.ids import new_id
from service.store.tables import core
from service.store.tables.watch import DiscrepancyKind
from service.workflow.context import Context
from service.workflow.judgement import reasoned
from service.workflow.watch.due import owe, settle

_c: Final = core.discrepancy.c


@dataclass(frozen=True, slots=True)
class DiscrepancyShown:
    """A difference, where it was seen and by whom; ``resolution`` once somebody has looked."""

    id: str
    kind: DiscrepancyKind
    facility: str
    unit: str
    bed: str | None
    person: str | None
    opened_at: datetime
    opened_by: str
    resolved_at: datetime | None
    resolved_by: str | None
    resolution: str | None
    version: int


def open_discrepancy(
    conn: Connection,
    ctx: Context,
    kind: DiscrepancyKind,
    *,
    facility: str,
    unit: str,
    now: datetime,
    bed: str | None = None,
    person: str | None = None,
    subject: tuple[str, str] | None = None,
) -> str:
    """Write a difference down and start the clock of whoever must look. Returns its id.

    The same difference that is still open is not written twice.
    """
    same = conn.execute(
        select(_c.id).where(
            _c.kind == kind.value,
            _c.unit_id == unit,
            _c.bed_id.is_not_distinct_from(bed),
            _c.person_id.is_not_distinct_from(person),
            _c.resolved_at.is_(None),
        )
    ).scalar()
    if same is not None:
        return str(same)
    id_ = new_id("di")
    conn.execute(
        insert(core.discrepancy).values(
            id=id_,
            kind=kind.value,
            facility_id=facility,
            unit_id=unit,
            bed_id=bed,
            person_id=person,
            subject_type=subject[0] if subject is not None else None,
            subject_id=subject[1] if subject is not None else None,
            opened_at=now,
            opened_by=ctx.actor.id,
            version=1,
        )
    )
    owe(
        conn,
        ctx,
        "discrepancy",
        subject=("discrepancy", id_),
        now=now,
        person=person,
        facility=facility,
    )
    _event(conn, ctx, "discrepancy.opened", id_, facility, unit, bed, now)
    return id_


def close_discrepancy(
    conn: Connection, ctx: Context, id_: str, resolution: str, now: datetime
) -> bool:
    """Close one that is open; false when somebody has already."""
    row = conn.execute(
        update(core.discrepancy)
        .where(_c.id == id_, _c.resolved_at.is_(None))
        .values(
            resolved_at=now,
            resolved_by=ctx.actor.id,
            resolution=resolution,
            version=_c.version + 1,
        )
        .returning(_c.facility_id, _c.unit_id, _c.bed_id)
    ).one_or_none()
    if row is None:
        return False
    settle(conn, ctx, "discrepancy", subject=("discrepancy", id_), now=now)
    _event(conn, ctx, "discrepancy.resolved", id_, row.facility_id, row.unit_id, row.bed_id, now)
    return True


def resolve(conn: Connection, ctx: Context, id_: str, *, resolution: str) -> DiscrepancyShown:
    """Say what was found: which of the two was wrong, and what was put right.

    Raises NotFound, Forbidden, Invalid without words, Conflict ``resolved-already``.
    """
    words = reasoned(resolution, "/resolution")
    row = _row(conn, ctx, id_)
    require_facility(ctx.actor, row.facility_id)
    if not close_discrepancy(conn, ctx, id_, words, clock(conn)):
        raise Conflict(
            "resolved-already", "somebody has looked and written it down; read it", discrepancy=id_
        )
    return _shown(_row(conn, ctx, id_))


def listed(
    conn: Connection,
    ctx: Context,
    *,
    after: str | None,
    limit: int,
    unit: str | None = None,
    resolved: bool = False,
) -> list[DiscrepancyShown]:
    """Differences in the order they were seen; a facility sees its own."""
    query = select(core.discrepancy).order_by(_c.id).limit(limit)
    own = facility_scope(ctx.actor)
    if own is not None:
        query = query.where(_c.facility_id == own)
    if unit is not None:
        query = query.where(_c.unit_id == unit)
    if not resolved:
        query = query.where(_c.resolved_at.is_(None))
    if after is not None:
        query = query.where(_c.id > after)
    return [_shown(row) for row in conn.execute(query)]


def _row(conn: Connection, ctx: Context, id_: str) -> Any:
    row = conn.execute(select(core.discrepancy).where(_c.id == id_)).one_or_none()
    own = facility_scope(ctx.actor)
    if row is None or (own is not None and row.facility_id != own):
        raise NotFound("discrepancy-not-found", f"there is no discrepancy {id_} here")
    return row


def _shown(row: Any) -> DiscrepancyShown:
    return DiscrepancyShown(
        id=row.id,
        kind=DiscrepancyKind(row.kind),
        facility=row.facility_id,
        unit=row.unit_id,
        bed=row.bed_id,
        person=row.person_id,
        opened_at=row.opened_at,
        opened_by=row.opened_by,
        resolved_at=row.resolved_at,
        resolved_by=row.resolved_by,
        resolution=row.resolution,
        version=row.version,
    )


def _event(
    conn: Connection,
    ctx: Context,
    operation: str,
    id_: str,
    facility: str,
    unit: str,
    bed: str | None,
    at: datetime,
) -> None:
    events.append(
        conn,
        ctx.actor,
        operation,
        "discrepancy",
        id_,
        bed=bed,
        unit=unit,
        facility=facility,
        occurred_at=at,
    )
