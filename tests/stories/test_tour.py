"""The tour, played against a real server and worker on the seeded city."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from service.access.caller import Role
from service.cli import app
from service.commands.database import context_of
from service.commands.seed import seed_city
from service.commands.serve import environment_of
from service.commands.tour.command import play
from service.commands.tour.night import Night, TourStopped
from service.settings import Settings
from service.store.tables.core import api_key
from service.worker import worker_beside
from tests.stories.servers import BASE, serving

SEED, OCCUPANCY = 7, 0.9


@pytest.fixture(scope="module")
def settings(
    module_database_url: str, settings_of: Callable[[str], Settings], city_engine: Engine
) -> Settings:
    """Settings of a seeded city."""
    made = settings_of(module_database_url)
    seed_city(city_engine, context_of(made), seed=SEED, occupancy=OCCUPANCY)
    return made


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    """The socket of one API process with a worker beside it."""
    with serving(settings) as (socket,), worker_beside(settings):
        yield socket


def test_the_tour_plays_every_scene_and_leaves_no_key(
    address: str, settings: Settings, city_engine: Engine
):
    screen = io.StringIO()
    transport = httpx.HTTPTransport(uds=address)
    with httpx.Client(base_url=BASE, transport=transport, timeout=60) as client:
        play(client, Console(file=screen, width=200), city_engine, context_of(settings))
    told = screen.getvalue()
    for scene in (
        "Two arrivals at night, and no assessor",
        "the emergency lane is open",
        "A leg ulcer at 01:10",
        "Treatment by agreement",
        "rule: 0.3",
        "A relapse in community rehabilitation",
        "Pregnancy is asked before, not after",
        "nobody may set it aside",
        "Swallowed objects at 02:00",
        "Consent withdrawn on day nine",
        "The last bed of a ward, and a plan",
        "bed-taken",
        "next candidates: ",
        "/approval",
        "Smoke in a ward",
        "clock",
        "The tour is over",
    ):
        assert scene in told, f"the tour did not tell: {scene}"
    with city_engine.connect() as conn:
        live = conn.execute(select(api_key.c.name).where(api_key.c.revoked_at.is_(None)))
        assert live.scalars().all() == []


def test_the_tour_says_what_to_do_when_nothing_serves():
    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with httpx.Client(base_url=BASE, transport=httpx.MockTransport(nobody)) as client:
        night = Night(client, Console(file=io.StringIO()), lambda *_: "rbk_none")
        with pytest.raises(TourStopped, match="make run"):
            night.done(night.caller(Role.DASHBOARD), "GET", "/occupancy")


def test_seals_are_exported_and_verified_by_command(
    address: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    heads = tmp_path / "heads.jsonl"
    exported = CliRunner().invoke(app, ["seals", "export"])
    assert exported.exit_code == 0, exported.output
    heads.write_text(exported.output)
    checked = CliRunner().invoke(app, ["seals", "verify", "--heads", str(heads)])
    assert checked.exit_code == 0, checked.output
    assert "sealed and unchanged" in checked.output
    heads.write_text('{"last_pos": 1, "mac": "00", "sealed_at": "2026-01-01T00:00:00+00:00"}\n')
    wrong = CliRunner().invoke(app, ["seals", "verify", "--heads", str(heads)])
    assert wrong.exit_code == 1
    assert "head_" in wrong.output
