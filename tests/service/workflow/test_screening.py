"""Five questions at night: what they come to, what follows, and what never does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.caller import Role
from service.errors import Invalid, NotFound
from service.lifecycle import RequestState
from service.policy import DEFAULT_POLICY, PolicyError, default_policy, load_policy
from service.policy_intake import Awake, LastTaken
from service.store.tables.care import Consciousness, LastUse
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.placing import offers, placement
from service.workflow.placing.screening import Answers, outcome_of
from solver.codes import LegalBasis, Screening, Tri, UnitKind
from tests.service.workflow.night import CAREFUL, RED, by, clocks, screened, volunteer

RULES = default_policy().screening
answers = st.builds(
    Answers,
    st.sampled_from(Consciousness),
    st.sampled_from(Tri),
    st.sampled_from(Tri),
    st.sampled_from(Tri),
    st.sampled_from(LastUse),
)


@pytest.mark.parametrize(
    ("conscious", "bleeding", "cough", "harm", "last_use", "outcome"),
    [
        ("alert", "no", "no", "no", "never", "clear"),
        ("alert", "no", "no", "no", "over_72h", "clear"),
        ("alert", "no", "no", "no", "within_72h", "caution"),
        ("alert", "no", "no", "no", "within_24h", "caution"),
        ("alert", "no", "no", "no", "unknown", "caution"),
        ("alert", "yes", "no", "no", "never", "caution"),
        ("alert", "unknown", "no", "no", "never", "caution"),
        ("alert", "no", "yes", "no", "never", "caution"),
        ("alert", "no", "unknown", "no", "never", "caution"),
        ("alert", "no", "no", "yes", "never", "caution"),
        ("alert", "no", "no", "unknown", "never", "caution"),
        ("unknown", "no", "no", "no", "never", "caution"),
        ("unknown", "unknown", "unknown", "unknown", "unknown", "caution"),
        ("drowsy", "no", "no", "no", "never", "caution"),
        ("confused", "no", "no", "no", "never", "caution"),
        ("unresponsive", "no", "no", "no", "never", "red_flag"),
        ("unresponsive", "unknown", "unknown", "unknown", "unknown", "red_flag"),
        ("confused", "yes", "no", "no", "never", "red_flag"),
        ("drowsy", "yes", "no", "no", "never", "red_flag"),
        ("confused", "no", "yes", "no", "never", "red_flag"),
        ("drowsy", "no", "yes", "no", "never", "caution"),
        ("confused", "no", "no", "no", "within_72h", "red_flag"),
        ("drowsy", "no", "no", "no", "within_24h", "red_flag"),
        ("drowsy", "no", "no", "no", "within_72h", "caution"),
    ],
)
def test_the_outcome_is_the_policys(conscious, bleeding, cough, harm, last_use, outcome):
    said = Answers(
        Consciousness(conscious), Tri(bleeding), Tri(cough), Tri(harm), LastUse(last_use)
    )
    assert outcome_of(RULES, said) == outcome


@given(answers)
def test_nothing_unknown_or_positive_is_ever_all_clear(said):
    safe = {"consciousness": {"alert"}, "last_alcohol_or_sedative": {"never", "over_72h"}}
    negative = all(code in safe.get(name, {"no"}) for name, code in said.codes().items())
    assert (outcome_of(RULES, said) is Screening.CLEAR) is negative


@given(answers)
def test_a_sleeper_nobody_can_wake_is_always_an_emergency(said):
    fallen = replace(said, consciousness=Consciousness.UNRESPONSIVE)
    assert outcome_of(RULES, fallen) is Screening.RED_FLAG


def test_the_policy_knows_every_answer_and_must_count_the_unknown(tmp_path):
    assert set(get_args(Awake)) == {it.value for it in Consciousness}
    assert set(get_args(LastTaken)) == {it.value for it in LastUse}
    careless = DEFAULT_POLICY.read_text().replace(
        'bleeding = ["yes", "unknown"]', 'bleeding = ["yes"]'
    )
    path = tmp_path / "careless.toml"
    path.write_text(careless)
    with pytest.raises(PolicyError, match=r"caution must count 'unknown' for bleeding"):
        load_policy(path)


def test_all_clear_says_the_new_arrivals_unit_and_where_the_candidates_are(world):
    request = world.submit()
    made = screened(by(world, Role.INTAKE_OFFICER), request.person)
    assert (made.outcome, made.lane, made.doctor_by) == (Screening.CLEAR, None, None)
    assert "new-arrivals" in made.follows.en
    assert "入所队" in made.follows.zh
    assert made.candidates == f"/api/v1/placement-requests/{request.id}/candidates"
    assert world.do(placement.get, request.id).emergency is False


def test_without_a_request_the_next_step_is_to_ask_for_a_bed(world):
    made = screened(world, world.person(isolation=None), CAREFUL)
    assert (made.request, made.candidates) == (None, None)
    assert "POST /placement-requests" in made.next.en


def test_anything_not_answered_starts_the_doctors_clock(world):
    world.unit("psc-1.w1")
    person = world.person(isolation=None)
    world.submit(person, responsible_facility="psc-1")
    made = screened(by(world, Role.INTAKE_OFFICER), person, CAREFUL)
    assert made.outcome is Screening.CAUTION
    assert clocks(world, "doctor_sees") == [(person, "psc-1", 120)]
    assert made.doctor_by is not None
    again = screened(world, person)
    assert again.doctor_by == made.doctor_by, "a milder screening does not send the doctor away"


def test_a_red_flag_opens_the_emergency_lane_by_itself(world):
    world.unit("psc-1.w1")
    ward = world.unit("omw-1.a", rooms=(2,), kind=UnitKind.OMW)
    world.held(ward[0])
    world.unit("gen-1.er", rooms=(), kind=UnitKind.EXT, external=True)
    request = world.submit(world.person(isolation=None))
    made = screened(by(world, Role.INTAKE_OFFICER), request.person, RED)
    assert made.outcome is Screening.RED_FLAG
    lane = made.lane
    assert lane is not None
    assert (lane.request, lane.why) == (request.id, "screening")
    assert [(it.unit, it.free, it.external, it.duty_phone) for it in lane.places] == [
        ("omw-1.a", 1, False, "027-0000"),
        ("gen-1.er", 0, True, "027-0000"),
    ]
    assert f"/people/{request.person}/emergency" in made.next.en
    assert lane.on_call_phone == world.ctx.policy.offers.on_call_phone
    now = world.do(placement.get, request.id)
    assert (now.emergency, now.lane, now.state) == (True, "screening", RequestState.WAITING)
    query = "SELECT due_at FROM due_item WHERE kind = 'offer_alarm' AND subject_id = :r"
    due_at = world.one(query, r=request.id)
    assert due_at == lane.alarm_at
    assert timedelta(minutes=9) < lane.alarm_at - datetime.now(UTC) <= timedelta(minutes=10)


def test_the_lane_moves_nobody_and_a_second_red_flag_changes_nothing(world):
    person = world.person(isolation=None)
    first = screened(world, person, RED)
    again = screened(world, person, RED)
    assert first.lane is not None
    assert again.lane is not None
    assert first.lane.request == again.lane.request
    assert first.lane.alarm_at == again.lane.alarm_at
    assert world.one("SELECT count(*) FROM placement_request") == 1
    assert world.one("SELECT count(*) FROM bed_claim") == 0
    assert world.events().count("lane.opened") == 1


def test_a_resident_may_fall_too_and_the_named_humans_move_meets_the_request(world):
    bed, _ = world.unit("psc-1.w1")
    world.unit("omw-1.a", kind=UnitKind.OMW)
    stay = world.admitted(bed)
    made = screened(by(world, Role.FACILITY_ADMIN, "psc-1"), stay.person, RED)
    assert made.lane is not None
    asked = world.do(placement.get, made.lane.request)
    assert (asked.emergency, asked.responsible_facility) == (True, "psc-1")
    world.do(admit_emergency, stay.person, Emergency("omw-1.a", "officer Lin", "unconscious"))
    assert world.do(placement.get, made.lane.request).state is RequestState.ADMITTED
    assert clocks(world, "offer_alarm") == []


def test_a_clinicians_finding_shuts_the_lane_a_screening_opened(world):
    request = world.submit(world.person(isolation=None))
    screened(world, request.person, RED)

    def found(conn, ctx):
        now = datetime.now(UTC)
        return offers.stand_down(conn, ctx, request.person, now, opened_by=["screening"])

    assert world.do(found).id == request.id
    now = world.do(placement.get, request.id)
    assert (now.emergency, now.lane, now.state) == (False, None, RequestState.WAITING)
    assert world.do(found) is None


def test_a_lane_that_a_human_asked_for_is_not_shut_by_a_finding(world):
    request = world.submit(emergency=True)

    def found(conn, ctx):
        now = datetime.now(UTC)
        return offers.stand_down(conn, ctx, request.person, now, opened_by=["screening"])

    assert world.do(found) is None
    assert world.do(placement.get, request.id).emergency


def test_a_residents_request_that_the_lane_made_ends_with_the_lane(world):
    bed, _ = world.unit("psc-1.w1")
    stay = world.admitted(bed)
    made = screened(world, stay.person, RED)

    def found(conn, ctx):
        now = datetime.now(UTC)
        return offers.stand_down(conn, ctx, stay.person, now, opened_by=["screening"])

    world.do(found)
    assert made.lane is not None
    ended = world.do(placement.get, made.lane.request)
    assert (ended.state, ended.end_reason) == (RequestState.WITHDRAWN, "assessed")
    assert clocks(world, "offer_alarm") == []


def test_a_finding_newer_than_the_screening_counts_and_nothing_follows(world):
    person = world.person()
    earlier = datetime.now(UTC) - timedelta(minutes=30)
    made = screened(world, person, RED, screened_at=earlier)
    assert made.superseded
    assert (made.lane, made.doctor_by) == (None, None)
    assert world.one("SELECT count(*) FROM placement_request") == 0
    assert world.one("SELECT outcome FROM screening") == "red_flag"


def test_a_screening_is_not_of_the_future(world):
    person = world.person()
    with world.refuses(Invalid, "in-the-future"):
        screened(world, person, screened_at=datetime.now(UTC) + timedelta(hours=1))


def test_a_facility_screens_the_people_it_answers_for_and_nobody_elses(world):
    bed, _ = world.unit("psc-1.w1")
    world.unit("psc-2.w1")
    request = world.submit(responsible_facility="psc-1")
    screened(by(world, Role.FACILITY_ADMIN, "psc-1"), request.person)
    with world.refuses(NotFound, "person-not-found"):
        screened(by(world, Role.FACILITY_ADMIN, "psc-2"), request.person)
    resident = world.admitted(bed)
    screened(by(world, Role.FACILITY_ADMIN, "psc-1"), resident.person)


def test_an_officer_screens_nobody_who_is_treated_by_their_own_consent(world):
    said = set()
    for person in (volunteer(world), "p-nobody0000"):
        with world.refuses(NotFound, "person-not-found") as caught:
            screened(by(world, Role.INTAKE_OFFICER), person)
        said.add((caught.value.detail.replace(person, "it"), str(caught.value.members)))
    assert len(said) == 1


@pytest.mark.parametrize("basis", [LegalBasis.COMPULSORY, None])
def test_a_screened_person_is_never_given_a_grade(world, basis):
    person = world.person(isolation=None, basis=basis)
    screened(world, person, RED)
    assert world.one("SELECT count(*) FROM assessment") == 0
