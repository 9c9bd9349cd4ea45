"""Who read what is known of a person, when and for what; only an auditor reads it, and that reading
is not secret either."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from service.store.tables import core
from service.workflow.context import Context
from service.workflow.inventory.places import get_row

_c: Final = core.access_record.c


@dataclass(frozen=True, slots=True)
class AccessRecorded:
    """One reading: by which key, of whom, for which stated purpose."""

    id: str
    actor: str
    person: str
    purpose: str
    read_at: datetime


def listed(
    conn: Connection,
    ctx: Context,
    *,
    after: str | None,
    limit: int,
    person: str | None = None,
    actor: str | None = None,
) -> list[AccessRecorded]:
    """Readings in the order they were written. Raises NotFound for an unknown person."""
    if person is not None:
        get_row(conn, core.person, person)
    query = select(core.access_record).order_by(_c.id).limit(limit)
    if after is not None:
        query = query.where(_c.id > after)
    if person is not None:
        query = query.where(_c.person_id == person)
    if actor is not None:
        query = query.where(_c.actor == actor)
    return [
        AccessRecorded(row.id, row.actor, row.person_id, row.purpose, row.read_at)
        for row in conn.execute(query)
    ]
