"""Runs the migrations: on a connection handed over by the caller, else on the configured database.

The caller hands one over as `config.attributes["connection"]`. A migration waits for a lock only
briefly: while it queues for a busy table, everybody else queues behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, text

from service.settings import load_settings
from service.store.address import open_database
from service.store.engine import make_engine
from service.store.tables import metadata

LOCK_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 300_000


def is_ours(name: str | None, type_: str, parents: Any) -> bool:
    """Tell whether autogenerate may look at this object; procrastinate keeps its own tables."""
    table = parents.get("table_name") if type_ != "table" else name
    return not (table or name or "").startswith("procrastinate_")


def migrate(connection: Connection) -> None:
    """Run the migrations on this connection, each in a transaction of its own."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=is_ours,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


@contextmanager
def limited(connection: Connection) -> Iterator[Connection]:
    """Give the session the migration's own timeouts, and its former ones back afterwards."""
    limits = {"lock_timeout": LOCK_TIMEOUT_MS, "statement_timeout": STATEMENT_TIMEOUT_MS}
    for name, value in limits.items():
        connection.execute(text(f"SET {name} = {value}"))
    connection.commit()
    try:
        yield connection
    finally:
        connection.rollback()
        for name in limits:
            connection.execute(text(f"RESET {name}"))
        connection.commit()


if context.is_offline_mode():
    raise CommandError("migrations run on a database: `--sql` cannot write the queue's schema")
if (given := context.config.attributes.get("connection")) is not None:
    with limited(given):
        migrate(given)
else:
    with open_database(load_settings()) as address:
        engine = make_engine(address, application_name="rehab-beds-migrate")
        with engine.connect() as connection, limited(connection):
            migrate(connection)
        engine.dispose()
