"""What a consent needs, whose word it is, and what a no does: nothing but end a request."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid, NotFound
from service.workflow.consent.consent_forms import Repetition
from service.workflow.consent.consents import (
    consents_of,
    get_consent,
    record_consent,
    repeat_consent,
)
from service.workflow.consent.withdrawals import expire_consents
from service.workflow.placing import placement
from solver.codes import LegalBasis, UnitKind
from tests.service.consent.words import SHANGHAI, code_of, due_of, form, signed

LATER = datetime.now(UTC) + timedelta(hours=3)
LONG_AGO = date(2020, 1, 1)


@pytest.mark.parametrize(
    ("wrong", "pointer", "code"),
    [
        ({"told_alternatives": False}, "/told_alternatives", "not-told"),
        ({"told_no_adverse_effect": False}, "/told_no_adverse_effect", "not-told"),
        ({"capacity": None}, "/capacity", "not-examined"),
        ({"capacity": {"capable": "unknown", "found_by": "x"}}, "/capacity", "not-examined"),
        ({"capacity": {"capable": "no", "found_by": "Dr Chen"}}, "/by", "not-their-word"),
        ({"sober": None}, "/sober", "missing"),
        ({"witness": None}, "/witness", "missing"),
        ({"witness": "Dr Chen"}, "/witness", "not-apart"),
        ({"sober": False}, "/takers", "too-few"),
        ({"sober": False, "takers": ["Dr Chen", "Dr Chen"]}, "/takers", "too-few"),
        ({"given_at": LATER}, "/given_at", "in-the-future"),
        ({"starts_on": LONG_AGO}, "/starts_on", "before-given"),
        ({"starts_on": None}, "/starts_on", "missing"),
        ({"ends_on": None}, "/ends_on", "missing"),
        (
            {"capacity": {"capable": "yes", "found_at": LATER}},
            "/capacity/found_at",
            "in-the-future",
        ),
    ],
)
def test_a_consent_that_lacks_what_makes_it_valid_says_what_comes_first(
    world, wrong: dict[str, Any], pointer: str, code: str
):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    doctor = world.as_(Role.CLINICIAN)
    with doctor.refuses(Invalid, code) as caught:
        doctor.do(record_consent, person, form(**wrong))
    assert caught.value.errors[0].pointer == pointer


def test_a_coordinator_names_the_doctor_who_looked(world):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    with world.refuses(Invalid, "missing") as caught:
        world.do(record_consent, person, form(capacity={"capable": "yes"}))
    assert caught.value.errors[0].pointer == "/capacity/found_by"
    made = world.as_(Role.CLINICIAN).do(record_consent, person, form(capacity={"capable": "yes"}))
    assert made.capacity_by == "clinician"


def test_a_valid_consent_is_kept_whole_and_its_witness_sealed(world):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    made = signed(world, person)
    assert (made.place, made.takers, made.capacity_by) == (
        "the doctor's room",
        ["Dr Chen"],
        "Dr Chen",
    )
    sealed = world.one("SELECT witness FROM consent WHERE id = :id", id=made.id)
    assert b"Wu" not in bytes(sealed)
    over = datetime.combine(made.ends_on + timedelta(days=1), datetime.min.time(), SHANGHAI)
    assert [it.due_at for it in due_of(world, "consent_end", made.id)] == [over - timedelta(days=3)]
    assert not due_of(world, "agreement_report", made.id)
    assert "capable" not in made.model_dump()


def test_an_agreement_is_reported_only_where_the_policy_says_so(world):
    policy = world.ctx.policy
    reporting = policy.model_copy(
        update={"consents": policy.consents.model_copy(update={"report_agreement": True})}
    )
    doctor = world.as_(Role.CLINICIAN)
    doctor.ctx = type(world.ctx)(doctor.ctx.actor, reporting, doctor.ctx.vault)
    made = doctor.do(record_consent, world.person(basis=LegalBasis.VOLUNTARY), form())
    assert len(due_of(world, "agreement_report", made.id)) == 1


@pytest.mark.parametrize(
    "role", [Role.INTAKE_OFFICER, Role.FACILITY_ADMIN, Role.INTEGRATION, Role.AUDITOR]
)
def test_only_the_clinical_side_takes_a_consent(world, role: Role):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    who = world.as_(role, "hosp-1" if role in (Role.FACILITY_ADMIN, Role.INTEGRATION) else None)
    with who.refuses(Forbidden, "not-for-this-role"):
        who.do(record_consent, person, form())


def test_a_doctor_of_another_house_takes_no_consent_for_this_one(world, ward):
    world.unit("psc-1.w1")
    person = world.person(basis=LegalBasis.VOLUNTARY)
    centre, own = world.as_(Role.CLINICIAN, "psc-1"), world.as_(Role.CLINICIAN, "hosp-1")
    with centre.refuses(Forbidden, "other-hospital"):
        centre.do(record_consent, person, form())
    made = own.do(record_consent, person, form())
    with pytest.raises(NotFound):
        centre.do(get_consent, made.id)
    assert own.do(get_consent, made.id).id == made.id


def test_police_read_no_consent_and_an_auditor_reads_all(world, patient):
    assert len(world.as_(Role.AUDITOR).do(consents_of, patient.person)) == 2
    officer = world.as_(Role.INTAKE_OFFICER)
    with pytest.raises(NotFound) as hidden:
        officer.do(consents_of, patient.person)
    with pytest.raises(NotFound) as missing:
        officer.do(consents_of, "p-nobody")
    assert hidden.value.code == missing.value.code
    with pytest.raises(NotFound):
        officer.do(get_consent, patient.own)


def test_a_word_under_intoxication_lapses_unless_it_is_said_again_sober(world):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    made = signed(world, person, sober=False, takers=["Dr Chen", "nurse He"])
    assert made.lapses_at is not None
    assert made.given_at is not None
    assert made.lapses_at - made.given_at == timedelta(hours=48)
    assert [it.due_at for it in due_of(world, "consent_sober", made.id)] == [made.lapses_at]
    again = Repetition(takers=["Dr Chen"])
    done = world.as_(Role.CLINICIAN).do(repeat_consent, made.id, again)
    assert done.repeated_at is not None
    assert [it.outcome for it in due_of(world, "consent_sober", made.id)] == ["done"]
    with world.refuses(Conflict, "not-provisional"):
        world.do(repeat_consent, made.id, again)
    world.set("consent", made.id, lapses_at=datetime.now(UTC) - timedelta(hours=1))
    world.do(expire_consents)
    assert world.one("SELECT over_at FROM consent WHERE id = :id", id=made.id) is None


def test_a_lapsed_word_cannot_be_repeated_and_a_new_one_is_asked_for(world):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    made = signed(world, person, sober=False, takers=["Dr Chen", "nurse He"])
    world.set("consent", made.id, lapses_at=datetime.now(UTC) - timedelta(seconds=5))
    with world.refuses(Conflict, "consent-over"):
        world.do(repeat_consent, made.id, Repetition(takers=["Dr Chen"]))
    old = form(
        sober=False,
        takers=["Dr Chen", "nurse He"],
        given_at=datetime.now(UTC) - timedelta(hours=49),
    )
    with world.refuses(Conflict, "consent-over"):
        world.do(record_consent, person, old)


def test_a_stay_on_a_word_that_lapsed_is_due_for_discharge(world, ward):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    made = signed(world, person, sober=False, takers=["Dr Chen", "nurse He"])
    stay = world.admitted(ward[0], person)
    assert [it.facility_id for it in due_of(world, "consent_sober", made.id)] == ["hosp-1"]
    world.set("consent", made.id, lapses_at=datetime.now(UTC) - timedelta(seconds=5))
    world.do(expire_consents)
    assert code_of(world, stay.id) == ("discharge_due", "consent_lapsed")


@pytest.mark.parametrize("by", ["person", "guardian"])
def test_a_no_ends_the_request_and_triggers_nothing(world, by: str):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    request = world.submit(person)
    before = len(world.sql("SELECT id FROM due_item"))
    made = signed(world, person, by=by, refused=True, witness=None, capacity=None, sober=None)
    assert made.refused
    row = world.do(placement.get, request.id)
    assert (row.state.value, row.end_reason) == ("refused", "refused")
    assert len(world.sql("SELECT id FROM due_item WHERE settled_at IS NULL")) <= before
    assert not world.sql("SELECT id FROM audit_flag")
    assert not world.sql("SELECT id FROM refusal_record")
    world.submit(person)


def test_the_familys_no_ends_nothing_of_a_capable_adults(world):
    person = world.person(basis=LegalBasis.CONSTRAINED)
    request = world.submit(person)
    signed(world, person, by="family", refused=True)
    assert world.do(placement.get, request.id).state.value == "waiting"


def test_a_no_to_treatment_leaves_a_decision_of_police_where_it_was(world):
    person = world.person()
    request = world.submit(person)
    signed(world, person, refused=True)
    assert world.do(placement.get, request.id).state.value == "waiting"


def test_a_no_is_no_consent_for_any_bed(world, ward):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    signed(world, person, refused=True)
    request = world.submit(person)
    with pytest.raises(Conflict):
        world.decide(request.id, ward[0])


def test_a_consent_signed_again_stops_the_clock_of_the_one_before(world):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    first, second = signed(world, person), signed(world, person)
    assert [it.outcome for it in due_of(world, "consent_end", first.id)] == ["signed_again"]
    assert [it.outcome for it in due_of(world, "consent_end", second.id)] == [None]


def test_a_guardian_speaks_for_somebody_found_unable_to_decide(world, ward):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    signed(world, person, by="guardian", capacity={"capable": "no", "found_by": "Dr Chen"})
    stay = world.admitted(ward[0], person)
    assert code_of(world, stay.id) == ("active", None)


def test_the_familys_word_alone_opens_no_bed_to_a_capable_adult(world, ward):
    person = world.person(basis=LegalBasis.CONSTRAINED)
    signed(world, person, by="family", capacity={"capable": "yes", "found_by": "Dr Chen"})
    request = world.submit(person)
    with pytest.raises(Conflict) as caught:
        world.decide(request.id, ward[0])
    assert "V02" in {it["rule"] for it in caught.value.members["refusals"]}


def test_units_of_another_kind_are_not_covered(world):
    other = world.unit("hosp-2.w1", kind=UnitKind.DTI, bases=(LegalBasis.VOLUNTARY,))[0]
    person = world.person(basis=LegalBasis.VOLUNTARY)
    signed(world, person)
    with pytest.raises(Conflict):
        world.decide(world.submit(person).id, other)
