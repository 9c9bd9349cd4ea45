"""Which change of legal status may be recorded, and what every other one is told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid
from service.store import events
from service.store.ids import new_id
from service.store.tables import core
from service.store.tables.claims import StayEnd
from service.store.tables.law import CommunityEnd, CommunityKind, OpinionKind, TermEnd
from service.workflow.law import community, releases, statuses
from service.workflow.law.community import NewMeasure
from service.workflow.law.legal_bases import NewLegalBasis, add_legal_basis
from service.workflow.law.term_calendar import open_calendars
from solver.codes import LegalBasis, UnitKind
from solver.eligibility import Status
from tests.service.law.cases import (
    OFFICER,
    centre,
    clocks,
    decided,
    decision,
    held,
    opine,
    term_of,
    today,
)
from tests.service.workflow.world import World


def agreement(kind: LegalBasis = LegalBasis.CONSTRAINED, **more: Any) -> NewLegalBasis:
    given: dict[str, Any] = {
        "kind": kind,
        "starts_on": today(),
        "ends_on": today() + timedelta(days=30),
    }
    return NewLegalBasis.model_validate(given | more)


def rehab(**more: Any) -> NewMeasure:
    return order(CommunityKind.COMMUNITY_REHAB, **more)


def order(kind: CommunityKind = CommunityKind.COMMUNITY_DETOX, **more: Any) -> NewMeasure:
    given: dict[str, Any] = {"kind": kind, "organ": "county_police", "received_on": today()}
    return NewMeasure.model_validate(given | more)


def free(world: World) -> str:
    """Somebody whom an officer registered."""
    person = world.person(basis=None)
    with world.engine.begin() as conn:
        events.append(
            conn,
            OFFICER.actor,
            "person.registered",
            "person",
            person,
            person=person,
            occurred_at=datetime.now(UTC),
        )
    return person


def released(world: World) -> str:
    """Somebody whose compulsory term ended by release."""
    row = decided(world, 700, ends_on=today())
    world.do(releases.release, row.id, end=TermEnd.EXPIRED, reason="over")
    return row.person


def status(world: World, person: str, **more: Any) -> Status:
    with world.engine.connect() as conn:
        return statuses.status_of(conn, person, today(), **more)


def test_the_status_follows_from_what_is_on_record(world: World):
    person = free(world)
    assert status(world, person) is Status.NONE
    world.do(community.order, person, order())
    assert status(world, person) is Status.COMMUNITY_DETOX
    world.do(add_legal_basis, person, agreement())
    assert status(world, person) is Status.CONSTRAINED
    assert status(world, person, medical=False) is Status.COMMUNITY_DETOX
    world.do(add_legal_basis, person, decision(0, ground="used_during_community"))
    assert status(world, person) is Status.PSC
    assert world.one("SELECT end_code FROM community_measure") == "compulsory"
    assert status(world, released(world)) is Status.RELEASED


def test_failed_treatment_is_no_ground_of_a_decision(world: World):
    person = free(world)
    world.do(add_legal_basis, person, agreement())
    with world.refuses(Conflict, "no-such-transition") as caught:
        world.do(add_legal_basis, person, decision(0, ground=None))
    assert caught.value.members["rule"] == "0.5"
    police = world.as_(Role.INTAKE_OFFICER)
    with police.refuses(Invalid, "missing"):
        police.do(add_legal_basis, person, decision(0, ground=None))
    world.do(add_legal_basis, person, decision(0, ground="relapse_after"))
    assert term_of(world, person).decided_on == today()


@pytest.mark.parametrize("kind", [LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY])
def test_no_agreement_stands_beside_a_term_that_runs(world: World, kind: LegalBasis):
    row = decided(world)
    with world.refuses(Conflict, "no-such-transition") as caught:
        world.do(add_legal_basis, row.person, agreement(kind))
    assert caught.value.members["present"] == "compulsory_psc"
    assert "released" in caught.value.members["possible"]


def test_no_second_decision_stands_beside_a_term_that_runs(world: World):
    row = decided(world)
    world.set("legal_basis", row.basis, ends_on=today() - timedelta(days=1))
    with world.refuses(Conflict, "no-such-transition"):
        world.do(add_legal_basis, row.person, decision(0))


def test_an_agreement_is_signed_anew_and_one_treatment_follows_another_only_once_it_ended(
    world: World,
):
    beds = world.unit(
        "cth-1.w1", kind=UnitKind.CTH, bases=(LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY)
    )
    person = free(world)
    world.do(add_legal_basis, person, agreement())
    world.consents(person, UnitKind.CTH)
    stay = world.admitted(beds[0], person)
    later = agreement(starts_on=today() + timedelta(days=31), ends_on=today() + timedelta(days=60))
    world.do(add_legal_basis, person, later)
    with world.refuses(Conflict, "no-such-transition"):
        world.do(add_legal_basis, person, agreement(LegalBasis.VOLUNTARY))
    world.set("legal_basis", world.one("SELECT max(id) FROM legal_basis"), revoked_at=NOW)
    world.discharged(stay.id, code=StayEnd.DISCHARGED)
    assert status(world, person) is Status.NONE
    world.do(add_legal_basis, person, agreement(LegalBasis.VOLUNTARY))


NOW = datetime.now(UTC)


def test_treatment_outside_is_recorded_at_its_term_only(world: World):
    row = decided(world)
    for person in (row.person, free(world)):
        with world.refuses(Conflict, "no-such-transition") as caught:
            world.do(add_legal_basis, person, agreement(LegalBasis.OUT_MEDICAL))
        assert caught.value.members["rule"] == "X01"


def test_nobody_enters_a_centre_by_their_own_word_without_police_consent(world: World):
    person = free(world)
    wanted = agreement(LegalBasis.VOLUNTARY_IN_CENTRE)
    with world.refuses(Conflict, "approvals-missing"):
        world.do(add_legal_basis, person, wanted)
    with world.engine.begin() as conn:
        conn.execute(
            insert(core.approval).values(
                id=new_id("ap"),
                person_id=person,
                kind="voluntary_in_centre",
                organ="county_police",
                granted=True,
                decided_on=today(),
                recorded_by="test",
                recorded_at=NOW,
            )
        )
    assert world.do(add_legal_basis, person, wanted).kind is LegalBasis.VOLUNTARY_IN_CENTRE


# community measures --------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.INTAKE_OFFICER])
def test_rehabilitation_needs_a_released_term_before_it(world: World, role: Role):
    clerk = world.as_(role)
    patient = free(world)
    world.do(add_legal_basis, patient, agreement())
    under = decided(world).person
    for person in (patient, free(world)):
        with clerk.refuses(Conflict, "no-such-transition") as caught:
            clerk.do(community.order, person, rehab())
        assert caught.value.members["rule"] == "0.3"
    with clerk.refuses(Conflict, "no-such-transition"):
        clerk.do(community.order, under, rehab())
    made = clerk.do(community.order, released(world), rehab(months=18))
    assert made.kind is CommunityKind.COMMUNITY_REHAB


def test_a_refusal_tells_the_police_nothing_of_treatment_by_consent(world: World):
    patient, nobody = free(world), free(world)
    world.do(add_legal_basis, patient, agreement())
    police = world.as_(Role.INTAKE_OFFICER)
    told = []
    for person in (patient, nobody):
        with police.refuses(Conflict, "no-such-transition") as caught:
            police.do(community.order, person, rehab())
        told.append((caught.value.detail, caught.value.members))
    assert told[0] == told[1]


def test_detoxification_is_three_years_from_the_day_of_reporting(world: World):
    person = free(world)
    with world.refuses(Invalid, "not-the-law"):
        world.do(community.order, person, order(months=24))
    made = world.do(community.order, person, order(received_on=today() - timedelta(days=10)))
    assert made.report_by == today() + timedelta(days=5)
    assert (made.ends_on, made.late) == (None, False)
    with world.refuses(Conflict, "measure-open"):
        world.do(community.order, person, order())
    running = world.do(community.report, made.id, reported_on=today())
    assert running.ends_on == today().replace(year=today().year + 3) - timedelta(days=1)
    assert world.one("SELECT outcome FROM due_item WHERE kind = 'community_report'") == "done"


def test_late_reporting_is_kept_as_a_fact_and_triggers_nothing(world: World):
    person = free(world)
    made = world.do(community.order, person, order(received_on=today() - timedelta(days=15)))
    with world.refuses(Conflict, "not-late"):
        world.do(community.end, made.id, code=CommunityEnd.REFUSED)
    late = world.do(community.order, free(world), order(received_on=today() - timedelta(days=16)))
    assert late.late
    done = world.do(community.end, late.id, code=CommunityEnd.REFUSED)
    assert done.end is CommunityEnd.REFUSED
    assert world.one("SELECT count(*) FROM legal_basis") == 0
    assert world.one("SELECT count(*) FROM placement_request") == 0


def test_days_in_detention_are_added_to_a_measure(world: World):
    person = free(world)
    made = world.do(community.order, person, order(received_on=today() - timedelta(days=40)))
    with world.refuses(Conflict, "not-reported"):
        world.do(community.pause, made.id, on=today())
    ran = world.do(community.report, made.id, reported_on=today() - timedelta(days=35))
    world.do(community.pause, made.id, on=today() - timedelta(days=20))
    with world.refuses(Conflict, "paused-already"):
        world.do(community.pause, made.id, on=today())
    on = world.do(community.resume, made.id, on=today() - timedelta(days=5))
    assert on.ends_on is not None
    assert ran.ends_on is not None
    assert (on.ends_on - ran.ends_on).days == on.paused_days == 15
    with world.refuses(Conflict, "measure-runs"):
        world.do(community.end, made.id, code=CommunityEnd.EXPIRED)
    world.set("community_measure", made.id, ends_on=today())
    world.do(community.end, made.id, code=CommunityEnd.EXPIRED)
    assert world.one("SELECT count(*) FROM due_item WHERE kind = 'community_end_notice'") == 1
    with world.refuses(Conflict, "measure-ended"):
        world.do(community.report, made.id, reported_on=today())


# involuntary psychiatric admission -----------------------------------------------------------


def diagnosed(world: World, case: str | None = "b", severe: bool = True) -> str:
    person = free(world)
    opine(world, person, OpinionKind.PSYCHIATRIC_DIAGNOSIS, severe=severe, danger_case=case)
    return person


INVOLUNTARY = LegalBasis.INVOLUNTARY_PSYCHIATRIC


@pytest.mark.parametrize(
    ("case", "severe", "guardian", "code"),
    [
        ("b", True, False, None),
        ("a", True, True, None),
        ("a", True, False, "guardian-consent-missing"),
        (None, True, True, "findings-missing"),
        ("b", False, True, "findings-missing"),
    ],
)
def test_an_involuntary_admission_rests_on_its_own_papers(
    world: World, case: str | None, severe: bool, guardian: bool, code: str | None
):
    person = diagnosed(world, case, severe)
    if guardian:
        with world.engine.begin() as conn:
            conn.execute(
                insert(core.consent).values(
                    id=new_id("cn"),
                    person_id=person,
                    given_by="guardian",
                    kinds=["DTI"],
                    agreement=True,
                    starts_on=today(),
                    ends_on=today() + timedelta(days=30),
                    recorded_by="test",
                    recorded_at=NOW,
                )
            )
    doctor = world.as_(Role.CLINICIAN)
    if code is None:
        assert doctor.do(add_legal_basis, person, agreement(INVOLUNTARY)).kind is INVOLUNTARY
        return
    with doctor.refuses(Conflict, code) as caught:
        doctor.do(add_legal_basis, person, agreement(INVOLUNTARY))
    assert "severe" not in caught.value.detail


def test_a_later_no_takes_the_admission_away_and_police_record_none(world: World):
    person = diagnosed(world)
    opine(world, person, OpinionKind.REDIAGNOSIS, confirmed=False)
    with world.refuses(Conflict, "findings-missing") as caught:
        world.do(add_legal_basis, person, agreement(INVOLUNTARY))
    assert caught.value.members["rule"] == "M06"
    police, other = world.as_(Role.INTAKE_OFFICER), diagnosed(world)
    with police.refuses(Forbidden, "not-for-this-role"):
        police.do(add_legal_basis, other, agreement(INVOLUNTARY))
    row = decided(world)
    opine(world, row.person, OpinionKind.PSYCHIATRIC_DIAGNOSIS, severe=True, danger_case="b")
    with world.refuses(Conflict, "no-such-transition"):
        world.do(add_legal_basis, row.person, agreement(INVOLUNTARY))


# the beginning of a term ---------------------------------------------------------------------


def test_a_term_runs_from_the_day_of_its_decision_with_its_clocks(world: World):
    bed, _ = centre(world)
    row = decided(world, 10)
    assert row.decided_on == today() - timedelta(days=10)
    last = row.decided_on.replace(year=row.decided_on.year + 2) - timedelta(days=1)
    assert row.ends_on == last
    running = clocks(world, row)
    assert set(running) == {"term_end", "release_notice", "extension_proposal"}
    zone = world.ctx.policy.zone
    midnight = datetime.combine(last + timedelta(days=1), datetime.min.time(), zone)
    assert running["term_end"] == midnight
    assert running["release_notice"] == midnight - timedelta(days=3)
    assert running["extension_proposal"] == midnight - timedelta(days=30)
    served = world.sql("SELECT due_at, subject_type FROM due_item WHERE kind = 'notify_family'")
    assert served[0].subject_type == "legal_basis"
    assert row.responsible is None
    world.admitted(bed, row.person)
    now = term_of(world, row.person)
    assert (now.responsible, now.psc_since) == ("psc-1", today())
    facilities = world.sql(
        "SELECT DISTINCT facility_id FROM due_item WHERE subject_id = :t", t=row.id
    )
    assert [it.facility_id for it in facilities] == ["psc-1"]


def test_the_first_day_in_a_police_centre_stays_the_first(world: World):
    bed, other = centre(world)
    row, stay = held(world, bed)
    world.set("term", row.id, psc_since=today() - timedelta(days=20))
    world.discharged(stay, code=StayEnd.DISCHARGED)
    world.admitted(other, row.person)
    assert term_of(world, row.person).psc_since == today() - timedelta(days=20)


def test_a_term_that_came_without_clocks_gets_them_once(world: World):
    row = term_of(world, world.person())
    assert clocks(world, row) == {}
    assert world.do(open_calendars) == 1
    assert {"term_end", "release_notice", "extension_proposal"} == set(clocks(world, row))
    assert world.do(open_calendars) == 0
