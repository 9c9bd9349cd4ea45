"""Through the real API: to the police side, treatment by consent is as if it were not there.

Each route is asked twice by each key, for what is hidden and for what never was: status and body
are the same but for the id that was asked for.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from solver.codes import LegalBasis, UnitKind
from tests.service.consent.city import CARE_SIDE, NOBODY, POLICE_SIDE, Case, City, city

__all__ = ["city"]


def soon() -> str:
    return (datetime.now(UTC) + timedelta(hours=5)).isoformat()


READS = (
    "/stays/{stay}",
    "/placement-requests/{request}",
    "/placement-requests/{request}/candidates",
    "/placement-requests/{request}/decisions",
    "/transfers/{transfer}",
    "/consents/{consent}",
)
OF_PERSON = ("/people/{person}", "/people/{person}/consents")
LISTS = (
    "/stays?person={person}&ended=true",
    "/placement-requests?person={person}&state=admitted&state=waiting",
    "/transfers?person={person}",
    "/stays?ended=true",
    "/placement-requests?state=admitted&state=waiting",
    "/transfers",
    "/events?limit=1000",
    "/due",
    "/stays/misplaced",
)
WRITES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/stays/{stay}/discharge", {"code": "discharged", "reason": "x"}),
    ("/stays/{stay}/discharge-due", {}),
    ("/stays/{stay}/leave", {"ends_at": soon()}),
    ("/stays/{stay}/return", {}),
    ("/stays/{stay}/times", {"reason": "x"}),
    ("/placement-requests/{request}/withdrawal", {"reason": "x"}),
    ("/placement-requests/{request}/refusal", {"reason": "x"}),
    ("/placement-requests/{request}/release", {"reason": "x"}),
    ("/placement-requests/{request}/acceptance", {}),
    ("/placement-requests/{request}/decline", {"code": "no_bed"}),
    ("/placement-requests/{request}/admission", {}),
    ("/placement-requests/{request}/not-arrived", {"reason": "x"}),
    ("/transfers/{transfer}/acceptance", {}),
    ("/transfers/{transfer}/cancellation", {"reason": "x"}),
)


def path(template: str, case: Case) -> str:
    return "/api/v1" + template.format(**vars(case))


def plain(answer: httpx.Response, case: Case) -> tuple[int, str]:
    """What was answered, with the ids that were asked for made one."""
    body = answer.text
    for id_ in vars(case).values():
        body = body.replace(id_, "ID")
    body = re.sub(r'"instance":"[^"]*"', "", body)
    return answer.status_code, re.sub(r'"(request_id|trace)":"[^"]*"', "", body)


@pytest.mark.parametrize("key", POLICE_SIDE)
@pytest.mark.parametrize("which", ["consensual", "decided_later"])
def test_what_is_hidden_reads_as_what_never_was(city: City, key: str, which: str):
    case: Case = getattr(city, which)
    by = city.by[key]
    for template in (*READS, *(OF_PERSON if which == "consensual" else ())):
        hidden = plain(by("GET", path(template, case)), case)
        missing = plain(by("GET", path(template, NOBODY)), NOBODY)
        assert hidden == missing, template
        assert hidden[0] in (403, 404), template


@pytest.mark.parametrize("key", POLICE_SIDE)
@pytest.mark.parametrize("which", ["consensual", "decided_later"])
def test_what_is_hidden_is_acted_on_as_what_never_was(city: City, key: str, which: str):
    case: Case = getattr(city, which)
    by = city.by[key]
    for template, body in WRITES:
        hidden = plain(by("POST", path(template, case), json=body), case)
        missing = plain(by("POST", path(template, NOBODY), json=body), NOBODY)
        assert hidden == missing, template
        assert hidden[0] in (403, 404), template
    asked = {"stay": case.stay, "to_bed": "psc-1.w1.r2.b1", "reason": "step_down"}
    hidden = plain(by("POST", "/api/v1/transfers", json=asked), case)
    missing = plain(by("POST", "/api/v1/transfers", json=asked | {"stay": NOBODY.stay}), NOBODY)
    assert hidden == missing


@pytest.mark.parametrize("key", POLICE_SIDE)
def test_no_list_and_no_event_names_what_is_hidden(city: City, key: str):
    for case in (city.consensual, city.decided_later):
        for template in LISTS:
            shown = city.by[key]("GET", path(template, case))
            assert shown.status_code in (200, 403, 404), (template, shown.text)
            for id_ in (case.request, case.stay, case.transfer, case.consent):
                assert id_ not in shown.text, template


@pytest.mark.parametrize("key", CARE_SIDE)
def test_the_care_side_sees_the_same_things(city: City, key: str):
    case = city.consensual
    for template in ("/stays/{stay}", "/transfers/{transfer}"):
        assert city.by[key]("GET", path(template, case)).status_code == 200, template
    assert case.stay in city.by[key]("GET", path(LISTS[0], case)).text


def test_the_police_side_sees_what_police_ordered(city: City):
    case = city.compulsory
    for template in ("/stays/{stay}", READS[1], READS[3]):
        assert city.by["officer"]("GET", path(template, case)).status_code == 200, template
    for key in ("officer", "centre_admin", "centre_doctor"):
        assert city.by[key]("GET", path("/stays/{stay}", case)).status_code == 200
        assert case.stay in city.by[key]("GET", path(LISTS[0], case)).text
    assert city.by["centre_admin"]("GET", path("/transfers/{transfer}", case)).status_code == 200
    assert city.by["officer"]("GET", path("/people/{person}", case)).status_code == 200


def test_an_officer_who_knows_the_person_by_a_decision_sees_the_decision_alone(city: City):
    seen = city.by["officer"]("GET", path("/people/{person}", city.decided_later)).json()
    assert [it["kind"] for it in seen["legal_bases"]] == ["compulsory"]
    assert seen["consents"] is None


@pytest.mark.parametrize("key", [*POLICE_SIDE, "auditor", "hospital_admin"])
def test_a_withdrawal_tells_whoever_writes_it_down_nothing(city: City, key: str):
    person = city.world.person(basis=LegalBasis.CONSTRAINED)
    own, family = city.world.consents(person, UnitKind.CTH)
    by, word = city.by[key], {"said_by": "person"}
    first = by("POST", f"/api/v1/consents/{own}/withdrawal", json=word)
    second = by("POST", f"/api/v1/consents/{family}/withdrawal", json=word)
    assert (first.status_code, second.status_code) == (200, 200)
    assert set(first.json()) == set(second.json()) == {"consent", "since"}
