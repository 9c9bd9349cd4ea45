"""Short ways to look at who is misplaced, and to change what a judgement rests on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from service.store.locks import lock
from service.workflow.context import Context
from service.workflow.watch.watching import rejudge
from tests.service.workflow.world import World


def looked_at(
    conn: Connection, ctx: Context, *, persons: tuple[str, ...] = (), units: tuple[str, ...] = ()
) -> frozenset[str]:
    """Judge as a use case does that holds the persons."""
    now = lock(conn, persons=persons)
    return rejudge(conn, ctx, now, persons=persons, units=units)


def judge(world: World, *persons: str, units: tuple[str, ...] = ()) -> frozenset[str]:
    return world.do(looked_at, persons=persons, units=units)


def open_rules(world: World) -> dict[str, list[str]]:
    """The open misplacements: rules by person."""
    rows = world.sql("SELECT person_id, rules FROM misplacement WHERE ended_at IS NULL")
    return {row[0]: sorted(row[1]) for row in rows}


def state(world: World, stay: str) -> tuple[str, str | None]:
    row = world.sql("SELECT state, discharge_due_code FROM stay WHERE id = :id", id=stay)[0]
    return row[0], row[1]


def running(world: World, subject: str) -> dict[str, datetime]:
    """The running clocks of a wrong place or stay: when each kind is due."""
    rows = world.sql(
        "SELECT kind, due_at FROM due_item WHERE subject_id = :id AND settled_at IS NULL"
        " AND kind IN ('misplaced', 'discharge_due', 'review')",
        id=subject,
    )
    return {row[0]: row[1] for row in rows}


def change(world: World, statement: str, **values: Any) -> None:
    with world.engine.begin() as conn:
        conn.execute(text(statement), values)


def basis(world: World, person: str, **values: Any) -> None:
    """Change the person's legal basis, and with it the last day of its term."""
    sets = ", ".join(f"{name} = :{name}" for name in values)
    change(
        world, f"UPDATE legal_basis SET {sets} WHERE person_id = :person", person=person, **values
    )
    if "ends_on" in values:
        last = "UPDATE term SET ends_on = :day WHERE person_id = :person"
        change(world, last, day=values["ends_on"], person=person)


def days(number: int) -> Any:
    """The legal day so many days from now."""
    return (datetime.now(UTC) + timedelta(hours=8, days=number)).date()
