"""Doctors' opinions, and what the rules read of them and of other papers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid
from service.store.ids import new_id
from service.store.network import load_network
from service.store.tables import core
from service.workflow.law.legal_bases import add_legal_basis
from service.workflow.persons.opinions import (
    NewOpinion,
    list_opinions,
    record_opinion,
    revoke_opinion,
)
from service.workflow.persons.psychiatric_reviews import ask_rediagnosis
from solver.codes import (
    BedKind,
    DangerCase,
    Grade,
    Isolation,
    LegalBasis,
    Observation,
    OutMedicalPart,
    Screening,
    Tri,
)
from solver.domain import Person, Psychiatric
from tests.service.inventory.places import refused, run
from tests.service.people.roles import (
    COORDINATOR,
    DOCTOR,
    OFFICER,
    as_,
    decision,
    registered,
    today,
)

HOSPITAL = as_(Role.CLINICIAN, "cth-1")


def opinion(kind: str, **more: Any) -> NewOpinion:
    given = {"kind": kind, "hospital": "市精神卫生中心", "doctors": ["医生甲"]}
    return NewOpinion.model_validate(given | more)


DIAGNOSIS = opinion("psychiatric_diagnosis", severe=True, danger_case="b")


def seen(conn: Connection, person: str, now: datetime | None = None) -> Person:
    """The person as the rules see them."""
    return load_network(conn, DOCTOR.policy, units=(), persons=[person], now=now).persons[person]


@pytest.fixture
def person(conn: Connection) -> str:
    return registered(conn)


@pytest.mark.parametrize(
    ("given", "pointer", "code"),
    [
        ({"kind": "joint_hospital"}, "/at_risk", "missing"),
        ({"kind": "out_medical_need", "severe": True}, "/at_risk", "missing"),
        ({"kind": "capacity"}, "/capable", "missing"),
        ({"kind": "capacity", "capable": "yes", "severe": True}, "/severe", "not-asked"),
        ({"kind": "psychiatric_diagnosis", "severe": True, "confirmed": True}, "/confirmed",
         "not-asked"),
        ({"kind": "capacity", "capable": "yes", "doctors": ["医生甲", "医 生甲"]}, "/doctors",
         "named-twice"),
        ({"kind": "psychiatric_diagnosis", "severe": True, "hospital": "psc-1"}, "/hospital",
         "not-licensed"),
    ],
)  # fmt: skip
def test_an_opinion_answers_what_its_kind_asks_and_nothing_else(
    conn: Connection, person: str, given: dict[str, Any], pointer: str, code: str
):
    error = refused(conn, Invalid, record_opinion, DOCTOR, person, opinion(**given))
    assert (error.errors[0].pointer, error.errors[0].code) == (pointer, code)


def test_a_hospitals_doctor_records_no_other_hospitals_opinion(conn: Connection, person: str):
    refused(conn, Forbidden, record_opinion, HOSPITAL, person, DIAGNOSIS)


@pytest.mark.parametrize("doctors", [["医生乙"], ["医生甲", "医生乙"], ["医生 甲", "医生丙"]])
def test_a_re_diagnosis_is_by_two_who_did_not_diagnose(
    conn: Connection, person: str, doctors: list[str]
):
    again = opinion("rediagnosis", confirmed=True, doctors=doctors)
    assert refused(conn, Conflict, record_opinion, DOCTOR, person, again).code == "no-diagnosis"
    run(conn, record_opinion, DOCTOR, person, DIAGNOSIS)
    error = refused(conn, Invalid, record_opinion, DOCTOR, person, again)
    assert error.errors[0].code == "two-others"
    others = opinion("rediagnosis", confirmed=True, doctors=["医生乙", "医生丙"])
    run(conn, record_opinion, DOCTOR, person, others)
    expert = opinion("expert_opinion", confirmed=True, doctors=["医生丙"])
    refused(conn, Invalid, record_opinion, DOCTOR, person, expert)


@pytest.mark.parametrize("kind", ["rediagnosis", "expert_opinion", "reassessment"])
def test_one_later_word_against_the_need_ends_it_until_a_new_diagnosis(
    conn: Connection, person: str, kind: str
):
    assert seen(conn, person).psychiatric is None
    run(conn, record_opinion, DOCTOR, person, DIAGNOSIS)
    sure = Psychiatric(severe=True, case=DangerCase.OTHERS)
    assert seen(conn, person).psychiatric == sure
    doctors = ["医生乙", "医生丙"]
    against = opinion(kind, confirmed=False, doctors=doctors)
    said = run(conn, record_opinion, DOCTOR, person, against)
    assert seen(conn, person).psychiatric == Psychiatric(True, DangerCase.OTHERS, confirmed=False)
    own = opinion("reassessment", confirmed=True)
    run(conn, record_opinion, DOCTOR, person, own)
    unmoved = seen(conn, person).psychiatric
    assert unmoved is not None
    assert not unmoved.confirmed, "the hospital's own word does not undo it"
    run(conn, revoke_opinion, DOCTOR, said.id)
    assert seen(conn, person).psychiatric == sure
    refused(conn, Conflict, revoke_opinion, DOCTOR, said.id)


def test_no_opinion_is_shown_to_whoever_asks_for_a_re_diagnosis(conn: Connection, person: str):
    for who in (OFFICER, COORDINATOR):
        assert run(conn, ask_rediagnosis, who, person) is None
    assert conn.execute(select(core.due_item)).all() == []
    run(conn, record_opinion, DOCTOR, person, DIAGNOSIS)
    for who in (OFFICER, COORDINATOR):
        assert run(conn, ask_rediagnosis, who, person) is None
    [clock] = conn.execute(select(core.due_item)).all()
    assert (clock.kind, clock.recipient) == ("rediagnosis", "guardian")
    again = opinion("rediagnosis", confirmed=True, doctors=["医生乙", "医生丙"])
    run(conn, record_opinion, DOCTOR, person, again)
    [clock] = conn.execute(select(core.due_item)).all()
    assert clock.outcome == "done"
    events = conn.execute(select(core.event.c.data).where(core.event.c.subject_type == "opinion"))
    assert set(map(str, events.scalars())) == {"{}"}


def test_the_newest_finding_of_capacity_counts_wherever_it_stands(conn: Connection, person: str):
    now = datetime.now(UTC)
    assert seen(conn, person).capable is Tri.UNKNOWN
    run(conn, record_opinion, DOCTOR, person, opinion("capacity", capable="no"))
    assert seen(conn, person).capable is Tri.NO
    day = today(conn)
    common = {
        "person_id": person, "given_by": "person", "kinds": ["CTH"], "starts_on": day,
        "ends_on": day, "recorded_by": "x", "version": 1, "recorded_at": now,
    }  # fmt: skip
    later, earlier = now + timedelta(hours=1), now - timedelta(days=1)
    conn.execute(
        insert(core.consent).values(
            id=new_id("cn"), capable="unknown", capacity_at=earlier, **common
        )
    )
    assert seen(conn, person).capable is Tri.NO
    conn.execute(
        insert(core.consent).values(
            id=new_id("cn"), capable="yes", capacity_at=later, refused=True, **common
        )
    )
    found = seen(conn, person)
    assert found.capable is Tri.YES
    assert len(found.consents) == 1, "a refusal is no consent"


def test_a_word_given_under_intoxication_lapses_unless_said_again(conn: Connection, person: str):
    now = datetime.now(UTC)
    day = today(conn)
    for number, repeated in enumerate((None, now)):
        conn.execute(
            insert(core.consent).values(
                id=f"cn_{number}", person_id=person, given_by="person", kinds=["CTH"],
                starts_on=day, ends_on=day, sober=False, lapses_at=now, repeated_at=repeated,
                recorded_by="x", recorded_at=now, version=1,
            )
        )  # fmt: skip
    assert [it.lapses_at for it in seen(conn, person).consents] == [now, None]


def test_the_parts_of_treatment_outside_are_those_of_the_present_decision(
    conn: Connection, person: str
):
    run(conn, add_legal_basis, OFFICER, person, decision(conn))
    need = opinion("out_medical_need", severe=True, at_risk=True)
    old = need.model_copy(update={"stated_at": datetime.now(UTC) - timedelta(days=3)})
    run(conn, record_opinion, DOCTOR, person, old)
    assert seen(conn, person).out_medical == frozenset()
    run(conn, record_opinion, DOCTOR, person, need)
    medical = {OutMedicalPart.SEVERE_ILLNESS, OutMedicalPart.LIFE_AT_RISK}
    assert seen(conn, person).out_medical == medical
    gone = opinion("out_medical_need", severe=True, at_risk=False)
    run(conn, record_opinion, DOCTOR, person, gone)
    assert seen(conn, person).out_medical == {OutMedicalPart.SEVERE_ILLNESS}


@pytest.mark.parametrize(("at_risk", "said"), [(True, Tri.YES), (False, Tri.NO)])
def test_the_jointly_appointed_hospitals_word_reaches_the_rules(
    conn: Connection, person: str, at_risk: bool, said: Tri
):
    assert seen(conn, person).joint_opinion is Tri.UNKNOWN
    run(conn, record_opinion, DOCTOR, person, opinion("joint_hospital", at_risk=at_risk))
    assert seen(conn, person).joint_opinion is said


def test_the_terms_last_day_counts_and_a_closed_term_supports_nothing(
    conn: Connection, person: str
):
    run(conn, add_legal_basis, OFFICER, person, decision(conn))
    term = conn.execute(select(core.term)).one()
    longer = term.ends_on + timedelta(days=40)
    values = {"ends_on": longer, "escape_days": 40, "psc_since": term.decided_on}
    conn.execute(core.term.update().values(**values))
    found = seen(conn, person)
    assert found.decision is not None
    assert (found.decision.ends_on, found.psc_since) == (longer, term.decided_on)
    for end, revoked in (("expired", False), ("revoked", True)):
        conn.execute(core.term.update().values(closed_at=datetime.now(UTC), end_code=end))
        found = seen(conn, person)
        assert found.basis is LegalBasis.COMPULSORY
        assert found.decision is not None
        assert found.decision.revoked is revoked
        assert revoked or found.decision.ends_on < today(conn)


NO_ANSWER = {
    "consciousness": "unknown", "bleeding": "unknown", "cough_or_fever": "unknown",
    "self_harm": "unknown", "last_alcohol_or_sedative": "unknown",
}  # fmt: skip


def screened(conn: Connection, person: str, outcome: str, **answers: str) -> None:
    now = datetime.now(UTC)
    conn.execute(
        insert(core.screening).values(
            id=new_id("sc"), person_id=person, outcome=outcome, screened_at=now,
            screened_by="x", recorded_at=now, **NO_ANSWER | answers,
        )
    )  # fmt: skip


def assessed(conn: Connection, person: str, minutes_ago: int, **found: Any) -> None:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    values = {
        "grade": 0, "needs": [], "isolation": "none", "observation": "none", "pregnant": "no",
        "nursing": "no", "dimensions": {},
    }  # fmt: skip
    conn.execute(
        insert(core.assessment).values(
            id=new_id("as"), person_id=person, assessed_at=at, assessed_by="x", recorded_at=at,
            **values | found,
        )
    )  # fmt: skip


def test_each_positive_answer_asks_for_its_place(conn: Connection, person: str):
    assert not seen(conn, person).need.examined
    screened(
        conn, person, "caution", bleeding="yes", cough_or_fever="yes", self_harm="yes",
        last_alcohol_or_sedative="within_72h",
    )  # fmt: skip
    need = seen(conn, person).need
    assert (need.grade, need.screening, need.examined) == (None, Screening.CAUTION, False)
    assert need.needs == {BedKind.NUR, BedKind.DTX}
    assert (need.route, need.watch) == (Isolation.AIRBORNE, Observation.CONSTANT)
    assert need.pregnant is Tri.UNKNOWN


def test_an_answer_not_given_stays_unknown_and_a_no_is_a_no(conn: Connection, person: str):
    screened(conn, person, "caution", cough_or_fever="no", last_alcohol_or_sedative="over_72h")
    need = seen(conn, person).need
    assert (need.route, need.watch, need.needs) == (
        Isolation.NONE,
        Observation.UNKNOWN,
        frozenset(),
    )


def test_a_cleared_screening_leaves_nothing_to_isolate_for(conn: Connection, person: str):
    answers = dict.fromkeys(("bleeding", "cough_or_fever", "self_harm"), "no")
    screened(conn, person, "clear", **answers, last_alcohol_or_sedative="never")
    need = seen(conn, person).need
    assert (need.cleared, need.route, need.watch) == (True, Isolation.NONE, Observation.NONE)


@pytest.mark.parametrize(
    ("outcome", "before", "after"),
    [
        ("clear", 0, None), ("clear", 1, None), ("clear", 2, 2), ("clear", 5, 5),
        ("caution", 1, None), ("caution", 3, None), ("caution", 4, 4), ("red_flag", 4, None),
    ],
)  # fmt: skip
def test_an_officer_never_lowers_what_a_clinician_found(
    conn: Connection, person: str, outcome: str, before: int, after: int | None
):
    assessed(conn, person, 60, grade=before, isolation="contact", observation="frequent",
             needs=["ACC"])  # fmt: skip
    screened(conn, person, outcome, cough_or_fever="no", self_harm="no")
    need = seen(conn, person).need
    assert need.grade == (Grade(after) if after is not None else None)
    assert (need.route, need.watch) == (Isolation.CONTACT, Observation.FREQUENT)
    assert need.needs == {BedKind.ACC}
    assert need.pregnant is Tri.NO
    assessed(conn, person, -1)
    assert seen(conn, person).need.examined
    assert seen(conn, person).need.screening is Screening.NONE


def test_opinions_are_listed_newest_first(conn: Connection, person: str):
    first = run(conn, record_opinion, DOCTOR, person, opinion("capacity", capable="yes"))
    second = run(conn, record_opinion, DOCTOR, person, opinion("capacity", capable="no"))
    assert [it.id for it in run(conn, list_opinions, DOCTOR, person)] == [second.id, first.id]
