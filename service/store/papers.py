"""Papers that an emergency placement did not wait for, each a clock of its own.

The subject of such a clock is ``('paper', '<stay>:<paper>')``; its detail is the paper's code.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, select

from service.store.due import DueRow, due_row
from service.store.tables import core

KIND: Final = "emergency_papers"
"""The kind of clock, in the policy's ``[due]``."""
_TYPE: Final = "paper"
_TABLE: Final = core.due_item
_c = _TABLE.c


def subject(stay: str, paper: str) -> tuple[str, str]:
    """What the clock of one paper of one stay is about."""
    return _TYPE, f"{stay}:{paper}"


def stay_of(row: DueRow) -> str:
    """The stay that a paper is owed for."""
    return row.subject_id.partition(":")[0]


def owed(conn: Connection, persons: Collection[str]) -> list[DueRow]:
    """The papers still owed for these people, the most urgent first."""
    if not persons:
        return []
    rows = conn.execute(
        select(_TABLE)
        .where(
            _c.person_id.in_(sorted(persons)),
            _c.kind == KIND,
            _c.subject_type == _TYPE,
            _c.settled_at.is_(None),
        )
        .order_by(_c.due_at, _c.id)
    )
    return [due_row(row) for row in rows]
