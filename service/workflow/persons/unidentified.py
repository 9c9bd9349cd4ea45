"""Somebody an emergency brought in whom nobody can name yet."""

from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, insert

from service.errors import Invalid
from service.store import events
from service.store.engine import now as clock
from service.store.ids import new_pseudonym
from service.store.tables.core import person
from service.workflow.context import Context
from solver.codes import Sex

APPARENT_AGE: Final = 35
"""The age put down for an adult nobody can put an age to."""
_OLDEST: Final = 130


def register_unidentified(
    conn: Connection, ctx: Context, *, sex: Sex | None = None, age: int | None = None
) -> str:
    """Open a record for somebody not identified, and return its pseudonym.

    ``sex`` and ``age`` are what they appear to be; either may be unknown. They share no room until
    somebody knows them. Raises Invalid for an age nobody has.
    """
    if age is not None and not 0 <= age <= _OLDEST:
        raise Invalid.field("/apparent_age", "out-of-range", f"give 0 to {_OLDEST} years", age)
    now = clock(conn)
    made = new_pseudonym()
    conn.execute(
        insert(person).values(
            id=made,
            sex=sex.value if sex is not None else None,
            birth_date=_born(ctx, now, age if age is not None else APPARENT_AGE),
            identified=False,
            created_at=now,
            version=1,
        )
    )
    events.append(conn, ctx.actor, "person.registered", "person", made, person=made)
    return made


def _born(ctx: Context, now: datetime, age: int) -> date:
    return date(now.astimezone(ctx.policy.zone).year - age, 1, 1)
