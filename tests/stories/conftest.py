"""Servers, keys and a small city for stories that go through HTTP."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service import logs
from service.app import create_app
from service.policy import DEFAULT_POLICY
from service.settings import KEY_NAMES, Settings
from service.store.engine import make_engine
from tests.service.workflow.world import World
from tests.stories.nights import Stage, a_served_city
from tests.stories.problems import contents
from tests.stories.servers import Desk, make_keys


@pytest.fixture(scope="package", autouse=True)
def logs_as_served() -> None:
    logs.configure()


@pytest.fixture(scope="session")
def settings_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Settings]:
    """Settings for a database, with keys that are no secret."""
    folder: Path = tmp_path_factory.mktemp("stories")
    keys = {name: base64.b64encode(name.encode().ljust(32)).decode() for name in KEY_NAMES}

    # A story's plans are those it asks for; planning a city after each scene would take minutes.
    policy = folder / "policy.toml"
    on, off = ("[replanning]\nenabled = true", "[replanning]\nenabled = false")
    assert on in DEFAULT_POLICY.read_text()
    policy.write_text(DEFAULT_POLICY.read_text().replace(on, off))

    def made(url: str) -> Settings:
        given = {"database_url": url, "data_dir": folder, "policy_file": policy}
        return Settings.model_validate({**given, **keys})

    return made


@pytest.fixture(scope="module")
def city_engine(module_database_url: str) -> Iterator[Engine]:
    made = make_engine(module_database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def city(city_engine: Engine) -> World:
    """The database of this module's servers, and short ways to put places and people in it."""
    return World(city_engine)


@pytest.fixture(scope="module")
def desk(
    city: World, settings_of: Callable[[str], Settings], module_database_url: str
) -> Iterator[Desk]:
    """Callers of the application served in this process; facilities psc-1 and omw-1 have admins."""
    for unit in ("psc-1.w0", "omw-1.w0"):
        city.unit(unit, rooms=())
    keys = make_keys(city.engine, "psc-1", "omw-1")
    with TestClient(create_app(settings_of(module_database_url))) as client:
        yield Desk(client, keys)


@pytest.fixture
def nothing_changes(city: World) -> Iterator[Callable[[], None]]:
    """Call it once the scene is set; at the end every table must still be as it was then."""
    before: list[Any] = []

    def from_here() -> None:
        before[:] = contents(city)

    yield from_here
    assert before, "the test did not say from when on nothing changes"
    assert contents(city) == before


@pytest.fixture(scope="module")
def scene(city: World, desk: Desk) -> dict[str, str]:
    """A bed with somebody in it, one held, one free, and a person who waits."""
    taken, held, free = city.unit("psc-1.w1", rooms=(1, 1, 1))
    stay = city.admitted(taken)
    request = city.held(held)
    waiting = city.submit()
    return {
        "bed": taken,
        "free": free,
        "stay": stay.id,
        "held": request.id,
        "waiting": waiting.id,
        "person": waiting.person,
    }


@pytest.fixture(scope="module")
def stage_of_nights(
    city: World, settings_of: Callable[[str], Settings], module_database_url: str
) -> Iterator[Stage]:
    """A small served city for the scenes of the tour."""
    with a_served_city(city, settings_of(module_database_url)) as stage:
        yield stage


@pytest.fixture
def stage(stage_of_nights: Stage) -> Iterator[Stage]:
    """The city of this module's scenes; nothing in it is broken after any of them."""
    yield stage_of_nights
    stage_of_nights.nothing_is_broken()
