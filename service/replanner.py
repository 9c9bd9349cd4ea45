"""Follows the event log and asks for a new plan when something happened that calls for one.

Every worker has one; the holder of an advisory lock looks, the others stand by, so that no event
is planned for twice. What it keeps in memory is rebuilt from the database by whoever comes next.
"""

import threading
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.errors import ServiceError
from service.store.engine import run
from service.store.postgres_errors import StoreError
from service.store.sequencer import leadership
from service.workflow.context import Context
from service.workflow.plans import replanning

LOOK_S: Final = 0.1
"""How often the log is looked at; a call for a plan is met within about this."""
STANDBY_S: Final = 0.5
_LEADER: Final = 5
_STILL_THERE: Final = text("SELECT 1")

_log = structlog.get_logger(__name__)


class Replanner:
    """Takes the lead when nobody has it, then looks until told to stop."""

    def __init__(self, engine: Engine, ctx: Context) -> None:
        self._engine = engine
        self._ctx = ctx

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set. A lost database is waited for, not raised."""
        while not stop.is_set():
            try:
                with leadership(self._engine, _LEADER) as conn:
                    if conn is not None:
                        self._lead(conn, stop)
            except (DBAPIError, PoolTimeout, StoreError, ServiceError) as error:
                _log.warning("replanner_lost_turn", error=type(error).__name__)
            stop.wait(STANDBY_S)

    def _lead(self, conn: Connection, stop: threading.Event) -> None:
        looked = run(self._engine, replanning.begin, self._ctx)
        while not stop.is_set():
            # Raises once the session that holds the lock is gone: then another may lead.
            conn.execute(_STILL_THERE)
            looked = run(self._engine, replanning.look, self._ctx, looked)
            if not looked.more:
                stop.wait(LOOK_S)
