"""The last lawful bed is gone: the answer never points to candidates that are not there."""

from collections.abc import Iterator, Mapping

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from service.access.caller import Role
from service.policy import default_policy
from solver.codes import LegalBasis
from tests.service.api.conftest import Holder
from tests.service.api.test_placement_routes import DECISION, V1, asked, decided, problem, ranked
from tests.service.workflow.world import World


@pytest.fixture(scope="module")
def city(api_engine: Engine, api_keys: Mapping[Role, str]) -> World:
    world = World(api_engine)
    world.unit("psc-1.w1", rooms=(1,))
    return world


@pytest.fixture(scope="module")
def client(city: World, app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as made:
        yield made


def test_where_no_other_bed_is_free_the_answer_names_the_phone_and_no_candidates(
    city: World, holders: Mapping[Role, Holder]
):
    officer = holders[Role.INTAKE_OFFICER]
    _, bed = decided(city, officer)
    late = asked(city, officer)
    ranked(officer, late["id"])
    path = f"{V1}/placement-requests/{late['id']}/decision"
    lost = problem(officer("POST", path, json={"bed": bed, **DECISION}), 409, "bed-taken")
    phone = default_policy().offers.on_call_phone
    assert (lost["candidates"], lost["on_call_phone"]) == ([], phone)
    assert "candidate" not in lost["detail"]
    assert "no other lawful bed is free" in lost["detail"]
    assert phone in lost["detail"]
    assert "expected" in lost


def test_a_hidden_patient_and_nobody_look_alike_to_an_officer_who_writes(
    city: World, holders: Mapping[Role, Holder]
):
    officer = holders[Role.INTAKE_OFFICER]
    hidden = city.person(basis=LegalBasis.CONSTRAINED)
    day = "2026-01-05"
    writes = {
        "/placement-requests": {"person": "{person}"},
        "/people/{person}/legal-bases": {
            "kind": "compulsory", "body": "city_police", "ground": "relapse_after",
            "starts_on": day,
        },
        "/people/{person}/community-measures": {
            "kind": "community_detox", "organ": "county_police", "received_on": day,
        },
        "/people/{person}/objections": {"words": "does not want to go"},
    }  # fmt: skip
    for path, body in writes.items():
        seen = []
        for person in (hidden, "p-nobody0000"):
            sent = {name: value.replace("{person}", person) for name, value in body.items()}
            response = officer("POST", V1 + path.replace("{person}", person), json=sent)
            told = response.json()
            for noise in ("instance", "request_id", "trace"):
                told.pop(noise, None)
            seen.append((response.status_code, str(told).replace(person, "it")))
        assert seen[0] == seen[1], path
        assert seen[0][0] == 404, (path, seen[0])
