"""The sequencer: the one place where committed events get their position in the log.

``seq`` is drawn inside transactions, so rows become visible out of order and with holes; a reader
that follows it, or transaction ids, misses rows. One sequencer in the whole system gives every
committed row the next gapless ``pos``, in ``seq`` order, and only then tells readers (``NOTIFY``
from here alone: inside a writing transaction it would make every writer wait for the one before).

Leadership is a PostgreSQL advisory lock on the session that also does the work, so a sequencer
that lost its session lost its right with it; another process takes over.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

CHANNEL: Final = "rehab_events"
ADVISORY_CLASS: Final = 20_260
"""First half of this service's advisory lock keys."""
_LEADER: Final = 1
BATCH: Final = 500

_log = structlog.get_logger(__name__)

_STEP = text(
    """
    WITH batch AS (
        SELECT seq FROM event WHERE pos IS NULL ORDER BY seq LIMIT :batch
    ), numbered AS (
        SELECT seq,
               (SELECT coalesce(max(pos), 0) FROM event) + row_number() OVER (ORDER BY seq) AS pos
          FROM batch
    ), given AS (
        UPDATE event SET pos = numbered.pos FROM numbered WHERE event.seq = numbered.seq
        RETURNING event.pos
    ), done AS (
        SELECT count(*) AS events, max(pos) AS last FROM given
    )
    SELECT events, CASE WHEN events > 0 THEN pg_notify(:channel, last::text) END FROM done
    """
)
_TAKE = text("SELECT pg_try_advisory_lock(:class, :lock)")
_GIVE = text("SELECT pg_advisory_unlock(:class, :lock)")


def give_positions(conn: Connection, batch: int = BATCH) -> int:
    """Give up to ``batch`` committed events their positions and notify; return how many.

    One statement, one transaction. Only the holder of the sequencer's lock may call it; the
    unique index on ``pos`` makes anybody else fail.
    """
    row = conn.execute(_STEP, {"batch": batch, "channel": CHANNEL}).one()
    return int(row.events)


@contextmanager
def leadership(engine: Engine, lead: int = _LEADER) -> Iterator[Connection | None]:
    """Yield an autocommit connection that holds the sequencer's lock, or that of another ``lead``
    of which there is one in the whole system; None if another has it."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as conn:
        key = {"class": ADVISORY_CLASS, "lock": lead}
        if not conn.execute(_TAKE, key).scalar_one():
            yield None
            return
        try:
            yield conn
        finally:
            if not conn.invalidated and not conn.closed:
                try:
                    conn.execute(_GIVE, key)
                except DBAPIError:
                    conn.invalidate()


class Sequencer:
    """Takes the lead when nobody has it, then gives positions until told to stop.

    ``poll_s``: how often the leader looks for new events; ``standby_s``: how often another looks
    whether the lead is free. Seconds.
    """

    def __init__(self, engine: Engine, *, poll_s: float = 0.03, standby_s: float = 0.5) -> None:
        self._engine = engine
        self._poll_s = poll_s
        self._standby_s = standby_s
        self.leading = False

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set. A lost database is waited for, not raised."""
        while not stop.is_set():
            try:
                with leadership(self._engine) as conn:
                    if conn is not None:
                        self.leading = True
                        self._lead(conn, stop)
            except (DBAPIError, PoolTimeout) as error:
                _log.warning("sequencer_lost_database", error=type(error).__name__)
            finally:
                self.leading = False
            stop.wait(self._standby_s)

    def _lead(self, conn: Connection, stop: threading.Event) -> None:
        while not stop.is_set():
            if give_positions(conn) < BATCH:
                stop.wait(self._poll_s)
