"""Terms and community measures over the API: who may, what is told, where the way out is."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.access.caller import Role
from tests.service.api.conftest import Holder
from tests.service.law.cases import today


def decided(officer: Holder, number: str) -> tuple[str, dict[str, Any]]:
    """Somebody registered and under a decision: their path and their term."""
    body = {
        "sex": "male",
        "birth_date": "1990-01-01",
        "document": {"kind": "other", "number": number},
    }
    path = officer("POST", "/api/v1/people", json=body).headers["Location"]
    served = datetime.now(UTC) - timedelta(hours=3)
    paper = {
        "kind": "compulsory",
        "body": "city_police",
        "ground": "severe_addiction",
        "starts_on": (today() - timedelta(days=9)).isoformat(),
        "served_at": served.isoformat(timespec="seconds"),
    }
    made = officer("POST", f"{path}/legal-bases", json=paper)
    assert made.status_code == 201, made.text
    person = path.rsplit("/", 1)[1]
    found = officer("GET", f"/api/v1/terms?person={person}").json()["items"]
    return path, found[0]


def test_a_term_without_a_bed_is_on_the_list_until_it_ends(officer: Holder):
    _, term = decided(officer, "SYN T1")
    listed = officer("GET", "/api/v1/terms?without_bed=true&state=in_detention").json()["items"]
    assert term["id"] in {it["id"] for it in listed}
    one = officer("GET", f"/api/v1/terms/{term['id']}")
    assert one.headers["ETag"] == f'"v{term["version"]}"'
    assert {it["kind"] for it in one.json()["clocks"]} == {
        "term_end",
        "release_notice",
        "extension_proposal",
    }
    early = officer(
        "POST", f"/api/v1/terms/{term['id']}/release", json={"end": "expired", "reason": "x"}
    )
    assert (early.status_code, early.json()["type"]) == (409, "/problems/term-runs")
    gone = officer("POST", f"/api/v1/terms/{term['id']}/escape", json={"reason": "from the car"})
    assert gone.json()["term"]["state"] == "escaped"
    back = officer("POST", f"/api/v1/terms/{term['id']}/return", json={"reason": "recaptured"})
    assert back.json()["term"]["state"] == "in_detention"
    free = officer(
        "POST", f"/api/v1/terms/{term['id']}/release", json={"end": "revoked", "reason": "court"}
    )
    assert free.json()["term"]["state"] == "closed"
    left = officer("GET", "/api/v1/terms?without_bed=true").json()["items"]
    assert term["id"] not in {it["id"] for it in left}


def test_an_unlawful_change_of_status_names_its_rule_and_the_ways_out(officer: Holder):
    path, term = decided(officer, "SYN T2")
    order = {
        "kind": "community_rehab",
        "organ": "county_police",
        "received_on": today().isoformat(),
    }
    refused = officer("POST", f"{path}/community-measures", json=order)
    body = refused.json()
    assert (refused.status_code, body["type"]) == (409, "/problems/no-such-transition")
    assert body["rule"] == "0.3"
    assert "released" in body["possible"]
    officer(
        "POST", f"/api/v1/terms/{term['id']}/release", json={"end": "revoked", "reason": "court"}
    )
    detox = officer("POST", f"{path}/community-measures", json=order | {"kind": "community_detox"})
    assert detox.status_code == 201, detox.text
    listed = officer("GET", f"{path}/community-measures").json()
    assert [it["kind"] for it in listed] == ["community_detox"]


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.DASHBOARD, Role.INTEGRATION])
def test_terms_are_for_those_who_execute_them(holders: Mapping[Role, Holder], role: Role):
    assert holders[role]("GET", "/api/v1/terms").status_code == 403
    centre = holders[Role.FACILITY_ADMIN]("GET", "/api/v1/terms")
    assert (centre.status_code, centre.json()["items"]) == (200, [])


def test_the_list_comes_in_pages(officer: Holder):
    for number in range(3):
        decided(officer, f"SYN P{number}")
    first = officer("GET", "/api/v1/terms?limit=2&without_bed=true").json()
    rest = officer("GET", f"/api/v1/terms?limit=500&cursor={first['next']}").json()["items"]
    assert len(first["items"]) == 2
    assert min(it["id"] for it in rest) > max(it["id"] for it in first["items"])
