"""Misplaced people, reviews and the due list through the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.access.caller import Role
from tests.service.api.conftest import (
    Holder,
    api_engine,
    api_keys,
    api_settings,
    app,
    ctx,
    holders,
    logs_as_served,
)
from tests.service.watch.looking import change, judge
from tests.service.workflow.world import World

__all__ = [
    "api_engine",
    "api_keys",
    "api_settings",
    "app",
    "ctx",
    "holders",
    "logs_as_served",
]

V1 = "/api/v1"


@pytest.fixture(scope="module")
def city(api_engine: Engine, api_keys: Mapping[Role, str]) -> World:
    world = World(api_engine)
    beds = world.unit("psc-1.w1", rooms=(1, 1), level_of_care=2)
    stays = [world.admitted(bed) for bed in beds]
    change(world, "UPDATE assessment SET grade = 4")
    judge(world, *(it.person for it in stays))
    world.unit("cth-2.w1", rooms=(1,))
    return world


@pytest.fixture(scope="module")
def client(city: World, app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as made:
        yield made


def test_misplaced_people_are_listed_in_pages_with_the_beds_each_way_leads_to(
    holders: Mapping[Role, Holder],
) -> None:
    first = holders[Role.COORDINATOR]("GET", f"{V1}/stays/misplaced?limit=1&free_beds=true")
    assert first.status_code == 200, first.text
    (item,) = first.json()["items"]
    assert item["rules"][0]["en"]
    transfers = [way for way in item["ways"] if way["way"] == "transfer"]
    assert all(isinstance(way["free"], int) for way in transfers)
    rest = holders[Role.COORDINATOR](
        "GET", f"{V1}/stays/misplaced?cursor={first.json()['next']}"
    ).json()
    assert len(rest["items"]) == 1
    assert rest["items"][0]["id"] != item["id"]
    assert rest["next"] is None


def test_the_due_list_is_read_in_pages_and_refuses_another_lists_cursor(
    holders: Mapping[Role, Holder],
) -> None:
    admin = holders[Role.FACILITY_ADMIN]
    seen: list[str] = []
    cursor = ""
    while True:
        page = admin("GET", f"{V1}/due?limit=2{cursor}").json()
        seen += [it["due_at"] for it in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == sorted(seen)
    assert len(seen) == 8
    foreign = holders[Role.COORDINATOR]("GET", f"{V1}/stays/misplaced?limit=1").json()["next"]
    refused = admin("GET", f"{V1}/due?cursor={foreign}")
    assert refused.status_code == 422
    assert holders[Role.DASHBOARD]("GET", f"{V1}/due").status_code == 403


def test_a_first_talk_is_settled_and_a_wrong_place_is_not_ticked_off(
    holders: Mapping[Role, Holder],
) -> None:
    admin = holders[Role.FACILITY_ADMIN]
    talk = admin("GET", f"{V1}/due?kind=first_talk").json()["items"][0]
    body = {"document": "No. 7", "note": "told in writing"}
    done = admin("POST", f"{V1}/due/{talk['id']}/settlement", json=body)
    assert done.status_code == 200, done.text
    assert done.json()["outcome"] == "done"
    again = admin("POST", f"{V1}/due/{talk['id']}/settlement", json=body)
    assert (again.status_code, again.json()["type"].rsplit("/", 1)[-1]) == (409, "already-settled")
    wrong = holders[Role.COORDINATOR]("GET", f"{V1}/due?kind=misplaced").json()["items"][0]
    kept = holders[Role.COORDINATOR]("POST", f"{V1}/due/{wrong['id']}/settlement", json={})
    assert (kept.status_code, kept.json()["type"].rsplit("/", 1)[-1]) == (409, "settled-by-fact")


def test_a_review_is_recorded_by_the_coordinator_and_not_by_the_centre(
    holders: Mapping[Role, Holder], city: World
) -> None:
    stay = city.one("SELECT id FROM stay LIMIT 1")
    body = {"outcome": "goes_on", "reviewer": "Dr Wen"}
    path = f"{V1}/stays/{stay}/review"
    assert holders[Role.FACILITY_ADMIN]("POST", path, json=body).status_code == 403
    done = holders[Role.COORDINATOR]("POST", path, json=body)
    assert done.status_code == 200, done.text
    assert done.json()["next_on"]
