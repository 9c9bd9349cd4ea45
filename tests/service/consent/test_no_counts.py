"""A no counts: after an emergency, after an earlier yes, and whose word it does not take away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.access.caller import Role
from service.errors import Conflict, NotFound
from service.workflow.consent.withdrawals import Withdrawal, WithdrawnWord, withdraw_consent
from service.workflow.consent.withdrawals import withdraw_by_id as take_back
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.law import legal_bases
from service.workflow.placing import placement
from service.workflow.stays import stay_lists
from solver.codes import ConsentBy, LegalBasis, UnitKind
from tests.service.consent.test_taking_back import diagnosed, paper
from tests.service.consent.words import Agreed, code_of, due_of, signed
from tests.service.workflow.world import World

OWN = WithdrawnWord(said_by=ConsentBy.PERSON)
RESCUE = Emergency(unit="hosp-1.w1", officer="Lin", reason="found lying in the street")


def rescued(world: World, basis: LegalBasis | None = None) -> tuple[str, str]:
    """Somebody whom the emergency lane brought into the ward; and the stay."""
    person = world.person(basis=basis)
    return person, world.do(admit_emergency, person, RESCUE).stay.id


def rests_on(world: World, stay: str) -> str | None:
    found: str | None = world.one("SELECT basis_id FROM stay WHERE id = :id", id=stay)
    return found


def test_a_word_taken_back_counts_for_somebody_an_emergency_brought_in(
    world: World, ward: list[str]
):
    person, stay = rescued(world)
    assert rests_on(world, stay) is None
    made = world.do(legal_bases.add_legal_basis, person, paper(LegalBasis.VOLUNTARY))
    assert rests_on(world, stay) == made.id
    word = signed(world, person)
    world.do(take_back, word.id, OWN)
    assert code_of(world, stay) == ("discharge_due", "consent_withdrawn")
    assert [it.outcome for it in due_of(world, "consent_withdrawn", stay)] == [None]


def test_a_stay_whose_decision_is_over_rests_on_the_paper_that_came_after(
    world: World, ward: list[str]
):
    person, stay = rescued(world, LegalBasis.COMPULSORY)
    old = rests_on(world, stay)
    assert old is not None
    world.set("legal_basis", old, revoked_at=datetime.now(UTC))
    made = world.do(legal_bases.add_legal_basis, person, paper(LegalBasis.VOLUNTARY))
    assert rests_on(world, stay) == made.id


def test_an_officer_finds_no_stay_that_became_treatment_by_consent(world: World, ward: list[str]):
    person, stay = rescued(world)
    world.do(legal_bases.add_legal_basis, person, paper(LegalBasis.VOLUNTARY))
    with world.refuses(NotFound, "stay-not-found"):
        world.as_(Role.INTAKE_OFFICER).do(stay_lists.get, stay)


def test_a_paper_that_came_after_does_not_change_a_stay_in_custody(world: World, ward: list[str]):
    world.set("unit", "hosp-1.w1", security_owner="public_security")
    person = world.person(basis=LegalBasis.COMPULSORY)
    stay = world.do(admit_emergency, person, RESCUE).stay.id
    old = rests_on(world, stay)
    assert old is not None
    world.set("legal_basis", old, revoked_at=datetime.now(UTC))
    world.do(legal_bases.add_legal_basis, person, paper(LegalBasis.VOLUNTARY))
    assert rests_on(world, stay) == old


@pytest.mark.parametrize("by", [ConsentBy.PERSON, ConsentBy.GUARDIAN])
def test_a_no_of_somebody_in_a_bed_is_a_word_taken_back(
    world: World, patient: Agreed, by: ConsentBy
):
    signed(world, patient.person, by=by.value, refused=True)
    assert code_of(world, patient.stay) == ("discharge_due", "consent_withdrawn")
    assert [it.detail for it in due_of(world, "consent_withdrawn", patient.stay)] == [
        "consent_withdrawn"
    ]
    assert [it.outcome for it in due_of(world, "consent_end", patient.own)] in ([], ["called_off"])


def test_the_familys_no_takes_back_the_familys_yes(world: World, patient: Agreed):
    signed(world, patient.person, by="family", refused=True)
    standing = world.sql("SELECT id FROM consent WHERE withdrawn_at IS NULL AND NOT refused")
    assert [it.id for it in standing] == [patient.own]
    assert code_of(world, patient.stay) == ("discharge_due", "consent_withdrawn")


def test_a_no_to_another_kind_of_unit_leaves_the_stay_as_it_is(world: World, patient: Agreed):
    signed(world, patient.person, kinds=["RC"], refused=True)
    assert code_of(world, patient.stay) == ("active", None)


def test_a_new_request_is_not_placed_on_a_yes_from_before_the_no(world: World, ward: list[str]):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    world.consents(person, UnitKind.CTH)
    signed(world, person, refused=True)
    request = world.submit(person)
    with pytest.raises(Conflict):
        world.decide(request.id, ward[0])
    assert world.do(placement.get, request.id).hold is None
    signed(world, person)
    assert world.decide(request.id, ward[0]).request.hold is not None


def test_a_yes_given_after_the_no_stands(world: World, patient: Agreed):
    for by in ("person", "family"):
        signed(world, patient.person, by=by)
    before = datetime.now(UTC) - timedelta(hours=1)
    signed(world, patient.person, refused=True, given_at=before)
    assert code_of(world, patient.stay) == ("active", None)


def involuntary(world: World, patient: Agreed) -> str:
    """The patient is held on danger to self and the guardian's word, whose id is returned."""
    diagnosed(world, patient.person, "a")
    word = signed(world, patient.person, by="guardian", capacity=None, sober=None)
    world.do(take_back, patient.own, OWN.model_copy(update={"said_at": hour_ago()}))
    world.do(legal_bases.add_legal_basis, patient.person, paper(LegalBasis.INVOLUNTARY_PSYCHIATRIC))
    return word.id


def hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


def test_a_patients_own_word_does_not_take_the_guardians_away_from_an_involuntary_stay(
    world: World, patient: Agreed
):
    word = involuntary(world, patient)
    world.do(withdraw_consent, patient.person, Withdrawal())
    signed(world, patient.person, refused=True)
    standing = world.sql("SELECT id FROM consent WHERE withdrawn_at IS NULL AND NOT refused")
    assert [it.id for it in standing] == [word]
    assert code_of(world, patient.stay) == ("active", None)
    world.do(take_back, word, WithdrawnWord(said_by=ConsentBy.GUARDIAN))
    assert code_of(world, patient.stay) == ("discharge_due", "consent_withdrawn")
