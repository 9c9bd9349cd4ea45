"""Consensual treatment is invisible to the police side, in refusals as in answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from service.access.caller import Role
from service.errors import Conflict, Forbidden, NotFound
from service.lifecycle import RequestState
from service.store.ids import new_id
from service.store.tables import core
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.placing import placement
from service.workflow.stays import stay_lists
from service.workflow.stays.leave import begin_leave, end_leave
from solver.codes import LegalBasis, UnitKind

OFFICER = Role.INTAKE_OFFICER


@pytest.fixture
def patient(world):
    """Somebody treated in a hospital by their own consent: their stay."""
    bed = world.unit("hosp-1.w1", kind=UnitKind.CTH, bases=(LegalBasis.CONSTRAINED,))[0]
    person = world.person(basis=LegalBasis.CONSTRAINED)
    world.consents(person, UnitKind.CTH)
    return world.admitted(bed, person)


def decided_on(world, person: str) -> None:
    """A compulsory decision about the person is recorded later."""
    now = datetime.now(UTC)
    with world.engine.begin() as conn:
        conn.execute(
            insert(core.legal_basis).values(
                id=new_id("lb"),
                person_id=person,
                kind=LegalBasis.COMPULSORY.value,
                body="city_police",
                ground="relapse_after",
                starts_on=now.date(),
                ends_on=now.date() + timedelta(days=700),
                under_16_reasons=False,
                recorded_by="test",
                recorded_at=now,
                version=1,
            )
        )


def test_an_officer_who_asks_for_a_hidden_patient_learns_of_no_stay_and_no_request(world, patient):
    officer = world.as_(OFFICER)
    waiting = world.submit(world.person(basis=LegalBasis.CONSTRAINED))
    answers = []
    free = world.person(basis=LegalBasis.CONSTRAINED)
    nobody = "p-nobody0000"
    for person in (patient.person, waiting.person, free, nobody):
        with world.refuses(NotFound, "person-not-found") as caught:
            officer.do(placement.submit, person)
        answers.append((caught.value.detail.replace(person, "it"), caught.value.members))
    assert len({str(it) for it in answers}) == 1
    assert patient.id not in str(answers)
    assert waiting.id not in str(answers)


def test_treatment_by_consent_stays_hidden_when_police_decide_later(world, patient):
    officer = world.as_(OFFICER)
    decided_on(world, patient.person)
    for _ in ("while it lasts", "when it is over"):
        with pytest.raises(NotFound):
            officer.do(stay_lists.get, patient.id)
        assert not officer.do(stay_lists.listed, after=None, limit=9, open_only=False)
        with pytest.raises(NotFound):
            officer.do(placement.get, patient.request)
        states = tuple(RequestState)
        assert not officer.do(placement.listed, after=None, limit=9, states=states)
        if world.do(stay_lists.get, patient.id).ended_at is None:
            world.discharged(patient.id)


def test_an_officer_sees_the_stays_that_police_ordered(world):
    stay = world.admitted(world.unit()[0])
    officer = world.as_(OFFICER)
    assert officer.do(stay_lists.get, stay.id).id == stay.id
    assert [it.id for it in officer.do(stay_lists.listed, after=None, limit=9)] == [stay.id]
    assert officer.do(placement.get, stay.request).id == stay.request


def test_an_emergency_told_twice_names_a_hidden_patients_stay_to_no_officer(world, patient):
    told = Emergency(unit="hosp-1.w1", officer="officer Lin", reason="unconscious")
    with world.refuses(Conflict, "already-there") as caught:
        world.as_(OFFICER).do(admit_emergency, patient.person, told)
    assert caught.value.members == {}
    assert patient.segments[0].bed not in caught.value.detail
    with world.refuses(Conflict, "already-there") as caught:
        world.do(admit_emergency, patient.person, told)
    assert caught.value.members["stay"] == patient.id


def test_a_centre_learns_that_somebody_is_elsewhere_and_not_where_or_since_when(world, soon):
    bed = world.unit()[0]
    world.unit("hosp-1.er", kind=UnitKind.CTH, bases=(LegalBasis.CONSTRAINED,))
    stay = world.admitted(bed)
    world.do(begin_leave, stay.id, ends_at=soon)
    told = Emergency(unit="hosp-1.er", officer="Dr Chen", reason="unconscious")
    there = world.do(admit_emergency, stay.person, told).stay
    with world.refuses(Conflict, "person-elsewhere") as caught:
        world.as_(Role.FACILITY_ADMIN, "psc-1").do(end_leave, stay.id)
    assert caught.value.members == {}
    assert there.id not in caught.value.detail
    with world.refuses(Conflict, "person-elsewhere") as caught:
        world.do(end_leave, stay.id)
    assert caught.value.members["stay"] == there.id


@pytest.mark.parametrize("ended", [False, True])
def test_a_request_of_a_consensual_time_stays_hidden_when_police_decide_later(world, ended):
    person = world.person(basis=LegalBasis.CONSTRAINED)
    request = world.submit(person)
    if ended:
        world.do(placement.withdraw, request.id, reason="thinks it over")
    officer = world.as_(OFFICER)
    decided_on(world, person)
    with pytest.raises(NotFound):
        officer.do(placement.get, request.id)
    assert not officer.do(placement.listed, after=None, limit=9, states=tuple(RequestState))


def test_a_request_made_after_the_decision_is_police_business_and_seen(world):
    person = world.person(basis=LegalBasis.CONSTRAINED)
    earlier = world.submit(person)
    world.do(placement.withdraw, earlier.id, reason="thinks it over")
    decided_on(world, person)
    request = world.as_(OFFICER).do(placement.submit, person)
    seen = world.as_(OFFICER).do(placement.listed, after=None, limit=9, states=tuple(RequestState))
    assert [it.id for it in seen] == [request.id]


def test_an_officer_asking_after_a_decision_learns_of_no_hidden_stay_or_request(world, patient):
    waiting = world.submit(world.person(basis=LegalBasis.CONSTRAINED))
    answers = set()
    for person in (patient.person, waiting.person):
        decided_on(world, person)
        officer = world.as_(OFFICER)
        with officer.refuses(Forbidden, "not-for-this-role") as caught:
            officer.do(placement.submit, person)
        answers.add((caught.value.detail, str(caught.value.members)))
    assert len(answers) == 1
    assert patient.id not in str(answers)


@pytest.mark.parametrize("role", [Role.FACILITY_ADMIN, Role.INTEGRATION, Role.CLINICIAN])
def test_a_centres_own_keys_are_of_the_police_side_and_a_hospitals_are_not(world, patient, role):
    world.unit("psc-1.w1")
    centre, hospital = world.as_(role, "psc-1"), world.as_(role, "hosp-1")
    for use_case, id_ in ((stay_lists.get, patient.id), (placement.get, patient.request)):
        with pytest.raises(NotFound) as hidden:
            centre.do(use_case, id_)
        with pytest.raises(NotFound) as missing:
            centre.do(use_case, "xx_none")
        assert hidden.value.code == missing.value.code
    assert hospital.do(stay_lists.get, patient.id).id == patient.id
    assert not centre.do(stay_lists.listed, after=None, limit=9)


def test_an_involuntary_admission_is_as_hidden_as_a_consensual_one(world, patient):
    with world.engine.begin() as conn:
        conn.execute(
            core.legal_basis.update().values(kind=LegalBasis.INVOLUNTARY_PSYCHIATRIC.value)
        )
    with pytest.raises(NotFound):
        world.as_(OFFICER).do(stay_lists.get, patient.id)
