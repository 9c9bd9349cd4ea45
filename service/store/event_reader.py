"""Reading the log by position: what was missed, and being told when there is more.

``pos`` has no holes and never changes, so a reader keeps one number and resumes from it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
import structlog
from sqlalchemy import Connection, Select, func, select

from service.store.engine import CONNECT_TIMEOUT_S, database_url
from service.store.sequencer import CHANNEL
from service.store.tables.core import event

POLL_S: Final = 1.0
"""How late a reader may be when a notification was lost."""
_RECONNECT_S: Final = 0.5

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event of the log: what happened to which subject, ids and operation codes only.

    ``pos`` is None until the sequencer placed it. ``occurred_at`` is when it happened,
    ``recorded_at`` when it was written down.
    """

    seq: int
    pos: int | None
    operation: str
    subject_type: str
    subject_id: str
    person_id: str | None
    bed_id: str | None
    unit_id: str | None
    facility_id: str | None
    actor: str
    data: dict[str, Any]
    occurred_at: datetime
    recorded_at: datetime


_EVENTS: Select[Any] = select(
    event.c.seq,
    event.c.pos,
    event.c.operation,
    event.c.subject_type,
    event.c.subject_id,
    event.c.person_id,
    event.c.bed_id,
    event.c.unit_id,
    event.c.facility_id,
    event.c.actor,
    event.c.data,
    event.c.occurred_at,
    event.c.recorded_at,
)
_LAST = select(func.coalesce(func.max(event.c.pos), 0))


def last_position(conn: Connection) -> int:
    """The position of the newest event, 0 for an empty log."""
    return int(conn.execute(_LAST).scalar_one())


def read_since(
    conn: Connection, after: int, limit: int, *, facility: str | None = None
) -> Sequence[LoggedEvent]:
    """The events after a position, oldest first, at most ``limit``; of one facility if given."""
    query = _EVENTS.where(event.c.pos > after).order_by(event.c.pos).limit(limit)
    if facility is not None:
        query = query.where(event.c.facility_id == facility)
    return [LoggedEvent(*row) for row in conn.execute(query).all()]


def read_unplaced(conn: Connection) -> Sequence[LoggedEvent]:
    """Committed events that have no position yet: their rows are already to be seen."""
    query = _EVENTS.where(event.c.pos.is_(None)).order_by(event.c.seq)
    return [LoggedEvent(*row) for row in conn.execute(query).all()]


class EventListener:
    """Knows how far the log is and wakes whoever waits for more; one connection a process.

    A notification brings the news at once; a look at the log every ``POLL_S`` makes up for a lost
    one. The database may go and come back meanwhile.
    """

    def __init__(self, url: str) -> None:
        self._conninfo = (
            database_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        )
        self._moved = asyncio.Event()
        self.position = 0
        self.closed = False

    def close(self) -> None:
        """Send every reader away at once, because the process ends."""
        self.closed = True
        self._moved.set()

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                _log.warning("listener_lost_database", error=type(error).__name__)
                await asyncio.sleep(_RECONNECT_S)

    async def beyond(self, position: int, timeout_s: float | None = None) -> int:
        """Wait until the log is beyond ``position``, or for ``timeout_s``; where it is then."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.position <= position and not self.closed:
                    await self._moved.wait()
        except TimeoutError:
            pass
        return self.position

    async def _listen(self) -> None:
        conn = await psycopg.AsyncConnection.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name="rehab-beds-listener",
        )
        async with conn:
            await conn.execute(f"LISTEN {CHANNEL}")
            while True:
                cursor = await conn.execute("SELECT coalesce(max(pos), 0) FROM event")
                row = await cursor.fetchone()
                self._move(int(row[0]) if row is not None else 0)
                async for notification in conn.notifies(timeout=POLL_S):
                    self._move(int(notification.payload))

    def _move(self, position: int) -> None:
        if position > self.position:
            self.position = position
            waiting, self._moved = self._moved, asyncio.Event()
            waiting.set()
