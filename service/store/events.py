"""The event log: what happened, written in the transaction that made it happen.

An event holds an operation code and ids. It never holds a name, a document number, a clinical or
a legal value: readers who may see those ask for them, and are recorded.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert

from service.access.caller import Actor
from service.store.tables.core import event

_CLOCK = func.clock_timestamp()
_INSERT = (
    insert(event)
    .values(
        operation=bindparam("operation"),
        subject_type=bindparam("subject_type"),
        subject_id=bindparam("subject_id"),
        person_id=bindparam("person_id"),
        bed_id=bindparam("bed_id"),
        unit_id=bindparam("unit_id"),
        facility_id=bindparam("facility_id"),
        actor=bindparam("actor"),
        data=bindparam("data"),
        occurred_at=func.coalesce(bindparam("occurred", type_=event.c.occurred_at.type), _CLOCK),
        recorded_at=_CLOCK,
    )
    .returning(event.c.seq)
)


def append(
    conn: Connection,
    actor: Actor,
    operation: str,
    subject_type: str,
    subject_id: str,
    *,
    person: str | None = None,
    bed: str | None = None,
    unit: str | None = None,
    facility: str | None = None,
    data: Mapping[str, str | int | bool | list[str] | None] | None = None,
    occurred_at: datetime | None = None,
) -> int:
    """Write one event and return its ``seq``.

    Call it last, after every lock is held and every row is written: ``seq`` is drawn here, and
    the order of one subject's events rests on the locks. ``operation`` is ``subject.verb`` in the
    past tense (``bed.state_changed``). ``occurred_at`` defaults to the database's clock.
    """
    seq = conn.execute(
        _INSERT,
        {
            "operation": operation,
            "subject_type": subject_type,
            "subject_id": subject_id,
            "person_id": person,
            "bed_id": bed,
            "unit_id": unit,
            "facility_id": facility,
            "actor": actor.id,
            "data": dict(data or {}),
            "occurred": occurred_at,
        },
    ).scalar_one()
    return int(seq)
