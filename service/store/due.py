"""Rows of clocks: what is due, to or from whom, by when. One open of a kind a subject."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from service.errors import NotFound
from service.store.ids import new_id
from service.store.tables import core

_TABLE: Final = core.due_item
_c = _TABLE.c


@dataclass(frozen=True, slots=True)
class DueRow:
    """One clock; ``settled_at`` and ``outcome`` are None while it runs."""

    id: str
    kind: str
    subject_type: str
    subject_id: str
    person: str | None
    facility: str | None
    owner: str
    recipient: str | None
    detail: str | None
    due_at: datetime
    opened_at: datetime
    alarmed_at: datetime | None
    settled_at: datetime | None
    settled_by: str | None
    outcome: str | None
    done_at: datetime | None
    document: bytes | None
    note: bytes | None
    version: int


def due_row(row: Any) -> DueRow:
    """A clock as its row says."""
    return DueRow(
        id=row.id,
        kind=row.kind,
        subject_type=row.subject_type,
        subject_id=row.subject_id,
        person=row.person_id,
        facility=row.facility_id,
        owner=row.owner,
        recipient=row.recipient,
        detail=row.detail,
        due_at=row.due_at,
        opened_at=row.opened_at,
        alarmed_at=row.alarmed_at,
        settled_at=row.settled_at,
        settled_by=row.settled_by,
        outcome=row.outcome,
        done_at=row.done_at,
        document=row.document,
        note=row.note,
        version=row.version,
    )


def open_item(conn: Connection, values: dict[str, Any]) -> str | None:
    """Open a clock; None when one of this kind already runs for the subject."""
    statement = (
        insert(_TABLE)
        .values(id=new_id("du"), **values)
        .on_conflict_do_nothing(
            index_elements=[_c.kind, _c.subject_type, _c.subject_id],
            index_where=_c.settled_at.is_(None),
        )
        .returning(_c.id)
    )
    found: str | None = conn.execute(statement).scalar()
    return found


def move_item(conn: Connection, kind: str, subject: tuple[str, str], due_at: datetime) -> bool:
    """Set another hour for a running clock; false when none runs or the hour is the same."""
    moved = conn.execute(
        update(_TABLE)
        .where(
            _c.kind == kind,
            _c.subject_type == subject[0],
            _c.subject_id == subject[1],
            _c.settled_at.is_(None),
            _c.due_at != due_at,
        )
        .values(due_at=due_at, alarmed_at=None, version=_c.version + 1)
    )
    return moved.rowcount == 1


def settle_items(
    conn: Connection,
    subject: tuple[str, str],
    kinds: Collection[str],
    *,
    by: str,
    now: datetime,
    outcome: str,
) -> list[DueRow]:
    """Settle the running clocks of these kinds for the subject; returns those that ran."""
    rows = conn.execute(
        update(_TABLE)
        .where(
            _c.subject_type == subject[0],
            _c.subject_id == subject[1],
            _c.kind.in_(sorted(kinds)),
            _c.settled_at.is_(None),
        )
        .values(settled_at=now, settled_by=by, outcome=outcome, version=_c.version + 1)
        .returning(_TABLE)
    )
    return [due_row(row) for row in rows]


def running(conn: Connection, subject: tuple[str, str]) -> list[DueRow]:
    """The clocks that run for a subject, the most urgent first."""
    rows = conn.execute(
        select(_TABLE)
        .where(_c.subject_type == subject[0], _c.subject_id == subject[1], _c.settled_at.is_(None))
        .order_by(_c.due_at, _c.id)
    )
    return [due_row(row) for row in rows]


def item(conn: Connection, id_: str, *, locked: bool = False) -> DueRow:
    """One clock. ``locked``: kept from everybody else until commit. Raises NotFound."""
    query = select(_TABLE).where(_c.id == id_)
    row = conn.execute(query.with_for_update() if locked else query).one_or_none()
    if row is None:
        raise NotFound("due-not-found", f"there is no clock {id_}", due=id_)
    return due_row(row)


def record_done(conn: Connection, id_: str, **values: Any) -> DueRow:
    """Write into a clock what its settlement says; the caller has read it locked."""
    row = conn.execute(
        update(_TABLE)
        .where(_c.id == id_)
        .values(version=_c.version + 1, **values)
        .returning(_TABLE)
    ).one()
    return due_row(row)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which running clocks a list is asked for; None means all of them."""

    facility: str | None = None
    kind: str | None = None
    person: str | None = None
    overdue: bool | None = None
    kinds: frozenset[str] | None = None
    owners: frozenset[str] | None = None


def page(
    conn: Connection,
    asked: Asked,
    *,
    now: datetime,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[DueRow]:
    """Running clocks by the hour they are due, so that the overdue come first, longest first.

    ``kinds`` and ``owners`` are taken together: a clock of one of these kinds, or due from one of
    these owners.
    """
    query = select(_TABLE).where(_c.settled_at.is_(None)).order_by(_c.due_at, _c.id).limit(limit)
    for column, value in (
        (_c.facility_id, asked.facility),
        (_c.kind, asked.kind),
        (_c.person_id, asked.person),
    ):
        if value is not None:
            query = query.where(column == value)
    if asked.overdue is not None:
        query = query.where(_c.due_at <= now if asked.overdue else _c.due_at > now)
    if asked.kinds is not None or asked.owners is not None:
        query = query.where(
            or_(_c.kind.in_(sorted(asked.kinds or ())), _c.owner.in_(sorted(asked.owners or ())))
        )
    if after is not None:
        query = query.where(tuple_(_c.due_at, _c.id) > after)
    return [due_row(row) for row in conn.execute(query)]


def ring(conn: Connection, now: datetime, limit: int) -> list[DueRow]:
    """Mark clocks that have become overdue as told, once each; another worker's are left to it."""
    late = (
        select(_c.id)
        .where(_c.settled_at.is_(None), _c.alarmed_at.is_(None), _c.due_at <= now)
        .order_by(_c.due_at, _c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = conn.execute(
        update(_TABLE)
        .where(_c.id.in_(late))
        .values(alarmed_at=now, version=_c.version + 1)
        .returning(_TABLE)
    )
    return sorted((due_row(row) for row in rows), key=lambda it: (it.due_at, it.id))


def overdue_count(conn: Connection, now: datetime) -> int:
    """How many running clocks are overdue."""
    return int(
        conn.execute(
            select(func.count())
            .select_from(_TABLE)
            .where(_c.settled_at.is_(None), _c.due_at <= now)
        ).scalar_one()
    )
