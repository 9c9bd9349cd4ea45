"""Row locks, in one order for everybody: persons, facilities, units, rooms, beds, each by id.

Two transactions that want the same rows then queue and never wait for each other in a circle.
Nothing else in the service takes a row lock: whoever edits a person's facts, rule data of a unit
or room, or the state of a bed locks those rows here, so that a decision taken under the same
locks sees either all of an edit or none of it.

A person, a room and a bed are locked against every other writer. A facility and a unit are shared
between readers of their rule data, and a unit is locked alone where a rule binds the unit as a
whole (its staffed beds, its reserve).
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, DateTime, Select, Table, func, select

from service.errors import NotFound
from service.store.network_places import listed
from service.store.tables import core

_CLOCK: Final = select(func.clock_timestamp(type_=DateTime(timezone=True)))


def _rows(table: Table, *, shared: bool) -> Select[tuple[str]]:
    """Lock in the order of the bytes of the id, which is Python's order of strings.

    Alone means FOR NO KEY UPDATE: it keeps out every other writer and every sharer, and lets
    foreign keys of rows elsewhere be checked.
    """
    wanted = select(table.c.id).where(listed(table.c.id, "ids"))
    return wanted.order_by(table.c.id.collate("C")).with_for_update(
        read=shared, key_share=not shared
    )


_PERSONS: Final = _rows(core.person, shared=False)
_FACILITIES: Final = _rows(core.facility, shared=True)
_FACILITIES_ALONE: Final = _rows(core.facility, shared=False)
_UNITS: Final = _rows(core.unit, shared=True)
_UNITS_ALONE: Final = _rows(core.unit, shared=False)
_ROOMS: Final = _rows(core.room, shared=False)
_BEDS: Final = _rows(core.bed, shared=False)


def lock(
    conn: Connection,
    *,
    persons: Iterable[str] = (),
    facilities: Iterable[str] = (),
    facilities_exclusive: Iterable[str] = (),
    units: Iterable[str] = (),
    units_exclusive: Iterable[str] = (),
    rooms: Iterable[str] = (),
    beds: Iterable[str] = (),
) -> datetime:
    """Lock the rows and return the database's clock, aware UTC, read after the last lock.

    That instant is the workflow's time: whatever another transaction wrote under the same locks
    happened before it. One call per transaction takes all its locks. A facility or unit named
    both ways is locked alone.

    Raises:
        NotFound: a row does not exist; names what and which.
    """
    _take(conn, _PERSONS, "person", set(persons))
    _mixed(
        conn,
        "facility",
        (_FACILITIES, set(facilities)),
        (_FACILITIES_ALONE, set(facilities_exclusive)),
    )
    _mixed(conn, "unit", (_UNITS, set(units)), (_UNITS_ALONE, set(units_exclusive)))
    _take(conn, _ROOMS, "room", set(rooms))
    _take(conn, _BEDS, "bed", set(beds))
    instant: datetime = conn.execute(_CLOCK).scalar_one()
    return instant.astimezone(UTC)


def _mixed(
    conn: Connection,
    kind: str,
    shared: tuple[Select[tuple[str]], set[str]],
    alone: tuple[Select[tuple[str]], set[str]],
) -> None:
    """Lock some rows shared and some alone, still in one pass by id."""
    for statement, ids in _runs(shared, alone):
        _take(conn, statement, kind, ids)


def _runs(
    shared: tuple[Select[tuple[str]], set[str]], alone: tuple[Select[tuple[str]], set[str]]
) -> Iterator[tuple[Select[tuple[str]], set[str]]]:
    """Neighbours in id order that are locked the same way, as one statement each."""
    for exclusive, ids in groupby(sorted(shared[1] | alone[1]), key=lambda it: it in alone[1]):
        yield (alone if exclusive else shared)[0], set(ids)


def _take(conn: Connection, statement: Select[tuple[str]], kind: str, ids: Collection[str]) -> None:
    if not ids:
        return
    found = set(conn.execute(statement, {"ids": sorted(ids)}).scalars())
    missing = sorted(set(ids) - found)
    if missing:
        members: dict[str, Any] = {kind: missing}
        raise NotFound(f"{kind}-not-found", f"there is no {kind} {missing[0]}", **members)
