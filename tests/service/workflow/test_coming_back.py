"""Coming back from treatment: the bed that was kept, the doctor who looks, what ends on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.access.caller import Role
from service.lifecycle import StayState, TermState
from service.store import terms
from service.store.tables.claims import StayEnd
from service.store.tables.law import OpinionKind
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.law.legal_bases import revoke_legal_basis
from service.workflow.moves import handover
from service.workflow.persons.assessments import record_assessment
from service.workflow.persons.restraints import begin_restraint
from service.workflow.placing import answers, placement
from service.workflow.stays.discharge import due
from service.workflow.stays.leave import begin_leave, end_leave
from service.workflow.ward import discrepancies
from solver.codes import BedState, LegalBasis, UnitKind
from tests.service.law.cases import opine
from tests.service.people.roles import finding
from tests.service.people.test_restraints import ordered

WARD = {"kind": UnitKind.OMW, "bases": (LegalBasis.COMPULSORY,)}


def taken_away(world, stay, unit="ward-1.a"):
    """An emergency takes the resident into a unit; their bed is kept."""
    return world.do(
        admit_emergency, stay.person, Emergency(unit=unit, officer="Lin", reason="collapsed")
    ).stay


def clock(world, kind):
    return [
        tuple(it)
        for it in world.sql("SELECT subject_type, outcome FROM due_item WHERE kind = :k", k=kind)
    ]


def state_of(world, person):
    with world.engine.connect() as conn:
        found = terms.term_of(conn, person)
    assert found is not None
    return found.state


# the kept bed ---------------------------------------------------------------------------------
def test_a_way_back_into_another_bed_of_the_centre_frees_the_kept_one(world):
    kept, other = world.unit(rooms=(1, 1))
    world.unit("ward-1.a", **WARD)
    stay = world.admitted(kept)
    there = taken_away(world, stay)
    assert state_of(world, stay.person) is TermState.ON_LEAVE
    world.fit_to_move(stay.person, UnitKind.PSC)
    world.do(handover.arrive, world.on_the_way(there.id, other).id)
    assert state_of(world, stay.person) is TermState.IN_BED
    ended = world.sql("SELECT state, end_code FROM stay WHERE id = :s", s=stay.id)
    assert [tuple(it) for it in ended] == [("ended", "transferred")]
    live = world.sql("SELECT bed_id, kind FROM bed_claim WHERE voided_at IS NULL"
                     " AND upper_inf(during)")  # fmt: skip
    assert [tuple(it) for it in live] == [(other, "stay")]
    assert clock(world, "leave_end") == [("stay", "called_off")]
    assert world.one("SELECT state FROM bed WHERE id = :b", b=kept) == BedState.IN_SERVICE
    assert world.admitted(kept).state is StayState.ACTIVE


def test_a_move_between_hospitals_leaves_the_kept_bed_kept(world):
    kept, _ = world.unit(rooms=(1, 1))
    world.unit("ward-1.a", **WARD)
    ward = world.unit("ward-2.a", **WARD)[0]
    stay = world.admitted(kept)
    there = taken_away(world, stay)
    world.fit_to_move(stay.person, UnitKind.OMW)
    world.do(handover.arrive, world.on_the_way(there.id, ward).id)
    assert world.one("SELECT state FROM stay WHERE id = :s", s=stay.id) == "on_leave"


# the doctor -----------------------------------------------------------------------------------
@pytest.mark.parametrize("seen", ["nobody", "assessed", "fit", "fit for a ward"])
def test_whoever_is_back_without_a_doctors_word_is_seen_soon(world, seen):
    bed, _ = world.unit()
    world.unit("ward-1.a", **WARD)
    stay = world.admitted(bed)
    there = taken_away(world, stay)
    if seen == "assessed":
        world.as_(Role.CLINICIAN).do(record_assessment, stay.person, finding())
    elif seen != "nobody":
        world.fit_to_move(stay.person, UnitKind.PSC if seen == "fit" else UnitKind.OMW)
    world.discharged(there.id, StayEnd.DISCHARGED)
    back = world.do(end_leave, stay.id)
    assert back.state is StayState.ACTIVE
    if seen in ("assessed", "fit"):
        assert (back.doctor_sees_by, clock(world, "doctor_sees")) == (None, [])
        return
    assert back.doctor_sees_by is not None
    assert back.doctor_sees_by > datetime.now(UTC)
    assert clock(world, "doctor_sees") == [("person", None)]
    world.as_(Role.CLINICIAN).do(record_assessment, stay.person, finding())
    assert clock(world, "doctor_sees") == [("person", "done")]


# what ends as the bed is left -----------------------------------------------------------------
@pytest.mark.parametrize("way", ["leave", "emergency", "transfer"])
def test_a_restraint_ends_as_its_person_leaves_the_bed(world, way, soon):
    bed, _ = world.unit()
    ward = world.unit("ward-1.a", **WARD)[0]
    stay = world.admitted(bed)
    world.as_(Role.CLINICIAN).do(begin_restraint, stay.id, ordered())
    if way == "leave":
        world.do(begin_leave, stay.id, ends_at=soon)
    elif way == "emergency":
        taken_away(world, stay)
    else:
        world.fit_to_move(stay.person, UnitKind.OMW)
        world.on_the_way(stay.id, ward)
    assert world.one("SELECT count(*) FROM restraint WHERE ended_at IS NULL") == 0
    assert clock(world, "restraint_check") == [("restraint", "done")]
    assert "restraint.ended" in world.events()


# a discharge that is due ----------------------------------------------------------------------
def test_a_discharge_marked_by_hand_runs_a_clock_to_its_forecast_and_ends_with_the_stay(world):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    when = datetime.now(UTC) + timedelta(hours=30)
    world.do(due, stay.id, expected_end=when)
    assert world.one("SELECT due_at FROM due_item WHERE kind = 'discharge_due'") == when
    world.discharged(stay.id)
    assert clock(world, "discharge_due") == [("stay", "done")]


def test_a_discharge_marked_by_hand_is_called_off_by_a_leave(world, soon):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.do(due, stay.id)
    world.do(begin_leave, stay.id, ends_at=soon)
    assert clock(world, "discharge_due") == [("stay", "called_off")]


def test_the_law_does_not_wait_for_the_forecast_of_a_discharge_marked_by_hand(world):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.do(due, stay.id, expected_end=datetime.now(UTC) + timedelta(days=3))
    basis = world.one("SELECT id FROM legal_basis WHERE person_id = :p", p=stay.person)
    world.do(revoke_legal_basis, basis)
    running = world.sql(
        "SELECT due_at, detail FROM due_item WHERE kind = 'discharge_due' AND settled_at IS NULL"
    )
    assert [it.detail for it in running] == ["decision_revoked"]
    assert running[0].due_at < datetime.now(UTC) + timedelta(days=1)


# an external hospital -------------------------------------------------------------------------
def test_a_hospital_outside_owes_the_moves_approval_and_no_custody_paper(world):
    bed, _ = world.unit()
    world.unit("ext-1.w1", kind=UnitKind.EXT, bases=(), external=True)
    stay = world.admitted(bed)
    found = world.do(
        admit_emergency, stay.person, Emergency(unit="ext-1.w1", officer="Lin", reason="swallowed")
    )
    assert found.due == ("X02",)
    owed = world.sql("SELECT detail FROM due_item WHERE kind = 'emergency_papers'")
    assert [it.detail for it in owed] == ["X02"]


# gravely ill, or held as a patient ------------------------------------------------------------
@pytest.mark.parametrize(("critical", "told"), [("critical", 1), ("serious", 0)])
def test_the_family_of_somebody_held_by_law_is_told_of_a_critical_illness(world, critical, told):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    doctor = world.as_(Role.CLINICIAN)
    doctor.do(record_assessment, stay.person, finding("G4", critical=critical))
    doctor.do(record_assessment, stay.person, finding("G4", critical=critical))
    assert clock(world, "family_told_of_move") == [("stay", None)] * told


def test_the_family_of_a_patient_by_consent_hears_of_it_from_the_patient(world):
    bed = world.unit("cth-1.a", kind=UnitKind.CTH, bases=(LegalBasis.CONSTRAINED,))[0]
    person = world.person(basis=LegalBasis.CONSTRAINED)
    world.consents(person, UnitKind.CTH)
    world.admitted(bed, person)
    world.as_(Role.CLINICIAN).do(record_assessment, person, finding("G4", critical="critical"))
    assert clock(world, "family_told_of_move") == []


def test_an_involuntary_stay_is_looked_at_again_from_its_admission_on(world):
    bed = world.unit("psy-1.a", kind=UnitKind.DTI, bases=(LegalBasis.INVOLUNTARY_PSYCHIATRIC,))[0]
    person = world.person(basis=LegalBasis.INVOLUNTARY_PSYCHIATRIC)
    opine(world, person, OpinionKind.PSYCHIATRIC_DIAGNOSIS, severe=True, danger_case="b")
    stay = world.admitted(bed, person)
    assert clock(world, "reassessment") == [("stay", None)]
    world.discharged(stay.id, StayEnd.DISCHARGED)
    assert clock(world, "reassessment") == [("stay", "called_off")]


# one place for what record and ward say differently -------------------------------------------
def test_a_decline_of_a_free_bed_is_one_discrepancy_with_one_clock_until_somebody_looked(world):
    one, _ = world.unit("omw-1.a", rooms=(1, 1), **WARD)
    for _ in range(2):
        made = world.held(one)
        world.do(answers.decline, made.id, code="no_bed")
        world.do(placement.withdraw, made.id, reason="elsewhere")
    assert world.one("SELECT count(*) FROM discrepancy") == 1
    assert clock(world, "discrepancy") == [("discrepancy", None)]
    assert world.events().count("discrepancy.opened") == 1
    [found] = world.do(discrepancies.listed, after=None, limit=9)
    world.do(discrepancies.resolve, found.id, resolution="the bed was broken")
    assert clock(world, "discrepancy") == [("discrepancy", "done")]
