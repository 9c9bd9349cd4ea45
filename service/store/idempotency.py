"""Answers kept by Idempotency-Key, in the transaction of their effect; 24 hours."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from service.store.tables.core import idempotency_record as record

KEPT: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered to a key: the hash of that request, status, headers, sealed body."""

    request_hash: str
    status: int
    headers: Mapping[str, str]
    body: bytes


_NOW: Final = func.clock_timestamp()
_NEW = {"request_hash": bindparam("asked"), "status": 0, "headers": {}, "body": b""}
_CLAIM = (
    insert(record)
    .values(caller=bindparam("caller"), key=bindparam("key"), created_at=_NOW, **_NEW)
    .on_conflict_do_update(
        index_elements=[record.c.caller, record.c.key],
        set_={"created_at": _NOW, **_NEW},
        where=record.c.created_at < _NOW - KEPT,
    )
    .returning(record.c.key)
)
_FIND = select(record.c.request_hash, record.c.status, record.c.headers, record.c.body).where(
    record.c.caller == bindparam("caller"), record.c.key == bindparam("key")
)
_KEEP = (
    update(record)
    .where(record.c.caller == bindparam("of_caller"), record.c.key == bindparam("of_key"))
    .values(status=bindparam("status"), headers=bindparam("headers"), body=bindparam("body"))
)
_PURGE = delete(record).where(record.c.created_at < _NOW - KEPT)


def claim(conn: Connection, caller: str, key: str, asked: str) -> StoredAnswer | None:
    """Take the key for this transaction, or return what was answered to it before.

    Waits for another transaction that holds the same key: None if that one was rolled back.
    """
    taken = conn.execute(_CLAIM, {"caller": caller, "key": key, "asked": asked})
    if taken.scalar_one_or_none() is not None:
        return None
    row = conn.execute(_FIND, {"caller": caller, "key": key}).one()
    return StoredAnswer(row.request_hash, row.status, row.headers, bytes(row.body))


def keep(
    conn: Connection,
    caller: str,
    key: str,
    *,
    status: int,
    headers: Mapping[str, Any],
    body: bytes,
) -> None:
    """Store the answer beside its effect, in the transaction that claimed the key."""
    conn.execute(
        _KEEP,
        {
            "of_caller": caller,
            "of_key": key,
            "status": status,
            "headers": dict(headers),
            "body": body,
        },
    )


def purge(conn: Connection) -> int:
    """Forget the answers that are older than 24 hours; returns how many."""
    return conn.execute(_PURGE).rowcount
