"""Who may call: deny by default, roles, facilities, revocation."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import anyio
import pytest
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import Engine, update
from starlette.testclient import TestClient

from service.access.caller import Actor, Role
from service.access.keys import FAIL_CLOSED_S, Keyring, digest_of, make_key
from service.access.scope import acts_for, facility_scope, require_facility
from service.api.calls import Call, CallRoute, calling, resource
from service.errors import Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from service.store.engine import run
from service.store.keys import StoredKey
from service.store.tables.core import api_key
from service.workflow.context import Context
from service.workflow.keys import create_key, list_keys, revoke_key
from tests.service.api.conftest import HOME, Holder, Keys

OPEN = {"/livez", "/readyz", "/metrics", "/problems", "/problems/{code}"}
NUMBER = "/api/v1/probe/numbers/7"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def name_of_caller(call: Annotated[Call, calling(Role.INTAKE_OFFICER)]) -> str:
    return call.actor.name


def test_every_route_of_the_api_names_its_roles(app: FastAPI):
    unnamed = [
        route.path
        for route in app.routes
        if isinstance(route, APIRoute) and not isinstance(route, CallRoute)
    ]
    assert set(unnamed) == OPEN
    named = [route for route in app.routes if isinstance(route, CallRoute)]
    assert len(named) > 10
    for route in named:
        assert route.gate.roles
        assert route.path.startswith("/api/v1/")


def test_nothing_else_is_served_beside_the_routes_and_the_contract(app: FastAPI):
    others = {route.path for route in app.routes if not isinstance(route, APIRoute)}  # type: ignore[attr-defined]
    assert others == {"/openapi.json"}


def test_every_route_of_the_api_refuses_who_has_no_key(app: FastAPI, client: TestClient):
    for route in app.routes:
        if isinstance(route, CallRoute):
            for method in route.methods or ():
                answer = client.request(method, route.path)
                assert answer.status_code == 401, (method, route.path)
                assert answer.headers["www-authenticate"].startswith("Bearer")


def test_every_route_of_the_api_refuses_roles_it_does_not_name(
    app: FastAPI, holders: Mapping[Role, Holder]
):
    for route in app.routes:
        if isinstance(route, CallRoute):
            for method in route.methods or ():
                for role in set(Role) - route.gate.roles:
                    answer = holders[role](method, route.path)
                    assert answer.status_code == 403, (method, route.path, role)
                    assert answer.json()["roles"] == sorted(route.gate.roles)


def test_a_route_that_names_no_role_does_not_load():
    router = resource("x")

    async def forgotten() -> int:
        return 1

    with pytest.raises(RuntimeError, match="names no roles"):
        router.get("/forgotten")(forgotten)
    with pytest.raises(ValueError, match="nobody"):
        calling()


def test_a_dependency_may_bring_the_call():
    router = resource("x")

    async def through(whose: Annotated[str, Depends(name_of_caller)]) -> str:
        return whose

    router.get("/through")(through)
    assert isinstance(router.routes[0], CallRoute)
    assert router.routes[0].gate.roles == {Role.INTAKE_OFFICER}


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer rbk_0000000000_nothing", "Bearer x y", "é"],
)
def test_what_is_no_key_is_refused(client: TestClient, header: str):
    answer = client.get(NUMBER, headers=[(b"authorization", header.encode("latin-1"))])
    assert answer.status_code == 401


def test_a_key_with_another_secret_is_refused(client: TestClient, api_keys: Keys):
    key = api_keys[Role.INTAKE_OFFICER]
    changed = key[:-1] + ("0" if key[-1] != "0" else "1")
    assert Holder(client, changed)("GET", NUMBER).status_code == 401
    assert Holder(client, key)("GET", NUMBER).json() == 7


def test_role_and_key_come_before_the_body(holders: Mapping[Role, Holder]):
    answer = holders[Role.DASHBOARD]("POST", "/api/v1/probe/marks", content=b"{")
    assert answer.status_code == 403


def test_a_new_key_works_at_once_and_a_revoked_one_is_refused_within_two_seconds(
    client: TestClient, api_engine: Engine, ctx: Context
):
    made = run(api_engine, create_key, ctx, name="brief", role=Role.INTAKE_OFFICER)
    brief = Holder(client, made.text)
    time.sleep(0.3)
    assert brief("GET", NUMBER).status_code == 200
    run(api_engine, revoke_key, ctx, made.id)
    deadline = time.monotonic() + 2.0
    while brief("GET", NUMBER).status_code == 200:
        assert time.monotonic() < deadline, "still admitted"
        time.sleep(0.05)
    with pytest.raises(NotFound):
        run(api_engine, revoke_key, ctx, made.id)


def test_an_expired_key_is_refused(client: TestClient, api_engine: Engine, ctx: Context):
    soon = datetime.now(UTC) + timedelta(hours=1)
    made = run(api_engine, create_key, ctx, name="x", role=Role.INTAKE_OFFICER, expires_at=soon)
    with api_engine.begin() as conn:
        past = update(api_key).where(api_key.c.id == made.id)
        conn.execute(past.values(expires_at=soon - timedelta(hours=2)))
    time.sleep(0.3)
    assert Holder(client, made.text)("GET", NUMBER).status_code == 401


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"name": " ", "role": Role.AUDITOR}, "/name"),
        ({"name": "x" * 101, "role": Role.AUDITOR}, "/name"),
        ({"name": "x", "role": Role.FACILITY_ADMIN}, "/facility"),
        ({"name": "x", "role": Role.INTEGRATION, "facility": "nowhere"}, "/facility"),
        ({"name": "x", "role": Role.AUDITOR, "facility": HOME}, "/facility"),
        ({"name": "x", "role": Role.AUDITOR, "expires_at": NOW}, "/expires_at"),
    ],
)
def test_a_key_made_wrongly_is_refused_and_none_is_made(
    api_engine: Engine, api_keys: Keys, ctx: Context, wrong: dict[str, Any], pointer: str
):
    before = run(api_engine, list_keys, ctx)
    with pytest.raises(Invalid) as raised:
        run(api_engine, create_key, ctx, **wrong)
    assert raised.value.errors[0].pointer == pointer
    assert run(api_engine, list_keys, ctx) == before


def test_no_secret_is_in_the_database(api_engine: Engine, api_keys: Keys, ctx: Context):
    for key in run(api_engine, list_keys, ctx):
        secret = api_keys[key.role].rpartition("_")[2]
        assert secret not in repr(key)
        assert key.digest != secret.encode()


def test_a_key_has_160_random_bits_and_no_two_are_alike():
    made = [make_key() for _ in range(100)]
    assert len({key.text for key in made}) == len({key.id for key in made}) == 100
    for key in made:
        key_id, _, secret = key.text.rpartition("_")
        assert (key_id, len(secret)) == (key.id, 32)
        assert key.digest == digest_of(secret)


ADMIN = Actor("a", "a", Role.FACILITY_ADMIN, "psc-1")
COORDINATOR = Actor("c", "c", Role.COORDINATOR)


def test_a_facility_key_acts_for_its_facility_alone():
    require_facility(ADMIN, "psc-1")
    require_facility(COORDINATOR, "cth-2")
    assert not acts_for(ADMIN, "cth-2")
    with pytest.raises(Forbidden) as raised:
        require_facility(ADMIN, "cth-2")
    assert raised.value.code == "other-facility"
    assert (facility_scope(ADMIN), facility_scope(COORDINATOR)) == ("psc-1", None)


class Ring:
    """A keyring over keys in memory, with a clock of the test's own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made = make_key()
        self.reads = 0
        self.broken = False
        self.clock = 1000.0
        self.ring = Keyring(self._load)
        monkeypatch.setattr("service.access.keys.time.monotonic", lambda: self.clock)

    async def _load(self) -> list[StoredKey]:
        self.reads += 1
        if self.broken:
            raise OSError
        key = self.made
        return [StoredKey(key.id, key.digest, "n", Role.AUDITOR, None, NOW, None, None)]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    return Ring(monkeypatch)


def test_guesses_do_not_reach_the_database_each(ring: Ring):
    async def guess() -> None:
        for _ in range(100):
            with pytest.raises(Unauthenticated):
                await ring.ring.actor("rbk_guess_guess")

    anyio.run(guess)
    assert ring.reads == 1


def test_a_known_key_is_checked_without_the_database(ring: Ring):
    async def call() -> None:
        for _ in range(100):
            assert (await ring.ring.actor(ring.made.text)).role is Role.AUDITOR

    anyio.run(call)
    assert ring.reads == 1


def test_keys_work_on_for_a_while_without_the_database_and_then_nobody_is_let_in(ring: Ring):
    async def outlive() -> None:
        await ring.ring.refresh()
        ring.broken = True
        ring.clock += FAIL_CLOSED_S - 1
        await ring.ring.refresh()
        assert (await ring.ring.actor(ring.made.text)).role is Role.AUDITOR
        ring.clock += 1
        with pytest.raises(Unavailable):
            await ring.ring.actor(ring.made.text)

    anyio.run(outlive)
