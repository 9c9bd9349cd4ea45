"""A small network and one person; each test works in a transaction that is undone."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine

from service.store.engine import make_engine
from tests.service.inventory.places import build


@pytest.fixture(scope="module")
def built(module_database_url: str) -> Iterator[Engine]:
    engine = make_engine(module_database_url, idle_in_transaction_ms=0)
    with engine.begin() as conn:
        build(conn)
    yield engine
    engine.dispose()


@pytest.fixture
def conn(built: Engine) -> Iterator[Connection]:
    with built.connect() as connection:
        yield connection
