"""Values, ids and places that cannot be: a problem names the field, and nothing is changed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.stories import asks
from tests.stories.asks import OFFICER, Ask
from tests.stories.problems import contents, problem

NAIVE, AWARE = "2026-03-01T08:00:00", "2026-03-01T08:00:00+08:00"

SOMEBODY = {"sex": "male", "birth_date": "1990-05-01"}
BASIS = {
    "kind": "compulsory",
    "body": "city_police",
    "ground": "relapse_after",
    "starts_on": "2026-01-01",
    "ends_on": "2027-01-01",
}


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("POST", "/people", {**SOMEBODY, "sex": "other"}, "/sex"),
        ("POST", "/people", {**SOMEBODY, "birth_date": "1990-13-40"}, "/birth_date"),
        ("POST", "/people", {**SOMEBODY, "weight": 70}, "/weight"),
        ("POST", "/people", {"sex": "male"}, "/birth_date"),
        ("POST", "/people/{person}/legal-bases", {**BASIS, "kind": "arrest"}, "/kind"),
        ("POST", "/people/{person}/legal-bases", {**BASIS, "body": "mayor"}, "/body"),
        ("POST", "/people/{person}/legal-bases", {**BASIS, "ends_on": "2025-06-01"}, "/ends_on"),
        ("POST", "/people/{person}/legal-bases", {**BASIS, "served_at": NAIVE}, "/served_at"),
        ("POST", "/beds/{bed}/out-of-service-periods", {"reason": "haunted"}, "/reason"),
        (
            "POST",
            "/beds/{bed}/out-of-service-periods",
            {"reason": "repair", "expected_end": NAIVE},
            "/expected_end",
        ),
        (
            "POST",
            "/beds/{bed}/out-of-service-periods",
            {"reason": "repair", "expected_end": AWARE},
            "/expected_end",
        ),
        (
            "POST",
            "/beds/{bed}/out-of-service-periods",
            {"reason": "repair", "began_at": "2199-01-01T00:00:00Z"},
            "/began_at",
        ),
        ("POST", "/stays/{stay}/discharge", {"code": "vanished", "reason": "x"}, "/code"),
        ("POST", "/stays/{stay}/discharge", {"code": "transferred", "reason": "x"}, "/code"),
        ("POST", "/stays/{stay}/discharge", {"code": "released"}, "/reason"),
        (
            "POST",
            "/stays/{stay}/discharge",
            {"code": "released", "reason": "x", "occurred_at": NAIVE},
            "/occurred_at",
        ),
        (
            "POST",
            "/stays/{stay}/discharge",
            {"code": "released", "reason": "x", "occurred_at": "2199-01-01T00:00:00Z"},
            "/occurred_at",
        ),
        ("POST", "/stays/{stay}/leave", {"ends_at": AWARE}, "/ends_at"),
        ("POST", "/stays/{stay}/leave", {"ends_at": 1_800_000_000}, "/ends_at"),
        ("POST", "/placement-requests/{held}/acceptance", {"expected_arrival": AWARE}, None),
        ("POST", "/placement-requests/{held}/decline", {"code": "too_much_work"}, "/code"),
        ("POST", "/placement-requests/{held}/decline", {"code": "staff_shortage"}, "/code"),
        ("POST", "/transfers", {"stay": "{stay}", "to_bed": "{free}", "reason": "whim"}, "/reason"),
        ("GET", "/beds?state=broken", None, "query/state"),
        ("GET", "/beds?cursor=nonsense", None, "query/cursor"),
        ("GET", "/beds?limit=100000", None, "query/limit"),
        ("POST", "/planning-runs", {"seed": -1}, "/seed"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_field(
    desk, scene, nothing_changes, method, path, body, pointer
):
    nothing_changes()
    filled = json.loads(_filled(json.dumps(body), scene)) if body is not None else None
    answer = desk(Ask(method, _filled(path, scene), filled))
    found = problem(answer, 422, answer.json()["code"], pointer)
    assert found["code"] in ("invalid-field", "invalid-request"), found
    assert found["errors"]


def _filled(given: str, scene: dict[str, str]) -> str:
    for name, id_ in scene.items():
        given = given.replace(f"{{{name}}}", id_)
    return given


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (asks.decide("rq_nobody", "psc-1.w1.r3.b1"), "request-not-found"),
        (asks.bed("psc-1.w9.r1.b1"), "bed-not-found"),
        (asks.discharge("st_nobody"), "stay-not-found"),
        (asks.approve_transfer("tr_nobody"), "transfer-not-found"),
        (asks.submit("p-nobody00"), "person-not-found"),
    ],
)
def test_an_id_that_nobody_has_is_not_found(desk, scene, nothing_changes, ask, code):
    nothing_changes()
    problem(desk(ask), 404, code)


def test_a_bed_that_does_not_exist_is_not_decided_for(desk, scene, nothing_changes):
    nothing_changes()
    found = problem(desk(asks.decide(scene["waiting"], "psc-1.w1.r9.b9")), 404, "bed-not-found")
    assert "psc-1.w1.r9.b9" in found["detail"]


def test_an_out_of_service_period_that_overlaps_another_is_refused(city, desk, nothing_changes):
    (bed,) = city.unit("psc-1.oos", rooms=(1,))
    period = desk(asks.open_period(bed)).json()["period"]
    nothing_changes()
    found = problem(desk(asks.open_period(bed)), 409, "overlapping-period")
    assert "end it first" in found["detail"]
    assert period["id"]


def test_a_period_that_begins_within_one_that_ended_is_refused(city, desk, nothing_changes):
    (bed,) = city.unit("psc-1.oot", rooms=(1,))
    period = desk(asks.open_period(bed)).json()["period"]
    desk(asks.end_period(period["id"], period["version"], "in_service"))
    nothing_changes()
    earlier = datetime.fromisoformat(period["began_at"]) - timedelta(hours=1)
    answer = desk(asks.open_period(bed, began_at=earlier.isoformat()))
    assert "or later" in problem(answer, 409, "overlapping-period")["detail"]


def test_two_decisions_of_one_kind_over_the_same_days_are_refused(desk, scene, nothing_changes):
    nothing_changes()
    ask = Ask("POST", f"/people/{scene['person']}/legal-bases", BASIS, OFFICER)
    found = problem(desk(ask), 409, "overlapping-basis")
    assert "revoke it first" in found["detail"]


def test_a_bed_of_another_facility_is_not_closed_by_a_strangers_key(desk, scene, nothing_changes):
    nothing_changes()
    foreign = replace(asks.open_period(scene["free"]), by="omw-1")
    problem(desk(foreign), 403, "other-facility")
    state = replace(asks.record_state(scene["free"], "housekeeping", 1), by="omw-1")
    problem(desk(state), 403, "other-facility")


def test_a_hold_of_another_facility_is_not_accepted_by_a_strangers_key(
    desk, scene, nothing_changes
):
    nothing_changes()
    problem(desk(replace(asks.accept(scene["held"]), by="omw-1")), 403, "other-facility")


def test_among_many_rows_a_bed_of_another_facility_is_refused_by_itself(city, desk):
    (bed,) = city.unit("psc-1.row", rooms=(1,))
    before = contents(city)
    rows = [{"bed": bed, "state": "housekeeping"}]
    answer = desk(Ask("PUT", "/bed-states", {"rows": rows}, "omw-1"))
    (result,) = answer.json()["results"]
    assert (result["outcome"], result["code"]) == ("refused", "other-facility")
    assert contents(city) == before
