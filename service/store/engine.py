"""Engines for PostgreSQL, and the one way to run a use case in a transaction.

A use case is a plain function over a connection, `use_case(conn, ...)`. `run` and `run_async` give
it a transaction, commit before they return, and look at the world a second time when the first
try lost a race; `in_savepoint` does the same inside a transaction that must go on either way.
"""

from __future__ import annotations

import select as sockets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import (
    URL,
    Connection,
    DateTime,
    Engine,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from service.store.postgres_errors import (
    RETRIED,
    BadDatabaseUrl,
    Busy,
    UnsupportedServer,
    sqlstate_of,
    translated,
)

OLDEST_SERVER: Final = 15
STATEMENT_TIMEOUT_MS: Final = 5_000
LOCK_TIMEOUT_MS: Final = 3_000
IDLE_IN_TRANSACTION_MS: Final = 5_000
"""A writing transaction that stands still holds beds from everybody else."""
CONNECT_TIMEOUT_S: Final = 5
POOL_TIMEOUT_MS: Final = 5_000
PREPARED_STATEMENTS: Final = 300
"""Kept by each session; a hold alone needs some forty."""

P = ParamSpec("P")
T = TypeVar("T")

_ACCEPTED: Final = ("postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2")
_CLOCK: Final = select(func.clock_timestamp(type_=DateTime(timezone=True)))


def database_url(address: str) -> URL:
    """Return the address with the driver this service uses.

    Takes `postgres://`, `postgresql://` and `postgresql+psycopg://`. Raises BadDatabaseUrl, which
    never quotes the address: it may hold a password.
    """
    way_out = "write it as postgresql://user:password@host:5432/database"
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise BadDatabaseUrl(f"DATABASE_URL is not an address; {way_out}") from None
    if url.drivername not in _ACCEPTED:
        raise BadDatabaseUrl(f"DATABASE_URL is for {url.drivername!r}, not PostgreSQL; {way_out}")
    if not url.database:
        raise BadDatabaseUrl(f"DATABASE_URL names no database; {way_out}")
    return url.set(drivername="postgresql+psycopg")


def make_engine(
    url: str | URL,
    *,
    application_name: str = "rehab-beds",
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
    lock_timeout_ms: int = LOCK_TIMEOUT_MS,
    idle_in_transaction_ms: int = IDLE_IN_TRANSACTION_MS,
    pool_size: int = 5,
    max_overflow: int = 10,
) -> Engine:
    """Return an engine for the CLI, the worker and tests; timeouts in milliseconds, 0 for none.

    Sessions speak UTC. The first connection raises UnsupportedServer if the server is too old.
    """
    engine = create_engine(
        _address(url),
        **_pool(pool_size, max_overflow),
        connect_args=_session(
            url, application_name, statement_timeout_ms, lock_timeout_ms, idle_in_transaction_ms
        ),
    )
    _listen(engine)
    return engine


def make_async_engine(
    url: str | URL,
    *,
    application_name: str = "rehab-beds-api",
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
    lock_timeout_ms: int = LOCK_TIMEOUT_MS,
    idle_in_transaction_ms: int = IDLE_IN_TRANSACTION_MS,
    pool_size: int = 10,
    max_overflow: int = 10,
    pool_timeout_ms: int = POOL_TIMEOUT_MS,
) -> AsyncEngine:
    """Return an engine for the API; otherwise as `make_engine`.

    `pool_timeout_ms`: how long a request waits for a free connection before it is told to retry.
    Connections beyond `pool_size` are made when all are busy and kept like the others: a session
    made for one request plans each of its statements anew.
    """
    engine = create_async_engine(
        _address(url),
        **_pool(pool_size + max_overflow, 0, pool_timeout_ms),
        connect_args=_session(
            url, application_name, statement_timeout_ms, lock_timeout_ms, idle_in_transaction_ms
        ),
    )
    _listen(engine.sync_engine)
    return engine


def run(
    engine: Engine, use_case: Callable[Concatenate[Connection, P], T], *args: P.args, **kw: P.kwargs
) -> T:
    """Run a use case in a transaction of its own and commit it.

    A deadlock, a serialization failure or a broken exclusion constraint is retried once: the whole
    use case, in a new transaction. Raises Conflict if it is lost again, Busy, ServerGone,
    OutOfSpace or Refused; whatever the use case itself raises rolls back and passes through.
    """
    first = True
    while True:
        try:
            with engine.begin() as conn:
                return use_case(conn, *args, **kw)
        except (DBAPIError, PoolTimeout) as error:
            _raise_unless_retried(error, first)
        first = False


async def run_async(
    engine: AsyncEngine,
    use_case: Callable[Concatenate[Connection, P], T],
    *args: P.args,
    **kw: P.kwargs,
) -> T:
    """Run a use case as `run` does, from `async def` code; the commit is done on return."""
    first = True
    while True:
        try:
            async with engine.begin() as conn:
                return await conn.run_sync(use_case, *args, **kw)
        except (DBAPIError, PoolTimeout) as error:
            _raise_unless_retried(error, first)
        first = False


def in_savepoint(
    conn: Connection,
    use_case: Callable[Concatenate[Connection, P], T],
    *args: P.args,
    **kw: P.kwargs,
) -> T:
    """Run a use case in a savepoint; what it raises undoes it and leaves the transaction usable.

    Retries once and raises as `run` does, so that a decision, a refusal too, can be stored beside
    it in the outer transaction. A lost connection cannot be gone on from.
    """
    first = True
    while True:
        try:
            with conn.begin_nested():
                return use_case(conn, *args, **kw)
        except DBAPIError as error:
            _raise_unless_retried(error, first)
        first = False


def now(conn: Connection) -> datetime:
    """Return the database's clock, aware UTC: workflow time, read after the last lock is held."""
    instant = conn.execute(_CLOCK).scalar_one()
    return instant.astimezone(UTC)


def _raise_unless_retried(error: DBAPIError | PoolTimeout, first: bool) -> None:
    if isinstance(error, PoolTimeout):
        raise Busy("every database connection is in use; nothing was changed, try again") from None
    if first and sqlstate_of(error) in RETRIED:
        return
    typed = translated(error)
    if typed is None:
        raise error
    raise typed from None


def _address(url: str | URL) -> URL:
    return database_url(url if isinstance(url, str) else url.render_as_string(hide_password=False))


def _pool(pool_size: int, max_overflow: int, timeout_ms: int = POOL_TIMEOUT_MS) -> dict[str, Any]:
    return {
        "pool_size": pool_size,
        "max_overflow": max_overflow,
        "pool_timeout": timeout_ms / 1000,
        # Parameters hold names and document numbers; they belong in no error and no log.
        "hide_parameters": True,
    }


def _session(
    url: str | URL, application_name: str, statement_ms: int, lock_ms: int, idle_ms: int
) -> dict[str, Any]:
    """Return the driver's arguments that set up each session before its first statement."""
    settings = {
        "timezone": "UTC",
        "statement_timeout": statement_ms,
        "lock_timeout": lock_ms,
        "idle_in_transaction_session_timeout": idle_ms,
    }
    given = _address(url).query.get("options", ())
    words = [given] if isinstance(given, str) else list(given)
    words += [f"-c {name}={value}" for name, value in settings.items()]
    return {
        "options": " ".join(words),
        "application_name": application_name,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "prepare_threshold": 1,
    }


def _listen(engine: Engine) -> None:
    event.listen(engine, "connect", check_version)
    event.listen(engine, "connect", keep_prepared)
    event.listen(engine, "checkout", check_alive)


def keep_prepared(dbapi_connection: Any, entry: ConnectionPoolEntry) -> None:
    """Let a session keep all of the service's statements; one that is dropped is planned anew."""
    driver = entry.driver_connection
    if driver is not None:
        driver.prepared_max = PREPARED_STATEMENTS


def check_alive(dbapi_connection: Any, entry: ConnectionPoolEntry, proxy: Any) -> None:
    """Replace a pooled connection that the server has ended, before anybody uses it.

    The server says or does nothing on an idle connection unless it ends it, so whatever can be
    read there is its end. Asking it (``pool_pre_ping``) would be one round trip more for every
    request, an eighth of a bed's state.
    """
    driver = entry.driver_connection
    waiting = sockets.poll()
    if driver is not None and not driver.closed:
        waiting.register(driver.fileno(), sockets.POLLIN)
        if not waiting.poll(0):
            return
    raise DisconnectionError()


def check_version(dbapi_connection: Any, entry: ConnectionPoolEntry) -> None:
    """Close a connection to a server that is too old, and raise UnsupportedServer."""
    driver = entry.driver_connection
    found = driver.info.server_version if driver is not None else 0
    if found < OLDEST_SERVER * 10_000:
        dbapi_connection.close()
        raise UnsupportedServer(
            f"the database server is PostgreSQL {found // 10_000}; {OLDEST_SERVER} or later is "
            "needed: upgrade it, or point DATABASE_URL at a newer one"
        )
