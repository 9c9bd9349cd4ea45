"""A decision holds a bed, or says why not and changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from service.lifecycle import RequestState
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.judgement import Override
from service.workflow.placing import decisions, placement
from service.workflow.placing.admission import admit
from service.workflow.placing.answers import accept
from service.workflow.stays import discharge
from solver.codes import Isolation, LegalBasis, Sex, UnitKind
from tests.service.workflow.world import CHOICE


def test_a_decision_holds_the_bed_for_the_time_of_the_policy(world):
    bed, _ = world.unit()
    made = world.submit()
    choice = replace(CHOICE, rank=1, alternatives=(bed, "psc-1.w1.r1.b2"), network_position=17)
    decided = world.decide(made.id, bed, choice)
    hold = decided.request.hold
    assert decided.request.state is RequestState.HELD
    assert hold.bed == bed
    assert hold.until - hold.since == timedelta(minutes=30)
    kept = world.sql(
        "SELECT id, officer, reason, rank, alternatives, network_position, policy_version,"
        " claim_id FROM placement_decision"
    )[0]
    assert tuple(kept) == (
        decided.decision,
        "officer Lin",
        "nearest lawful bed",
        1,
        [bed, "psc-1.w1.r1.b2"],
        17,
        world.ctx.policy.version,
        hold.id,
    )
    assert world.events()[-1] == "hold.placed"


def test_a_second_officer_on_the_same_bed_is_told_to_choose_another(world):
    bed, _ = world.unit()
    world.held(bed)
    late = world.submit()
    with world.refuses(Conflict, "bed-taken") as caught:
        world.decide(late.id, bed)
    assert caught.value.members["bed"] == bed
    assert caught.value.members["taken_until"] is not None
    assert "p-" not in caught.value.detail


def test_a_held_request_gets_no_second_hold(world):
    one, two = world.unit()
    made = world.held(one)
    with world.refuses(Conflict, "illegal-step") as caught:
        world.decide(made.id, two)
    assert caught.value.members["present"] == "held"


def test_a_hold_over_by_the_clock_no_longer_counts_for_its_bed_or_its_request(world):
    one, two = world.unit()
    old = world.held(one)
    world.age_hold(one)
    assert world.held(one).hold.bed == one
    assert world.decide(old.id, two).request.hold.bed == two
    assert world.events().count("hold.lapsed") == 1


def test_a_hold_on_a_closed_bed_is_refused(world):
    bed, _ = world.unit()
    world.out_of_use(bed)
    made = world.submit()
    with world.refuses(Conflict, "bed-not-in-service") as caught:
        world.decide(made.id, bed)
    assert caught.value.members["state"] == "closed"


def test_a_hold_on_a_bed_out_of_service_is_refused_whatever_its_state(world):
    bed, _ = world.unit()
    with world.engine.begin() as conn:
        conn.exec_driver_sql(
            "INSERT INTO out_of_service_period (id, bed_id, reason, note, began_at, opened_by,"
            " recorded_at, version) VALUES ('oos_1', %s, 'repair', '', now(), 'x', now(), 1)",
            (bed,),
        )
    made = world.submit()
    with world.refuses(Conflict, "bed-not-in-service"):
        world.decide(made.id, bed)


def test_a_retired_bed_and_a_bed_that_never_was_cannot_be_held(world):
    bed, _ = world.unit()
    made = world.submit()
    with world.refuses(NotFound, "bed-not-found"):
        world.decide(made.id, "psc-1.w1.r1.b9")
    world.set("bed", bed, retired_at="2026-01-01T00:00:00Z")
    with world.refuses(Conflict, "bed-retired"):
        world.decide(made.id, bed)
    with world.refuses(NotFound, "request-not-found"):
        world.decide("rq_nothing", bed)


def test_every_refusal_is_told_in_both_languages_with_its_source(world):
    bed, _ = world.unit(min_age=40, max_age=60)
    made = world.submit(world.person(basis=None, isolation=Isolation.AIRBORNE))
    with world.refuses(Refused, "refused-by-rules") as caught:
        world.decide(made.id, bed)
    refusals = caught.value.members["refusals"]
    assert len(refusals) >= 3
    for it in refusals:
        assert it["rule"]
        assert it["citation"]
        assert it["zh"] != it["en"]
        assert it["en"].rstrip(".") in caught.value.detail


def test_a_shared_room_takes_one_sex_through_whatever_bed(world):
    one, two = world.unit()
    world.held(one, world.person(sex=Sex.MALE))
    woman = world.submit(world.person(sex=Sex.FEMALE))
    with world.refuses(Refused, "refused-by-rules") as caught:
        world.decide(woman.id, two)
    assert [it["relation"] for it in caught.value.members["relations"]] == ["one_sex_per_room"]
    assert caught.value.members["refusals"] == []


def test_minors_and_adults_do_not_share_a_room(world):
    one, two = world.unit()
    world.admitted(one)
    minor = world.submit(world.person(age=17))
    with world.refuses(Refused, "refused-by-rules") as caught:
        world.decide(minor.id, two)
    assert "minors_apart" in [it["relation"] for it in caught.value.members["relations"]]


def test_a_unit_takes_no_more_people_than_it_is_staffed_for(world):
    one, two = world.unit(rooms=(1, 1), staffed_beds=1)
    world.held(one)
    late = world.submit()
    with world.refuses(Refused, "refused-by-rules") as caught:
        world.decide(late.id, two)
    assert [it["relation"] for it in caught.value.members["relations"]] == ["capacity"]


def test_a_named_human_gives_a_reason(world):
    bed, _ = world.unit()
    made = world.submit()
    for field, choice in (
        ("officer", replace(CHOICE, officer=" ")),
        ("reason", replace(CHOICE, reason=" ")),
    ):
        with world.refuses(Invalid, "reason-missing") as caught:
            world.decide(made.id, bed, choice)
        assert caught.value.errors[0].pointer == f"/{field}"


@pytest.mark.parametrize(
    ("override", "role", "kind", "code"),
    [
        (Override("P02", "reasons of the organ"), Role.INTAKE_OFFICER, Forbidden,
         "override-not-allowed"),
        (Override("L01", "in a hurry"), Role.COORDINATOR, Refused, "rule-cannot-be-lifted"),
        (Override("P02", " "), Role.COORDINATOR, Invalid, "reason-missing"),
        (Override("X99", "why not"), Role.COORDINATOR, Invalid, "unknown-rule"),
    ],
)  # fmt: skip
def test_only_a_rule_that_is_not_law_is_set_aside_and_only_by_whom_the_policy_names(
    world, override, role, kind, code
):
    bed, _ = world.unit()
    made = world.submit()
    with world.refuses(kind, code):
        world.as_(role).decide(made.id, bed, replace(CHOICE, overrides=(override,)))


def test_a_rule_set_aside_stands_in_the_decision_and_still_at_admission(world):
    bed = world.unit(rooms=(1,), zone="minors", max_age=17)[0]
    child = world.person(age=15)
    made = world.submit(child)
    with world.refuses(Refused, "refused-by-rules") as caught:
        world.decide(made.id, bed)
    assert [it["rule"] for it in caught.value.members["refusals"]] == ["P02"]
    override = Override("P02", "the deciding organ gave reasons")
    world.decide(made.id, bed, replace(CHOICE, overrides=(override,)))
    kept = world.one("SELECT overrides FROM placement_decision")
    assert kept == [{"rule": "P02", "reason": override.reason, "by": "key-coordinator"}]
    world.do(accept, made.id)
    assert world.do(admit, made.id).state == "active"


def test_an_occupied_bed_is_promised_behind_a_due_discharge_and_held_when_it_is_fit(world):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    made = world.submit()
    with world.refuses(Conflict, "no-departure"):
        world.do(decisions.promise_bed, made.id, bed, CHOICE)
    world.do(discharge.due, stay.id)
    decided = world.do(decisions.promise_bed, made.id, bed, CHOICE)
    assert decided.request.state is RequestState.WAITING
    assert decided.request.promise.waits_for_stay == stay.id
    world.discharged(stay.id)
    assert world.one("SELECT state FROM bed_next") == "live"
    world.fit(bed)
    held = world.sql(
        "SELECT r.state, c.bed_id FROM placement_request r JOIN bed_claim c"
        " ON c.request_id = r.id AND c.kind = 'hold' WHERE r.id = :id",
        id=made.id,
    )
    assert [tuple(it) for it in held] == [("held", bed)]
    assert world.one("SELECT state FROM bed_next") == "kept"
    late = world.submit()
    with world.refuses(Conflict, "bed-taken"):
        world.decide(late.id, bed)


def test_a_promise_becomes_no_hold_for_somebody_the_law_no_longer_lets_in(world):
    bed, _ = world.unit()
    world.discharged(world.admitted(bed).id)
    made = world.submit()
    world.do(decisions.promise_bed, made.id, bed, CHOICE)
    basis = world.one("SELECT id FROM legal_basis WHERE person_id = :p", p=made.person)
    world.set("legal_basis", basis, revoked_at=datetime.now(UTC))
    world.fit(bed)
    after = world.do(placement.get, made.id)
    assert (after.state, after.hold, after.promise) == (RequestState.WAITING, None, None)
    assert tuple(world.sql("SELECT state, reason FROM bed_next")[0]) == (
        "cancelled",
        "no_longer_fits",
    )


def test_a_promise_becomes_no_hold_beside_an_emergency_of_the_other_sex(world):
    one, two = world.unit("ward-1.a", kind=UnitKind.OMW)
    world.discharged(world.admitted(one).id)
    made = world.submit()
    world.do(decisions.promise_bed, made.id, one, CHOICE)
    told = Emergency(unit="ward-1.a", officer="Dr Chen", reason="unconscious", bed=two)
    world.do(admit_emergency, world.person(sex=Sex.FEMALE), told)
    world.fit(one)
    assert world.do(placement.get, made.id).hold is None
    assert world.one("SELECT reason FROM bed_next") == "no_longer_fits"


def test_a_promised_bed_is_promised_once_and_never_held_for_another(world):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.do(discharge.due, stay.id)
    first, second = world.submit(), world.submit()
    world.do(decisions.promise_bed, first.id, bed, CHOICE)
    with world.refuses(Conflict, "bed-taken"):
        world.do(decisions.promise_bed, second.id, bed, CHOICE)
    world.discharged(stay.id)
    with world.refuses(Conflict, "bed-taken") as caught:
        world.decide(second.id, bed)
    assert "promised" in caught.value.detail


def test_a_bed_that_waits_for_cleaning_is_promised_and_a_free_one_is_not(world):
    one, two = world.unit()
    world.discharged(world.admitted(one).id)
    made = world.submit()
    decided = world.do(decisions.promise_bed, made.id, one, CHOICE)
    assert decided.request.promise.waits_for_stay is None
    other = world.submit()
    with world.refuses(Conflict, "bed-free"):
        world.do(decisions.promise_bed, other.id, two, CHOICE)


def test_deciding_for_another_bed_gives_the_promise_up(world):
    one, two = world.unit()
    world.discharged(world.admitted(one).id)
    made = world.submit()
    world.do(decisions.promise_bed, made.id, one, CHOICE)
    assert world.decide(made.id, two).request.hold.bed == two
    assert tuple(world.sql("SELECT state, reason FROM bed_next")[0]) == (
        "cancelled",
        "decided_anew",
    )


def test_a_consensual_patient_is_never_put_into_custody(world):
    bed, _ = world.unit(bases=(LegalBasis.COMPULSORY, LegalBasis.CONSTRAINED))
    made = world.submit(world.person(basis=LegalBasis.CONSTRAINED))
    with world.refuses(Refused, "refused-by-rules"):
        world.decide(made.id, bed)
    assert world.one("SELECT kind FROM unit") == UnitKind.PSC
