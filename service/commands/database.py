"""The database a command works on: the one that is set, or the embedded one, started for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import Engine

from service.access.caller import SYSTEM, Actor
from service.access.vault import Vault
from service.policy import DEFAULT_POLICY, load_policy
from service.settings import (
    KEY_NAMES,
    PREFIX,
    Settings,
    SettingsError,
    load_keys,
    load_settings,
)
from service.store import schema
from service.store.embedded import ensure_server
from service.store.engine import make_engine
from service.workflow.context import Context


@contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """The settings with the address of a running database.

    Without DATABASE_URL the embedded server is started, or shared if it runs; the last to leave
    stops it. The service's keys are made first: a database never exists without its keys.
    """
    load_keys(settings)
    if settings.database_url is not None:
        yield settings
        return
    files = {
        f"{name}_file": settings.keys_dir / f"{name}.txt"
        for name in KEY_NAMES
        if getattr(settings, name) is None and getattr(settings, f"{name}_file") is None
    }
    with ensure_server(settings.postgres_dir, start_timeout=settings.start_timeout_s) as server:
        yield settings.model_copy(update={"database_url": server.url, **files})


@contextmanager
def existing_database(settings: Settings) -> Iterator[Settings]:
    """As ``database``, for a command that has nothing to do where the service never was.

    Raises SettingsError: this data folder holds no database, or the database has no tables.
    """
    if settings.database_url is None and not (settings.postgres_dir / "cluster").exists():
        raise SettingsError(
            f"there is no database in {settings.data_dir}; go to the folder where the service was "
            f"started ('make run', 'rehab-beds serve'), or set {PREFIX}DATA_DIR to its data folder"
        )
    with database(settings) as running:
        with engine_of(running) as engine, engine.connect() as conn:
            if not schema.current(conn):
                raise SettingsError(
                    "the database has no tables yet; run 'rehab-beds migrate' and try again"
                )
        yield running


@contextmanager
def engine_of(settings: Settings, *, timeout_ms: int | None = None) -> Iterator[Engine]:
    """An engine for one command on a running database; ``timeout_ms`` 0 for no limit."""
    assert settings.database_url is not None
    limit = settings.statement_timeout_ms if timeout_ms is None else timeout_ms
    engine = make_engine(settings.database_url, statement_timeout_ms=limit)
    try:
        yield engine
    finally:
        engine.dispose()


def context_of(settings: Settings, actor: Actor = SYSTEM) -> Context:
    """What a use case is told when the command line calls it."""
    keys = load_keys(settings)
    return Context(
        actor=actor,
        policy=load_policy(settings.policy_file or DEFAULT_POLICY),
        vault=Vault(keys.encryption, keys.blind_index),
    )


def bring_up_to_date(settings: Settings, revision: str = "head") -> tuple[str, ...]:
    """Apply the migrations; returns the revision reached. May be called at every start.

    A migration may take as long as it needs, and waits for nobody's lock beyond the usual time.
    """
    with engine_of(settings, timeout_ms=0) as engine:
        with engine.connect() as conn:
            schema.upgrade(conn, revision)
        with engine.connect() as conn:
            return schema.current(conn)


def register(app: typer.Typer) -> None:
    """Add ``migrate``."""

    @app.command()
    def migrate(
        revision: Annotated[str, typer.Argument(help="Which revision to go up to.")] = "head",
    ) -> None:
        """Bring the database to the newest revision of the schema."""
        with database(load_settings()) as settings:
            reached = bring_up_to_date(settings, revision)
        Console().print(f"the database is at revision {', '.join(reached) or 'none'}")
