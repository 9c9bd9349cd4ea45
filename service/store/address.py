"""Where the database is: `DATABASE_URL`, or the embedded server of the data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from service.settings import Settings, load_keys
from service.store.embedded import ensure_server
from service.store.engine import database_url


@contextmanager
def open_database(settings: Settings) -> Iterator[str]:
    """Yield the database's address, keeping the embedded server up for as long as it is needed.

    Keys are made before the embedded database is, so that a database never stands without them.
    Raises SettingsError, BadDatabaseUrl or an EmbeddedServerError.
    """
    if settings.database_url is not None:
        yield database_url(settings.database_url).render_as_string(hide_password=False)
        return
    load_keys(settings)
    server = ensure_server(settings.postgres_dir, start_timeout=settings.start_timeout_s)
    with server:
        yield server.url
