"""Facts of a person that decide where they may be: who depends on them, who they are, how ill."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import Connection, select

from service.errors import Conflict, Invalid, NotFound
from service.store.network import load_network
from service.store.network_people import read_people
from service.store.tables import core
from service.workflow.law.legal_bases import Service, add_legal_basis, serve_legal_basis
from service.workflow.persons.assessments import record_assessment
from service.workflow.persons.people import Guardian, register_person
from service.workflow.persons.person_changes import PersonChange, change_person
from service.workflow.persons.person_view import get_person
from service.workflow.persons.unidentified import register_unidentified
from service.workflow.watch import due
from solver.codes import Critical, Grade, NursingLevel, Sex, Tri, Triage
from solver.domain import Person
from tests.service.inventory.places import refused, run
from tests.service.people.roles import (
    COORDINATOR,
    DOCTOR,
    OFFICER,
    PSC,
    decision,
    finding,
    newcomer,
    registered,
    today,
)

ZONE = DOCTOR.policy.zone


def seen(conn: Connection, person: str, now: datetime | None = None) -> Person:
    return load_network(conn, DOCTOR.policy, units=(), persons=[person], now=now).persons[person]


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), tzinfo=ZONE).astimezone(UTC)


@pytest.mark.parametrize(
    ("born", "first_birthday"),
    [
        (date(2026, 3, 10), date(2027, 3, 10)),
        (date(2024, 2, 29), date(2025, 3, 1)),
    ],
)
def test_a_mother_nurses_until_her_childs_first_birthday(
    conn: Connection, born: date, first_birthday: date
):
    mother = run(conn, register_person, DOCTOR, newcomer(sex="female")).id
    conn.execute(core.person.update().values(nursing_child_born_on=born))
    eve = noon(first_birthday - timedelta(days=1))
    assert seen(conn, mother, eve).need.nursing is Tri.YES
    assert seen(conn, mother, noon(first_birthday)).need.nursing is Tri.NO
    until = read_people(conn, eve, ZONE, [mother])[mother].until
    assert until is not None
    assert until.astimezone(ZONE) == datetime.combine(first_birthday, time.min, tzinfo=ZONE)


def test_without_a_birth_date_the_finding_says_whether_she_nurses(conn: Connection):
    mother = run(conn, register_person, DOCTOR, newcomer(sex="female")).id
    assert seen(conn, mother).need.nursing is Tri.UNKNOWN
    run(conn, record_assessment, DOCTOR, mother, finding(nursing="yes"))
    assert seen(conn, mother).need.nursing is Tri.YES


@pytest.mark.parametrize(("sex", "days", "code"), [("male", -9, "other-sex"),
                                                   ("female", 1, "in-the-future")])  # fmt: skip
def test_a_nursed_child_that_cannot_be_is_refused(conn: Connection, sex: str, days: int, code: str):
    born = today(conn) + timedelta(days=days)
    wrong = newcomer(sex=sex, nursing_child_born_on=born)
    error = refused(conn, Invalid, register_person, DOCTOR, wrong)
    assert (error.errors[0].pointer, error.errors[0].code) == ("/nursing_child_born_on", code)
    person = run(conn, register_person, DOCTOR, newcomer(sex=sex)).id
    change = PersonChange(nursing_child_born_on=born)
    assert refused(conn, Invalid, change_person, DOCTOR, person, change).errors[0].code == code


def test_a_guardian_is_sealed_and_shown_to_those_who_need_one(conn: Connection):
    person = registered(conn)
    named = PersonChange(guardian=Guardian(name="虚构母", phone="139"))
    run(conn, change_person, COORDINATOR, person, named)
    row = conn.execute(select(core.person.c.guardian)).scalar_one()
    assert "虚构".encode() not in row
    view = run(conn, get_person, DOCTOR, person)
    assert view.guardian == Guardian(name="虚构母", phone="139")
    assert run(conn, get_person, OFFICER, person).guardian is None, "no paper of police yet"
    run(conn, change_person, COORDINATOR, person, PersonChange(guardian=None))
    assert run(conn, get_person, DOCTOR, person).guardian is None


def notices(conn: Connection) -> list[tuple[str, str, str | None]]:
    it = core.due_item.c
    found = conn.execute(
        select(it.owner, it.recipient, it.outcome).where(it.kind == "sole_carer_notice")
    )
    return [tuple(row) for row in found]


def test_the_street_office_is_told_once_a_sole_carers_decision_is_served(conn: Connection):
    person = registered(conn)
    run(conn, change_person, OFFICER, person, PersonChange(sole_carer=Tri.YES))
    basis = run(conn, add_legal_basis, OFFICER, person, decision(conn))
    assert notices(conn) == []
    served = Service(served_at=datetime.now(UTC) - timedelta(minutes=5))
    run(conn, serve_legal_basis, OFFICER, basis.id, served)
    assert notices(conn) == [("centre", "street_office", None)]
    run(conn, change_person, OFFICER, person, PersonChange(sole_carer=Tri.NO))
    assert notices(conn) == [("centre", "street_office", "called_off")]


def test_a_sole_carer_found_after_the_service_is_told_of_too(conn: Connection):
    person = registered(conn)
    served = datetime.now(UTC) - timedelta(minutes=5)
    run(conn, add_legal_basis, OFFICER, person, decision(conn, served_at=served.isoformat()))
    assert notices(conn) == []
    run(conn, change_person, OFFICER, person, PersonChange(sole_carer=Tri.YES))
    assert notices(conn) == [("centre", "street_office", None)]


def test_somebody_unnamed_is_identified_later(conn: Connection):
    person = register_unidentified(conn, DOCTOR, age=40)
    assert (seen(conn, person).sex, seen(conn, person).identified) == (None, False)
    assert not run(conn, get_person, DOCTOR, person).identified
    for change, pointer in (
        ({"identified": True}, "/sex"),
        ({"identified": True, "sex": "male"}, "/birth_date"),
        ({"document": {"kind": "other", "number": "SYN 0009"}}, "/sex"),
    ):
        wrong = PersonChange.model_validate(change)
        error = refused(conn, Invalid, change_person, DOCTOR, person, wrong)
        assert error.errors[0].pointer == pointer
    known = {"identified": True, "sex": "male", "birth_date": "1985-05-05", "name": "虚构戊"}
    run(conn, change_person, DOCTOR, person, PersonChange.model_validate(known))
    assert (seen(conn, person).sex, seen(conn, person).identified) == (Sex.MALE, True)
    back = PersonChange(identified=False)
    refused(conn, Invalid, change_person, DOCTOR, person, back)


def test_whoever_turns_out_to_be_on_record_is_to_be_merged(conn: Connection):
    old = run(conn, register_person, DOCTOR, newcomer()).id
    person = register_unidentified(conn, DOCTOR)
    known = PersonChange.model_validate(
        {
            "identified": True, "sex": "male", "birth_date": "1990-01-01",
            "document": {"kind": "other", "number": "SYN 0001"},
        }
    )  # fmt: skip
    error = refused(conn, Conflict, change_person, DOCTOR, person, known)
    assert (error.code, error.members["person"]) == ("already-registered", old)
    assert error.members["next"] == f"POST /api/v1/people/{old}/merge"


def test_a_centre_that_may_not_know_a_patient_cannot_change_them(conn: Connection):
    patient = run(conn, register_person, DOCTOR, newcomer()).id
    refused(conn, NotFound, change_person, PSC, patient, PersonChange(name="x"))


@pytest.mark.parametrize(
    ("grade", "found", "warned"),
    [
        ("G4", {"triage": "I"}, {"triage": Grade.G5}),
        ("G5", {"triage": "I"}, {}),
        ("G3", {"triage": "II"}, {"triage": Grade.G4}),
        ("G4", {"triage": "II", "critical": "critical"}, {}),
        ("G2", {"triage": "II", "critical": "serious"}, {"triage": Grade.G4,
                                                         "critical": Grade.G3}),
        ("G0", {"triage": "III", "critical": "none", "nursing_level": "special"}, {}),
        ("unknown", {"critical": "critical"}, {"critical": Grade.G4}),
    ],
)  # fmt: skip
def test_a_graver_finding_beside_a_lower_grade_is_warned_of_and_changes_nothing(
    conn: Connection, grade: str, found: dict[str, str], warned: dict[str, Grade]
):
    person = registered(conn)
    done = run(conn, record_assessment, DOCTOR, person, finding(grade, **found))
    assert {it.member: it.at_least for it in done.inconsistent} == warned
    assert done.assessment.grade == (None if grade == "unknown" else Grade[grade])


def test_the_four_scales_stand_side_by_side(conn: Connection):
    person = registered(conn)
    found = finding("G2", nursing_level="first", critical="serious", triage="III")
    view = run(conn, record_assessment, DOCTOR, person, found).assessment
    assert (view.grade, view.nursing_level) == (Grade.G2, NursingLevel.FIRST)
    assert (view.critical, view.triage) == (Critical.SERIOUS, Triage.III)
    run(conn, add_legal_basis, OFFICER, person, decision(conn))
    officer = run(conn, get_person, OFFICER, person)
    assert officer.assessment is officer.opinions is None
    assert officer.care is not None
    assert officer.care.nursing_level is NursingLevel.FIRST
    assert "critical" not in officer.care.model_dump()
    assert "triage" not in officer.care.model_dump()


def test_a_finding_of_g5_opens_the_emergency_lane_and_a_lower_one_shuts_it(conn: Connection):
    person = registered(conn)
    assert run(conn, record_assessment, DOCTOR, person, finding("G3")).lane is None
    lane = run(conn, record_assessment, DOCTOR, person, finding("G5")).lane
    assert lane is not None
    assert lane.on_call_phone
    request = select(core.placement_request.c.emergency)
    assert conn.execute(request).scalar_one() is True
    alarm = select(core.due_item.c.kind).where(core.due_item.c.settled_at.is_(None))
    assert "offer_alarm" in set(conn.execute(alarm).scalars())
    old = finding("G2", assessed_at=(datetime.now(UTC) - timedelta(hours=2)).isoformat())
    run(conn, record_assessment, DOCTOR, person, old)
    assert conn.execute(request).scalar_one() is True, "an older finding shuts nothing"
    run(conn, record_assessment, DOCTOR, person, finding("G2"))
    assert conn.execute(request).scalar_one() is False


def test_a_doctor_who_has_seen_the_person_stops_the_clock(conn: Connection):
    person = registered(conn)
    now = datetime.now(UTC)
    due.owe(conn, OFFICER, "doctor_sees", subject=("person", person), now=now, person=person)
    run(conn, record_assessment, DOCTOR, person, finding())
    assert conn.execute(select(core.due_item.c.outcome)).scalar_one() == "done"
