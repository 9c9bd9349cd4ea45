"""The emergency lane through the API: one message suffices, from anybody who may call it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.access.caller import Role
from solver.codes import LegalBasis, UnitKind
from tests.service.api.conftest import Holder
from tests.service.workflow.world import World

Holders = Mapping[Role, Holder]
V1 = "/api/v1"
CALL = {"officer": "officer Lin", "reason": "found on the street, not responding"}


@pytest.fixture(scope="module")
def city(api_engine: Engine, api_keys: Mapping[Role, str]) -> World:
    world = World(api_engine)
    world.unit("psc-9.w1", rooms=(1,) * 4)
    world.unit("hosp-9.a", rooms=(2,) * 4, kind=UnitKind.CTH, bases=(LegalBasis.CONSTRAINED,))
    world.unit("ext-9.er", rooms=(0,), kind=UnitKind.EXT, bases=(), external=True)
    return world


@pytest.fixture(scope="module")
def client(city: World, app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as made:
        yield made


def ok(response: httpx.Response, status: int = 201) -> Any:
    assert response.status_code == status, response.text
    return response.json()


@pytest.mark.parametrize("role", [Role.INTAKE_OFFICER, Role.CLINICIAN, Role.COORDINATOR])
@pytest.mark.parametrize("person", ["unknown", None])
def test_an_unknown_person_is_taken_in_with_one_post_and_no_key(client, holders, role, person):
    body = {**CALL, "facility": "ext-9", **({"person": person} if person else {})}
    headers = {"Authorization": f"Bearer {holders[role].key}"}
    made = ok(client.post(f"{V1}/emergencies", json=body, headers=headers))
    assert made["surge"] is True
    assert made["stay"]["facility"] == "ext-9"
    assert "identity" in made["due"]


def test_what_somebody_appears_to_be_is_said_and_bounded(client, holders):
    body = {**CALL, "unit": "hosp-9.a", "apparent_sex": "female", "apparent_age": 30}
    ok(holders[Role.CLINICIAN]("POST", f"{V1}/emergencies", json=body))
    body["apparent_age"] = 400
    wrong = holders[Role.CLINICIAN]("POST", f"{V1}/emergencies", json=body)
    assert wrong.status_code == 422


def test_somebody_on_record_goes_by_the_same_door_and_custody_is_refused(client, holders, city):
    desk = holders[Role.COORDINATOR]
    person = city.person()
    body = {**CALL, "person": person}
    no = desk("POST", f"{V1}/emergencies", json={**body, "unit": "psc-9.w1"})
    assert no.status_code == 409
    assert no.json()["code"] == "emergency-is-medical"
    made = ok(desk("POST", f"{V1}/emergencies", json={**body, "unit": "hosp-9.a"}))
    assert made["stay"]["person"] == person


def test_a_unit_is_evacuated_and_a_leave_extended(client, holders, city):
    beds = [row[0] for row in city.sql("SELECT id FROM bed WHERE unit_id = 'psc-9.w1'")]
    stay = city.admitted(beds[0])
    desk = holders[Role.COORDINATOR]
    body = {**CALL, "destinations": [{"facility": "hosp-9"}], "close_beds": "security"}
    done = ok(desk("POST", f"{V1}/units/psc-9.w1/evacuation", json=body))
    assert [it["person"] for it in done["moved"]] == [stay.person]
    assert done["beds_closed"] == 4
    shown = desk("GET", f"{V1}/stays/{stay.id}")
    change = {"ends_at": "2099-01-01T00:00:00+08:00", "reason": "longer"}
    path = f"{V1}/stays/{stay.id}/leave"
    assert desk("PATCH", path, json=change).status_code == 428
    tagged = {"If-Match": shown.headers["etag"]}
    assert desk("PATCH", path, json=change, headers=tagged).status_code == 422
    until = city.one("SELECT (now() + interval '10 days')::text").replace(" ", "T") + ":00"
    change["ends_at"] = until
    longer = ok(desk("PATCH", path, json=change, headers=tagged), 200)
    assert longer["segments"][-1]["expected_end"] > shown.json()["segments"][-1]["expected_end"]


@pytest.mark.parametrize("role", [Role.INTAKE_OFFICER, Role.AUDITOR, Role.DASHBOARD])
def test_who_may_not_order_an_evacuation_is_told_so(client, holders, role):
    body = {**CALL, "destinations": [{"facility": "hosp-9"}]}
    path = f"{V1}/units/psc-9.w1/evacuation"
    assert holders[role]("POST", path, json=body).status_code == 403
