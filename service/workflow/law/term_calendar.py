"""Calendar clocks of terms that came without any: by import, by seed, or from an older schema."""

from typing import Final

from sqlalchemy import Connection, select

from service.store import terms as rows
from service.store.locks import lock
from service.store.tables import core
from service.store.tables.law import AbsenceKind
from service.workflow.context import Context
from service.workflow.law.terms import TERM, set_clocks

BATCH: Final = 200

_term, _due, _absence = core.term.c, core.due_item.c, core.term_absence.c


def open_calendars(conn: Connection, ctx: Context, *, limit: int = BATCH) -> int:
    """Let the clocks run of at most so many open terms that have no end on the due list; returns
    how many there were. Whose person has escaped needs none."""
    runs = select(_due.id).where(
        _due.subject_type == TERM,
        _due.subject_id == _term.id,
        _due.kind == "term_end",
        _due.settled_at.is_(None),
    )
    escaped = select(_absence.id).where(
        _absence.term_id == _term.id,
        _absence.kind == AbsenceKind.ESCAPE.value,
        _absence.ended_on.is_(None),
    )
    found = conn.execute(
        select(_term.id, _term.person_id)
        .where(_term.closed_at.is_(None), ~runs.exists(), ~escaped.exists())
        .order_by(_term.id)
        .limit(limit)
    ).all()
    if not found:
        return 0
    now = lock(conn, persons=[it.person_id for it in found])
    for it in found:
        row = rows.term(conn, it.id)
        if row.open:
            set_clocks(conn, ctx, row, now)
    return len(found)
