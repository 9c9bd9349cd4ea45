"""Rows of protective restraints 保护性约束: begun, looked at, lifted; never deleted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from service.errors import NotFound
from service.store.ids import new_id
from service.store.tables import core
from service.store.tables.care import RestraintKind
from service.store.versioned import change

_TABLE: Final = core.restraint
_c = _TABLE.c


@dataclass(frozen=True, slots=True)
class RestraintRow:
    """One restraint; ``reason`` is sealed, ``ended_at`` None while it lasts."""

    id: str
    person: str
    stay: str
    kind: RestraintKind
    reason: bytes
    ordered_by: str
    approval: str | None
    began_at: datetime
    checked_at: datetime | None
    checks: int
    ended_at: datetime | None
    ended_by: str | None
    version: int


def _row(row: Any) -> RestraintRow:
    return RestraintRow(
        id=row.id,
        person=row.person_id,
        stay=row.stay_id,
        kind=RestraintKind(row.kind),
        reason=row.reason,
        ordered_by=row.ordered_by,
        approval=row.approval_id,
        began_at=row.began_at,
        checked_at=row.checked_at,
        checks=row.checks,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        version=row.version,
    )


def restraint(conn: Connection, id_: str) -> RestraintRow:
    """One restraint. Raises NotFound."""
    row = conn.execute(select(_TABLE).where(_c.id == id_)).one_or_none()
    if row is None:
        raise NotFound("restraint-not-found", f"there is no restraint {id_}", restraint=id_)
    return _row(row)


def open_of(conn: Connection, person: str) -> RestraintRow | None:
    """The restraint somebody is under now."""
    row = conn.execute(
        select(_TABLE).where(_c.person_id == person, _c.ended_at.is_(None))
    ).one_or_none()
    return _row(row) if row is not None else None


def of_stay(conn: Connection, stay: str) -> list[RestraintRow]:
    """Every restraint of a stay, the newest first."""
    rows = conn.execute(
        select(_TABLE).where(_c.stay_id == stay).order_by(_c.began_at.desc(), _c.id.desc())
    )
    return [_row(row) for row in rows]


def begin(conn: Connection, id_: str, values: dict[str, Any]) -> RestraintRow:
    """Write a new one under this id."""
    made = conn.execute(
        insert(_TABLE).values(id=id_, checks=0, version=1, **values).returning(_TABLE)
    ).one()
    return _row(made)


def rewrite(conn: Connection, row: RestraintRow, **values: Any) -> RestraintRow:
    """Write values into the row as it was read. Raises Conflict ``world-moved``."""
    return _row(change(conn, _TABLE, row.id, row.version, values, what=("restraint", "restraint")))


def approve(conn: Connection, person: str, approval: str) -> RestraintRow | None:
    """Write the head's yes beside the restraint that waits for one."""
    row = conn.execute(
        update(_TABLE)
        .where(_c.person_id == person, _c.ended_at.is_(None), _c.approval_id.is_(None))
        .values(approval_id=approval, version=_c.version + 1)
        .returning(_TABLE)
    ).one_or_none()
    return _row(row) if row is not None else None


def fresh_id() -> str:
    """An id for a restraint not written yet: its reason is sealed for it alone."""
    return new_id("rs")
