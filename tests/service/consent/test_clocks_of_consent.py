"""On whose list the clocks of a consent stand, what police hear of them, and what ends a stay."""

from __future__ import annotations

import pytest

from service.access.caller import Role
from service.errors import Invalid, NotFound
from service.store.tables.claims import StayEnd
from service.workflow.consent.withdrawals import WithdrawnWord
from service.workflow.consent.withdrawals import withdraw_by_id as take_back
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.watch import due_list
from solver.codes import ConsentBy, LegalBasis
from tests.service.consent.words import Agreed, due_of, signed
from tests.service.workflow.world import World

OWN = WithdrawnWord(said_by=ConsentBy.PERSON)
RESCUE = Emergency(unit="hosp-1.w1", officer="Lin", reason="found lying in the street")
CODES_ANYBODY_MAY_READ = {"X02", "identity"}


def on_the_list(world: World, role: Role, facility: str | None = None) -> set[str]:
    """Kinds of clock that a caller reads."""
    found = world.as_(role, facility).do(due_list.listed, after=None, limit=50)
    return {it.kind for it in found}


def volunteer(world: World) -> tuple[str, str, str]:
    """Somebody in a centre by their own will; person, stay and consent."""
    bases = (LegalBasis.VOLUNTARY_IN_CENTRE, LegalBasis.COMPULSORY)
    bed = world.unit("psc-1.w1", rooms=(1,), bases=bases)[0]
    person = world.person()
    stay = world.admitted(bed, person)
    world.sql_do(
        "UPDATE legal_basis SET kind = 'voluntary_in_centre' WHERE person_id = :p", p=person
    )
    return person, stay.id, signed(world, person, kinds=["PSC"]).id


def test_an_admission_to_a_centre_takes_no_clock_of_a_consent_there(world: World):
    centre = world.unit("psc-1.w1", rooms=(1,))
    person = world.person()
    word = signed(world, person)
    world.admitted(centre[0], person)
    clock = due_of(world, "consent_end", word.id)
    assert [(it.outcome, it.facility_id) for it in clock] == [("called_off", None)]
    told = world.sql(
        "SELECT facility_id FROM event WHERE subject_type = 'due_item' AND data ->> 'kind' ="
        " 'consent_end'"
    )
    assert len(told) == 2
    assert {it.facility_id for it in told} == {None}
    again = signed(world, person)
    assert [it.facility_id for it in due_of(world, "consent_end", again.id)] == [None]
    assert "consent_end" not in on_the_list(world, Role.FACILITY_ADMIN, "psc-1")


def test_an_admission_to_the_hospital_of_the_consent_puts_its_clock_on_that_list(
    world: World, ward: list[str]
):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    word = signed(world, person)
    world.admitted(ward[0], person)
    clock = due_of(world, "consent_end", word.id)
    assert [(it.outcome, it.facility_id) for it in clock] == [(None, "hosp-1")]


def test_no_clock_of_a_consent_is_read_or_settled_on_the_police_side(world: World):
    world.unit("psc-1.w1", rooms=(1,))
    person = world.person()
    word = signed(world, person)
    world.sql_do("UPDATE due_item SET facility_id = 'psc-1', owner = 'centre'")
    clock = world.one("SELECT id FROM due_item WHERE subject_id = :id", id=word.id)
    for role, facility in (
        (Role.FACILITY_ADMIN, "psc-1"),
        (Role.CLINICIAN, "psc-1"),
        (Role.INTAKE_OFFICER, None),
    ):
        assert not on_the_list(world, role, facility)
        with world.refuses(NotFound, "due-not-found"):
            world.as_(role, facility).do(due_list.settle_by_hand, clock)
    assert on_the_list(world, Role.COORDINATOR) == {"consent_end"}


def test_a_centre_sees_that_its_volunteer_must_be_let_out(world: World):
    _, stay, word = volunteer(world)
    clock = due_of(world, "consent_end", word)
    assert [it.facility_id for it in clock] == ["psc-1"]
    world.do(take_back, word, OWN)
    owners = world.sql("SELECT DISTINCT owner FROM due_item WHERE kind LIKE 'consent%'")
    assert [it.owner for it in owners] == ["centre"]
    for role, facility in ((Role.FACILITY_ADMIN, "psc-1"), (Role.INTAKE_OFFICER, None)):
        assert "consent_withdrawn" in on_the_list(world, role, facility)
    admin = world.as_(Role.FACILITY_ADMIN, "psc-1")
    admin.discharged(stay, StayEnd.CONSENT_WITHDRAWN)
    assert [it.outcome for it in due_of(world, "consent_withdrawn", stay)] == ["done"]


def test_police_read_no_rule_of_consent_in_the_answer_to_an_emergency(
    world: World, ward: list[str]
):
    people = [world.person(basis=LegalBasis.CONSTRAINED) for _ in range(2)]
    officer, doctor = world.as_(Role.INTAKE_OFFICER), world.as_(Role.CLINICIAN)
    shown = set(officer.do(admit_emergency, people[0], RESCUE).due)
    whole = set(doctor.do(admit_emergency, people[1], RESCUE).due)
    assert any(it.startswith("V") for it in whole)
    assert {it for it in shown if not it.startswith("L")} <= CODES_ANYBODY_MAY_READ
    assert "X02" in shown
    owed = "SELECT detail FROM due_item WHERE kind = 'emergency_papers' AND person_id = :p"
    assert {it.detail for it in world.sql(owed, p=people[0])} >= whole - {"one_sex_per_room"}


@pytest.mark.parametrize("kind", [LegalBasis.COMPULSORY, LegalBasis.OUT_MEDICAL])
def test_a_stay_on_a_decision_does_not_end_by_a_consent_taken_back(world: World, kind: LegalBasis):
    stay = world.admitted(world.unit()[0])
    world.sql_do("UPDATE legal_basis SET kind = :kind", kind=kind.value)
    with world.refuses(Invalid, "not-by-consent") as caught:
        world.discharged(stay.id, StayEnd.CONSENT_WITHDRAWN)
    said = str(caught.value.errors)
    assert all(it in said for it in ("released", "discharged", "escaped", "died"))
    assert world.discharged(stay.id, StayEnd.DISCHARGED).end_code is StayEnd.DISCHARGED


def test_a_stay_by_consent_ends_by_a_consent_taken_back(world: World, patient: Agreed):
    done = world.discharged(patient.stay, StayEnd.CONSENT_WITHDRAWN)
    assert done.end_code is StayEnd.CONSENT_WITHDRAWN
