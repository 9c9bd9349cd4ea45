"""Rows of opinions: what doctors found on a question of law, the newest of a kind first."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from service.store.ids import new_id
from service.store.tables import core
from service.store.tables.law import OpinionKind
from solver.codes import DangerCase, Tri

_TABLE: Final = core.opinion
_c = _TABLE.c

NEWEST_OPINION_FIRST: Final = (_c.stated_at.desc(), _c.recorded_at.desc(), _c.id.desc())
"""Which opinion of a kind counts: the newest that was not revoked."""


@dataclass(frozen=True, slots=True)
class OpinionRow:
    """One opinion; members its kind does not speak of are None."""

    id: str
    person: str
    kind: OpinionKind
    severe: bool | None
    at_risk: bool | None
    danger_case: DangerCase | None
    confirmed: bool | None
    capable: Tri | None
    hospital: str
    doctors: tuple[str, ...]
    stated_at: datetime
    review_on: date | None
    revoked_at: datetime | None
    recorded_by: str
    recorded_at: datetime


def _row(row: Any) -> OpinionRow:
    return OpinionRow(
        id=row.id,
        person=row.person_id,
        kind=OpinionKind(row.kind),
        severe=row.severe,
        at_risk=row.at_risk,
        danger_case=DangerCase(row.danger_case) if row.danger_case is not None else None,
        confirmed=row.confirmed,
        capable=Tri(row.capable) if row.capable is not None else None,
        hospital=row.hospital,
        doctors=tuple(row.doctors),
        stated_at=row.stated_at,
        review_on=row.review_on,
        revoked_at=row.revoked_at,
        recorded_by=row.recorded_by,
        recorded_at=row.recorded_at,
    )


def write(conn: Connection, values: dict[str, Any]) -> OpinionRow:
    """Write an opinion; ``values`` are columns without the id."""
    made = conn.execute(insert(_TABLE).values(id=new_id("op"), **values).returning(_TABLE)).one()
    return _row(made)


def find(conn: Connection, opinion: str) -> OpinionRow | None:
    """An opinion by its id."""
    row = conn.execute(select(_TABLE).where(_c.id == opinion)).one_or_none()
    return _row(row) if row is not None else None


def revoke(conn: Connection, opinion: str, now: datetime) -> bool:
    """Take an opinion back; false when it was already."""
    done = conn.execute(
        update(_TABLE).where(_c.id == opinion, _c.revoked_at.is_(None)).values(revoked_at=now)
    )
    return done.rowcount == 1


def of_person(conn: Connection, person: str) -> list[OpinionRow]:
    """Every opinion about a person, the newest first."""
    rows = conn.execute(
        select(_TABLE).where(_c.person_id == person).order_by(*NEWEST_OPINION_FIRST)
    )
    return [_row(row) for row in rows]


def newest(conn: Connection, person: str, kind: OpinionKind) -> OpinionRow | None:
    """The opinion of a kind that counts now."""
    row = conn.execute(
        select(_TABLE)
        .where(_c.person_id == person, _c.kind == kind.value, _c.revoked_at.is_(None))
        .order_by(*NEWEST_OPINION_FIRST)
        .limit(1)
    ).one_or_none()
    return _row(row) if row is not None else None
