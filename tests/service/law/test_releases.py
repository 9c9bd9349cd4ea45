"""How a term ends: on its day, early, changed, set aside, or by death; nothing is waited for."""

from datetime import UTC, datetime, timedelta

import pytest

from service.access.caller import Role
from service.errors import Conflict, Invalid, NotFound
from service.lifecycle import ApprovalKind, TermState
from service.store.tables.claims import StayEnd
from service.store.tables.law import CommunityEnd, CommunityKind, ProposalKind, TermEnd
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.law import (
    absences,
    community,
    community_view,
    releases,
    term_changes,
    term_view,
)
from service.workflow.law.community import NewMeasure
from service.workflow.law.legal_bases import add_legal_basis, revoke_legal_basis
from service.workflow.law.term_changes import Part, Result
from solver.codes import Organ, UnitKind
from tests.service.law.cases import (
    PASSED,
    approve,
    centre,
    clocks,
    decided,
    decision,
    held,
    hospital,
    term_of,
    today,
)
from tests.service.workflow.world import World

EARLY, LONGER, CHANGED = (
    ProposalKind.EARLY_RELEASE,
    ProposalKind.EXTENSION,
    ProposalKind.CHANGE_TO_COMMUNITY,
)


def ends_today(world: World, term: str) -> None:
    world.set("term", term, ends_on=today())


def test_a_release_before_the_last_day_names_the_lawful_ways_out(world: World):
    bed, _ = centre(world)
    row, _ = held(world, bed)
    with world.refuses(Conflict, "term-runs") as caught:
        world.do(releases.release, row.id, end=TermEnd.EXPIRED, reason="tired of it")
    assert caught.value.members["ends_on"] == row.ends_on.isoformat()
    with world.refuses(Invalid, "not-a-release"):
        world.do(releases.release, row.id, end=TermEnd.RELEASED_EARLY, reason="x")


def test_on_the_last_day_the_person_goes_whatever_is_still_owed(world: World):
    bed, _ = centre(world)
    row, stay = held(world, bed)
    ends_today(world, row.id)
    free = world.do(releases.release, row.id, end=TermEnd.EXPIRED, reason="term over")
    assert (free.term.state, free.term.end) == (TermState.CLOSED, TermEnd.EXPIRED)
    assert world.one("SELECT end_code FROM stay WHERE id = :s", s=stay) == "released"
    assert world.one("SELECT state FROM bed WHERE id = :b", b=bed) == "housekeeping"
    assert set(clocks(world, row)) == {"release_notice", "release_papers"}
    assert world.one("SELECT count(*) FROM legal_basis WHERE revoked_at IS NULL") == 0
    with world.refuses(Conflict, "term-closed"):
        world.do(releases.release, row.id, end=TermEnd.EXPIRED, reason="again")


def test_a_release_takes_no_hospital_bed_from_the_patient_in_it(world: World):
    bed, _ = centre(world)
    hospital(world)
    row, stay = held(world, bed)
    world.do(admit_emergency, row.person, Emergency(unit="ext-1.w1", officer="Lin", reason="ill"))
    ends_today(world, row.id)
    world.do(releases.release, row.id, end=TermEnd.EXPIRED, reason="term over")
    open_stays = world.sql("SELECT id, facility_id FROM stay WHERE ended_at IS NULL")
    assert [it.facility_id for it in open_stays] == ["ext-1"]
    assert world.one("SELECT end_code FROM stay WHERE id = :s", s=stay) == "released"


def test_a_release_finds_the_person_on_the_road_and_ends_the_journey(world: World):
    bed, _ = centre(world)
    (ward,) = world.unit("omw-1.w1", rooms=(1,), kind=UnitKind.OMW)
    row, stay = held(world, bed)
    world.fit_to_move(row.person, UnitKind.OMW)
    world.on_the_way(stay, ward)
    world.do(releases.release, row.id, end=TermEnd.REVOKED, reason="set aside by the court")
    assert world.one("SELECT state FROM transfer") == "diverted"
    assert world.one("SELECT count(*) FROM stay WHERE ended_at IS NULL") == 0


def test_a_waiting_person_whose_decision_may_not_be_applied_is_free_and_waits_no_more(
    world: World,
):
    row = decided(world)
    world.submit(row.person)
    world.do(releases.release, row.id, end=TermEnd.NOT_APPLICABLE, reason="test positive")
    assert world.one("SELECT state FROM placement_request") == "withdrawn"


def test_a_death_anywhere_ends_the_term_and_is_told_at_once(world: World):
    bed, _ = centre(world)
    row, stay = held(world, bed)
    world.discharged(stay, code=StayEnd.DIED)
    assert world.one("SELECT end_code FROM term") == "died"
    assert set(clocks(world, row)) == {"death_notices"}
    away = decided(world)
    world.do(absences.escaped, away.id, reason="x")
    gone = world.do(releases.died, away.id, reason="found dead")
    assert (gone.term.end, gone.absences[0].ended_on) == (TermEnd.DIED, today())
    assert {it.kind for it in gone.clocks} == {"escape_notice", "death_notices"}


def test_a_discharge_as_released_closes_a_term_whose_day_has_come_and_no_other(world: World):
    bed, other = centre(world)
    row, stay = held(world, bed)
    ends_today(world, row.id)
    world.discharged(stay)
    assert world.one("SELECT end_code FROM term WHERE id = :t", t=row.id) == "expired"
    early, stay = held(world, other)
    world.discharged(stay)
    assert term_of(world, early.person).state is TermState.IN_DETENTION


def test_a_revoked_decision_frees_whoever_is_in_no_bed_and_owes_the_others_a_release(world: World):
    bed, _ = centre(world)
    outside = decided(world)
    world.do(revoke_legal_basis, outside.basis)
    assert world.one("SELECT end_code FROM term WHERE id = :t", t=outside.id) == "revoked"
    row, _ = held(world, bed)
    world.do(revoke_legal_basis, row.basis)
    assert clocks(world, row)["term_end"] <= datetime.now(UTC)
    free = world.do(releases.release, row.id, end=TermEnd.EXPIRED, reason="nothing holds them")
    assert free.term.state is TermState.CLOSED


def test_a_decision_recorded_anew_takes_its_terms_place_with_the_days_away(world: World):
    bed, _ = centre(world)
    row, _ = held(world, bed)
    world.do(absences.escaped, row.id, reason="x")
    away = world.one("SELECT id FROM term_absence")
    world.set("term_absence", away, began_on=today() - timedelta(days=7))
    world.do(absences.came_back, row.id, reason="back")
    request = world.one("SELECT id FROM placement_request WHERE state = 'waiting'")
    world.fit(bed)
    world.decide(request, bed)
    world.set("legal_basis", row.basis, revoked_at=datetime.now(UTC))
    world.do(add_legal_basis, row.person, decision(40))
    anew = term_of(world, row.person)
    assert anew.id != row.id
    assert (anew.escape_days, anew.responsible) == (7, "psc-1")
    assert anew.decided_on == today() - timedelta(days=40)


# proposals and answers -----------------------------------------------------------------------


@pytest.mark.parametrize(("ago", "rule"), [(300, "T04"), (364, "T04"), (370, None)])
def test_no_early_release_is_proposed_before_a_year_is_executed(
    world: World, ago: int, rule: str | None
):
    row = decided(world, ago)
    if rule is None:
        seen = world.do(term_changes.propose, row.id, EARLY, findings=PASSED)
        assert "early_release_answer" in {it.kind for it in seen.clocks}
        with world.refuses(Conflict, "proposal-open"):
            world.do(term_changes.propose, row.id, EARLY, findings=PASSED)
        return
    with world.refuses(Conflict, "early-release-barred") as caught:
        world.do(term_changes.propose, row.id, EARLY, findings=PASSED)
    assert caught.value.members["rule"] == rule


def test_an_escape_bars_early_release_even_after_the_proposal(world: World):
    row = decided(world, 400)
    world.do(term_changes.propose, row.id, EARLY, findings=PASSED)
    world.do(absences.escaped, row.id, reason="x")
    world.do(absences.came_back, row.id, reason="y")
    approve(world, row, ApprovalKind.EARLY_RELEASE)
    with world.refuses(Conflict, "early-release-barred") as caught:
        world.do(term_changes.answer, row.id, EARLY, reason="agreed")
    assert caught.value.members["rule"] == "X13"


def test_whoever_broke_a_community_rehabilitation_has_no_early_release(world: World):
    row = decided(world, 800, ends_on=today() - timedelta(days=75))
    world.do(releases.release, row.id, end=TermEnd.EXPIRED, reason="over")
    order = NewMeasure(
        kind=CommunityKind.COMMUNITY_REHAB,
        organ=Organ.COUNTY_POLICE,
        received_on=today() - timedelta(days=500),
    )
    made = world.do(community.order, row.person, order)
    world.do(community.end, made.id, code=CommunityEnd.REFUSED)
    world.do(add_legal_basis, row.person, decision(400, ground="relapse_after"))
    again = term_of(world, row.person)
    with world.refuses(Conflict, "early-release-barred") as caught:
        world.do(term_changes.propose, again.id, EARLY, findings=PASSED)
    assert caught.value.members["rule"] == "X13"


def test_an_early_release_takes_a_passed_assessment(world: World):
    row = decided(world, 400)
    with world.refuses(Invalid, "assessment-missing"):
        world.do(term_changes.propose, row.id, EARLY, findings={})
    failed = PASSED | {Part.CONDUCT: Result.NOT_PASSED}
    with world.refuses(Conflict, "early-release-barred"):
        world.do(term_changes.propose, row.id, EARLY, findings=failed)
    with world.refuses(Invalid, "not-a-result"):
        world.do(term_changes.propose, row.id, EARLY, findings=PASSED | {Part.DETOX: Result.GOOD})


def test_the_deciding_organs_yes_releases_and_its_no_does_not(world: World):
    bed, other = centre(world)
    row, stay = held(world, bed, 400)
    with world.refuses(Conflict, "no-proposal"):
        world.do(term_changes.answer, row.id, EARLY, reason="x")
    approve(world, row, ApprovalKind.EARLY_RELEASE, ago=1)
    world.do(term_changes.propose, row.id, EARLY, findings=PASSED)
    with world.refuses(Conflict, "answer-missing"):
        world.do(term_changes.answer, row.id, EARLY, reason="an answer from before")
    approve(world, row, ApprovalKind.EARLY_RELEASE, "county_police")
    with world.refuses(Conflict, "answer-missing"):
        world.do(term_changes.answer, row.id, EARLY, reason="another organ's answer")
    approve(world, row, ApprovalKind.EARLY_RELEASE)
    free = world.do(term_changes.answer, row.id, EARLY, reason="agreed")
    assert free.term.end is TermEnd.RELEASED_EARLY
    assert {it.kind for it in free.clocks} == {
        "release_notice",
        "release_papers",
        "notify_family",
    }
    assert world.one("SELECT end_code FROM stay WHERE id = :s", s=stay) == "released"
    kept, _ = held(world, other, 400)
    world.do(term_changes.propose, kept.id, EARLY, findings=PASSED)
    approve(world, kept, ApprovalKind.EARLY_RELEASE, granted=False)
    seen = world.do(term_changes.answer, kept.id, EARLY, reason="refused")
    assert (seen.term.state, seen.proposals[0].granted) == (TermState.IN_BED, False)


@pytest.mark.parametrize(("days", "fits"), [(0, False), (1, True), (365, True), (367, False)])
def test_an_extension_adds_at_most_a_year(world: World, days: int, fits: bool):
    row = decided(world, 600)
    if not fits:
        with world.refuses(Invalid, "longer-than-the-law"):
            world.do(term_changes.propose, row.id, LONGER, findings=PASSED, days=days)
        return
    world.do(term_changes.propose, row.id, LONGER, findings=PASSED, days=days)
    approve(world, row, ApprovalKind.EXTENSION)
    longer = world.do(term_changes.answer, row.id, LONGER, reason="agreed")
    assert longer.term.ends_on == row.ends_on + timedelta(days=days)
    assert longer.term.extension_days == days
    assert clocks(world, row)["term_end"].date() == longer.term.ends_on
    left = 366 - days
    with world.refuses(Invalid, "longer-than-the-law"):
        world.do(term_changes.propose, row.id, LONGER, findings=PASSED, days=left + 1)


def test_after_the_last_day_nothing_is_proposed_and_no_answer_extends(world: World):
    row = decided(world, 600)
    world.do(term_changes.propose, row.id, LONGER, findings=PASSED, days=30)
    world.set("term", row.id, ends_on=today() - timedelta(days=1))
    approve(world, row, ApprovalKind.EXTENSION)
    with world.refuses(Conflict, "term-over"):
        world.do(term_changes.answer, row.id, LONGER, reason="late")
    with world.refuses(Conflict, "term-over"):
        world.do(term_changes.propose, row.id, CHANGED)


def test_a_change_to_the_community_sets_the_days_served_off(world: World):
    bed, _ = centre(world)
    row, _ = held(world, bed, 200)
    world.do(term_changes.propose, row.id, CHANGED)
    approve(world, row, ApprovalKind.CHANGE_TO_COMMUNITY)
    free = world.do(term_changes.answer, row.id, CHANGED, reason="unfit to go back")
    assert free.term.end is TermEnd.CHANGED_TO_COMMUNITY
    (measure,) = world.do(community_view.listed, row.person)
    assert (measure.kind, measure.set_off_days) == (CommunityKind.COMMUNITY_DETOX, 200)
    running = world.do(community.report, measure.id, reported_on=today())
    full = today().replace(year=today().year + 3) - timedelta(days=1)
    assert running.ends_on == full - timedelta(days=200)


def test_only_some_roles_reach_a_term_and_a_centre_only_its_own(world: World):
    bed, _ = centre(world)
    row, _ = held(world, bed)
    assert world.as_(Role.FACILITY_ADMIN, "psc-1").do(term_view.get, row.id).term.id == row.id
    with world.refuses(NotFound, "term-not-found"):
        world.as_(Role.FACILITY_ADMIN, "psc-9").do(term_view.get, row.id)
    world.as_(Role.AUDITOR).do(term_view.get, row.id)
    assert world.one("SELECT count(*) FROM access_record") == 1
