"""The schema's version: where the migrations are, how to apply them, how far a database is."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

PROJECT = Path(__file__).resolve().parents[2]


def alembic_config(conn: Connection | None = None) -> Config:
    """Return Alembic's settings from pyproject.toml, bound to a connection if one is given."""
    config = Config(toml_file=PROJECT / "pyproject.toml")
    # Wherever the process was started from.
    config.set_main_option("script_location", str(PROJECT / "migrations").replace("%", "%%"))
    config.attributes["connection"] = conn
    return config


def upgrade(conn: Connection, revision: str = "head") -> None:
    """Bring the database to a revision; the connection must be outside any transaction."""
    command.upgrade(alembic_config(conn), revision)


def downgrade(conn: Connection, revision: str) -> None:
    """Take the database back to a revision, `base` for an empty one."""
    command.downgrade(alembic_config(conn), revision)


def heads() -> tuple[str, ...]:
    """Return the newest revisions among the migration files; more than one is a mistake."""
    return tuple(ScriptDirectory.from_config(alembic_config()).get_heads())


def current(conn: Connection) -> tuple[str, ...]:
    """Return the revisions the database is at, none for an empty one."""
    return tuple(MigrationContext.configure(conn).get_current_heads())
