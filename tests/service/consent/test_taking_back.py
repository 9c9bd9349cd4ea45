"""A consent taken back, or run out: home on a clock, nobody absconded, and what alone ends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from service.access.caller import Role
from service.errors import Forbidden, Invalid, NotFound
from service.lifecycle import StayState
from service.store.ids import new_id
from service.store.tables import core
from service.store.tables.claims import StayEnd
from service.workflow.consent.withdrawals import (
    Withdrawal,
    WithdrawnWord,
    expire_consents,
    withdraw_by_id,
    withdraw_consent,
)
from service.workflow.law import legal_bases
from service.workflow.law.legal_bases import NewLegalBasis
from service.workflow.moves import transfers
from service.workflow.placing import placement
from service.workflow.stays.discharge import discharge
from solver.codes import ConsentBy, LegalBasis, UnitKind
from tests.service.consent.words import Agreed, code_of, due_of, form, given_day, signed
from tests.service.workflow.world import World

OWN = WithdrawnWord(said_by=ConsentBy.PERSON)
ANYBODY = [it for it in Role if it is not Role.DASHBOARD]


def diagnosed(world: World, person: str, case: str) -> None:
    """A licensed psychiatrist's finding of a severe mental disorder with danger."""
    now = datetime.now(UTC)
    with world.engine.begin() as conn:
        conn.execute(
            insert(core.opinion).values(
                id=new_id("op"),
                person_id=person,
                kind="psychiatric_diagnosis",
                severe=True,
                danger_case=case,
                hospital="hosp-1",
                doctors=["Dr Gao"],
                stated_at=now,
                recorded_by="test",
                recorded_at=now,
            )
        )


def paper(kind: LegalBasis) -> NewLegalBasis:
    day = given_day(datetime.now(UTC))
    police = {"body": "city_police", "ground": "relapse_after"}
    return NewLegalBasis.model_validate(
        {
            "kind": kind.value,
            "starts_on": day,
            "ends_on": day + timedelta(days=29),
            **(police if kind is LegalBasis.COMPULSORY else {}),
        }
    )


@pytest.mark.parametrize("role", ANYBODY)
def test_anybody_writes_down_that_a_consent_is_taken_back(
    world: World, patient: Agreed, role: Role
):
    who = world.as_(role, "psc-9" if role in (Role.FACILITY_ADMIN, Role.INTEGRATION) else None)
    noted = who.do(withdraw_by_id, patient.own, OWN)
    again = who.do(withdraw_by_id, patient.own, OWN)
    assert set(vars_of(noted)) == {"consent", "since"}
    assert noted.consent == again.consent == patient.own
    assert code_of(world, patient.stay) == ("discharge_due", "consent_withdrawn")
    clock = due_of(world, "consent_withdrawn", patient.stay)
    assert [(it.detail, it.outcome, it.facility_id) for it in clock] == [
        ("consent_withdrawn", None, "hosp-1")
    ]
    written = world.sql("SELECT withdrawn_by, withdrawal_recorded_by FROM consent ORDER BY id")
    assert {tuple(it) for it in written} == {("person", f"key-{role.value}")}


def vars_of(answer: Any) -> list[str]:
    return list(answer.__dataclass_fields__)


def test_a_dashboard_writes_nothing_down(world: World, patient: Agreed):
    with world.refuses(Forbidden, "not-for-this-role"):
        world.as_(Role.DASHBOARD).do(withdraw_by_id, patient.own, OWN)
    with world.refuses(NotFound, "consent-not-found"):
        world.do(withdraw_by_id, "cn_nothing", OWN)
    tomorrow = OWN.model_copy(update={"said_at": datetime.now(UTC) + timedelta(days=1)})
    with world.refuses(Invalid, "in-the-future"):
        world.do(withdraw_by_id, patient.own, tomorrow)


def test_home_the_same_day_and_nobody_has_absconded(world: World, patient: Agreed):
    world.do(withdraw_by_id, patient.own, OWN)
    with world.refuses(Invalid, "not-custody"):
        world.discharged(patient.stay, StayEnd.ESCAPED)
    done = world.discharged(patient.stay, StayEnd.CONSENT_WITHDRAWN)
    assert done.end_code is StayEnd.CONSENT_WITHDRAWN
    assert [it.outcome for it in due_of(world, "consent_withdrawn", patient.stay)] == ["done"]
    assert not world.sql("SELECT id FROM due_item WHERE settled_at IS NULL AND kind <> 'misplaced'")
    assert not world.sql("SELECT id FROM term")


def test_a_volunteer_who_leaves_a_centre_has_not_escaped(world: World):
    bed = world.unit()[0]
    stay = world.admitted(bed)
    with world.engine.begin() as conn:
        conn.execute(core.legal_basis.update().values(kind=LegalBasis.VOLUNTARY_IN_CENTRE.value))
    with world.refuses(Invalid, "not-custody"):
        world.do(discharge, stay.id, code=StayEnd.ESCAPED, reason="gone")


def test_the_live_request_and_its_hold_end_with_the_word(world: World, ward: list[str]):
    person = world.person(basis=LegalBasis.CONSTRAINED)
    world.consents(person, UnitKind.CTH)
    request = world.held(ward[0], person)
    world.do(withdraw_consent, person, Withdrawal())
    row = world.do(placement.get, request.id)
    assert (row.state.value, row.end_reason, row.hold) == ("withdrawn", "consent_withdrawn", None)


def test_a_decision_of_police_and_its_request_outlast_a_word_taken_back(world: World):
    request = world.held(world.unit()[0])
    world.do(withdraw_consent, request.person, Withdrawal())
    assert world.do(placement.get, request.id).state.value == "held"


def test_a_transfer_ends_and_whoever_waits_for_the_bed_goes_on_waiting(
    world: World, patient: Agreed, ward: list[str]
):
    world.fit_to_move(patient.person, UnitKind.CTH, units=["hosp-1.w1"])
    move = world.approved(patient.stay, ward[1])
    world.do(withdraw_by_id, patient.own, OWN)
    assert world.do(transfers.get, move.id).state.value == "cancelled"
    other = world.person(basis=LegalBasis.CONSTRAINED)
    world.consents(other, UnitKind.CTH)
    assert world.decide(world.submit(other).id, ward[1]).request.hold is not None


def test_the_familys_word_ends_the_familys_consent_and_with_it_constrained_treatment(
    world: World, patient: Agreed
):
    world.do(withdraw_by_id, patient.family, WithdrawnWord(said_by=ConsentBy.FAMILY))
    left = world.sql("SELECT id FROM consent WHERE withdrawn_at IS NULL")
    assert [it.id for it in left] == [patient.own]
    assert code_of(world, patient.stay) == ("discharge_due", "consent_withdrawn")


def test_the_familys_word_ends_nothing_of_a_capable_volunteer(world: World, ward: list[str]):
    person = world.person(basis=LegalBasis.VOLUNTARY)
    _, family = world.consents(person, UnitKind.CTH)
    stay = world.admitted(ward[0], person)
    world.do(withdraw_by_id, family, WithdrawnWord(said_by=ConsentBy.FAMILY))
    assert code_of(world, stay.id) == ("active", None)


def test_a_consent_is_over_at_the_end_of_its_last_day_and_not_before(world: World, patient: Agreed):
    today = given_day(datetime.now(UTC) + timedelta(minutes=1))
    for id_ in (patient.own, patient.family):
        world.set("consent", id_, ends_on=today)
    world.do(expire_consents)
    assert code_of(world, patient.stay) == ("active", None)
    world.set("consent", patient.own, ends_on=today - timedelta(days=1))
    world.do(expire_consents)
    assert code_of(world, patient.stay) == ("discharge_due", "consent_expired")
    told = world.events().count("consent.expired")
    world.do(expire_consents)
    assert world.events().count("consent.expired") == told == 1


def test_a_stay_signed_for_again_before_the_end_goes_on(world: World, patient: Agreed):
    for by in ("person", "family"):
        signed(world, patient.person, by=by)
    today = given_day(datetime.now(UTC) + timedelta(minutes=1))
    for id_ in (patient.own, patient.family):
        world.set("consent", id_, ends_on=today - timedelta(days=1))
    world.do(expire_consents)
    assert code_of(world, patient.stay) == ("active", None)


def test_a_word_taken_back_outranks_one_that_ran_out(world: World, patient: Agreed):
    today = given_day(datetime.now(UTC) + timedelta(minutes=1))
    world.set("consent", patient.own, ends_on=today - timedelta(days=1))
    world.do(expire_consents)
    world.do(withdraw_by_id, patient.own, OWN)
    assert code_of(world, patient.stay) == ("discharge_due", "consent_withdrawn")


def test_a_free_sober_word_given_anew_takes_the_discharge_back(world: World, patient: Agreed):
    world.do(withdraw_by_id, patient.own, OWN)
    signed(world, patient.person, sober=False, takers=["Dr Chen", "nurse He"])
    signed(world, patient.person, by="family")
    assert code_of(world, patient.stay)[0] == "discharge_due"
    signed(world, patient.person)
    assert code_of(world, patient.stay) == ("active", None)
    assert [it.outcome for it in due_of(world, "consent_withdrawn", patient.stay)] == ["called_off"]


def test_a_word_given_after_the_withdrawal_is_not_ended_by_it(world: World, patient: Agreed):
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for by in ("person", "family"):
        signed(world, patient.person, by=by)
    world.do(withdraw_consent, patient.person, Withdrawal(said_at=hour_ago))
    assert code_of(world, patient.stay) == ("active", None)


def test_no_paper_of_police_takes_the_discharge_back(world: World, patient: Agreed):
    world.do(withdraw_by_id, patient.own, OWN)
    world.do(legal_bases.add_legal_basis, patient.person, paper(LegalBasis.COMPULSORY))
    assert code_of(world, patient.stay) == ("discharge_due", "consent_withdrawn")
    assert world.discharged(patient.stay, StayEnd.CONSENT_WITHDRAWN).state is StayState.ENDED


@pytest.mark.parametrize(("case", "guardian"), [("a", True), ("b", False)])
def test_the_whole_set_for_an_involuntary_admission_takes_the_discharge_back(
    world: World, patient: Agreed, case: str, guardian: bool
):
    world.do(withdraw_by_id, patient.own, OWN)
    diagnosed(world, patient.person, case)
    if guardian:
        signed(world, patient.person, by="guardian", capacity=None, sober=None)
    assert code_of(world, patient.stay)[0] == "discharge_due"
    made = world.do(
        legal_bases.add_legal_basis, patient.person, paper(LegalBasis.INVOLUNTARY_PSYCHIATRIC)
    )
    assert code_of(world, patient.stay) == ("active", None)
    assert world.one("SELECT basis_id FROM stay WHERE id = :id", id=patient.stay) == made.id
    running = world.sql("SELECT subject_id FROM due_item WHERE kind = 'reassessment'")
    assert [it.subject_id for it in running] == [patient.stay]


def test_danger_to_self_without_the_guardians_word_takes_nothing_back(
    world: World, patient: Agreed
):
    world.do(withdraw_by_id, patient.own, OWN)
    diagnosed(world, patient.person, "a")
    now = datetime.now(UTC)
    with world.engine.begin() as conn:
        conn.execute(
            insert(core.legal_basis).values(
                id=new_id("lb"),
                person_id=patient.person,
                kind=LegalBasis.INVOLUNTARY_PSYCHIATRIC.value,
                starts_on=now.date() - timedelta(days=1),
                ends_on=now.date() + timedelta(days=20),
                under_16_reasons=False,
                recorded_by="test",
                recorded_at=now,
                version=1,
            )
        )
    signed(world, patient.person, by="family")
    assert code_of(world, patient.stay)[0] == "discharge_due"
    signed(world, patient.person, by="guardian", capacity=None, sober=None)
    assert code_of(world, patient.stay) == ("active", None)


def test_a_guardian_may_demand_the_discharge_of_an_involuntary_stay_of_case_a(
    world: World, patient: Agreed
):
    world.do(withdraw_by_id, patient.own, OWN)
    diagnosed(world, patient.person, "a")
    word = signed(world, patient.person, by="guardian", capacity=None, sober=None)
    world.do(legal_bases.add_legal_basis, patient.person, paper(LegalBasis.INVOLUNTARY_PSYCHIATRIC))
    world.do(withdraw_by_id, patient.own, OWN.model_copy(update={"said_at": before(word.given_at)}))
    assert code_of(world, patient.stay) == ("active", None)
    world.do(withdraw_by_id, word.id, WithdrawnWord(said_by=ConsentBy.GUARDIAN))
    assert code_of(world, patient.stay) == ("discharge_due", "consent_withdrawn")


def before(instant: datetime | None) -> datetime:
    assert instant is not None
    return instant - timedelta(seconds=1)


def test_an_involuntary_basis_revoked_leaves_nothing_that_holds(world: World, patient: Agreed):
    world.do(withdraw_by_id, patient.own, OWN)
    diagnosed(world, patient.person, "b")
    made = world.do(
        legal_bases.add_legal_basis, patient.person, paper(LegalBasis.INVOLUNTARY_PSYCHIATRIC)
    )
    assert code_of(world, patient.stay) == ("active", None)
    world.do(legal_bases.revoke_legal_basis, made.id)
    assert code_of(world, patient.stay) == ("discharge_due", "basis_ended")


def test_a_stay_made_active_again_is_marked_again(world: World, patient: Agreed):
    world.do(withdraw_by_id, patient.own, OWN)
    world.set("stay", patient.stay, state="active")
    world.do(expire_consents)
    assert code_of(world, patient.stay) == ("discharge_due", "consent_withdrawn")


def test_a_form_of_words_is_valid_as_it_stands():
    assert form().told_no_adverse_effect
