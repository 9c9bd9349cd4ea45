"""Fixtures for every test that needs the database; the server starts when the first one asks."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, Engine

from service.settings import KEY_BYTES, KEY_NAMES, Settings
from service.store.engine import make_engine
from tests import database
from tests.database import Server


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        database.begin_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        database.end_run()


_UNTRACED = ("tests/stories/", "test_claims_machine", "test_one_place", "test_watching_property")
"""What plays long ways through everything: other tests show that each line is reached, and
tracing these as well would take minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(part in item.nodeid for part in _UNTRACED):
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of this test run: `DATABASE_URL` where it is set, else the embedded one."""
    with database.running_server() as running:
        yield running


@pytest.fixture(scope="session")
def template(server: Server) -> str:
    """The name of the migrated database that others are copied from."""
    return server.migrated_template()


@pytest.fixture
def empty_database_url(server: Server) -> Iterator[str]:
    """A new database without a schema."""
    with server.scratch() as address:
        yield address


@pytest.fixture
def database_url(server: Server, template: str) -> Iterator[str]:
    """A new migrated database for one test."""
    with server.scratch(template) as address:
        yield address


@pytest.fixture(scope="module")
def module_database_url(server: Server, template: str) -> Iterator[str]:
    """A new migrated database shared by the tests of one module."""
    with server.scratch(template) as address:
        yield address


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on this test's own database."""
    made = make_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def conn(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that is rolled back unless the test commits it."""
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings for this test's own database, with keys that are no secret."""
    encryption, blind_index, seal = (
        SecretStr(base64.b64encode(name.encode().ljust(KEY_BYTES)).decode()) for name in KEY_NAMES
    )
    return Settings(
        database_url=database_url,
        data_dir=tmp_path,
        encryption_key=encryption,
        blind_index_key=blind_index,
        seal_key=seal,
    )
