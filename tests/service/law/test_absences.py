"""Escape, detention, treatment outside, and the return: what counts, what ends, who waits."""

from datetime import UTC, datetime, timedelta

import pytest

from service.access.caller import Role
from service.errors import Conflict, Invalid, NotFound
from service.lifecycle import TermState
from service.store.tables.claims import StayEnd
from service.store.tables.law import AbsenceKind, ApprovalKind, OpinionKind
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.law import absences
from tests.service.law.cases import (
    approve,
    centre,
    clocks,
    decided,
    held,
    hospital,
    opine,
    term_of,
    today,
)
from tests.service.workflow.world import World


def days_ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def test_an_escape_frees_the_bed_tells_the_police_and_lets_no_day_count(world: World):
    bed, _ = centre(world)
    row, stay = held(world, bed)
    before = row.ends_on
    gone = world.do(absences.escaped, row.id, reason="over the wall")
    assert gone.term.state is TermState.ESCAPED
    assert world.one("SELECT end_code FROM stay WHERE id = :s", s=stay) == "escaped"
    assert set(clocks(world, row)) == {"escape_notice"}
    away = world.one("SELECT id FROM term_absence")
    world.set("term_absence", away, began_on=today() - timedelta(days=5))
    back = world.do(absences.came_back, row.id, reason="recaptured")
    assert back.term.ends_on == before + timedelta(days=5)
    assert back.term.escape_days == 5
    assert {"term_end", "extension_proposal", "release_notice"} <= set(clocks(world, row))
    assert world.one("SELECT state FROM placement_request ORDER BY id DESC LIMIT 1") == "waiting"


def test_an_escape_recorded_as_a_discharge_is_the_same_escape(world: World):
    bed, _ = centre(world)
    row, stay = held(world, bed)
    world.discharged(stay, code=StayEnd.ESCAPED)
    assert term_of(world, row.person).state is TermState.ESCAPED
    assert "escape_notice" in clocks(world, row)


def test_an_escape_from_the_hospital_ends_the_kept_bed_too(world: World):
    bed, _ = centre(world)
    hospital(world)
    row, _ = held(world, bed)
    world.do(
        admit_emergency, row.person, Emergency(unit="ext-1.w1", officer="Lin", reason="swallowed")
    )
    assert term_of(world, row.person).state is TermState.ON_LEAVE
    gone = world.do(absences.escaped, row.id, reason="left the hospital")
    assert gone.term.state is TermState.ESCAPED
    assert world.one("SELECT count(*) FROM stay WHERE ended_at IS NULL") == 0


@pytest.mark.parametrize("kind", [AbsenceKind.DETENTION, AbsenceKind.ARREST])
def test_detention_lets_the_term_run_and_frees_the_bed(world: World, kind: AbsenceKind):
    bed, _ = centre(world)
    row, _ = held(world, bed)
    gone = world.do(absences.detained, row.id, kind, reason="another case", document="No 7")
    assert gone.term.state is TermState.IN_DETENTION
    assert gone.term.ends_on == row.ends_on
    assert "term_end" in clocks(world, row)
    back = world.do(absences.came_back, row.id, reason="set free")
    assert back.term.ends_on == row.ends_on
    assert back.absences[0].counts
    assert world.one("SELECT state FROM placement_request ORDER BY id DESC LIMIT 1") == "waiting"


def test_whoever_comes_back_after_the_last_day_is_free(world: World):
    row = decided(world, ago=400)
    world.do(absences.detained, row.id, AbsenceKind.ARREST, reason="prison")
    world.set("term", row.id, ends_on=today() - timedelta(days=1))
    back = world.do(absences.came_back, row.id, reason="served")
    assert (back.term.state, back.term.end) == (TermState.CLOSED, "expired")
    assert world.one("SELECT count(*) FROM placement_request") == 0


@pytest.mark.parametrize("missing", ["severe_illness", "life_at_risk", "approved", "filed", None])
def test_treatment_outside_takes_all_four_parts(world: World, missing: str | None):
    bed, _ = centre(world)
    row, stay = held(world, bed)
    opine(
        world,
        row.person,
        OpinionKind.OUT_MEDICAL_NEED,
        severe=missing != "severe_illness",
        at_risk=missing != "life_at_risk",
    )
    if missing != "approved":
        approve(world, row, ApprovalKind.OUT_MEDICAL)
    if missing != "filed":
        approve(world, row, ApprovalKind.OUT_MEDICAL_FILING)
    review = today() + timedelta(days=30)
    if missing is not None:
        with world.refuses(Conflict, "out-medical-incomplete") as caught:
            world.do(absences.treated_outside, row.id, review_on=review, reason="dialysis")
        assert caught.value.members["missing"] == [missing]
        return
    out = world.do(absences.treated_outside, row.id, review_on=review, reason="dialysis")
    assert out.term.state is TermState.OUT_MEDICAL
    assert out.term.ends_on == row.ends_on
    assert world.one("SELECT end_code FROM stay WHERE id = :s", s=stay) == "discharged"
    assert "out_medical_review" in clocks(world, row)
    world.do(absences.reviewed_outside, row.id, review_on=review + timedelta(days=30))
    opine(world, row.person, OpinionKind.OUT_MEDICAL_NEED, severe=True, at_risk=False)
    with world.refuses(Conflict, "ground-not-confirmed"):
        world.do(absences.reviewed_outside, row.id, review_on=review + timedelta(days=60))
    back = world.do(absences.came_back, row.id, reason="fit again")
    assert back.term.ends_on == row.ends_on
    assert "out_medical_review" not in clocks(world, row)
    assert world.one("SELECT count(*) FROM legal_basis WHERE revoked_at IS NULL") == 1


def test_the_wrong_organs_yes_is_no_yes(world: World):
    bed, _ = centre(world)
    row, _ = held(world, bed)
    opine(world, row.person, OpinionKind.OUT_MEDICAL_NEED, severe=True, at_risk=True)
    approve(world, row, ApprovalKind.OUT_MEDICAL, "hospital")
    approve(world, row, ApprovalKind.OUT_MEDICAL_FILING, "province_police")
    review = today() + timedelta(days=30)
    with world.refuses(Conflict, "out-medical-incomplete") as caught:
        world.do(absences.treated_outside, row.id, review_on=review, reason="dialysis")
    assert caught.value.members["missing"] == ["approved", "filed"]


def test_a_second_absence_and_one_before_the_decision_are_refused(world: World):
    row = decided(world, ago=3)
    with world.refuses(Invalid, "before-the-last-change"):
        world.do(absences.escaped, row.id, reason="x", occurred_at=days_ago(5))
    world.do(absences.escaped, row.id, reason="x")
    with world.refuses(Conflict, "absent-already"):
        world.do(absences.escaped, row.id, reason="x")
    with world.refuses(Conflict, "absent-already"):
        world.do(absences.detained, row.id, AbsenceKind.ARREST, reason="x")


def test_a_centre_records_the_escape_of_its_own_people_only(world: World):
    bed, _ = centre(world)
    row, _ = held(world, bed)
    with world.refuses(NotFound, "term-not-found"):
        world.as_(Role.FACILITY_ADMIN, "psc-2").do(absences.escaped, row.id, reason="x")
    gone = world.as_(Role.FACILITY_ADMIN, "psc-1").do(absences.escaped, row.id, reason="x")
    assert gone.term.state is TermState.ESCAPED


def test_nobody_who_is_in_custody_is_away(world: World):
    bed, _ = centre(world)
    row = decided(world)
    world.do(absences.escaped, row.id, reason="from the police car")
    world.admitted(bed, row.person)
    now = term_of(world, row.person)
    assert now.state is TermState.IN_BED
    with world.refuses(Conflict, "not-away"):
        world.do(absences.came_back, row.id, reason="x")
