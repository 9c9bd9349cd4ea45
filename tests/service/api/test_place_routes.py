"""Places, bed states, files and people through the API: roles, versions, keys, streams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Engine, text

from service.access.caller import Role
from tests.service.api.conftest import ELSEWHERE, HOME, Holder

WARD, ROOM = f"{HOME}.w1", f"{HOME}.w1.r01"
BED = f"{ROOM}.b1"
UNIT = {"id": WARD, "facility": HOME, "name": "1区", "kind": "PSC", "bases": ["compulsory"]}

Holders = Mapping[Role, Holder]


@pytest.fixture(scope="module")
def ward(holders: Holders) -> None:
    admin = holders[Role.FACILITY_ADMIN]
    for path, body in (
        ("units", UNIT),
        ("rooms", {"id": ROOM, "unit": WARD}),
        ("beds", {"id": BED, "room": ROOM}),
        ("beds", {"id": f"{ROOM}.b2", "room": ROOM}),
    ):
        made = admin("POST", f"/api/v1/{path}", json=body)
        assert made.status_code == 201, made.text
        assert made.headers["Location"] == f"/api/v1/{path}/{body['id']}"
        assert made.headers["ETag"] == '"v1"'


@pytest.mark.usefixtures("ward")
def test_a_place_is_read_changed_with_its_version_and_refused_without(holders: Holders):
    admin = holders[Role.FACILITY_ADMIN]
    found = admin("GET", f"/api/v1/units/{WARD}")
    change = {"sex": "female"}
    path, tag = f"/api/v1/units/{WARD}", {"If-Match": found.headers["ETag"]}
    assert admin("PATCH", path, json=change).status_code == 428
    changed = admin("PATCH", path, json=change, headers=tag)
    assert (changed.status_code, changed.json()["sex"]) == (200, "female")
    stale = admin("PATCH", path, json=change, headers=tag)
    assert (stale.status_code, stale.json()["code"]) == (412, "version-stale")
    back = {"If-Match": changed.headers["ETag"]}
    assert admin("PATCH", path, json={"sex": None}, headers=back).json()["sex"] is None


@pytest.mark.usefixtures("ward")
def test_unknown_codes_and_members_are_named_in_the_problem(holders: Holders):
    wrong = UNIT | {"id": f"{HOME}.w9", "kind": "HOTEL", "colour": "blue"}
    answer = holders[Role.FACILITY_ADMIN]("POST", "/api/v1/units", json=wrong)
    assert answer.status_code == 422
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"/kind", "/colour"}


@pytest.mark.usefixtures("ward")
def test_a_bed_state_is_recorded_with_the_beds_version(holders: Holders):
    feed = holders[Role.INTEGRATION]
    tag = feed("GET", f"/api/v1/beds/{BED}").headers["ETag"]
    path = f"/api/v1/beds/{BED}/state"
    dirty = feed("PUT", path, json={"state": "housekeeping"}, headers={"If-Match": tag})
    assert (dirty.status_code, dirty.json()["bed"]["state"]) == (200, "housekeeping")
    fit = {"If-Match": dirty.headers["ETag"]}
    assert feed("PUT", path, json={"state": "in_service"}, headers=fit).status_code == 200
    many = {"rows": [{"bed": BED, "state": "contaminated"}, {"bed": "x", "state": "closed"}]}
    rows = feed("PUT", "/api/v1/bed-states", json=many).json()["results"]
    assert [it["outcome"] for it in rows] == ["recorded", "refused"]
    assert feed("PUT", f"/api/v1/units/{WARD}/confirmation").json()["beds"] == 2


@pytest.mark.usefixtures("ward")
def test_a_period_is_opened_changed_and_ended(holders: Holders):
    admin = holders[Role.FACILITY_ADMIN]
    path = f"/api/v1/beds/{ROOM}.b2/out-of-service-periods"
    opened = admin("POST", path, json={"reason": "repair"})
    assert opened.status_code == 201
    assert admin("POST", path, json={"reason": "repair"}).json()["code"] == "overlapping-period"
    at, tag = opened.headers["Location"], {"If-Match": opened.headers["ETag"]}
    later = {"expected_end": "2199-01-01T00:00:00+08:00"}
    changed = admin("PATCH", at, json=later, headers=tag)
    assert changed.json()["period"]["expected_end"] == "2198-12-31T16:00:00Z"
    naive = admin("PATCH", at, json={"expected_end": "2199-01-01T00:00:00"}, headers=tag)
    assert naive.json()["errors"][0]["pointer"] == "/expected_end"
    tag = {"If-Match": changed.headers["ETag"]}
    ended = admin("PUT", f"{at}/end", json={"state": "in_service"}, headers=tag)
    assert ended.json()["recorded"]["bed"]["state"] == "in_service"


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [
        (Role.DASHBOARD, "GET", "/api/v1/beds"),
        (Role.INTAKE_OFFICER, "POST", "/api/v1/beds"),
        (Role.CLINICIAN, "PUT", f"/api/v1/beds/{BED}/state"),
        (Role.FACILITY_ADMIN, "POST", "/api/v1/facilities"),
        (Role.AUDITOR, "POST", "/api/v1/imports?resource=beds"),
        (Role.DASHBOARD, "GET", "/api/v1/people/p-1"),
        (Role.COORDINATOR, "POST", "/api/v1/people/p-1/assessments"),
        (Role.INTAKE_OFFICER, "POST", "/api/v1/people/p-1/consents"),
        (Role.DASHBOARD, "PUT", "/api/v1/people/p-1/consent-withdrawal"),
    ],
)
def test_a_role_that_a_route_does_not_name_is_turned_away(
    holders: Holders, role: Role, method: str, path: str
):
    assert holders[role](method, path).status_code == 403


@pytest.mark.usefixtures("ward")
def test_another_facilitys_bed_is_forbidden(holders: Holders):
    body = {"id": f"{ELSEWHERE}.w1", "facility": ELSEWHERE, "name": "1区", "kind": "CTH"}
    answer = holders[Role.FACILITY_ADMIN]("POST", "/api/v1/units", json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "other-facility")


def lines(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.mark.usefixtures("ward")
def test_a_file_goes_in_row_by_row_and_out_again(holders: Holders):
    admin = holders[Role.FACILITY_ADMIN]
    file = f"id,room,kind\n{ROOM}.b3,{ROOM},NUR\n{ROOM}.b4,{ROOM},POOL\n"
    sent = {"content": file.encode(), "headers": {"Content-Type": "text/csv; charset=utf-8"}}
    path = "/api/v1/imports?resource=beds"
    tried = lines(admin("POST", f"{path}&dry_run=true", **sent))
    assert [it.get("outcome") for it in tried] == ["created", "refused", None]
    assert tried[-1]["summary"]["applied"] is False
    whole = lines(admin("POST", f"{path}&mode=all", **sent))
    assert (whole[1]["line"], whole[1]["errors"][0]["pointer"]) == (3, "/kind")
    assert whole[-1]["summary"]["applied"] is False
    assert admin("GET", f"/api/v1/beds/{ROOM}.b3").status_code == 404
    done = lines(admin("POST", path, **sent))
    assert done[-1]["summary"] | {"job": ""} == {
        "job": "",
        "applied": True,
        "created": 1,
        "changed": 0,
        "unchanged": 0,
        "refused": 1,
    }
    out = admin("GET", "/api/v1/exports/beds?format=ndjson")
    assert f"{ROOM}.b3" in [it["id"] for it in lines(out)]
    assert out.headers["content-disposition"] == 'attachment; filename="beds.ndjson"'
    table = admin("GET", "/api/v1/exports/beds")
    assert table.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize(
    ("content_type", "body", "query", "status", "code"),
    [
        ("application/json", b"{}", "resource=beds", 415, "unsupported-media-type"),
        ("text/csv", b"id,colour\n", "resource=beds", 400, "file-columns"),
        ("text/csv", b"\xff\xfe", "resource=beds", 400, "file-not-utf8"),
        ("text/csv", b"id\n", "resource=chairs", 422, "invalid-field"),
        ("text/csv", b"id\n", "resource=beds&mode=some", 422, "invalid-request"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem(
    holders: Holders, content_type: str, body: bytes, query: str, status: int, code: str
):
    answer = holders[Role.COORDINATOR](
        "POST",
        f"/api/v1/imports?{query}",
        content=body,
        headers={"Content-Type": content_type},
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "application/problem+json" in answer.headers["content-type"]


def test_a_person_goes_through_registration_papers_and_care(holders: Holders, api_engine: Engine):
    officer, doctor = holders[Role.INTAKE_OFFICER], holders[Role.CLINICIAN]
    body = {
        "sex": "female",
        "birth_date": "1990-01-01",
        "name": "虚构甲",
        "document": {"kind": "other", "number": "SYN 1"},
    }
    made = officer("POST", "/api/v1/people", json=body)
    assert made.status_code == 201, made.text
    path = made.headers["Location"]
    again = officer("POST", "/api/v1/people", json=body)
    assert (again.status_code, again.json()["person"]) == (409, made.json()["id"])
    paper = {
        "kind": "compulsory",
        "body": "city_police",
        "ground": "relapse_after",
        "starts_on": "2026-11-01",
        "ends_on": "2028-10-31",
    }
    basis = officer("POST", f"{path}/legal-bases", json=paper)
    assert basis.status_code == 201, basis.text
    served = officer(
        "PUT",
        f"/api/v1/legal-bases/{basis.json()['id']}/service",
        json={"served_at": "2026-11-01T10:00:00+08:00"},
        headers={"If-Match": basis.headers["ETag"]},
    )
    assert served.json()["served_at"] == "2026-11-01T02:00:00Z"
    dimensions = ("withdrawal", "somatic", "infection", "mental", "self_harm", "self_care")
    found = {
        "dimensions": dict.fromkeys(dimensions, "G1") | {"somatic": "G3", "mental": "unknown"},
        "needs": ["NUR"],
        "isolation": "none",
        "observation": "unknown",
        "pregnant": "no",
        "nursing": "unknown",
    }
    assessed = doctor("POST", f"{path}/assessments", json=found)
    assert (assessed.status_code, assessed.json()["assessment"]["grade"]) == (201, 3)
    seen = officer("GET", path)
    assert seen.json()["care"]["needs"] == ["NUR"]
    assert seen.json()["assessment"] is None
    assert "虚构" not in seen.text
    identity = officer("GET", f"{path}/identity?purpose=escort%20list")
    assert (identity.json()["name"], identity.headers["Cache-Control"]) == ("虚构甲", "no-store")
    assert officer("GET", f"{path}/identity").status_code == 422
    withdrawn = officer("PUT", f"{path}/consent-withdrawal", json={})
    assert set(withdrawn.json()) == {"person", "since"}
    stop = doctor("POST", f"{path}/movement-stops", json={"reason": "unstable"})
    assert stop.status_code == 201
    assert doctor("DELETE", f"{path}/movement-stops").status_code == 204
    with api_engine.connect() as conn:
        log = conn.execute(text("SELECT string_agg(event::text, '') FROM event")).scalar_one()
    for secret in ("虚构", "SYN", "relapse", "city_police", "NUR"):
        assert secret not in log
