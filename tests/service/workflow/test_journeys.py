"""The way between two facilities: papers, approvals, escorts, and nobody left at the door."""

from __future__ import annotations

import pytest

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid
from service.lifecycle import TransferState
from service.store.ids import new_id
from service.store.tables.claims import StayEnd
from service.workflow.moves import handover, handover_papers, transfers
from service.workflow.moves.handover import Side
from service.workflow.moves.handover_papers import CareFlag, ClinicalSummary, Medicine, NewHandover
from service.workflow.moves.journeys import ArrivalCheck, Condition, Escort, Journey
from service.workflow.stays.discharge import discharge
from solver.codes import BedState, Isolation, Organ, Owner, Sex, UnitKind
from tests.service.workflow.world import ESCORTED, SUMMARY

MORPHINE = Medicine(name="methadone", dose="40 mg", prescriber="Dr Gu")
TOLD = ClinicalSummary(diagnoses=["VASC"], medicines=[MORPHINE], allergies=["penicillin"])


@pytest.fixture
def way(world):
    """An accepted transfer from a centre to a ward, papers still missing; and its ward bed."""

    def made(sex: Sex = Sex.MALE):
        [here] = world.unit("psc-1.w1", rooms=(1,))
        [ward, *_] = world.unit("omw-1.w1", rooms=(1, 1), kind=UnitKind.OMW)
        person = world.person(sex=sex)
        world.fit_to_move(person, UnitKind.OMW)
        stay = world.admitted(here, person)
        move = world.do(handover.accept_transfer, world.approved(stay.id, ward).id)
        return move, ward

    return made


def _write(world, move, **more):
    doctor = world.as_(Role.CLINICIAN)
    return doctor.do(handover_papers.write_handover, move, NewHandover(clinical=TOLD, **more))


def _approve_ward_move(world, person):
    world.sql_do(
        "INSERT INTO approval (id, person_id, kind, organ, granted, decided_on, recorded_by,"
        " recorded_at) VALUES (:id, :person, 'ward_move', 'centre', true, current_date - 1,"
        " 'test', now())",
        id=new_id("ap"),
        person=person,
    )


def _clocks(world, subject):
    return {
        row[0]: row[1]
        for row in world.sql("SELECT kind, outcome FROM due_item WHERE subject_id = :s", s=subject)
    }


def test_somebody_held_by_law_leaves_only_with_approval_handover_and_escorts(world, way):
    move, _ward = way()
    with world.refuses(Conflict, "approvals-missing") as no:
        world.do(handover.depart, move.id, journey=ESCORTED)
    assert no.value.members["missing"] == ["ward_move"]
    _approve_ward_move(world, move.person)
    with world.refuses(Conflict, "handover-missing"):
        world.do(handover.depart, move.id, journey=ESCORTED)
    _write(world, move.id)
    with world.refuses(Invalid, "escorts-missing"):
        world.do(handover.depart, move.id)
    gone = world.do(handover.depart, move.id, journey=ESCORTED)
    assert gone.state is TransferState.IN_TRANSIT
    assert [it["name"] for it in gone.escorts] == ["officer Zhou", "officer He"]
    assert gone.vehicle == "van 3"


def test_a_woman_is_accompanied_by_a_woman(world, way):
    move, _ward = way(Sex.FEMALE)
    world.papers_of_way(move.id)
    two = tuple(Escort(name=name, organ=Organ.CENTRE) for name in ("Zhou", "Tan"))
    men = Journey(escorts=two)
    with world.refuses(Invalid, "woman-escort-missing"):
        world.do(handover.depart, move.id, journey=men)
    assert world.depart(move.id).state is TransferState.IN_TRANSIT


def test_within_a_facility_nothing_of_that_is_asked(world):
    one, two = world.unit("psc-1.w1", rooms=(1, 1))
    person = world.person()
    world.fit_to_move(person, UnitKind.PSC)
    stay = world.admitted(one, person)
    move = world.do(handover.accept_transfer, world.approved(stay.id, two).id)
    assert world.do(handover.depart, move.id).state is TransferState.IN_TRANSIT


def test_the_coordinators_approval_shows_what_the_organ_must_still_approve(world, way):
    move, _ward = way()
    shown = world.do(transfers.get, move.id)
    assert [(it.kind.value, it.granted) for it in shown.approvals] == [("ward_move", False)]
    _approve_ward_move(world, move.person)
    shown = world.do(transfers.get, move.id)
    assert [(it.kind.value, it.granted) for it in shown.approvals] == [("ward_move", True)]


def test_security_and_care_each_give_their_word_where_they_have_two_owners(world):
    [here] = world.unit("psc-1.w1", rooms=(1,))
    [ward] = world.unit(
        "omw-1.w1",
        rooms=(1,),
        kind=UnitKind.OMW,
        security_owner=Owner.PUBLIC_SECURITY.value,
        medical_owner=Owner.HEALTH.value,
    )
    person = world.person()
    world.fit_to_move(person, UnitKind.OMW)
    move = world.approved(world.admitted(here, person).id, ward)
    half = world.do(handover.accept_transfer, move.id, sides=[Side.MEDICAL])
    assert (half.state, half.accepted_for) == (TransferState.APPROVED, ("medical",))
    whole = world.do(handover.accept_transfer, move.id, sides=[Side.SECURITY])
    assert (whole.state, whole.accepted_for) == (TransferState.ACCEPTED, ("medical", "security"))


@pytest.mark.parametrize("what", ["closed", "soiled", "out_of_service"])
def test_an_arrival_whose_bed_cannot_be_had_gets_a_surge_place_in_the_unit(world, way, what):
    move, ward = way()
    world.depart(move.id)
    if what == "closed":
        world.set("bed", ward, state=BedState.CLOSED.value)
    elif what == "soiled":
        world.set("bed", ward, state=BedState.CONTAMINATED.value)
    else:
        world.sql_do(
            "INSERT INTO out_of_service_period (id, bed_id, reason, note, began_at, opened_by,"
            " recorded_at, version) VALUES ('oos_1', :bed, 'repair', '', now(), 'test', now(), 1)",
            bed=ward,
        )
    there = world.do(handover.arrive, move.id)
    assert there.state is TransferState.COMPLETED
    assert there.to_bed != ward
    [(kind, unit)] = world.sql("SELECT kind, unit_id FROM bed WHERE id = :bed", bed=there.to_bed)
    assert (kind, unit) == ("SURGE", "omw-1.w1")
    assert (
        world.one(
            "SELECT count(*) FROM bed_claim WHERE person_id = :p AND upper_inf(during)"
            " AND voided_at IS NULL AND kind = 'stay'",
            p=move.person,
        )
        == 1
    )


def test_a_room_in_the_wrong_company_leads_to_another_room(world):
    [here] = world.unit("psc-1.w1", rooms=(1,))
    first, second, *_ = world.unit("omw-1.w1", rooms=(2, 1), kind=UnitKind.OMW)
    person = world.person()
    world.fit_to_move(person, UnitKind.OMW)
    stay = world.admitted(here, person)
    move = world.do(handover.accept_transfer, world.approved(stay.id, first).id)
    world.depart(move.id)
    # An emergency is in the room meanwhile; it asks nobody who else is meant to come.
    other = world.person(sex=Sex.FEMALE)
    world.sql_do(
        "INSERT INTO stay (id, person_id, facility_id, state, admitted_at, recorded_at,"
        " recorded_by, version) VALUES ('st_1', :p, 'omw-1', 'active', now(), now(), 'test', 1)",
        p=other,
    )
    world.sql_do(
        "INSERT INTO bed_claim (id, bed_id, room_id, unit_id, facility_id, person_id, kind,"
        " during, mix_key, emergency, stay_id, occurred_at, recorded_at, recorded_by) VALUES"
        " ('cl_1', :bed, 'omw-1.w1.r1', 'omw-1.w1', 'omw-1', :p, 'stay',"
        " tstzrange(now(), NULL), 'female', true, 'st_1', now(), now(), 'test')",
        bed=second,
        p=other,
    )
    there = world.do(handover.arrive, move.id)
    assert world.one("SELECT room_id FROM bed WHERE id = :b", b=there.to_bed) == "omw-1.w1.r2"


def test_a_late_arrival_is_on_a_clock_until_the_person_is_there(world, way):
    move, _ward = way()
    world.depart(move.id)
    assert _clocks(world, move.id)["transfer_late"] is None
    world.do(handover.arrive, move.id)
    assert _clocks(world, move.id)["transfer_late"] == "done"


def test_the_clock_of_a_transfer_that_ends_on_the_way_is_called_off(world, way):
    move, _ward = way()
    world.depart(move.id)
    world.do(handover.turn_back, move.id, reason="road closed")
    assert _clocks(world, move.id)["transfer_late"] == "called_off"


@pytest.mark.parametrize("condition", Condition)
def test_somebody_worse_than_described_is_seen_by_a_doctor_soon(world, way, condition):
    move, _ward = way()
    world.depart(move.id)
    check = ArrivalCheck(identity=True, papers=True, medicines=False, condition=condition)
    there = world.do(handover.arrive, move.id, check=check)
    assert there.arrival_check["medicines"] is False
    assert ("doctor_sees" in _clocks(world, move.person)) == (condition is Condition.WORSE)


def test_escorts_and_bed_admins_read_care_flags_and_only_clinicians_read_diagnoses(world, way):
    move, _ward = way()
    _write(world, move.id, care_flags=[CareFlag.WHEELCHAIR, CareFlag.NEVER_ALONE])
    papers = handover_papers.read_handover
    admin = world.as_(Role.FACILITY_ADMIN, "omw-1").do(papers, move.id)
    assert admin.care_flags == [CareFlag.NEVER_ALONE, CareFlag.WHEELCHAIR]
    assert (admin.clinical, admin.withheld) == (None, ["clinical"])
    doctor = world.as_(Role.CLINICIAN).do(papers, move.id)
    assert doctor.clinical == TOLD
    assert (
        world.one(
            "SELECT count(*) FROM access_record WHERE person_id = :p AND purpose = 'handover'",
            p=move.person,
        )
        == 2
    )
    stored = world.one("SELECT handover FROM transfer WHERE id = :id", id=move.id)
    assert b"methadone" not in bytes(stored)


def test_a_bed_admin_writes_no_diagnosis(world, way):
    move, _ward = way()
    admin = world.as_(Role.FACILITY_ADMIN, "psc-1")
    with world.refuses(Forbidden, "not-for-this-role"):
        admin.do(handover_papers.write_handover, move.id, NewHandover(clinical=SUMMARY))
    written = admin.do(
        handover_papers.write_handover,
        move.id,
        NewHandover(care_flags=frozenset({CareFlag.STRETCHER})),
    )
    assert written.care_flags == [CareFlag.STRETCHER]


def test_the_papers_are_closed_once_the_transfer_has_ended(world, way):
    move, _ward = way()
    world.do(transfers.cancel, move.id, reason="better")
    doctor = world.as_(Role.CLINICIAN)
    with world.refuses(Conflict, "illegal-step"):
        doctor.do(handover_papers.write_handover, move.id, NewHandover(clinical=SUMMARY))


def test_a_bed_that_is_kept_for_somebody_on_the_way_is_given_to_nobody_else(world, way):
    move, ward = way()
    world.depart(move.id)
    other = world.submit()
    with world.refuses(Conflict, "bed-taken"):
        world.decide(other.id, ward)


def test_somebody_who_dies_on_the_way_ends_the_transfer_as_died(world, way):
    move, _ward = way()
    world.depart(move.id)
    world.do(discharge, move.stay, code=StayEnd.DIED, reason="on the way")
    assert world.do(transfers.get, move.id).state is TransferState.DIED


def test_isolated_arrivals_get_a_room_of_their_own_when_theirs_is_gone(world):
    [here] = world.unit("psc-1.w1", rooms=(1,), room_isolation=Isolation.CONTACT)
    [ward, *_] = world.unit(
        "omw-1.w1", rooms=(1, 1), kind=UnitKind.OMW, room_isolation=Isolation.CONTACT
    )
    person = world.person(isolation=Isolation.CONTACT)
    world.fit_to_move(person, UnitKind.OMW)
    stay = world.admitted(here, person)
    move = world.do(handover.accept_transfer, world.approved(stay.id, ward).id)
    world.depart(move.id)
    world.set("bed", ward, state=BedState.CLOSED.value)
    there = world.do(handover.arrive, move.id)
    assert world.one("SELECT kind FROM bed WHERE id = :b", b=there.to_bed) == "SURGE"
