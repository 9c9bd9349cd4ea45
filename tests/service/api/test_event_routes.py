"""The event log over HTTP: pages and streams that resume, each facility its own."""

import time
from collections.abc import Iterator, Mapping

import httpx
import pytest
from sqlalchemy import Engine, text

from service.access.caller import SYSTEM, Role
from service.settings import Settings
from service.store import events
from tests.service.api.conftest import ELSEWHERE, HOME, Holder, Keys
from tests.service.api.processes import served
from tests.service.api.test_occupancy_routes import Line, bearer

EVENTS = "/api/v1/events"


def write(engine: Engine, *beds: str, facility: str | None = HOME) -> None:
    with engine.begin() as conn:
        for bed in beds:
            events.append(
                conn, SYSTEM, "bed.confirmed", "bed", bed, bed=bed, facility=facility,
                person="p-1", data={"n": 1},
            )  # fmt: skip


@pytest.fixture(scope="module")
def log(api_engine: Engine, api_keys: Keys) -> Engine:
    """Ten events of two facilities, placed by the application's own sequencer."""
    for number in range(5):
        write(api_engine, f"home-{number}")
        write(api_engine, f"away-{number}", facility=ELSEWHERE)
    return api_engine


@pytest.fixture
def auditor(log: Engine, holders: Mapping[Role, Holder]) -> Holder:
    deadline = time.monotonic() + 10
    while True:
        with log.connect() as conn:
            if not conn.execute(text("SELECT 1 FROM event WHERE pos IS NULL LIMIT 1")).all():
                return holders[Role.AUDITOR]
        assert time.monotonic() < deadline, "nobody gave positions"
        time.sleep(0.05)


def test_the_whole_log_is_read_in_pages_without_a_hole(auditor: Holder) -> None:
    seen: list[int] = []
    after = 0
    while True:
        page = auditor("GET", EVENTS, params={"after": after, "limit": 3}).json()
        if not page["items"]:
            break
        seen += [it["pos"] for it in page["items"]]
        after = page["last"]
    assert seen == list(range(1, page["end"] + 1))
    assert after == page["last"] == page["end"]


def test_a_key_of_one_facility_reads_that_facilitys_events_only(
    auditor: Holder, holders: Mapping[Role, Holder]
) -> None:
    page = holders[Role.INTEGRATION]("GET", EVENTS, params={"limit": 1000}).json()
    assert {it["facility"] for it in page["items"]} == {HOME}
    assert {f"home-{number}" for number in range(5)} <= {it["subject_id"] for it in page["items"]}
    assert page["last"] == page["end"], "what others did need not be asked for again"


@pytest.mark.parametrize("role", [Role.INTAKE_OFFICER, Role.DASHBOARD, Role.CLINICIAN])
def test_a_role_that_has_no_business_in_the_log_is_refused(
    holders: Mapping[Role, Holder], role: Role
) -> None:
    assert holders[role]("GET", EVENTS).status_code == 403
    assert holders[role]("GET", f"{EVENTS}/stream").status_code == 403


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"after": -1}, "after"),
        ({"after": "x"}, "after"),
        ({"after": 2**63}, "after"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
    ],
)
def test_a_position_that_is_none_is_refused_by_name(
    auditor: Holder, query: dict[str, object], field: str
) -> None:
    answer = auditor("GET", EVENTS, params=query)
    assert answer.status_code == 422
    assert field in answer.json()["errors"][0]["pointer"]


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 19])
def test_a_last_event_id_that_is_none_is_refused_by_name(auditor: Holder, given: str) -> None:
    answer = auditor("GET", f"{EVENTS}/stream", headers={"Last-Event-ID": given})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "header/Last-Event-ID"


@pytest.fixture(scope="module")
def running(api_settings: Settings, log: Engine) -> Iterator[httpx.Client]:
    with served(api_settings) as client:
        yield client


def test_a_stream_that_was_cut_off_goes_on_where_it_was(
    running: httpx.Client, log: Engine, auditor: Holder
) -> None:
    end = auditor("GET", EVENTS).json()["end"]
    first = Line(running, f"{EVENTS}/stream", bearer(auditor.key))
    first.until(comments=1)
    write(log, "live-1")
    first.until(frames=1)
    assert first.frames[0]["event"] == "bed.confirmed"
    assert int(first.frames[0]["id"]) == end + 1
    first.close()
    write(log, "live-2", "live-3")
    second = Line(
        running, f"{EVENTS}/stream", bearer(auditor.key) | {"Last-Event-ID": first.frames[0]["id"]}
    )
    second.until(frames=2)
    assert [int(frame["id"]) for frame in second.frames] == [end + 2, end + 3]
    second.close()


def test_a_stream_of_one_facility_is_silent_about_the_others(
    running: httpx.Client, log: Engine, auditor: Holder, api_keys: Keys
) -> None:
    line = Line(running, f"{EVENTS}/stream", bearer(api_keys[Role.FACILITY_ADMIN]))
    line.until(comments=1)
    write(log, "other", facility=ELSEWHERE)
    write(log, "own")
    line.until(frames=1)
    assert [frame["data"].count('"other"') for frame in line.frames] == [0]
    line.close()
