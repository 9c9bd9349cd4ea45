"""Files, bodies, preconditions, keys and steps that come wrong or too late: nothing changes."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from service.app import create_app
from service.solving import solve
from service.store.engine import run
from service.workflow.plans import planning_runs
from service.workflow.seeds.seed import seed_network
from tests.service.planning.full_ward import CENTRE, full_ward
from tests.service.workflow.world import World, context
from tests.stories import asks
from tests.stories.asks import COORDINATOR, Ask
from tests.stories.problems import contents, problem
from tests.stories.servers import Desk, make_keys

STAGED = {"import_job", "import_row"}
ROWS = 5_000
NEW = 8
"""Every so-manieth bed of the file is a new one; the others are there, as the file says."""


def test_one_bad_row_in_five_thousand_stops_a_file_that_is_all_or_nothing(city, desk):
    city.unit("psc-1.file", rooms=(1,))
    _beds_but_the_new(city, "psc-1.file.r1")
    before = contents(city, *STAGED)
    answer = desk.client.request(
        "POST",
        "/api/v1/imports?resource=beds&mode=all",
        content=_file_of_beds("psc-1.file.r1", bad=3_211),
        headers={"Authorization": f"Bearer {desk.keys[COORDINATOR]}", "Content-Type": "text/csv"},
    )
    assert answer.status_code == 200
    *lines, last = [json.loads(line) for line in answer.text.splitlines()]
    refused = [line for line in lines if line["outcome"] == "refused"]
    assert len(lines) == ROWS
    assert [it["line"] for it in refused] == [3_212]
    assert refused[0]["errors"][0]["pointer"] == "/kind"
    assert refused[0]["errors"][0]["message"]
    assert last["summary"]["applied"] is False
    assert last["summary"]["refused"] == 1
    assert sum(line["outcome"] == "created" for line in lines) == ROWS // NEW
    assert contents(city, *STAGED) == before


def _beds_but_the_new(city: World, room: str) -> None:
    """Those beds of `_file_of_beds` that are there before it is sent."""
    with city.engine.begin() as conn:
        conn.execute(
            text(
                "INSERT INTO bed (id, room_id, unit_id, facility_id, name, kind, features, state,"
                " state_since, confirmed_at, confirmed_by, version)"
                " SELECT :room || '.x' || n, room.id, unit.id, unit.facility_id, 'x' || n, 'GEN',"
                " '{}', 'in_service', now(), now(), 'test', 1"
                " FROM room JOIN unit ON unit.id = room.unit_id, generate_series(1, :rows) n"
                " WHERE room.id = :room AND n % :new <> 0"
            ),
            {"room": room, "rows": ROWS, "new": NEW},
        )


def _file_of_beds(room: str, *, bad: int) -> bytes:
    """Beds of a room as CSV with a header; row ``bad``, counted from 1, names no bed kind."""
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(["id", "room", "name", "kind", "features"])
    for number in range(1, ROWS + 1):
        kind = "SOFA" if number == bad else "GEN"
        rows.writerow([f"{room}.x{number}", room, f"x{number}", kind, ""])
    return file.getvalue().encode()


FIFTY_MB = 50 * 1024 * 1024


def test_a_body_of_fifty_megabytes_is_refused_before_it_is_read(desk, nothing_changes):
    nothing_changes()
    answer = _posted(desk, b'{"person": "' + b"x" * FIFTY_MB + b'"}')
    assert problem(answer, 413, "body-too-large")["limit_bytes"] < FIFTY_MB


def test_a_body_of_fifty_megabytes_that_hides_its_size_is_refused_as_it_comes(
    desk, nothing_changes
):
    nothing_changes()

    def pieces() -> Iterator[bytes]:
        for _ in range(50):
            yield b"x" * (FIFTY_MB // 50)

    problem(_posted(desk, pieces()), 413, "body-too-large")


def _posted(desk: Desk, content: Any, media_type: str = "application/json") -> httpx.Response:
    return desk.client.request(
        "POST",
        "/api/v1/placement-requests",
        content=content,
        headers={
            "Authorization": f"Bearer {desk.keys[COORDINATOR]}",
            "Content-Type": media_type,
            "Idempotency-Key": "one-of-the-bad-ones",
        },
    )


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b'{"person": "p-1"}', "text/plain", 415, "unsupported-media-type"),
        (b"person=p-1", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        (b'{"person": ', "application/json", 400, "malformed-json"),
        (b'{"person": "p-\\u0000"}', "application/json", 422, "invalid-field"),
    ],
)
def test_a_body_of_another_kind_is_refused(
    desk, nothing_changes, content, media_type, status, code
):
    nothing_changes()
    problem(_posted(desk, content, media_type), status, code)


def test_a_stale_if_match_is_refused_with_the_present_version(city, desk, nothing_changes):
    (bed,) = city.unit("psc-1.tag", rooms=(1,))
    assert desk(asks.record_state(bed, "housekeeping", 1)).status_code == 200
    nothing_changes()
    found = problem(desk(asks.record_state(bed, "in_service", 1)), 412, "version-stale")
    assert found["current"] == 2


def test_a_missing_if_match_is_asked_for(scene, desk, nothing_changes):
    nothing_changes()
    ask = replace(asks.record_state(scene["free"], "housekeeping", 1), headers={})
    problem(desk(ask), 428, "if-match-required")


def test_a_repeated_key_with_another_body_is_refused(city, desk, scene, nothing_changes):
    first, second = city.person(), city.person()
    headers = {"Idempotency-Key": "a-key-that-comes-twice"}
    made = desk(replace(asks.submit(first), headers=headers))
    assert made.status_code == 201
    nothing_changes()
    problem(desk(replace(asks.submit(second), headers=headers)), 422, "idempotency-key-reused")
    again = desk(replace(asks.submit(first), headers=headers))
    assert (again.status_code, again.json()) == (201, made.json())
    assert again.headers["idempotency-replayed"] == "true"


def test_a_missing_key_is_asked_for(city, desk, nothing_changes):
    person = city.person()
    nothing_changes()
    ask = replace(asks.submit(person), headers={"Idempotency-Key": ""})
    problem(desk(ask), 400, "idempotency-key-malformed")


@pytest.mark.parametrize("answer", [asks.accept, asks.decline, asks.release])
def test_an_answer_to_a_lapsed_hold_is_refused_and_says_to_decide_anew(
    city, desk, nothing_changes, answer
):
    (bed,) = city.unit(f"psc-1.lapse-{answer.__name__}", rooms=(1,))
    request = city.held(bed)
    city.age_hold(bed)
    nothing_changes()
    found = problem(desk(answer(request.id)), 409, "hold-lapsed")
    assert found["bed"] == bed
    assert "decide anew" in found["detail"]


def test_an_admission_on_a_lapsed_hold_is_refused(city, desk, nothing_changes):
    (bed,) = city.unit("psc-1.lapse-admit", rooms=(1,))
    request = city.accepted(bed)
    city.age_hold(bed, 6_000)
    nothing_changes()
    problem(desk(asks.admit(request.id)), 409, "hold-lapsed")


def test_a_step_that_the_state_does_not_allow_names_the_possible_ones(desk, scene, nothing_changes):
    nothing_changes()
    found = problem(desk(asks.admit(scene["waiting"])), 409, "illegal-step")
    assert found["present"] == "waiting"
    assert "held" in found["possible"]


def test_a_path_that_nothing_is_served_under_is_not_found(desk, nothing_changes):
    nothing_changes()
    problem(desk(Ask("GET", "/bedz")), 404, "no-such-path")


def test_a_method_that_a_path_does_not_have_names_those_it_has(desk, scene, nothing_changes):
    nothing_changes()
    answer = desk(Ask("DELETE", "/placement-requests"))
    problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) >= {"GET", "POST"}


def test_a_role_that_may_not_ask_is_told_who_may(desk, scene, nothing_changes):
    nothing_changes()
    ask = replace(asks.submit(scene["person"]), by="dashboard")
    assert "coordinator" in problem(desk(ask), 403, "role-not-allowed")["roles"]


def test_a_plan_approved_after_the_ward_closed_is_superseded(engine, database_url, settings_of):
    world = World(engine)
    run(engine, seed_network, context(), full_ward())
    keys = make_keys(engine)
    with TestClient(create_app(settings_of(database_url))) as client:
        desk = Desk(client, keys)
        queued = desk(Ask("POST", "/planning-runs", {}))
        assert queued.status_code == 202, queued.text
        asked = queued.json()["id"]
        taken = run(engine, planning_runs.take_up, context(), asked)
        assert taken is not None
        solved = asyncio.run(solve(taken.snapshot, seed=0, limit_s=60))
        run(engine, planning_runs.finish, context(), taken, solved.plan, solved.seconds)
        proposals = desk(Ask("GET", f"/planning-runs/{asked}/proposals")).json()
        into_the_centre = [it for it in proposals if it["to_bed"].startswith(CENTRE)]
        assert into_the_centre
        for (bed,) in world.sql("SELECT id FROM bed WHERE unit_id = :unit", unit=CENTRE):
            assert desk(asks.open_period(bed)).status_code == 201
        before = contents(world)
        for it in into_the_centre:
            found = problem(
                desk(Ask("POST", f"/proposals/{it['id']}/approval", asks.BY)), 409, "superseded"
            )
            assert found["cause"] == "bed-not-in-service"
            assert "ask for a new plan" in found["detail"]
        assert contents(world) == before


def test_an_hour_ahead_is_no_past_for_an_admission(city, desk, nothing_changes):
    (bed,) = city.unit("psc-1.ahead", rooms=(1,))
    request = city.accepted(bed)
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    nothing_changes()
    problem(desk(asks.admit(request.id, occurred_at=ahead)), 422, "invalid-field", "/occurred_at")
