"""A served application, a key per role, and clients that use them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, func, insert, select
from starlette.testclient import TestClient

from service import logs
from service.access.caller import FACILITY_ROLES, SYSTEM, Role
from service.access.vault import Vault
from service.policy import default_policy
from service.settings import KEY_NAMES, Settings
from service.store.engine import make_engine, run
from service.store.tables.core import event, facility
from service.workflow.context import Context
from service.workflow.keys import create_key
from tests.service.api.probe import probed_app

HOME = "psc-1"
ELSEWHERE = "cth-2"

Keys = Mapping[Role, str]


class Holder:
    """Somebody with a key; every POST gets a new Idempotency-Key unless one is given."""

    def __init__(self, client: httpx.Client, key: str) -> None:
        self.client = client
        self.key = key

    def __call__(self, method: str, path: str, **options: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid4())
        given = options.pop("headers", {})
        assert isinstance(given, dict)
        return self.client.request(method, path, headers=headers | given, **options)  # type: ignore[arg-type]


def settings_for(url: str, folder: Path) -> Settings:
    keys = {name: base64.b64encode(name.encode().ljust(32)).decode() for name in KEY_NAMES}
    return Settings.model_validate({"database_url": url, "data_dir": folder, **keys})


@pytest.fixture(scope="package", autouse=True)
def logs_as_served() -> None:
    logs.configure()


@pytest.fixture(scope="module")
def api_settings(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_for(module_database_url, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def api_engine(module_database_url: str) -> Iterator[Engine]:
    made = make_engine(module_database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def ctx() -> Context:
    return Context(SYSTEM, default_policy(), Vault(b"a" * 32, b"b" * 32))


@pytest.fixture(scope="module")
def api_keys(api_engine: Engine, ctx: Context) -> Keys:
    with api_engine.begin() as conn:
        for facility_id in (HOME, ELSEWHERE):
            conn.execute(
                insert(facility).values(
                    id=facility_id,
                    name=facility_id,
                    operator="public_security",
                    external=False,
                    duty_phone="027-1",
                    east_km=0,
                    north_km=0,
                    status_ttl_minutes=720,
                    version=1,
                )
            )
    return {
        role: run(
            api_engine,
            create_key,
            ctx,
            name=f"{role} of the tests",
            role=role,
            facility=HOME if role in FACILITY_ROLES else None,
        ).text
        for role in Role
    }


@pytest.fixture(scope="module")
def app(api_settings: Settings) -> FastAPI:
    return probed_app(api_settings)


@pytest.fixture(scope="module")
def client(app: FastAPI, api_keys: Keys) -> Iterator[TestClient]:
    with TestClient(app) as made:
        yield made


@pytest.fixture(scope="module")
def holders(client: TestClient, api_keys: Keys) -> Mapping[Role, Holder]:
    return {role: Holder(client, key) for role, key in api_keys.items()}


@pytest.fixture
def officer(holders: Mapping[Role, Holder]) -> Holder:
    return holders[Role.INTAKE_OFFICER]


@pytest.fixture
def marks(api_engine: Engine) -> Callable[[str], int]:
    """How often something was marked, in the database."""

    def count(text: str) -> int:
        with api_engine.connect() as conn:
            found = select(func.count()).select_from(event).where(event.c.subject_id == text)
            return int(conn.execute(found).scalar_one())

    return count
