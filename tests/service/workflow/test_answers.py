"""The receiving side accepts or declines; the officer gives back; nobody comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid
from service.lifecycle import RequestState
from service.workflow.placing import answers, placement
from solver.codes import LegalBasis, UnitKind
from tests.service.workflow.world import World

VERBS = {
    "accept": lambda world, id_: world.do(answers.accept, id_),
    "decline": lambda world, id_: world.do(answers.decline, id_, code="no_bed"),
    "release": lambda world, id_: world.do(answers.release_hold, id_, reason="other bed found"),
    "not_arrived": lambda world, id_: world.do(answers.not_arrived, id_, reason="never came"),
}


def test_acceptance_replaces_the_expiry_by_the_expected_arrival_plus_grace(world, soon):
    one, two = world.unit()
    made = world.held(one)
    arrival = made.hold.since + timedelta(hours=5)
    accepted = world.do(answers.accept, made.id, expected_arrival=arrival)
    assert accepted.state is RequestState.ACCEPTED
    assert accepted.hold.accepted
    assert accepted.hold.until == arrival + timedelta(minutes=120)
    unnamed = world.accepted(two).hold
    assert timedelta(hours=6) <= unnamed.until - unnamed.since < timedelta(hours=6, minutes=1)


@pytest.mark.parametrize("hours", [-1, 49])
def test_an_arrival_that_is_past_or_too_far_off_is_refused(world, hours):
    bed, _ = world.unit()
    made = world.held(bed)
    when = made.hold.since + timedelta(hours=hours)
    with world.refuses(Invalid, "out-of-range") as caught:
        world.do(answers.accept, made.id, expected_arrival=when)
    assert caught.value.errors[0].pointer == "/expected_arrival"


def test_an_arrival_without_an_offset_is_refused(world):
    bed, _ = world.unit()
    made = world.held(bed)
    with world.refuses(Invalid, "naive-time"):
        world.do(answers.accept, made.id, expected_arrival=datetime(2026, 5, 1, 8))  # noqa: DTZ001


@pytest.mark.parametrize("verb", VERBS)
def test_an_answer_to_a_lapsed_hold_says_what_is_next(world, verb):
    bed, _ = world.unit()
    made = world.accepted(bed) if verb == "not_arrived" else world.held(bed)
    world.age_hold(bed)
    with world.refuses(Conflict, "hold-lapsed") as caught:
        VERBS[verb](world, made.id)
    assert "decide anew" in caught.value.detail


@pytest.mark.parametrize("verb", VERBS)
def test_there_is_no_answer_where_nothing_was_offered(world, verb):
    made = world.submit()
    with world.refuses(Conflict, "illegal-step"):
        VERBS[verb](world, made.id)


@pytest.mark.parametrize("verb", ["accept", "decline"])
def test_only_the_facility_the_bed_is_in_answers(world, verb):
    bed, _ = world.unit()
    made = world.held(bed)
    with world.refuses(Forbidden, "other-facility"):
        VERBS[verb](world.as_(Role.FACILITY_ADMIN, "hosp-9"), made.id)
    VERBS[verb](world.as_(Role.FACILITY_ADMIN, "psc-1"), made.id)


@pytest.mark.parametrize("accepted", [False, True])
def test_a_decline_is_kept_with_its_code_and_the_person_waits_again(world, accepted):
    bed, _ = world.unit()
    made = world.accepted(bed) if accepted else world.held(bed)
    world.do(answers.decline, made.id, code="no_bed", reason=" broken frame ")
    assert world.do(placement.get, made.id).state is RequestState.WAITING
    kept = world.sql("SELECT request_id, unit_id, code, reason, claim_id FROM decline")[0]
    assert tuple(kept) == (made.id, "psc-1.w1", "no_bed", "broken frame", made.hold.id)
    assert world.one("SELECT void_reason FROM bed_claim") == "declined"
    assert world.held(bed).hold.bed == bed


def test_a_decline_code_must_be_lawful_for_the_kind_of_unit(world):
    bed, _ = world.unit()
    made = world.held(bed)
    with world.refuses(Invalid, "not-lawful-here") as caught:
        world.do(answers.decline, made.id, code="equipment")
    assert "life_threatening" in caught.value.errors[0].message
    with world.refuses(Invalid, "unknown-code"):
        world.do(answers.decline, made.id, code="hiv_positive")
    ward = world.unit("ward-1.a", kind=UnitKind.OMW, bases=(LegalBasis.COMPULSORY,))[0]
    other = world.held(ward)
    with world.refuses(Invalid, "not-lawful-here"):
        world.do(answers.decline, other.id, code="life_threatening")
    world.do(answers.decline, other.id, code="equipment")


def test_a_centre_refuses_nobody_under_a_decision_for_being_ill(world):
    bed, _ = world.unit()
    made = world.held(bed)
    with world.refuses(Invalid, "not-lawful-here"):
        world.do(answers.decline, made.id, code="needs_higher_care")
    world.do(answers.decline, made.id, code="life_threatening")


def test_a_decline_code_must_be_lawful_for_the_legal_basis_of_the_person(world):
    ward = world.unit("ward-1.a", kind=UnitKind.OMW, bases=(LegalBasis.COMPULSORY,))[0]
    made = world.held(ward)
    policy = world.ctx.policy
    for_volunteers = policy.declines["equipment"].model_copy(
        update={"bases": frozenset({LegalBasis.VOLUNTARY})}
    )
    declines = {**policy.declines, "equipment": for_volunteers}
    narrowed = World(
        world.engine, replace(world.ctx, policy=policy.model_copy(update={"declines": declines}))
    )
    with narrowed.refuses(Invalid, "not-lawful-here"):
        narrowed.do(answers.decline, made.id, code="equipment")
    world.do(answers.decline, made.id, code="equipment")


def test_the_officer_gives_a_bed_back_with_a_reason(world):
    bed, _ = world.unit()
    made = world.held(bed)
    with world.refuses(Invalid, "reason-missing"):
        world.do(answers.release_hold, made.id, reason="")
    assert world.do(answers.release_hold, made.id, reason="a nearer bed").hold is None
    assert world.held(bed).hold.bed == bed


def test_a_person_who_never_came_is_said_so_and_the_bed_is_free(world):
    bed, _ = world.unit()
    held = world.held(bed)
    with world.refuses(Conflict, "illegal-step"):
        world.do(answers.not_arrived, held.id, reason="never came")
    world.do(answers.accept, held.id)
    ended = world.do(answers.not_arrived, held.id, reason="never came")
    assert (ended.state, ended.hold) == (RequestState.NOT_ARRIVED, None)
    assert world.held(bed).hold.bed == bed


def test_an_accepted_hold_is_not_accepted_twice(world):
    bed, _ = world.unit()
    made = world.accepted(bed)
    with world.refuses(Conflict, "illegal-step"):
        world.do(answers.accept, made.id)
