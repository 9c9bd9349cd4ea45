"""Rows of approvals: an organ's written yes or no 审批, about a person or one of their moves.

The newest answer that was not revoked counts: a later no takes an earlier yes away.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update

from service.store.ids import new_id
from service.store.tables import core
from service.store.tables.law import ApprovalKind

_TABLE: Final = core.approval
_c = _TABLE.c

Subject = tuple[str, str]
"""What an approval is about: ``(transfer | term | stay | restraint, id)``."""

NEWEST_APPROVAL_FIRST: Final = (_c.decided_on.desc(), _c.recorded_at.desc(), _c.id.desc())
"""Which answer of an organ counts: its newest."""


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """One answer; ``valid_until`` is its last day, None when it has none. ``approver`` and
    ``document`` are sealed."""

    id: str
    person: str
    kind: ApprovalKind
    subject: Subject | None
    organ: str
    approver: bytes | None
    document: bytes | None
    granted: bool
    decided_on: date
    valid_until: date | None
    revoked_at: datetime | None
    recorded_by: str
    recorded_at: datetime


def _row(row: Any) -> ApprovalRow:
    return ApprovalRow(
        id=row.id,
        person=row.person_id,
        kind=ApprovalKind(row.kind),
        subject=(row.subject_type, row.subject_id) if row.subject_id is not None else None,
        organ=row.organ,
        approver=row.approver,
        document=row.document,
        granted=row.granted,
        decided_on=row.decided_on,
        valid_until=row.valid_until,
        revoked_at=row.revoked_at,
        recorded_by=row.recorded_by,
        recorded_at=row.recorded_at,
    )


def write(conn: Connection, values: dict[str, Any]) -> ApprovalRow:
    """Write an answer; ``values`` are columns without the id."""
    made = conn.execute(insert(_TABLE).values(id=new_id("ap"), **values).returning(_TABLE)).one()
    return _row(made)


def find(conn: Connection, approval: str) -> ApprovalRow | None:
    """An answer by its id."""
    row = conn.execute(select(_TABLE).where(_c.id == approval)).one_or_none()
    return _row(row) if row is not None else None


def revoke(conn: Connection, approval: str, now: datetime) -> bool:
    """Take an answer back; false when it was already."""
    done = conn.execute(
        update(_TABLE).where(_c.id == approval, _c.revoked_at.is_(None)).values(revoked_at=now)
    )
    return done.rowcount == 1


def of_person(conn: Connection, person: str) -> list[ApprovalRow]:
    """Every answer about a person, the newest first."""
    rows = conn.execute(
        select(_TABLE).where(_c.person_id == person).order_by(*NEWEST_APPROVAL_FIRST)
    )
    return [_row(row) for row in rows]


def granted(
    conn: Connection, person: str, kind: ApprovalKind, *, subject: Subject | None = None, on: date
) -> ApprovalRow | None:
    """The yes to this question that is in force on a legal day; None when there is none.

    An answer that names no thing counts; with a ``subject`` so does one about that thing. An
    answer about another thing never does.
    """
    query = select(_TABLE).where(
        _c.person_id == person, _c.kind == kind.value, _c.revoked_at.is_(None), _c.decided_on <= on
    )
    about: ColumnElement[bool] = _c.subject_id.is_(None)
    if subject is not None:
        about = or_(about, and_(_c.subject_type == subject[0], _c.subject_id == subject[1]))
    newest = conn.execute(
        query.where(about).order_by(*NEWEST_APPROVAL_FIRST).limit(1)
    ).one_or_none()
    if newest is None or not newest.granted:
        return None
    if newest.valid_until is not None and newest.valid_until < on:
        return None
    return _row(newest)
