"""The PostgreSQL server of a test run, and scratch databases on it.

Without `DATABASE_URL` it is the embedded server, in a folder of this run, shared by all its
workers. Migrations run once per test run, into a template; a test's database is a copy of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.pool import NullPool

from service.store.embedded import ensure_server
from service.store.engine import database_url, make_engine
from service.store.postgres_errors import StoreError
from service.store.schema import upgrade

RUN = "REHAB_BEDS_TEST_RUN"
"""Environment variable that names this test run to every worker; set by the controller."""

FAST = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "4GB"}
"""Nothing here outlives a crash of the machine."""

_held: list[IO[str]] = []


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `maintenance` is the database from which others are made and dropped."""

    maintenance: URL

    def url_of(self, database: str) -> str:
        return self.maintenance.set(database=database).render_as_string(hide_password=False)

    @contextmanager
    def administration(self) -> Iterator[psycopg.Connection[Any]]:
        plain = self.maintenance.set(drivername="postgresql")
        address = plain.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as conn:
            yield conn

    @contextmanager
    def scratch(self, template: str = "template0") -> Iterator[str]:
        """Yield the address of a new database, dropped afterwards whoever is connected."""
        name = f"{_prefix()}{secrets.token_hex(6)}"
        with self.administration() as conn:
            _create(conn, name, template)
        try:
            yield self.url_of(name)
        finally:
            with self.administration() as conn:
                _drop(conn, name)

    def migrated_template(self) -> str:
        """Return the name of a database at the newest revision, made by whoever asks first."""
        name = f"{_prefix()}template"
        with self.administration() as conn:
            conn.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
            known = "SELECT 1 FROM pg_database WHERE datname = %s"
            if conn.execute(known, [name]).fetchone() is None:
                _create(conn, f"{name}_new", "template0")
                migrate(self.url_of(f"{name}_new"))
                rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
                conn.execute(rename.format(sql.Identifier(f"{name}_new"), sql.Identifier(name)))
        return name


def migrate(address: str, revision: str = "head") -> None:
    """Bring a database to a revision."""
    engine = create_engine(address, poolclass=NullPool)
    with engine.connect() as conn:
        upgrade(conn, revision)


@contextmanager
def engine_on(address: str) -> Iterator[Engine]:
    """An engine of the service, without connections afterwards: its database may be copied."""
    engine = make_engine(address)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def running_server() -> Iterator[Server]:
    """Yield the server of this test run, keeping it up meanwhile."""
    with ExitStack() as stack:
        address = os.environ.get("DATABASE_URL")
        if not address:
            handle = stack.enter_context(ensure_server(_folder(), options=FAST))
            address = handle.url_of("postgres")
        yield Server(database_url(address))


def begin_run() -> None:
    """Name this test run; called by the controller before any worker starts.

    The controller holds a lock as long as it lives. What a killed run has left is removed here.
    """
    for left in Path("/tmp").glob("rehab-beds-tests-*.lock"):
        with suppress(OSError, StoreError), left.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(left.with_suffix(""))
            left.unlink()
    os.environ[RUN] = secrets.token_hex(4)
    lock = _folder().with_suffix(".lock").open("x")
    fcntl.flock(lock, fcntl.LOCK_SH)
    _held.append(lock)


def end_run() -> None:
    """Remove what the run left: its databases, or its own server. Called by the controller."""
    if os.environ.get("DATABASE_URL"):
        with running_server() as server, server.administration() as conn:
            mine = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
            for (name,) in conn.execute(mine, [_prefix()]).fetchall():
                _drop(conn, name)
    _remove(_folder())
    _folder().with_suffix(".lock").unlink(missing_ok=True)
    while _held:
        _held.pop().close()


def _remove(folder: Path) -> None:
    """Stop the server of a test run that nobody uses any more and delete its folder."""
    if (folder / "cluster" / "postmaster.pid").exists():
        # A worker that was killed leaves its server up; the last one out stops it.
        ensure_server(folder, options=FAST).release()
    shutil.rmtree(folder, ignore_errors=True)


def scratch_folder() -> Path:
    """Return a new private folder that the embedded server's user can reach, unlike tmp_path."""
    folder = Path(tempfile.mkdtemp(prefix="rehab-beds-test-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def _folder() -> Path:
    return Path("/tmp") / f"rehab-beds-tests-{os.environ[RUN]}"


def _prefix() -> str:
    run = hashlib.sha256(os.environ[RUN].encode()).hexdigest()[:8]
    return f"rb_{run}_"


def _create(conn: psycopg.Connection[Any], name: str, template: str) -> None:
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8'")
    conn.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


def _drop(conn: psycopg.Connection[Any], name: str) -> None:
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    conn.execute(statement.format(sql.Identifier(name)))
