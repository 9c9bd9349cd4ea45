"""People registered once under a pseudonym; who they are is encrypted and read for a purpose."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import Connection, Engine, func, select

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from service.store import engine as store
from service.store.tables import core
from service.workflow.law.legal_bases import add_legal_basis
from service.workflow.persons.documents import (
    DocumentKind,
    check_character,
    check_document,
    normalised,
)
from service.workflow.persons.identity import read_identity
from service.workflow.persons.people import register_person
from service.workflow.persons.person_changes import PersonChange, change_person
from solver.codes import Sex
from tests.service.inventory.people import claim
from tests.service.inventory.places import refused, run
from tests.service.people.roles import (
    AUDITOR,
    COORDINATOR,
    CTH,
    DOCTOR,
    OFFICER,
    PSC,
    as_,
    decision,
    newcomer,
    registered,
    today,
)


def test_nothing_readable_of_the_identity_reaches_the_database(conn: Connection):
    person = registered(conn, phone="139-0000-0000")
    row = conn.execute(select(core.person).where(core.person.c.id == person)).one()
    everything = str(tuple(row)).encode() + row.identity
    for secret in ("虚构甲", "SYN", "0001", "139"):
        assert secret.encode() not in everything
    assert row.document_index is not None
    events = conn.execute(select(core.event).order_by(core.event.c.seq.desc()).limit(1)).one()
    assert (events.operation, events.person_id, events.data) == ("person.registered", person, {})


@pytest.mark.parametrize("written", ["SYN 0001", "syn0001", "ＳＹＮ０００１", " SYN 00 01 "])
@pytest.mark.parametrize("role", [Role.INTAKE_OFFICER, Role.CLINICIAN, Role.COORDINATOR])
def test_a_second_record_of_the_same_document_names_the_first(
    conn: Connection, written: str, role: Role
):
    person = registered(conn)
    again = newcomer(document={"kind": "other", "number": written}, name="别名")
    error = refused(conn, Conflict, register_person, as_(role), again)
    assert (error.code, error.members["person"]) == ("already-registered", person)
    assert "SYN" not in error.detail


def test_a_facility_learns_that_there_is_a_record_and_not_which(conn: Connection):
    person = registered(conn)
    error = refused(conn, Conflict, register_person, CTH, newcomer())
    assert error.code == "already-registered"
    assert person not in error.detail + str(error.members)


def test_police_who_may_not_know_of_a_patient_open_a_record_and_an_auditor_sees_both(
    conn: Connection,
):
    person = run(conn, register_person, DOCTOR, newcomer()).id
    second = run(conn, register_person, PSC, newcomer()).id
    assert second != person
    [flag] = conn.execute(select(core.audit_flag)).all()
    assert (flag.kind, flag.person_id, flag.subject_id) == ("possible_duplicate", second, person)


def test_two_desks_that_register_the_same_person_at_once_open_one_record(engine: Engine):
    def desk(_: int) -> str:
        try:
            return store.run(engine, register_person, OFFICER, newcomer()).id
        except Conflict as error:
            return f"refused: {error.members['person']}"

    with ThreadPoolExecutor(8) as desks:
        answers = list(desks.map(desk, range(8)))
    [person] = [it for it in answers if not it.startswith("refused")]
    assert sorted(answers) == sorted([person, *[f"refused: {person}"] * 7])
    with engine.connect() as conn:
        assert conn.execute(select(func.count()).select_from(core.person)).scalar_one() == 1


def test_people_without_a_document_are_each_their_own_record(conn: Connection):
    unknown = newcomer(document=None, name=None)
    first = run(conn, register_person, OFFICER, unknown)
    second = run(conn, register_person, OFFICER, unknown)
    assert first.id != second.id


@pytest.mark.parametrize("days", [1, -131 * 366])
def test_a_birth_date_that_cannot_be_is_refused(conn: Connection, days: int):
    wrong = newcomer(birth_date=today(conn) + timedelta(days=days))
    error = refused(conn, Invalid, register_person, OFFICER, wrong)
    assert error.errors[0].pointer == "/birth_date"


def resident_number(birth: date, sex: Sex, region: str = "990000") -> str:
    """A number of a region that does not exist, right in every other respect."""
    first = f"{region}{birth:%Y%m%d}00{1 if sex is Sex.MALE else 2}"
    return first + check_character(first)


BIRTHS = st.dates(date(1930, 1, 1), date(2010, 12, 31))


@given(birth=BIRTHS, sex=st.sampled_from(Sex), at=st.integers(0, 17), digit=st.integers(0, 9))
def test_one_mistyped_digit_of_a_resident_number_is_always_caught(
    birth: date, sex: Sex, at: int, digit: int
):
    number = resident_number(birth, sex)
    check_document(DocumentKind.RESIDENT_ID, number, birth, sex)
    mistyped = number[:at] + str(digit) + number[at + 1 :]
    if mistyped != number:
        with pytest.raises(Invalid) as caught:
            check_document(DocumentKind.RESIDENT_ID, mistyped, birth, sex)
        assert mistyped not in str(caught.value.detail)


def test_a_resident_number_agrees_with_birth_date_and_sex(conn: Connection):
    number = resident_number(date(1990, 1, 1), Sex.MALE)
    document = {"kind": "resident_id", "number": number}
    person = registered(conn, document=document)
    other = {"kind": "resident_id", "number": resident_number(date(1991, 1, 1), Sex.MALE)}
    refused(conn, Invalid, register_person, OFFICER, newcomer(document=other))
    woman = PersonChange(sex=Sex.FEMALE)
    error = refused(conn, Invalid, change_person, OFFICER, person, woman)
    assert error.errors[0].code == "other-sex"


@pytest.mark.parametrize("more", [{"sex": "?"}, {"birth_date": "1990-13-01"}, {"name": "a\x00b"}])
def test_a_member_that_is_no_such_thing_is_refused(more: dict[str, Any]):
    with pytest.raises(ValidationError) as caught:
        newcomer(**more)
    assert caught.value.errors()[0]["loc"] == tuple(more)


def test_corrections_keep_what_is_not_given_and_move_the_index(conn: Connection):
    person = registered(conn, phone="139")
    changed = run(conn, change_person, OFFICER, person, PersonChange(name="虚构乙"), version=1)
    assert changed.version == 2
    read = run(conn, read_identity, COORDINATOR, person, "letter to the family")
    assert (read.name, read.phone, read.document_number) == ("虚构乙", "139", "SYN0001")
    moved = PersonChange.model_validate({"document": {"kind": "passport", "number": "E1234567"}})
    run(conn, change_person, OFFICER, person, moved)
    assert run(conn, register_person, OFFICER, newcomer()).id != person
    taken = newcomer(document={"kind": "other", "number": "e123 4567"})
    refused(conn, Conflict, register_person, OFFICER, taken)


def test_a_correction_on_an_older_version_or_to_anothers_document_is_refused(conn: Connection):
    registered(conn)
    second = registered(conn, document={"kind": "other", "number": "SYN 0002"})
    named = PersonChange(name="虚构丙")
    refused(conn, PreconditionFailed, change_person, OFFICER, second, named, version=9)
    taken = PersonChange.model_validate({"document": {"kind": "other", "number": "SYN0001"}})
    error = refused(conn, Conflict, change_person, OFFICER, second, taken)
    assert error.code == "already-registered"
    nowhere = PersonChange(origin_unit="psc-9.w1")
    refused(conn, NotFound, change_person, OFFICER, second, nowhere)


def test_a_corrected_sex_is_weighed_anew_in_the_room(conn: Connection):
    claim(conn, "psc-1.w1.r01.b1", person_id="p-mate")
    claim(conn, "psc-1.w1.r01.b2", person_id="p-other")
    run(conn, change_person, DOCTOR, "p-other", PersonChange(sex=Sex.FEMALE))
    live = conn.execute(
        select(core.bed_claim.c.emergency).where(
            core.bed_claim.c.person_id == "p-other",
            core.bed_claim.c.voided_at.is_(None),
            func.upper_inf(core.bed_claim.c.during),
        )
    ).one()
    assert live.emergency


def test_a_merged_record_sends_on_to_the_one_that_lives(conn: Connection):
    lives = registered(conn)
    merged = registered(conn, document=None)
    conn.execute(core.person.update().where(core.person.c.id == merged).values(merged_into=lives))
    error = refused(conn, Conflict, change_person, OFFICER, merged, PersonChange(name="丁"))
    assert (error.code, error.members["person"]) == ("merged", lives)


def test_every_reading_of_an_identity_is_recorded_with_its_purpose(conn: Connection):
    person = registered(conn)
    read = run(conn, read_identity, DOCTOR, person, "  consent form  ")
    assert (read.name, read.document_kind) == ("虚构甲", DocumentKind.OTHER)
    rows = conn.execute(select(core.access_record)).all()
    assert [(it.actor, it.person_id, it.purpose) for it in rows] == [
        (DOCTOR.actor.id, person, "consent form")
    ]


@pytest.mark.parametrize("purpose", ["", "   ", " x "])
def test_an_identity_is_not_read_without_a_purpose(conn: Connection, purpose: str):
    person = registered(conn)
    refused(conn, Invalid, read_identity, AUDITOR, person, purpose)


def test_an_officer_reads_the_identity_of_people_under_a_measure_only(conn: Connection):
    person = registered(conn)
    error = refused(conn, Forbidden, read_identity, OFFICER, person, "escort list")
    run(conn, add_legal_basis, OFFICER, person, decision(conn))
    assert run(conn, read_identity, OFFICER, person, "escort list").name == "虚构甲"
    assert error.code == "not-for-this-role"


def test_a_facility_reads_the_identity_of_people_in_its_own_beds_only(conn: Connection):
    claim(conn, "psc-1.w1.r01.b1", person_id="p-resident")
    assert run(conn, read_identity, PSC, "p-resident", "roll call").name is None
    refused(conn, NotFound, read_identity, CTH, "p-resident", "roll call")
    refused(conn, NotFound, read_identity, COORDINATOR, "p-nobody", "roll call")


def test_numbers_are_normalised_once_and_for_all():
    assert normalised("４２ 0106-x") == "420106-X"
