"""A hospital admits a volunteer itself; a centre answers for whom it took in."""

from __future__ import annotations

import pytest

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid, NotFound
from service.lifecycle import RequestState
from service.workflow.placing import answers, placement
from service.workflow.placing.admission import admit
from solver.codes import LegalBasis, UnitKind
from tests.service.workflow.night import by, choice, hospital, volunteer


@pytest.mark.parametrize("role", [Role.FACILITY_ADMIN, Role.CLINICIAN])
def test_a_hospital_asks_decides_accepts_and_admits_its_own_volunteer(world, role):
    bed, _ = hospital(world)
    person = volunteer(world)
    desk = by(world, role, "cth-1")
    made = desk.submit(person)
    assert made.responsible_facility == "cth-1"
    desk.decide(made.id, bed)
    desk.do(answers.accept, made.id)
    stay = desk.do(admit, made.id)
    assert (stay.facility, stay.responsible_facility) == ("cth-1", None)


@pytest.mark.parametrize("role", [Role.FACILITY_ADMIN, Role.CLINICIAN])
def test_it_never_decides_for_another_facilitys_bed(world, role):
    own, _ = hospital(world)
    other, _ = hospital(world, "cth-2.a")
    desk = by(world, role, "cth-1")
    made = desk.submit(volunteer(world))
    with world.refuses(Forbidden, "other-facility"):
        desk.decide(made.id, other)
    with world.refuses(Forbidden, "other-facility"):
        desk.decide(made.id, own, choice(then=[other]))
    elsewhere = by(world, role, "cth-2")
    with pytest.raises(Forbidden):
        elsewhere.decide(made.id, own)


@pytest.mark.parametrize("basis", [LegalBasis.COMPULSORY, None])
def test_its_administrator_asks_for_nobody_who_did_not_come_by_consent(world, basis):
    hospital(world)
    person = world.person(basis=basis)
    with world.refuses(Forbidden, "not-for-this-role"):
        by(world, Role.FACILITY_ADMIN, "cth-1").submit(person)


def test_a_centres_administrator_asks_for_nobody(world):
    world.unit("psc-1.w1")
    person = volunteer(world)
    desk = by(world, Role.FACILITY_ADMIN, "psc-1")
    with pytest.raises((Forbidden, NotFound)):
        desk.submit(person)
    assert world.one("SELECT count(*) FROM placement_request") == 0


def test_another_facilitys_request_and_stay_are_not_told(world):
    bed, _ = hospital(world)
    hospital(world, "cth-2.a")
    person = volunteer(world)
    first = by(world, Role.FACILITY_ADMIN, "cth-1")
    other = by(world, Role.FACILITY_ADMIN, "cth-2")
    made = first.submit(person)
    with world.refuses(Conflict, "request-live") as caught:
        other.submit(person)
    assert made.id not in f"{caught.value.detail} {caught.value.members}"
    with world.refuses(NotFound, "request-not-found"):
        other.do(placement.get, made.id)
    first.decide(made.id, bed)
    first.do(answers.accept, made.id)
    stay = first.do(admit, made.id)
    with world.refuses(Conflict, "person-in-a-bed") as caught:
        other.submit(person)
    assert stay.id not in f"{caught.value.detail} {caught.value.members}"


def test_it_ends_its_own_request_only(world):
    hospital(world)
    mine = by(world, Role.FACILITY_ADMIN, "cth-1").submit(volunteer(world))
    police = world.submit()
    desk = by(world, Role.FACILITY_ADMIN, "cth-1")
    with world.refuses(Forbidden, "not-for-this-role"):
        desk.do(placement.withdraw, police.id, reason="a mistake")
    ended = desk.do(placement.withdraw, mine.id, reason="went home")
    assert ended.state is RequestState.WITHDRAWN


def test_a_doctor_of_no_facility_answers_for_none(world):
    bed, _ = world.unit()
    made = world.held(bed)
    with world.refuses(Forbidden, "other-facility"):
        by(world, Role.CLINICIAN).do(answers.accept, made.id)


# responsible facility -------------------------------------------------------------------------
def test_the_centre_that_took_somebody_in_answers_wherever_they_go_on_to(world):
    world.unit("psc-1.w1")
    ward = world.unit("omw-1.a", kind=UnitKind.OMW)[0]
    person = world.person()
    officer = by(world, Role.INTAKE_OFFICER)
    made = officer.submit(person, responsible_facility="psc-1")
    centre = by(world, Role.FACILITY_ADMIN, "psc-1")
    assert centre.do(placement.get, made.id).id == made.id
    assert [it.id for it in centre.do(placement.listed, after=None, limit=9)] == [made.id]
    officer.decide(made.id, ward)
    world.do(answers.accept, made.id)
    stay = world.do(admit, made.id)
    assert (stay.facility, stay.responsible_facility) == ("omw-1", "psc-1")


def test_the_terms_centre_is_the_responsible_one(world):
    world.unit("psc-1.w1")
    bed = world.unit("psc-2.w1")[0]
    ward = world.unit("omw-1.a", kind=UnitKind.OMW)[0]
    for where, answers_for in ((ward, "psc-1"), (bed, "psc-2")):
        person = world.person()
        made = world.submit(person, responsible_facility="psc-1")
        world.decide(made.id, where)
        world.do(answers.accept, made.id)
        world.do(admit, made.id)
        query = "SELECT responsible_facility_id FROM term WHERE person_id = :p"
        assert world.one(query, p=person) == answers_for


@pytest.mark.parametrize("named", ["omw-1", "nowhere-1"])
def test_only_a_centre_answers_for_somebody_taken_in(world, named):
    world.unit("omw-1.a", kind=UnitKind.OMW)
    person = world.person()
    with world.refuses(Invalid, "not-a-centre") as caught:
        world.submit(person, responsible_facility=named)
    assert caught.value.errors[0].pointer == "/responsible_facility"
