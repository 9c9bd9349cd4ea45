"""Placement, stays, transfers and corrections through the API: roles, keys, races, next steps."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.access.caller import Role
from service.store.engine import run
from service.workflow.context import Context
from service.workflow.keys import create_key
from solver.codes import LegalBasis, UnitKind
from tests.service.api.conftest import Holder
from tests.service.workflow.world import World

Holders = Mapping[Role, Holder]
V1 = "/api/v1"
DECISION = {"officer": "officer Lin", "reason": "nearest lawful bed"}


@pytest.fixture(scope="module")
def city(api_engine: Engine, api_keys: Mapping[Role, str]) -> World:
    world = World(api_engine)
    world.unit("psc-1.w1", rooms=(1,) * 12)
    world.unit("ward-1.a", rooms=(1,) * 6, kind=UnitKind.OMW, bases=(LegalBasis.COMPULSORY,))
    return world


@pytest.fixture(scope="module")
def client(city: World, app: FastAPI) -> Iterator[TestClient]:
    """The application starts when the places are there: they are written without events."""
    with TestClient(app) as made:
        yield made


@pytest.fixture(scope="module")
def ward_key(city: World, api_engine: Engine, ctx: Context) -> str:
    made = run(
        api_engine,
        create_key,
        ctx,
        name="the ward's own",
        role=Role.FACILITY_ADMIN,
        facility="ward-1",
    )
    return made.text


def ok(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


def problem(response: httpx.Response, status: int, code: str) -> Any:
    body = ok(response, status)
    assert body["code"] == code, body
    return body


def asked(city: World, officer: Holder, **kw: Any) -> dict[str, Any]:
    made = ok(
        officer("POST", f"{V1}/placement-requests", json={"person": city.person(), **kw}), 201
    )
    assert isinstance(made, dict)
    return made


def ranked(officer: Holder, request: str) -> Any:
    """The candidates, once the snapshot has heard of the request."""
    for _ in range(50):
        response = officer("GET", f"{V1}/placement-requests/{request}/candidates")
        if response.status_code == 200:
            return response.json()
        time.sleep(0.1)
    raise AssertionError(response.text)


def decided(city: World, officer: Holder, bed: str | None = None) -> tuple[str, str]:
    made = asked(city, officer)
    found = ranked(officer, made["id"])["candidates"]
    chosen = bed or next(it["bed"] for it in found if it["facility"] == "psc-1")
    path = f"{V1}/placement-requests/{made['id']}/decision"
    ok(officer("POST", path, json={"bed": chosen, **DECISION}), 201)
    return made["id"], chosen


def admitted(city: World, holders: Holders, bed: str | None = None) -> Any:
    request, _ = decided(city, holders[Role.INTAKE_OFFICER], bed)
    desk = holders[Role.COORDINATOR]
    ok(desk("POST", f"{V1}/placement-requests/{request}/acceptance", json={}))
    return ok(desk("POST", f"{V1}/placement-requests/{request}/admission", json={}), 201)


def test_the_main_way_from_request_to_a_clean_bed(city: World, holders: Holders):
    officer, home = holders[Role.INTAKE_OFFICER], holders[Role.FACILITY_ADMIN]
    made = asked(city, officer, note="prefers a quiet room")
    found = ranked(officer, made["id"])
    assert found["fitting"] >= 1
    best = next(it for it in found["candidates"] if it["facility"] == "psc-1")
    path = f"{V1}/placement-requests/{made['id']}"
    body = {
        "bed": best["bed"],
        "rank": found["candidates"].index(best) + 1,
        "alternatives": [it["bed"] for it in found["candidates"]],
        "position": found["position"],
        **DECISION,
    }
    hold = ok(officer("POST", f"{path}/decision", json=body), 201)["request"]["hold"]
    assert hold["bed"] == best["bed"]
    arrival = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    kept = ok(home("POST", f"{path}/acceptance", json={"expected_arrival": arrival}))
    assert kept["hold"]["accepted"] is True
    stay = home("POST", f"{path}/admission", json={})
    assert stay.headers["Location"] == f"{V1}/stays/{ok(stay, 201)['id']}"
    where = stay.headers["Location"]
    assert ok(home("GET", where))["segments"][0]["bed"] == best["bed"]
    ended = home("POST", f"{where}/discharge", json={"code": "released", "reason": "term over"})
    assert ok(ended)["state"] == "ended"
    bed = f"{V1}/beds/{best['bed']}"
    assert ok(home("GET", bed))["state"] == "housekeeping"


def test_a_lost_race_comes_with_the_next_candidates(city: World, holders: Holders):
    officer = holders[Role.INTAKE_OFFICER]
    _, bed = decided(city, officer)
    late = asked(city, officer)
    ranked(officer, late["id"])
    path = f"{V1}/placement-requests/{late['id']}/decision"
    lost = problem(officer("POST", path, json={"bed": bed, **DECISION}), 409, "bed-taken")
    assert lost["candidates"]
    assert bed not in [it["bed"] for it in lost["candidates"]]
    nearest = lost["candidates"][0]["bed"]
    ok(officer("POST", path, json={"bed": nearest, **DECISION}), 201)


def test_a_bed_that_awaits_cleaning_is_promised_and_held_when_it_is_fit(
    city: World, holders: Holders
):
    officer, home = holders[Role.INTAKE_OFFICER], holders[Role.FACILITY_ADMIN]
    stay = admitted(city, holders)
    bed = stay["segments"][0]["bed"]
    gone = {"code": "released", "reason": "term over"}
    ok(home("POST", f"{V1}/stays/{stay['id']}/discharge", json=gone))
    made = asked(city, officer)
    path = f"{V1}/placement-requests/{made['id']}"
    promised = ok(officer("POST", f"{path}/promise", json={"bed": bed, **DECISION}), 201)
    assert (promised["request"]["state"], promised["request"]["promise"]["bed"]) == ("waiting", bed)
    read = home("GET", f"{V1}/beds/{bed}")
    fit = home(
        "PUT",
        f"{V1}/beds/{bed}/state",
        json={"state": "in_service"},
        headers={"If-Match": read.headers["ETag"]},
    )
    ok(fit)
    assert ok(officer("GET", path))["hold"]["bed"] == bed


def test_a_repeated_decision_is_answered_as_the_first(city: World, holders: Holders):
    officer = holders[Role.INTAKE_OFFICER]
    made = asked(city, officer)
    bed = ranked(officer, made["id"])["candidates"][0]["bed"]
    path = f"{V1}/placement-requests/{made['id']}/decision"
    key = {"Idempotency-Key": "the-same-key-twice"}
    first = officer("POST", path, json={"bed": bed, **DECISION}, headers=key)
    again = officer("POST", path, json={"bed": bed, **DECISION}, headers=key)
    assert ok(first, 201) == ok(again, 201)
    assert city.one("SELECT count(*) FROM bed_claim WHERE request_id = :r", r=made["id"]) == 1


def test_a_refusal_leaves_with_every_reason_in_both_languages(city: World, holders: Holders):
    officer = holders[Role.COORDINATOR]
    made = ok(
        officer("POST", f"{V1}/placement-requests", json={"person": city.person(basis=None)}), 201
    )
    path = f"{V1}/placement-requests/{made['id']}/decision"
    answer = officer("POST", path, json={"bed": "psc-1.w1.r1.b1", **DECISION})
    no = problem(answer, 409, "refused-by-rules")
    assert all(it["zh"] and it["en"] and it["citation"] for it in no["refusals"])


def test_the_emergency_lane_takes_no_key_and_a_repeat_is_told_so(city: World, holders: Holders):
    doctor = holders[Role.CLINICIAN]
    body = {"unit": "ward-1.a", "officer": "Dr Chen", "reason": "unconscious"}
    path = f"{V1}/people/{city.person(basis=None, isolation=None)}/emergency"
    done = ok(doctor("POST", path, json=body, headers={"Idempotency-Key": ""}), 201)
    assert done["due"]
    again = doctor("POST", path, json=body)
    assert problem(again, 409, "already-there")["stay"] == done["stay"]["id"]


def test_a_transfer_goes_its_way_and_is_taken_back(city: World, holders: Holders, ward_key: str):
    desk, home = holders[Role.COORDINATOR], holders[Role.FACILITY_ADMIN]
    ward = Holder(home.client, ward_key)
    stay = admitted(city, holders)
    city.fit_to_move(stay["person"], UnitKind.OMW)
    body = {"stay": stay["id"], "to_bed": "ward-1.a.r6.b1", "reason": "right_a_misplaced"}
    made = ok(desk("POST", f"{V1}/transfers", json=body), 201)
    path = f"{V1}/transfers/{made['id']}"
    ok(desk("POST", f"{path}/approval", json={"reason": "agreed with the doctor"}))
    problem(ward("POST", f"{path}/arrival", json={}), 409, "illegal-step")
    ok(ward("POST", f"{path}/acceptance", json={}))
    problem(home("POST", f"{path}/departure", json={}), 409, "approvals-missing")
    city.papers_of_way(made["id"])
    problem(home("POST", f"{path}/departure", json={}), 422, "invalid-field")
    two = [{"name": name, "organ": "centre", "woman": True} for name in ("Zhou", "He")]
    steps = {"departure": (home, {"escorts": two, "vehicle": "van 3"}), "arrival": (ward, {})}
    states = [
        ok(who("POST", f"{path}/{step}", json=sent))["state"] for step, (who, sent) in steps.items()
    ]
    assert states == ["in_transit", "completed"]
    why = {"reason": "wrong person"}
    undone = ok(desk("POST", f"{path}/arrival-cancellation", json=why))
    assert undone["state"] == "cancelled"
    assert ok(desk("GET", f"{V1}/stays/{stay['id']}"))["state"] == "active"


def test_an_auditor_reads_who_decided_what_seeing_what(city: World, holders: Holders):
    request, bed = decided(city, holders[Role.INTAKE_OFFICER])
    path = f"{V1}/placement-requests/{request}"
    answer = {"code": "no_bed", "reason": "broken frame"}
    ok(holders[Role.FACILITY_ADMIN]("POST", f"{path}/decline", json=answer))
    for role in (Role.AUDITOR, Role.COORDINATOR, Role.INTAKE_OFFICER, Role.CLINICIAN):
        found = ok(holders[role]("GET", f"{path}/decisions"))
        [decision], [decline] = found["decisions"], found["declines"]
        assert (decision["bed"], decision["officer"], decision["reason"]) == (
            bed,
            DECISION["officer"],
            DECISION["reason"],
        )
        assert set(decision) >= {
            "decided_by",
            "rank",
            "alternatives",
            "network_position",
            "policy_version",
            "overrides",
            "decided_at",
            "proposal",
        }
        assert {name: decline[name] for name in answer} == answer
    problem(
        holders[Role.AUDITOR]("GET", f"{V1}/placement-requests/rq_1/decisions"),
        404,
        "request-not-found",
    )
    problem(holders[Role.FACILITY_ADMIN]("GET", f"{path}/decisions"), 403, "role-not-allowed")


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("placement-requests", {"person": "p-1", "urgent": True}, "/urgent"),
        ("placement-requests", {}, "/person"),
        ("stays/st_1/discharge", {"code": "gone", "reason": "x"}, "/code"),
        ("stays/st_1/return", {"occurred_at": "2026-05-01T08:00:00"}, "/occurred_at"),
        ("transfers", {"stay": "s", "to_bed": "b", "reason": "why not"}, "/reason"),
        ("stays/st_1/times", {"reason": ""}, "/reason"),
    ],
)
def test_a_wrong_field_is_named(city: World, holders: Holders, path, body, pointer):
    answer = holders[Role.COORDINATOR]("POST", f"{V1}/{path}", json=body)
    assert pointer in [it["pointer"] for it in ok(answer, 422)["errors"]]


@pytest.mark.parametrize("role", [Role.DASHBOARD, Role.AUDITOR])
@pytest.mark.parametrize(
    "path",
    [
        "placement-requests",
        "placement-requests/rq_1/decision",
        "placement-requests/rq_1/admission",
        "stays/st_1/discharge",
        "people/p-1/emergency",
        "transfers",
        "transfers/tr_1/approval",
        "people/p-1/merge",
    ],
)
def test_who_only_looks_changes_nothing(city: World, holders: Holders, role: Role, path: str):
    problem(holders[role]("POST", f"{V1}/{path}", json={}), 403, "role-not-allowed")


def test_lists_are_read_a_page_at_a_time(city: World, holders: Holders):
    officer = holders[Role.INTAKE_OFFICER]
    for _ in range(3):
        asked(city, officer)
    first = officer("GET", f"{V1}/placement-requests?limit=2&state=waiting")
    assert 'rel="next"' in first.headers["Link"]
    cursor = ok(first)["next"]
    rest = ok(officer("GET", f"{V1}/placement-requests?limit=2&state=waiting&cursor={cursor}"))
    ids = [it["id"] for it in ok(first)["items"] + rest["items"]]
    assert ids == sorted(set(ids))
    admitted(city, holders)
    assert ok(officer("GET", f"{V1}/stays?limit=1"))["items"]
    desk = holders[Role.COORDINATOR]
    assert "items" in ok(desk("GET", f"{V1}/transfers?state=completed"))


def test_every_problem_these_routes_answer_with_is_explained(city: World, holders: Holders):
    for code in ("bed-taken", "hold-lapsed", "illegal-step", "refused-by-rules", "already-there"):
        text = ok(holders[Role.AUDITOR]("GET", f"/problems/{code}"))
        assert text["zh"]
        assert text["en"]
