"""An empty world for each test of a use case; the tests of one module share a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from service.store.engine import make_engine
from service.store.tables import metadata
from tests.service.workflow.world import World

_EMPTY = text(f"TRUNCATE {', '.join(sorted(metadata.tables))} CASCADE")


def empty(engine: Engine) -> None:
    """Take every row out of every table."""
    with engine.begin() as conn:
        conn.execute(_EMPTY)


@pytest.fixture(scope="module")
def shared_engine(module_database_url: str) -> Iterator[Engine]:
    engine = make_engine(module_database_url, pool_size=20, max_overflow=20)
    yield engine
    engine.dispose()


@pytest.fixture
def world(shared_engine: Engine) -> Iterator[World]:
    yield World(shared_engine)
    empty(shared_engine)


@pytest.fixture
def soon() -> datetime:
    """Two days from now."""
    return datetime.now(UTC) + timedelta(days=2)


@pytest.fixture
def ago() -> Callable[[float], datetime]:
    """So many minutes ago."""
    return lambda minutes: datetime.now(UTC) - timedelta(minutes=minutes)
