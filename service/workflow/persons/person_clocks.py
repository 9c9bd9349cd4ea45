"""Clocks of one person, whatever thing of theirs they were started for."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select

from service.store.tables.core import due_item
from service.workflow.context import Context
from service.workflow.watch import due


def settle_of_person(
    conn: Connection,
    ctx: Context,
    kinds: Collection[str],
    person: str,
    now: datetime,
    *,
    outcome: str = "done",
) -> list[tuple[str, str]]:
    """Stop the running clocks of these kinds that are about this person; the caller holds them.

    Returns the subjects ``(type, id)`` they ran for.
    """
    running = conn.execute(
        select(due_item.c.kind, due_item.c.subject_type, due_item.c.subject_id)
        .where(
            due_item.c.person_id == person,
            due_item.c.kind.in_(sorted(kinds)),
            due_item.c.settled_at.is_(None),
        )
        .order_by(due_item.c.id)
    ).all()
    for kind, *subject in running:
        due.settle(conn, ctx, kind, subject=(subject[0], subject[1]), now=now, outcome=outcome)
    return [(kind_type, id_) for _, kind_type, id_ in running]
