"""Somebody nobody can name: taken in at once, in a room of their own, and known later."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import event

from service.access.caller import Role
from service.errors import Conflict, Invalid, NotFound, Refused
from service.store.tables import metadata
from service.store.tables.claims import StayEnd
from service.workflow.emergencies.emergency import Emergency, admit_emergency, admit_unidentified
from service.workflow.persons import documents, people
from service.workflow.persons.merging import merge_persons
from service.workflow.persons.merging_records import (
    MOVED,
    NOT_MOVED,
    SETTLED_ELSEWHERE,
    one_a_person,
)
from service.workflow.persons.people import Document, NewPerson, opened_identity, register_person
from service.workflow.stays.leave import begin_leave, end_leave
from solver.codes import LegalBasis, Sex, UnitKind
from tests.service.workflow.test_no_double_booking import PERSON_IN_TWO_BEDS

NOW = Emergency(unit="hosp-1.er", officer="Dr Chen", reason="found unconscious")


def hospital(world, rooms=(2,), unit="hosp-1.er", **kw):
    return world.unit(
        unit, rooms=rooms, **{"kind": UnitKind.CTH, "bases": (LegalBasis.CONSTRAINED,), **kw}
    )


def unknown(world, where=NOW, **kw):
    return world.do(admit_unidentified, where, **kw)


def merged(world, keep, other):
    return world.do(merge_persons, keep, other, reason="named by the family")


def present(world, person):
    found = world.sql(
        "SELECT bed_id FROM bed_claim WHERE person_id = :p AND kind = 'stay' AND voided_at IS NULL"
        " AND upper_inf(during)",
        p=person,
    )
    return [it[0] for it in found]


@pytest.mark.parametrize("sex", [None, Sex.FEMALE])
@pytest.mark.parametrize("age", [None, 17])
def test_nobody_needs_a_name_a_sex_or_an_age_to_be_taken_in(world, sex, age):
    hospital(world)
    done = unknown(world, sex=sex, age=age)
    row = world.sql(
        "SELECT sex, identified, date_part('year', age(birth_date))::int FROM person WHERE id = :p",
        p=done.stay.person,
    )[0]
    assert (row[0], row[1]) == (sex, False)
    assert age is None or row[2] in (age, age + 1)
    assert "identity" in done.due
    owed = world.sql("SELECT detail FROM due_item WHERE person_id = :p AND kind ="
                     " 'emergency_papers' AND settled_at IS NULL", p=done.stay.person)  # fmt: skip
    assert {it[0] for it in owed} == set(done.due)


def test_an_age_nobody_has_is_refused_and_no_record_is_left(world):
    hospital(world)
    with world.refuses(Invalid, "out-of-range"):
        unknown(world, age=900)


def test_somebody_unnamed_shares_no_room_even_with_somebody_who_looks_alike(world):
    one, two, three = hospital(world, rooms=(2, 1))
    first = unknown(world, sex=Sex.MALE)
    world.assess(first.stay.person)
    second = unknown(world, sex=Sex.MALE)
    world.assess(second.stay.person)
    beds = {first.stay.segments[0].bed, second.stay.segments[0].bed}
    assert three in beds
    assert len({one, two} & beds) == 1
    third = world.do(admit_emergency, world.person(), NOW)
    assert third.stay.segments[0].emergency


def test_a_hospital_outside_the_network_that_is_only_a_phone_takes_somebody_with_one_post(
    world,
):
    world.unit("ext-1.old", rooms=(0,), kind=UnitKind.EXT, bases=(), external=True)
    with world.engine.begin() as conn:
        conn.exec_driver_sql("DELETE FROM room")
        conn.exec_driver_sql("DELETE FROM unit")
    where = Emergency(facility="ext-1", officer="Dr Chen", reason="swallowed a blade")
    first, second = unknown(world, where), unknown(world, where)
    assert first.surge
    assert second.surge
    assert first.stay.facility == "ext-1"
    rooms = world.sql("SELECT room_id FROM bed_claim WHERE NOT emergency ORDER BY id")
    assert [it[0] for it in rooms] == ["ext-1.er.surge1", "ext-1.er.surge2"]
    assert world.events().count("unit.created") == 1


def test_a_facility_without_a_ward_and_one_that_does_not_exist_are_refused(world):
    world.unit()
    for facility, kind, code in (
        ("psc-1", Refused, "emergency-is-medical"),
        ("hosp-9", NotFound, "facility-not-found"),
    ):
        with world.refuses(kind, code):
            unknown(world, Emergency(facility=facility, officer="Dr Chen", reason="x"))
    with world.refuses(Invalid, "missing"):
        unknown(world, Emergency(officer="Dr Chen", reason="x"))


def test_of_a_facility_named_alone_the_best_bed_of_all_its_wards_is_taken(world):
    full = hospital(world, rooms=(1,))
    free = hospital(world, rooms=(1,), unit="hosp-1.w2")[0]
    world.do(admit_emergency, world.person(), NOW)
    done = unknown(world, Emergency(facility="hosp-1", officer="Dr Chen", reason="x"))
    assert done.stay.segments[0].bed == free not in full


def test_nobody_known_to_be_free_is_put_behind_locked_doors(world):
    world.unit("ward-1.a", kind=UnitKind.OMW, rooms=(1, 1, 1))
    ward = Emergency(unit="ward-1.a", officer="Dr Chen", reason="x")
    for basis in (LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY):
        patient = world.person(basis=basis)
        with world.refuses(Refused, "emergency-not-custody"):
            world.do(admit_emergency, patient, ward)
    over = world.person()
    with world.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE legal_basis SET revoked_at = now()")
    with world.refuses(Refused, "emergency-not-custody"):
        world.do(admit_emergency, over, ward)


def test_papers_that_are_not_there_yet_keep_nobody_out_of_a_medical_ward(world):
    world.unit("ward-1.a", kind=UnitKind.OMW, rooms=(1, 1, 1))
    ward = Emergency(unit="ward-1.a", officer="Dr Chen", reason="x")
    assert unknown(world, ward).due
    assert world.do(admit_emergency, world.person(basis=None), ward).due


# known later ----------------------------------------------------------------------------------
@pytest.mark.parametrize("keep_the_unnamed", [False, True])
@pytest.mark.parametrize("centre", ["none", "in_bed", "on_leave", "held"])
def test_whichever_record_lives_on_there_is_one_person_in_one_place(
    world, soon, keep_the_unnamed, centre
):
    bed, _ = world.unit()
    hospital(world)
    known = world.person(sex=Sex.FEMALE)
    request = None
    if centre == "held":
        request = world.held(bed, known)
    elif centre != "none":
        stay = world.admitted(bed, known)
        if centre == "on_leave":
            world.do(begin_leave, stay.id, ends_at=soon)
    found = unknown(world, sex=Sex.MALE)
    stranger = found.stay.person
    keep, other = (stranger, known) if keep_the_unnamed else (known, stranger)
    done = merged(world, keep, other)
    assert present(world, keep) == [found.stay.segments[0].bed]
    assert present(world, other) == []
    assert world.one(PERSON_IN_TWO_BEDS) == 0
    row = world.sql("SELECT sex, identified FROM person WHERE id = :p", p=keep)[0]
    assert tuple(row) == ("female", True)
    assert (done.on_leave is not None) == (centre == "in_bed")
    if centre in ("in_bed", "on_leave"):
        assert world.one("SELECT state FROM stay WHERE id = :s", s=stay.id) == "on_leave"
        world.discharged(found.stay.id, code=StayEnd.DISCHARGED)
        assert world.do(end_leave, stay.id).state == "active"
    if request is not None:
        state = world.one("SELECT state FROM placement_request WHERE id = :r", r=request.id)
        assert state == "withdrawn"
    owed = world.sql("SELECT detail FROM due_item WHERE kind = 'emergency_papers' AND settled_at"
                     " IS NULL")  # fmt: skip
    assert "identity" not in {it[0] for it in owed}


def test_an_identity_sealed_under_one_record_opens_under_the_other(world):
    hospital(world)
    card = Document(kind=documents.DocumentKind.PASSPORT, number="E12345678")
    new = NewPerson(sex=Sex.MALE, birth_date=date(1990, 1, 1), name="Lin", document=card)
    known = world.do(register_person, new).id
    stranger = unknown(world, sex=Sex.MALE).stay.person
    merged(world, stranger, known)
    with world.engine.connect() as conn:
        row = people.require_person(conn, stranger)
        assert opened_identity(world.ctx.vault, row)["name"] == "Lin"
    with world.refuses(Conflict, "already-registered") as caught:
        world.do(register_person, new)
    assert caught.value.members["person"] == stranger


def test_two_emergencies_of_one_person_are_put_right_by_hand(world):
    hospital(world)
    first, second = unknown(world), unknown(world)
    with world.refuses(Conflict, "in-two-beds"):
        merged(world, first.stay.person, second.stay.person)


def test_an_admission_after_the_emergency_began_is_a_fault_to_correct_first(world):
    bed, _ = world.unit()
    hospital(world)
    found = unknown(world, sex=Sex.MALE)
    stay = world.admitted(bed)
    with world.refuses(Conflict, "in-two-beds") as caught:
        merged(world, stay.person, found.stay.person)
    assert caught.value.members["stays"] == [stay.id, found.stay.id]


def test_two_open_terms_are_put_right_first(world):
    one, two = world.person(), world.person()
    with world.refuses(Conflict, "both-live") as caught:
        merged(world, one, two)
    assert caught.value.members["kind"] == "term"
    assert "decision" in caught.value.detail


def test_every_table_that_names_a_person_is_moved_or_named_with_a_reason():
    named = {
        table.name
        for table in metadata.sorted_tables
        for column in table.c
        if column.name == "person_id"
        or any(it.column.table.name == "person" for it in column.foreign_keys)
    } - {"person"}
    assert named == {table.name for table in MOVED} | NOT_MOVED.keys()
    assert all(len(why) > 20 for why in NOT_MOVED.values())
    one_each = {table.name for table, _ in one_a_person()}
    assert one_each >= {"placement_request", "transfer", "term", "community_measure"}
    assert one_each >= SETTLED_ELSEWHERE


def test_what_is_owed_and_said_of_the_one_record_is_the_others_afterwards(world):
    hospital(world)
    stranger = unknown(world, sex=Sex.MALE).stay.person
    known = world.person()
    merged(world, known, stranger)
    for table in MOVED:
        if table.name != "person":
            left = world.one(f"SELECT count(*) FROM {table.name} WHERE person_id = :p", p=stranger)
            assert left == 0, table.name
    assert world.one("SELECT count(*) FROM due_item WHERE person_id = :p", p=known) > 0


def test_a_record_merged_twice_leads_to_the_one_that_lives_on(world):
    first, second, third = (world.person(basis=None) for _ in range(3))
    merged(world, second, first)
    merged(world, third, second)
    ends = world.sql("SELECT DISTINCT merged_into FROM person WHERE merged_into IS NOT NULL")
    assert [it[0] for it in ends] == [third]


def test_a_facility_takes_in_somebody_unnamed_at_its_own_door(world):
    hospital(world)
    theirs = world.as_(Role.FACILITY_ADMIN, "hosp-1")
    assert theirs.do(admit_unidentified, NOW).stay.facility == "hosp-1"


def test_a_room_for_a_hospital_that_has_none_is_made_under_the_units_lock(world):
    world.unit("ext-1.er", rooms=(), kind=UnitKind.EXT, bases=(), external=True)
    seen: list[str] = []

    def watch(conn, cursor, statement, parameters, context, executemany):
        said = " ".join(statement.split())
        if said.startswith("INSERT INTO room"):
            seen.append("room")
        elif "FROM unit" in said and said.endswith("FOR NO KEY UPDATE"):
            seen.append("unit alone")

    person = world.person()
    event.listen(world.engine, "before_cursor_execute", watch)
    try:
        lane = Emergency(unit="ext-1.er", officer="Lin", reason="ill")
        done = world.do(admit_emergency, person, lane)
    finally:
        event.remove(world.engine, "before_cursor_execute", watch)
    assert done.surge
    assert seen[:2] == ["unit alone", "room"]
