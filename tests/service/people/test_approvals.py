"""Organs' answers: the right organ, the newest answer, and what follows from it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from service.errors import Conflict, Forbidden, Invalid, NotFound
from service.policy import DEFAULT_POLICY, PolicyError, load_policy
from service.store.approvals import granted
from service.store.network import load_network
from service.store.tables import core
from service.store.tables.law import ApprovalKind
from service.workflow.law.approvals import (
    ApprovalView,
    NewApproval,
    list_approvals,
    record_approval,
    require_granted,
    revoke_approval,
)
from service.workflow.law.legal_bases import add_legal_basis
from solver.codes import Organ
from tests.service.inventory.people import claim
from tests.service.inventory.places import refused, run
from tests.service.people.roles import (
    AUDITOR,
    COORDINATOR,
    CTH,
    DOCTOR,
    OFFICER,
    PSC,
    decision,
    registered,
    today,
)

K = ApprovalKind


def answer(kind: ApprovalKind, organ: str, **more: Any) -> NewApproval:
    given = {
        "kind": kind.value, "organ": organ, "granted": True, "approver": "局长 虚构",
        "document": "SYN-2026-7",
    }  # fmt: skip
    return NewApproval.model_validate(given | more)


@pytest.fixture
def person(conn: Connection) -> str:
    """Somebody under a city police organ's decision."""
    found = registered(conn)
    run(conn, add_legal_basis, OFFICER, found, decision(conn))
    return found


ANY_POLICE = {"county_police", "city_police"}
APPROVERS = {
    # kind: who may answer about somebody whom the city police sent and no centre has yet
    K.WARD_MOVE: {"centre"},
    K.CENTRE_MOVE: {
        "centre", "county_police", "city_police", "province_police", "justice_bureau",
        "province_justice",
    },
    K.OUT_MEDICAL: ANY_POLICE | {"justice_bureau", "province_justice"},
    K.OUT_MEDICAL_FILING: {"city_police"},
    K.EARLY_RELEASE: {"city_police"},
    K.EXTENSION: {"city_police"},
    K.CHANGE_TO_COMMUNITY: {"city_police"},
    K.PROTECTIVE_RESTRAINT: {"centre"},
    K.VOLUNTARY_IN_CENTRE: ANY_POLICE,
    K.COMMUNITY_REHAB: {"city_police"},
}  # fmt: skip


@pytest.mark.parametrize("kind", ApprovalKind)
def test_each_question_is_answered_by_its_organ_and_no_other(
    conn: Connection, person: str, kind: ApprovalKind
):
    for organ in Organ:
        given = answer(kind, organ.value)
        if organ.value in APPROVERS[kind]:
            assert run(conn, record_approval, COORDINATOR, person, given).in_force
            continue
        error = refused(conn, Invalid, record_approval, COORDINATOR, person, given)
        assert (error.errors[0].pointer, error.errors[0].code) == ("/organ", "wrong-organ")
        assert all(right in error.detail for right in APPROVERS[kind])


@pytest.mark.parametrize(
    ("side", "right", "wrong"),
    [
        ("public_security", "county_police", "province_justice"),
        ("justice", "province_justice", "county_police"),
    ],
)
def test_treatment_outside_is_approved_by_the_side_that_runs_the_centre(
    conn: Connection, person: str, side: str, right: str, wrong: str
):
    conn.execute(core.facility.update().where(core.facility.c.id == "psc-1").values(operator=side))
    conn.execute(core.term.update().values(responsible_facility_id="psc-1"))
    refused(conn, Invalid, record_approval, OFFICER, person, answer(K.OUT_MEDICAL, wrong))
    assert run(conn, record_approval, OFFICER, person, answer(K.OUT_MEDICAL, right)).in_force


def test_the_newest_answer_counts_and_a_revoked_one_never(conn: Connection, person: str):
    day = today(conn)
    yes = run(conn, record_approval, OFFICER, person, answer(K.WARD_MOVE, "centre"))
    assert granted(conn, person, K.WARD_MOVE, on=day) is not None
    no = run(conn, record_approval, OFFICER, person, answer(K.WARD_MOVE, "centre", granted=False))
    assert granted(conn, person, K.WARD_MOVE, on=day) is None
    run(conn, revoke_approval, OFFICER, no.id)
    found = granted(conn, person, K.WARD_MOVE, on=day)
    assert found is not None
    assert found.id == yes.id
    refused(conn, Conflict, revoke_approval, OFFICER, no.id)
    refused(conn, NotFound, revoke_approval, OFFICER, "ap_nothing")


def test_an_answer_holds_on_its_days_both_included(conn: Connection, person: str):
    day = today(conn)
    given = answer(
        K.VOLUNTARY_IN_CENTRE,
        "city_police",
        decided_on=day - timedelta(days=2),
        valid_until=day,
    )
    run(conn, record_approval, OFFICER, person, given)
    for ago, there in ((3, False), (2, True), (0, True), (-1, False)):
        on = day - timedelta(days=ago)
        assert (granted(conn, person, K.VOLUNTARY_IN_CENTRE, on=on) is not None) is there


def test_an_answer_about_one_thing_serves_no_other(conn: Connection, person: str):
    term = conn.execute(select(core.term.c.id)).scalar_one()
    about = {"subject": {"type": "term", "id": term}}
    run(conn, record_approval, OFFICER, person, answer(K.EXTENSION, "city_police", **about))
    day = today(conn)
    assert granted(conn, person, K.EXTENSION, subject=("term", term), on=day) is not None
    assert granted(conn, person, K.EXTENSION, subject=("term", "tm_other"), on=day) is None
    assert granted(conn, person, K.EXTENSION, on=day) is None
    error = refused(conn, Conflict, require_granted, OFFICER, person, K.EARLY_RELEASE, on=day)
    assert error.members["organs"] == [Organ.CITY_POLICE]


def test_a_subject_of_somebody_else_is_refused(conn: Connection, person: str):
    term = conn.execute(select(core.term.c.id)).scalar_one()
    other = registered(conn, document=None)
    given = answer(K.WARD_MOVE, "centre", subject={"type": "term", "id": term})
    error = refused(conn, Invalid, record_approval, COORDINATOR, other, given)
    assert error.errors[0].code == "other-person"


@pytest.mark.parametrize(
    ("pointer", "days"), [("/decided_on", {"decided_on": 1}), ("/valid_until", {"valid_until": -1})]
)
def test_days_that_cannot_be_are_refused(
    conn: Connection, person: str, pointer: str, days: dict[str, int]
):
    given = {name: today(conn) + timedelta(days=count) for name, count in days.items()}
    wrong = answer(K.WARD_MOVE, "centre", **given)
    assert (
        refused(conn, Invalid, record_approval, OFFICER, person, wrong).errors[0].pointer == pointer
    )


def test_a_hospitals_key_gives_no_answer_of_an_organ(conn: Connection, person: str):
    refused(conn, NotFound, record_approval, CTH, person, answer(K.WARD_MOVE, "centre"))


def test_names_and_documents_are_sealed_and_shown_to_those_who_answer_for_them(
    conn: Connection, person: str
):
    run(conn, record_approval, OFFICER, person, answer(K.WARD_MOVE, "centre"))
    row = conn.execute(select(core.approval)).one()
    assert "虚构".encode() not in row.approver
    assert b"SYN-2026-7" not in row.document

    def shown(who: Any) -> ApprovalView:
        view: ApprovalView
        [view] = run(conn, list_approvals, who, person)
        return view

    assert shown(AUDITOR).document == shown(OFFICER).document == "SYN-2026-7"
    assert shown(DOCTOR).document is shown(DOCTOR).approver is None
    event = conn.execute(
        select(core.event).where(core.event.c.operation == "approval.recorded")
    ).one()
    assert event.data == {}


def test_police_consent_reaches_the_rules_until_it_is_taken_back(conn: Connection):
    person = registered(conn)

    def consented() -> bool:
        network = load_network(conn, OFFICER.policy, units=(), persons=[person])
        return network.persons[person].police_consent

    assert not consented()
    made = run(
        conn, record_approval, OFFICER, person, answer(K.VOLUNTARY_IN_CENTRE, "county_police")
    )
    assert consented()
    run(conn, revoke_approval, OFFICER, made.id)
    assert not consented()


def test_a_policy_without_an_approver_is_refused_by_name(tmp_path: Any):
    text = DEFAULT_POLICY.read_text(encoding="utf-8")
    file = tmp_path / "policy.toml"
    file.write_text(text.replace("[approvals.extension]", "[approvals.nothing]"))
    with pytest.raises(PolicyError, match="approvals"):
        load_policy(file)
    other = text.replace('justice = ["justice_bureau", "province_justice"]', 'justice = ["court"]')
    file.write_text(other)
    with pytest.raises(PolicyError, match="court"):
        load_policy(file)


def test_a_centres_key_records_its_heads_word_only(conn: Connection):
    claim(conn, "psc-1.w1.r01.b1", person_id="p-held")
    assert run(conn, record_approval, PSC, "p-held", answer(K.WARD_MOVE, "centre")).in_force
    filed = answer(K.OUT_MEDICAL_FILING, "city_police")
    refused(conn, Forbidden, record_approval, PSC, "p-held", filed)
