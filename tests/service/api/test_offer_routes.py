"""Screenings, the queue, next beds, overruling and refusals on record, through the API."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.access.caller import Role
from solver.codes import Sex, UnitKind
from tests.service.api.conftest import Holder
from tests.service.workflow.night import graded
from tests.service.workflow.world import World

Holders = Mapping[Role, Holder]
V1 = "/api/v1"
DECISION = {"officer": "officer Lin", "reason": "nearest lawful bed"}
CLEAR = {
    "consciousness": "alert",
    "bleeding": "no",
    "cough_or_fever": "no",
    "self_harm": "no",
    "last_alcohol_or_sedative": "never",
}


@pytest.fixture(scope="module")
def city(api_engine: Engine, api_keys: Mapping[Role, str]) -> World:
    world = World(api_engine)
    world.unit("psc-1.w1", rooms=(1,) * 6, sex=Sex.MALE.value, level_of_care=1)
    world.unit("ward-1.a", rooms=(1,), kind=UnitKind.OMW, sex=Sex.MALE.value, level_of_care=4)
    return world


@pytest.fixture(scope="module")
def client(city: World, app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as made:
        yield made


def ok(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


def asked(city: World, officer: Holder, grade: int = 1, **person: Any) -> str:
    who = graded(city, city.person(**person), grade)
    made = ok(officer("POST", f"{V1}/placement-requests", json={"person": who}), 201)
    return str(made["id"])


def known(officer: Holder, *requests: str) -> Any:
    """The queue, once the snapshot has heard of these requests."""
    for _ in range(100):
        found = ok(officer("GET", f"{V1}/placement-requests?queue=true"))["items"]
        if set(requests) <= {it["id"] for it in found}:
            return found
        time.sleep(0.1)
    raise AssertionError(found)


def end(desk: Holder, *requests: str) -> None:
    for request in requests:
        path = f"{V1}/placement-requests/{request}/withdrawal"
        ok(desk("POST", path, json={"reason": "the test is over"}))


def test_the_queue_is_listed_in_its_order_with_places_and_no_grades(city, holders):
    officer = holders[Role.INTAKE_OFFICER]
    well, ill = asked(city, officer, 1), asked(city, officer, 3)
    found = [it for it in known(officer, well, ill) if it["id"] in (well, ill)]
    assert [it["id"] for it in found] == [ill, well]
    assert found[0]["rank"] < found[1]["rank"]
    assert not {"grade", "note"} & {key for it in found for key, value in it.items() if value}
    end(officer, well, ill)


def test_a_hold_past_a_sicker_person_is_409_with_ranks_and_next_candidates(city, holders):
    officer, desk = holders[Role.INTAKE_OFFICER], holders[Role.COORDINATOR]
    ill, well = asked(city, officer, 3), asked(city, officer, 1)
    known(officer, ill, well)
    path = f"{V1}/placement-requests/{well}/decision"
    body = {"bed": "ward-1.a.r1.b1", **DECISION}
    no = ok(officer("POST", path, json=body), 409)
    assert no["code"] == "passes-over"
    assert no["ranks"]
    assert ill not in str(no)
    assert {it["facility"] for it in no["candidates"]} == {"psc-1"}
    past = {**body, "past_reason": "the lift is out of order for stretchers"}
    assert ok(officer("POST", path, json=past), 403)["code"] == "past-is-the-coordinators"
    assert ok(desk("POST", path, json=past), 201)["request"]["hold"]["duty_phone"]
    end(desk, ill, well)


def test_a_decline_holds_the_next_bed_and_a_coordinator_overrules(city, holders):
    officer, home = holders[Role.INTAKE_OFFICER], holders[Role.FACILITY_ADMIN]
    desk = holders[Role.COORDINATOR]
    request = asked(city, officer)
    known(officer, request)
    path = f"{V1}/placement-requests/{request}"
    body = {"bed": "psc-1.w1.r1.b1", "then": ["ward-1.a.r1.b1"], **DECISION}
    decided = ok(officer("POST", f"{path}/decision", json=body), 201)
    assert decided["request"]["then"] == ["ward-1.a.r1.b1"]
    assert decided["on_call_phone"]
    after = ok(home("POST", f"{path}/decline", json={"code": "papers_missing"}))
    assert (after["state"], after["hold"]["bed"]) == ("held", "ward-1.a.r1.b1")
    after = ok(desk("POST", f"{path}/decline", json={"code": "equipment"}))
    assert (after["state"], after["hold"]) == ("waiting", None)
    body = {"unit": "psc-1.w1", "bed": "psc-1.w1.r2.b1", **DECISION}
    assert ok(officer("POST", f"{path}/overrule", json=body), 403)["code"] == "role-not-allowed"
    done = ok(desk("POST", f"{path}/overrule", json=body))
    assert (done["held"], done["request"]["hold"]["bed"]) == (True, "psc-1.w1.r2.b1")
    end(desk, request)


def test_a_refused_decision_leaves_its_rules_on_record(city, holders):
    officer = holders[Role.INTAKE_OFFICER]
    request = asked(city, officer, sex=Sex.FEMALE)
    known(officer, request)
    body = {"bed": "psc-1.w1.r3.b1", **DECISION}
    no = ok(officer("POST", f"{V1}/placement-requests/{request}/decision", json=body), 409)
    assert no["code"] == "refused-by-rules"
    query = "SELECT rules FROM refusal_record WHERE request_id = :r"
    [kept] = [row[0] for row in city.sql(query, r=request)]
    assert kept == sorted(it["rule"] for it in no["refusals"])
    assert city.one("SELECT count(*) FROM bed_claim WHERE request_id = :r", r=request) == 0
    end(officer, request)


def test_no_lawful_bed_names_what_the_law_offers_instead(city, holders):
    officer = holders[Role.INTAKE_OFFICER]
    request = asked(city, officer, sex=Sex.FEMALE)
    person = city.one("SELECT person_id FROM placement_request WHERE id = :r", r=request)
    found = {
        "dimensions": dict.fromkeys(
            ("withdrawal", "somatic", "infection", "mental", "self_harm", "self_care"), 1
        ),
        "isolation": "none",
        "observation": "none",
        "pregnant": "yes",
        "nursing": "no",
    }
    ok(holders[Role.CLINICIAN]("POST", f"{V1}/people/{person}/assessments", json=found), 201)
    known(officer, request)
    for _ in range(100):
        ranking = ok(officer("GET", f"{V1}/placement-requests/{request}/candidates"))
        if "P01" in ranking["by_rule"]:
            break
        time.sleep(0.1)
    assert ranking["fitting"] == 0
    path = f"{V1}/placement-requests/{request}"
    ended = ok(officer("POST", f"{path}/no-lawful-bed", json={"reason": "pregnant"}))
    [instead] = [it for it in ended["alternatives"] if it["rule"] == "P01"]
    assert "community detoxification" in instead["en"]
    assert "社区戒毒" in instead["zh"]
    assert ok(officer("GET", path))["alternatives"] == ended["alternatives"]


@pytest.mark.parametrize("question", CLEAR)
def test_a_question_left_out_is_refused_and_named(city, holders, question):
    body = {name: answer for name, answer in CLEAR.items() if name != question}
    path = f"{V1}/people/{city.person()}/screenings"
    no = ok(holders[Role.INTAKE_OFFICER]("POST", path, json=body), 422)
    assert [it["pointer"] for it in no["errors"]] == [f"/{question}"]


def test_a_screening_takes_no_grade_and_answers_in_both_languages(city, holders):
    officer = holders[Role.INTAKE_OFFICER]
    path = f"{V1}/people/{city.person(isolation=None)}/screenings"
    assert ok(officer("POST", path, json={**CLEAR, "grade": 1}), 422)["errors"]
    made = ok(officer("POST", path, json={**CLEAR, "consciousness": "unresponsive"}), 201)
    assert made["outcome"] == "red_flag"
    assert made["lane"]["places"][0]["duty_phone"]
    assert made["follows"]["zh"]
    assert made["next"]["en"]
    assert ok(holders[Role.CLINICIAN]("POST", path, json=CLEAR), 403)["code"] == "role-not-allowed"
