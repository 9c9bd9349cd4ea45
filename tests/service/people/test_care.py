"""A clinician's word, the grade that follows from it, and what of it each role sees."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import Connection, func, select

from service.access.caller import Role
from service.errors import Conflict, Invalid, NotFound
from service.store.engine import now
from service.store.tables import core
from service.workflow.consent.consents import record_consent
from service.workflow.law.legal_bases import add_legal_basis
from service.workflow.persons.assessments import Dimension, combined_grade, record_assessment
from service.workflow.persons.fitness import (
    NewFitness,
    NewMovementStop,
    StopReason,
    lift_movement_stop,
    revoke_fitness,
    set_movement_stop,
    state_fitness,
)
from service.workflow.persons.people import Guardian
from service.workflow.persons.person_changes import PersonChange, change_person
from service.workflow.persons.person_view import PARTS, get_person
from solver.codes import Grade, UnitKind
from tests.service.inventory.people import claim
from tests.service.inventory.places import refused, run
from tests.service.people.roles import (
    AUDITOR,
    COORDINATOR,
    CTH,
    DOCTOR,
    OFFICER,
    PSC,
    agreement,
    as_,
    consent,
    decision,
    finding,
    registered,
    today,
)

GRADES = st.dictionaries(
    st.sampled_from(Dimension), st.one_of(st.none(), st.sampled_from(Grade)), min_size=6
)


@pytest.fixture
def person(conn: Connection) -> str:
    return registered(conn, sex="female")


@given(dimensions=GRADES, unknown=st.sampled_from(Grade))
def test_the_grade_is_the_maximum_and_an_unknown_never_lowers_it(
    dimensions: dict[Dimension, Grade | None], unknown: Grade
):
    grade = combined_grade(dimensions, unknown)
    known = [it for it in dimensions.values() if it is not None]
    if len(known) == len(Dimension):
        assert grade == max(known)
    else:
        at_least = max(known, default=Grade.G0)
        assert (unknown if grade is None else grade) >= at_least
        assert grade is None or grade >= unknown


@pytest.mark.parametrize(
    ("worst", "other", "grade"),
    [
        ("G0", "G0", Grade.G0),
        ("G2", "G0", Grade.G2),
        ("G2", "unknown", None),
        ("G3", "unknown", Grade.G3),
        ("G5", "unknown", Grade.G5),
        ("unknown", "unknown", None),
    ],
)
def test_a_finding_is_recorded_with_the_grade_that_follows(
    conn: Connection, person: str, worst: str, other: str, grade: Grade | None
):
    dimensions = dict.fromkeys(Dimension, other) | {Dimension.SOMATIC: worst}
    done = run(conn, record_assessment, DOCTOR, person, finding(dimensions=dimensions))
    assert done.assessment.grade == grade
    assert done.assessment.assessed_by == DOCTOR.actor.id
    recorded = core.event.c.operation == "assessment.recorded"
    [event] = conn.execute(select(core.event).where(recorded)).all()
    assert (event.person_id, event.data) == (person, {})
    assert (done.lane is not None) == (grade is Grade.G5)


def test_the_newest_finding_counts_whenever_it_is_recorded(conn: Connection, person: str):
    run(conn, record_assessment, DOCTOR, person, finding("G2"))
    late = finding("G0", assessed_at=now(conn) - timedelta(days=2))
    run(conn, record_assessment, DOCTOR, person, late)
    assert run(conn, get_person, DOCTOR, person).assessment.grade == Grade.G2


def test_a_dimension_nobody_looked_at_is_said_to_be_unknown_or_the_finding_is_refused(
    conn: Connection, person: str
):
    partial = finding(dimensions={"mental": "G1"})
    error = refused(conn, Invalid, record_assessment, DOCTOR, person, partial)
    assert error.errors[0].pointer == "/dimensions/withdrawal"
    assert "unknown" in error.detail


@pytest.mark.parametrize("kind", ["GEN", "RSV", "SURGE"])
def test_a_use_of_beds_is_no_need_of_a_person(conn: Connection, person: str, kind: str):
    wrong = finding(needs=["NUR", kind])
    error = refused(conn, Invalid, record_assessment, DOCTOR, person, wrong)
    assert error.errors[0].value == kind


@pytest.mark.parametrize("name", ["pregnant", "nursing"])
def test_a_man_is_neither_pregnant_nor_nursing(conn: Connection, name: str):
    man = registered(conn)
    error = refused(conn, Invalid, record_assessment, DOCTOR, man, finding(**{name: "yes"}))
    assert error.errors[0].pointer == f"/{name}"
    run(conn, record_assessment, DOCTOR, man, finding(**{name: "unknown"}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"dimensions": {"mental": "G6"}},
        {"isolation": "maybe"},
        {"needs": ["POOL"]},
        {"assessed_at": "2026-11-01T08:00:00"},
        {"pregnant": None},
    ],
)
def test_unknown_codes_and_naive_instants_in_a_finding_are_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError) as caught:
        finding(**wrong)
    assert caught.value.errors()[0]["loc"][0] == next(iter(wrong))


def test_a_finding_of_the_future_is_refused(conn: Connection, person: str):
    early = finding(assessed_at=now(conn) + timedelta(hours=1))
    refused(conn, Invalid, record_assessment, DOCTOR, person, early)


def test_a_finding_that_parts_roommates_is_recorded_and_shows_them_misplaced(conn: Connection):
    claim(conn, "psc-1.w1.r01.b1", person_id="p-mate")
    claim(conn, "psc-1.w1.r01.b2", person_id="p-ill")
    done = run(conn, record_assessment, DOCTOR, "p-ill", finding("G2", isolation="airborne"))
    assert done.misplaced
    live = conn.execute(
        select(core.bed_claim).where(
            core.bed_claim.c.person_id == "p-ill",
            core.bed_claim.c.voided_at.is_(None),
            func.upper_inf(core.bed_claim.c.during),
        )
    ).one()
    assert live.mix_key != "male"


def test_a_new_statement_takes_the_place_of_the_one_before(conn: Connection, person: str):
    day = today(conn) + timedelta(days=7)
    first = NewFitness(kinds=frozenset({UnitKind.OMW}), ends_on=day)
    second = NewFitness(
        kinds=frozenset({UnitKind.CTH}), agreed_units=frozenset({"cth-1.w1"}), ends_on=day
    )
    run(conn, state_fitness, DOCTOR, person, first)
    made = run(conn, state_fitness, DOCTOR, person, second)
    assert run(conn, get_person, DOCTOR, person).fitness == made
    run(conn, revoke_fitness, DOCTOR, person)
    assert run(conn, get_person, DOCTOR, person).fitness is None
    refused(conn, NotFound, revoke_fitness, DOCTOR, person)


def test_a_statement_that_is_over_or_names_no_unit_is_refused(conn: Connection, person: str):
    kinds, day = frozenset({UnitKind.CTH}), today(conn)
    over = NewFitness(kinds=kinds, ends_on=day - timedelta(days=1))
    nowhere = NewFitness(kinds=kinds, agreed_units=frozenset({"cth-9.w1"}), ends_on=day)
    for wrong, pointer in ((over, "/ends_on"), (nowhere, "/agreed_units")):
        error = refused(conn, Invalid, state_fitness, DOCTOR, person, wrong)
        assert error.errors[0].pointer == pointer


def test_one_movement_stop_stands_until_it_is_lifted(conn: Connection, person: str):
    stop = NewMovementStop(reason=StopReason.UNSTABLE)
    made = run(conn, set_movement_stop, DOCTOR, person, stop)
    assert (
        refused(conn, Conflict, set_movement_stop, DOCTOR, person, stop).code == "already-stopped"
    )
    assert run(conn, get_person, COORDINATOR, person).movement_stop == made
    run(conn, lift_movement_stop, DOCTOR, person)
    assert run(conn, get_person, COORDINATOR, person).movement_stop is None
    refused(conn, NotFound, lift_movement_stop, DOCTOR, person)
    run(conn, set_movement_stop, DOCTOR, person, stop)


def patient(conn: Connection, *, custodial: bool) -> str:
    """Somebody with every kind of record, in a bed of psc-1."""
    claim(conn, "psc-1.w1.r01.b1", person_id="p-seen")
    named = PersonChange(guardian=Guardian(name="虚构丁"))
    run(conn, change_person, COORDINATOR, "p-seen", named)
    paper = decision(conn) if custodial else agreement(conn)
    run(conn, add_legal_basis, COORDINATOR, "p-seen", paper)
    run(conn, record_consent, DOCTOR, "p-seen", consent(conn))
    run(conn, record_assessment, DOCTOR, "p-seen", finding("G2", needs=["NUR"]))
    day = today(conn)
    run(
        conn,
        state_fitness,
        DOCTOR,
        "p-seen",
        NewFitness(kinds=frozenset({UnitKind.OMW}), ends_on=day),
    )
    run(conn, set_movement_stop, DOCTOR, "p-seen", NewMovementStop(reason=StopReason.OTHER))
    return "p-seen"


EVERY_PART = sorted(PARTS[Role.AUDITOR] - {"home"})


@pytest.mark.parametrize("role", [it for it in Role if it is not Role.DASHBOARD])
def test_each_role_sees_its_parts_of_somebody_in_custody_and_no_others(
    conn: Connection, role: Role
):
    who = as_(role, "psc-1" if role in (Role.FACILITY_ADMIN, Role.INTEGRATION) else None)
    view = run(conn, get_person, who, patient(conn, custodial=True))
    shown = {name for name in EVERY_PART if getattr(view, name) is not None}
    assert shown == PARTS[role] - {"home"}
    assert set(view.withheld) == PARTS[Role.AUDITOR] - PARTS[role]


def test_the_parts_of_each_role_are_these():
    assert PARTS[Role.FACILITY_ADMIN] == PARTS[Role.INTEGRATION] == {"care"}
    assert PARTS[Role.DASHBOARD] == set()
    assert "assessment" not in PARTS[Role.INTAKE_OFFICER] | PARTS[Role.COORDINATOR]
    assert "consents" not in PARTS[Role.INTAKE_OFFICER]


def test_to_the_police_side_a_consenting_patient_looks_like_nobody(conn: Connection):
    seen = refused(conn, NotFound, get_person, OFFICER, patient(conn, custodial=False))
    nobody = refused(conn, NotFound, get_person, OFFICER, "p-nobody")
    assert seen.code == nobody.code
    assert seen.detail.replace("p-seen", "") == nobody.detail.replace("p-nobody", "")
    assert len(run(conn, get_person, COORDINATOR, "p-seen").legal_bases or []) == 1


def test_a_facility_knows_the_people_in_its_own_beds_only(conn: Connection):
    person = patient(conn, custodial=True)
    assert run(conn, get_person, PSC, person).care is not None
    error = refused(conn, NotFound, get_person, CTH, person)
    unknown = refused(conn, NotFound, get_person, CTH, "p-nobody")
    assert error.code == unknown.code


def test_every_reading_of_a_named_person_is_recorded(conn: Connection, person: str):
    readers = (DOCTOR, OFFICER, COORDINATOR, AUDITOR)
    for who in readers:
        run(conn, get_person, who, person)
    rows = conn.execute(select(core.access_record).order_by(core.access_record.c.id)).all()
    assert sorted((it.actor, it.person_id) for it in rows) == sorted(
        (who.actor.id, person) for who in readers
    )
