"""Occupancy over HTTP: the same bytes for polls and listeners, never the database in between."""

import asyncio
import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from unittest.mock import patch

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, event, text, update
from starlette.testclient import TestClient

from service.access.caller import Role
from service.api import occupancy_keeper
from service.api.occupancy_keeper import OccupancyKeeper
from service.errors import Unavailable
from service.settings import Settings
from service.store.engine import make_engine
from service.store.event_reader import EventListener
from service.store.sequencer import Sequencer
from service.store.tables import core
from tests.service.api.conftest import ELSEWHERE, HOME, Holder, Keys
from tests.service.api.processes import free_port, process_of, served, wait_until_alive
from tests.service.random_changes import ChangingCity

CITY = "/api/v1/occupancy"
STREAM = "/api/v1/occupancy/stream"


@pytest.fixture(scope="module")
def city(api_engine: Engine, api_keys: Keys) -> ChangingCity:
    """A random city; its first unit is the one of the facility keys' own facility."""
    with api_engine.begin() as conn:
        made = ChangingCity(conn, 21).build(facilities=3, units=2, rooms=8, beds=3, full=0.7)
        own = {"facility_id": HOME}
        conn.execute(update(core.unit).where(core.unit.c.id == "f0.w0").values(**own))
        conn.execute(update(core.bed).where(core.bed.c.unit_id == "f0.w0").values(**own))
    return made


@pytest.fixture
def coordinator(city: ChangingCity, holders: Mapping[Role, Holder]) -> Holder:
    return holders[Role.COORDINATOR]


def change(engine: Engine, bed: str, state: str) -> None:
    """Change a bed and say so, as a use case does."""
    from service.access.caller import SYSTEM
    from service.store import events

    with engine.begin() as conn:
        conn.execute(
            update(core.bed)
            .where(core.bed.c.id == bed)
            .values(state=state, confirmed_at=text("clock_timestamp()"))
        )
        events.append(conn, SYSTEM, "bed.state_changed", "bed", bed, bed=bed)


def until_changed(holder: Holder, etag: str, path: str = CITY) -> httpx.Response:
    deadline = time.monotonic() + 10
    while True:
        answer = holder("GET", path, headers={"If-None-Match": etag})
        if answer.status_code == 200:
            return answer
        assert time.monotonic() < deadline, "the change was not shown"
        time.sleep(0.05)


def test_the_city_its_facilities_and_units_add_up(coordinator: Holder) -> None:
    city = coordinator("GET", CITY).json()
    for rung in ("licensed", "in_service", "staffed", "unclaimed", "fresh"):
        total = 0
        for each in city["facilities"]:
            shown = coordinator("GET", f"{CITY}/facilities/{each['id']}").json()
            assert shown["total"] == each
            of_units = [
                coordinator("GET", f"{CITY}/units/{unit['id']}").json() for unit in shown["units"]
            ]
            assert of_units == shown["units"]
            assert sum(unit["ladder"][rung] for unit in of_units) == each["ladder"][rung]
            total += each["ladder"][rung]
        assert total == city["total"]["ladder"][rung]
    assert city["total"]["occupied"] > 0


def test_a_poll_with_the_present_etag_is_answered_304_with_nothing_in_it(
    coordinator: Holder,
) -> None:
    first = coordinator("GET", CITY)
    assert first.headers["vary"].lower().count("authorization") == 1
    again = coordinator("GET", CITY, headers={"If-None-Match": f'"x", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_a_change_is_shown_within_a_moment_under_another_etag(
    coordinator: Holder, api_engine: Engine, city: ChangingCity
) -> None:
    before = coordinator("GET", CITY)
    change(api_engine, city.beds[0][0], "closed")
    after = until_changed(coordinator, before.headers["etag"])
    assert after.headers["etag"] != before.headers["etag"]
    assert after.json()["total"]["confirmed_newest"] > before.json()["total"]["confirmed_newest"]


def test_a_body_holds_instants_and_nothing_that_ages(coordinator: Holder) -> None:
    body = coordinator("GET", CITY)
    shown = json.dumps(body.json())
    assert not {"age", "minutes", "seconds", "as_of", "position"} & set(body.json()["total"])
    assert "ago" not in shown


def test_polls_do_not_touch_the_database(
    coordinator: Holder, app: FastAPI, city: ChangingCity
) -> None:
    etag = coordinator("GET", CITY).headers["etag"]
    engine = app.state.service.engine.sync_engine
    seen: list[str] = []

    def note(conn, cursor, statement, *rest):
        # The keyring is read every second, whoever polls.
        if "api_key" not in statement:
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        for _ in range(100):
            assert coordinator("GET", CITY).status_code in (200, 304)
            coordinator("GET", CITY, headers={"If-None-Match": etag})
            coordinator("GET", f"{CITY}/units/f0.w1")
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert seen == []


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        (Role.DASHBOARD, CITY, 200),
        (Role.DASHBOARD, f"{CITY}/facilities/f1", 200),
        (Role.DASHBOARD, f"{CITY}/units/f0.w1", 403),
        (Role.FACILITY_ADMIN, f"{CITY}/facilities/{HOME}", 200),
        (Role.FACILITY_ADMIN, f"{CITY}/units/f0.w0", 200),
        (Role.FACILITY_ADMIN, f"{CITY}/facilities/{ELSEWHERE}", 403),
        (Role.INTEGRATION, f"{CITY}/units/f1.w0", 404),
        (Role.INTAKE_OFFICER, f"{CITY}/units/f1.w0", 200),
        (Role.INTAKE_OFFICER, f"{CITY}/units/f1.w1", 404),
        (Role.AUDITOR, f"{CITY}/units/f1.w1", 200),
        (Role.CLINICIAN, f"{CITY}/units/nowhere", 404),
    ],
)
def test_each_role_reads_what_it_may_and_no_more(
    city: ChangingCity, holders: Mapping[Role, Holder], role: Role, path: str, status: int
) -> None:
    assert holders[role]("GET", path).status_code == status


def test_without_a_key_nobody_reads_and_nobody_listens(client: TestClient) -> None:
    assert client.get(CITY).status_code == 401
    assert client.get(STREAM).status_code == 401


class Line:
    """A listener of an SSE stream in a thread of its own."""

    def __init__(self, client: httpx.Client, path: str, headers: dict[str, str]) -> None:
        self.frames: list[dict[str, str]] = []
        self.comments: list[str] = []
        self._client, self._path, self._headers = client, path, headers
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            self._listen()
        except httpx.TransportError:
            assert self._over.is_set(), "the line was cut"

    def _listen(self) -> None:
        frame: dict[str, str] = {}
        with self._client.stream("GET", self._path, headers=self._headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                if self._over.is_set():
                    return
                if line.startswith(":"):
                    self.comments.append(line)
                elif line and not line.startswith("retry:"):
                    name, _, value = line.partition(": ")
                    frame[name] = value
                elif "data" in frame:
                    self.frames.append(frame)
                    frame = {}

    def until(self, frames: int = 0, comments: int = 0) -> None:
        deadline = time.monotonic() + 15
        while len(self.frames) < frames or len(self.comments) < comments:
            assert time.monotonic() < deadline, (self.frames, self.comments)
            time.sleep(0.02)

    def close(self) -> None:
        self._over.set()

    def ended(self) -> bool:
        """Whether the server ended the stream, in an orderly way."""
        self._thread.join(10)
        return not self._thread.is_alive()


@pytest.fixture(scope="module")
def running(api_settings: Settings, city: ChangingCity) -> Iterator[httpx.Client]:
    """A real uvicorn in a process of its own."""
    with served(api_settings) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_two_processes_agree_on_the_bytes_and_the_etag(
    running: httpx.Client, coordinator: Holder
) -> None:
    deadline = time.monotonic() + 10
    while True:
        there = running.get(CITY, headers=bearer(coordinator.key))
        here = coordinator("GET", CITY)
        if there.headers["etag"] == here.headers["etag"]:
            break
        assert time.monotonic() < deadline, "the processes do not agree"
        time.sleep(0.1)
    assert there.content == here.content


def test_a_listener_gets_the_bytes_of_the_poll_and_resumes_by_their_hash(
    running: httpx.Client, api_engine: Engine, city: ChangingCity, coordinator: Holder
) -> None:
    headers = bearer(coordinator.key)
    first = Line(running, STREAM, headers)
    first.until(frames=1)
    polled = running.get(CITY, headers=headers)
    assert first.frames[-1]["event"] == "occupancy"
    assert polled.headers["etag"] == f'"{first.frames[-1]["id"]}"'
    assert polled.text == first.frames[-1]["data"]

    resumed = Line(running, STREAM, headers | {"Last-Event-ID": first.frames[-1]["id"]})
    resumed.until(comments=1)
    assert resumed.frames == [], "the present state is not sent twice"
    assert resumed.comments[0].startswith(": 20"), "a comment carries the server's time"

    change(api_engine, city.beds[1][0], "contaminated")
    first.until(frames=2)
    resumed.until(frames=1)
    assert resumed.frames[-1] == first.frames[-1]
    for line in (first, resumed):
        line.close()
    change(api_engine, city.beds[1][0], "in_service")


def test_a_burst_of_changes_reaches_a_listener_coalesced_and_ends_with_the_last(
    running: httpx.Client, api_engine: Engine, city: ChangingCity, coordinator: Holder
) -> None:
    headers = bearer(coordinator.key)
    line = Line(running, STREAM, headers)
    line.until(frames=1)
    for number in range(40):
        change(api_engine, city.beds[number % 6][0], "closed" if number % 2 else "in_service")
    etag = ""
    deadline = time.monotonic() + 10
    while etag != f'"{line.frames[-1]["id"]}"' or len(line.frames) < 2:
        etag = running.get(CITY, headers=headers).headers["etag"]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(line.frames) < 20
    line.close()


def test_a_stream_ends_when_its_key_is_revoked(
    running: httpx.Client, api_engine: Engine, city: ChangingCity, ctx
) -> None:
    from service.store.engine import run
    from service.workflow.keys import create_key, revoke_key

    key = run(api_engine, create_key, ctx, name="short", role=Role.COORDINATOR, facility=None)
    line = Line(running, STREAM, bearer(key.text))
    line.until(frames=1)
    run(api_engine, revoke_key, ctx, key.id)
    deadline = time.monotonic() + 10
    while running.get(CITY, headers=bearer(key.text)).status_code != 401:
        assert time.monotonic() < deadline, "the revoked key is still let in"
        time.sleep(0.1)
    seen = len(line.frames)
    change(api_engine, city.beds[2][0], "contaminated")
    assert line.ended()
    assert len(line.frames) == seen


def test_streams_end_in_an_orderly_way_when_the_server_is_told_to_end(
    api_settings: Settings, city: ChangingCity, coordinator: Holder
) -> None:
    port = free_port()
    with (
        process_of(api_settings, port) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        wait_until_alive(client, process)
        lines = [
            Line(client, path, bearer(coordinator.key))
            for path in (STREAM, "/api/v1/events/stream")
        ]
        lines[0].until(frames=1)
        lines[1].until(comments=1)
        process.send_signal(signal.SIGTERM)
        # A stream that was cut off, not ended, fails in its own thread.
        assert all(line.ended() for line in lines)
        process.wait(10)


def test_the_aggregate_runs_at_most_four_times_a_second_however_much_is_written(
    api_engine: Engine, api_settings: Settings, city: ChangingCity
) -> None:
    url = api_settings.database_url
    assert url is not None
    engine = make_engine(url)
    readings: list[float] = []

    def note(conn, cursor, statement, *rest):
        if "WITH standing" in statement:
            readings.append(time.monotonic())

    event.listen(engine, "before_cursor_execute", note)

    async def scenario() -> None:
        listener, keeper = EventListener(url), OccupancyKeeper(engine)
        tasks = [
            asyncio.create_task(listener.run()),
            asyncio.create_task(keeper.keep(listener)),
        ]
        for number in range(60):
            await asyncio.to_thread(
                change, api_engine, city.beds[number % 4][0], "closed" if number % 2 else "closing"
            )
            await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()

    stop = threading.Event()
    sequencer = threading.Thread(target=Sequencer(engine).run, args=(stop,))
    sequencer.start()
    asyncio.run(scenario())
    stop.set()
    sequencer.join()
    engine.dispose()
    assert len(readings) >= 3, "it followed the log"
    # The first is unbidden; threads start a little sooner or later than they are asked to.
    assert len(readings) <= (readings[-1] - readings[0]) / occupancy_keeper.REBUILD_S + 2


def test_numbers_that_cannot_be_read_any_more_are_not_shown_as_new_ones(
    api_engine: Engine, city: ChangingCity
) -> None:
    async def scenario() -> None:
        keeper = OccupancyKeeper(api_engine)
        with pytest.raises(Unavailable):
            keeper.snapshot()
        await keeper.refresh()
        keeper.snapshot()
        with patch.object(occupancy_keeper, "FAIL_CLOSED_S", -1.0), pytest.raises(Unavailable):
            keeper.snapshot()

    asyncio.run(scenario())
