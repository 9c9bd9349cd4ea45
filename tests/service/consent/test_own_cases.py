"""Finding one's own cases, who read whom, and facts edited after a refusal: the real API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import insert, text

from service.store.ids import new_id
from service.store.tables import core
from solver.codes import UnitKind
from tests.service.consent.city import POLICE_SIDE, City, city
from tests.service.consent.words import SHANGHAI

__all__ = ["city"]


def registered(city: City, key: str, number: str) -> httpx.Response:
    body = {
        "sex": "male",
        "birth_date": "1990-01-01",
        "name": "虚构乙",
        "document": {"kind": "other", "number": number},
    }
    return city.by[key]("POST", "/api/v1/people", json=body)


def found(city: City, key: str, number: str) -> httpx.Response:
    asked = {"document": {"kind": "other", "number": number}, "purpose": "a person at the door"}
    return city.by[key]("POST", "/api/v1/people/search", json=asked)


def test_a_search_finds_the_callers_own_cases_only(city: City):
    mine = registered(city, "officer", "SYN 900").json()["id"]
    theirs = registered(city, "doctor", "SYN 901").json()["id"]
    assert found(city, "officer", "SYN 900").json() == {"people": [mine]}
    hidden, nobody = found(city, "officer", "SYN 901"), found(city, "officer", "SYN 999")
    assert (hidden.status_code, hidden.text) == (nobody.status_code, nobody.text)
    assert hidden.json() == {"people": []}
    assert found(city, "doctor", "SYN 901").json() == {"people": [theirs]}
    for key in ("coordinator", "auditor"):
        assert found(city, key, "SYN 901").json() == {"people": [theirs]}
    for key in ("centre_admin", "centre_doctor", "hospital_admin", "hospital_doctor"):
        assert found(city, key, "SYN 901").json() == {"people": []}


def test_a_facility_finds_whom_it_had_in_a_bed_for_a_year(city: City):
    person = registered(city, "doctor", "SYN 902").json()["id"]
    bed = city.world.unit("hosp-1.w7", rooms=(1,), kind=UnitKind.CTH)[0]
    city.world.set("person", person, birth_date="1990-01-01")
    stay = admitted_directly(city, person, bed)
    assert found(city, "hospital_admin", "SYN 902").json() == {"people": [person]}
    assert found(city, "hospital_doctor", "SYN 902").json() == {"people": [person]}
    assert found(city, "centre_admin", "SYN 902").json() == {"people": []}
    for days, there in ((300, [person]), (400, [])):
        ended(city, stay, days)
        assert found(city, "hospital_admin", "SYN 902").json() == {"people": there}


def admitted_directly(city: City, person: str, bed: str) -> str:
    """A stay of 500 days so far, as an import of the past would leave it."""
    claim = new_id("cl")
    with city.world.engine.begin() as conn:
        conn.execute(
            text(
                "WITH s AS (INSERT INTO stay (id, person_id, facility_id, state, admitted_at,"
                " recorded_at, recorded_by, version) VALUES (:stay, :person, 'hosp-1', 'active',"
                " now() - interval '500 days', now(), 'test', 1) RETURNING id)"
                " INSERT INTO bed_claim (id, bed_id, room_id, unit_id, facility_id, person_id,"
                " kind, during, emergency, stay_id, occurred_at, recorded_at, recorded_by)"
                " SELECT :claim, b.id, b.room_id, b.unit_id, b.facility_id, :person, 'stay',"
                " tstzrange(now() - interval '500 days', NULL), false, s.id, now(), now(), 'test'"
                " FROM bed b, s WHERE b.id = :bed"
            ),
            {"stay": f"st_{uuid4().hex}", "person": person, "claim": claim, "bed": bed},
        )
    return claim


def ended(city: City, claim: str, days: int) -> None:
    with city.world.engine.begin() as conn:
        conn.execute(
            text(
                "UPDATE bed_claim SET during = tstzrange(lower(during),"
                " now() - make_interval(days => :days)) WHERE id = :id"
            ),
            {"days": days, "id": claim},
        )


def test_police_register_a_hidden_patient_as_anybody_and_an_auditor_sees_two_records(city: City):
    theirs = registered(city, "hospital_doctor", "SYN 903").json()["id"]
    made = registered(city, "officer", "SYN 903")
    fresh = registered(city, "officer", "SYN 904")
    assert made.status_code == fresh.status_code == 201
    assert set(made.json()) == set(fresh.json())
    assert made.json()["id"] != theirs
    told = registered(city, "coordinator", "SYN 903")
    assert (told.status_code, told.json()["person"]) == (409, theirs)
    for key in ("auditor", "coordinator"):
        flags = city.by[key]("GET", f"/api/v1/audit-flags?person={made.json()['id']}").json()
        assert [(it["kind"], it["subject_id"]) for it in flags["items"]] == [
            ("possible_duplicate", theirs)
        ]


def test_every_reading_of_a_file_an_identity_and_a_finding_is_recorded(city: City):
    person = registered(city, "officer", "SYN 905").json()["id"]
    base = f"/api/v1/people/{person}"
    city.by["officer"]("GET", base)
    city.by["coordinator"]("GET", f"{base}/identity?purpose=escort%20list")
    found(city, "officer", "SYN 905")
    city.by["auditor"]("GET", base)
    city.by["centre_doctor"]("GET", f"{base}/identity?purpose=curiosity")
    read = city.by["auditor"]("GET", f"{base}/access-records").json()["items"]
    assert [it["purpose"] for it in read] == [
        "file",
        "escort list",
        "search: a person at the door",
        "audit",
        "curiosity",
    ]
    same = city.by["auditor"]("GET", f"/api/v1/access-records?person={person}").json()["items"]
    assert same == read
    for key in (*POLICE_SIDE, "coordinator", "doctor", "hospital_admin"):
        assert city.by[key]("GET", f"{base}/access-records").status_code == 403


def refused(city: City, person: str, days_ago: float) -> None:
    with city.world.engine.begin() as conn:
        conn.execute(
            insert(core.refusal_record).values(
                id=new_id("rr"),
                person_id=person,
                rules=["P03"],
                refused_at=datetime.now(UTC) - timedelta(days=days_ago),
                refused_to="key-intake_officer",
            )
        )


def finding(city: City, person: str) -> httpx.Response:
    dimensions = ("withdrawal", "somatic", "infection", "mental", "self_harm", "self_care")
    body = {
        "dimensions": dict.fromkeys(dimensions, "G1"),
        "needs": ["NUR"],
        "isolation": "none",
        "observation": "none",
        "pregnant": "no",
        "nursing": "no",
    }
    return city.by["doctor"]("POST", f"/api/v1/people/{person}/assessments", json=body)


def flags_of(city: City, person: str, more: str = "") -> list[dict[str, Any]]:
    shown = city.by["auditor"]("GET", f"/api/v1/audit-flags?person={person}{more}")
    items: list[dict[str, Any]] = shown.json()["items"]
    return items


@pytest.mark.parametrize(("days_ago", "flags"), [(0.1, 1), (13.9, 1), (14.1, 0)])
def test_a_fact_edited_soon_after_a_refusal_is_shown_to_the_auditor(
    city: City, days_ago: float, flags: int
):
    person = registered(city, "officer", f"SYN {910 + int(days_ago * 10)}").json()["id"]
    assert finding(city, person).status_code == 201
    assert not flags_of(city, person)
    refused(city, person, days_ago)
    assert finding(city, person).status_code == 201
    assert finding(city, person).status_code == 201
    shown = flags_of(city, person)
    assert len(shown) == flags
    for it in shown:
        assert (it["kind"], it["data"]) == ("facts_edited_after_refusal", {"fact": "assessment"})
        assert city.by["doctor"]("GET", "/api/v1/audit-flags").status_code == 403


def test_each_kind_of_fact_is_shown_once_and_an_auditor_notes_that_it_was_seen(city: City):
    person = registered(city, "officer", "SYN 990").json()["id"]
    refused(city, person, 0.1)
    day = datetime.now(SHANGHAI).date()
    paper = {
        "kind": "compulsory",
        "body": "city_police",
        "ground": "relapse_after",
        "starts_on": day.isoformat(),
        "ends_on": (day + timedelta(days=700)).isoformat(),
    }
    made = city.by["officer"]("POST", f"/api/v1/people/{person}/legal-bases", json=paper)
    assert made.status_code == 201, made.text
    assert finding(city, person).status_code == 201
    shown = flags_of(city, person)
    assert [it["data"]["fact"] for it in shown] == ["legal_basis", "assessment"]
    assert not any(word in str(shown) for word in ("relapse", "NUR", "city_police"))
    path = f"/api/v1/audit-flags/{shown[0]['id']}/seen"
    note = {"note": "the decision was late, nothing more"}
    seen = city.by["auditor"]("POST", path, json=note)
    assert seen.json()["note"] == note["note"]
    assert city.by["auditor"]("POST", path, json={}).json()["code"] == "seen-already"
    assert len(flags_of(city, person, "&unseen=true")) == 1
