"""The control of the proof: the service as served, with nobody taking a lock.

Only a server process that a test starts with this factory is without guard; the service itself
has no such switch. Every use case still looks again before it writes, as always.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Connection, func, select

from service.store import locks


def _only_the_clock(conn: Connection, **rows: Any) -> datetime:
    """The database's clock, and no lock on any row."""
    instant: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
    return instant.astimezone(UTC)


def application() -> FastAPI:
    """The application, made after the lock was taken out: who imports it gets none."""
    locks.lock = _only_the_clock
    from service.app import app_from_environment

    return app_from_environment()
