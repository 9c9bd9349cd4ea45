"""Rows that two people may change: a change counts only if the row is as it was read."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Table, update

from service.errors import Conflict


def change(
    conn: Connection,
    table: Table,
    id_: str,
    version: int,
    values: Mapping[str, Any],
    *,
    what: tuple[str, str],
) -> Row[Any]:
    """Write ``values`` into the row that was read at ``version``, and return it as it stands.

    ``what``: the record in words, and the member of the error that carries its id.

    Raises:
        Conflict: ``world-moved``, somebody changed it since.
    """
    changed = conn.execute(
        update(table)
        .where(table.c.id == id_, table.c.version == version)
        .values(version=table.c.version + 1, **values)
        .returning(table)
    ).one_or_none()
    if changed is None:
        words, member = what
        members: dict[str, Any] = {member: id_}
        raise Conflict(
            "world-moved",
            f"somebody changed this {words} a moment ago; read it again and decide anew",
            **members,
        )
    return changed
