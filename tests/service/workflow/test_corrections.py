"""Corrections of the past: voided with a reason, written anew, and never over somebody's head."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid, Refused
from service.lifecycle import RequestState, StayState, TransferState
from service.store.tables.claims import StayEnd
from service.workflow.moves import handover
from service.workflow.placing import decisions, placement
from service.workflow.placing.admission import admit
from service.workflow.stays import corrections, discharge, undoing
from service.workflow.stays.leave import begin_leave
from solver.codes import BedState, LegalBasis, Sex, UnitKind
from tests.service.workflow.world import CHOICE

WARD = {"kind": UnitKind.OMW, "bases": (LegalBasis.COMPULSORY,)}


def bed_of(world, stay):
    return world.one(
        "SELECT bed_id FROM bed_claim WHERE stay_id = :s AND voided_at IS NULL"
        " AND kind <> 'hold' ORDER BY lower(during) DESC LIMIT 1",
        s=stay,
    )


def moved(world):
    """Somebody who went from a centre to a ward."""
    one, two, *_ = world.unit(rooms=(2, 2))
    ward = world.unit("ward-1.a", **WARD)[0]
    stay = world.admitted(one)
    world.fit_to_move(stay.person, UnitKind.OMW, UnitKind.PSC)
    move = world.do(handover.arrive, world.on_the_way(stay.id, ward).id)
    return stay, move, one, two, ward


# times ----------------------------------------------------------------------------------------
def test_times_are_corrected_and_both_are_kept(world, ago):
    bed, _ = world.unit()
    stay = world.discharged(world.do(admit, world.accepted(bed).id, occurred_at=ago(60)).id)
    fixed = world.do(
        corrections.correct_times, stay.id, admitted_at=ago(90), ended_at=ago(30), reason="log book"
    )
    assert fixed.segments[0].since == fixed.admitted_at < stay.admitted_at
    assert fixed.segments[0].until == fixed.ended_at < stay.ended_at
    voided = world.sql("SELECT void_reason FROM bed_claim WHERE voided_at IS NOT NULL AND kind"
                       " = 'stay'")  # fmt: skip
    assert [it[0] for it in voided] == ["log book"]
    data, occurred, recorded = world.sql(
        "SELECT data, occurred_at, recorded_at FROM event WHERE operation = 'stay.times_corrected'"
    )[0]
    assert data["old_admitted_at"] == stay.admitted_at.isoformat()
    assert occurred == fixed.admitted_at
    assert recorded - occurred >= timedelta(minutes=90)


def test_a_corrected_time_is_still_lawful_possible_and_in_order(world, ago, soon):
    bed, _ = world.unit()
    stay = world.do(
        admit, world.accepted(bed, world.person(served_at=ago(100))).id, occurred_at=ago(60)
    )

    def fix(**kw):
        return world.do(corrections.correct_times, stay.id, **{"reason": "log book", **kw})

    with world.refuses(Refused, "refused-by-rules"):
        fix(admitted_at=ago(120))
    with world.refuses(Invalid, "in-the-future"):
        fix(admitted_at=soon)
    with world.refuses(Invalid, "still-open"):
        fix(ended_at=ago(1))
    with world.refuses(Invalid, "missing"):
        fix()
    with world.refuses(Invalid, "reason-missing"):
        fix(admitted_at=ago(70), reason=" ")
    world.discharged(stay.id, occurred_at=ago(30))
    with world.refuses(Conflict, "out-of-order"):
        fix(ended_at=ago(65))
    with world.refuses(Forbidden, "other-facility"):
        world.as_(Role.FACILITY_ADMIN, "hosp-9").do(
            corrections.correct_times, stay.id, ended_at=ago(20), reason="x"
        )


def test_a_time_corrected_into_the_next_persons_stay_says_what_is_in_the_way(world, ago):
    bed, _ = world.unit()
    first = world.do(admit, world.accepted(bed).id, occurred_at=ago(100))
    world.discharged(first.id, occurred_at=ago(60))
    world.fit(bed)
    second = world.do(admit, world.accepted(bed).id, occurred_at=ago(40))
    with world.refuses(Conflict, "bed-was-taken") as caught:
        world.do(corrections.correct_times, first.id, ended_at=ago(20), reason="log book")
    assert caught.value.members["since"] == second.admitted_at.isoformat()
    world.do(corrections.correct_times, first.id, ended_at=ago(50), reason="log book")


# swap -----------------------------------------------------------------------------------------
def test_two_people_recorded_in_each_others_beds_are_exchanged(world):
    one, two = world.unit()
    a, b = world.admitted(one), world.admitted(two)
    world.do(corrections.swap, a.id, b.id, reason="names mixed up")
    assert (bed_of(world, a.id), bed_of(world, b.id)) == (two, one)
    with world.refuses(Invalid, "same-stay"):
        world.do(corrections.swap, a.id, a.id, reason="x")


def test_a_swap_that_would_mix_a_room_or_cross_a_facility_is_refused(world):
    one, two, three, _ = world.unit(rooms=(2, 2))
    man, other = world.admitted(one), world.admitted(two)
    woman = world.admitted(three, world.person(sex=Sex.FEMALE))
    far = world.admitted(world.unit("psc-2.w1")[0])
    with world.refuses(Conflict, "bed-was-taken"):
        world.do(corrections.swap, man.id, woman.id, reason="names mixed up")
    with world.refuses(Conflict, "other-facility"):
        world.do(corrections.swap, man.id, far.id, reason="names mixed up")
    world.discharged(other.id)
    with world.refuses(Conflict, "not-in-bed"):
        world.do(corrections.swap, man.id, other.id, reason="names mixed up")


def test_nobody_in_a_transfer_is_swapped(world):
    one, two, three, _ = world.unit(rooms=(2, 2))
    a, b = world.admitted(one), world.admitted(two)
    world.proposed(a.id, three)
    with world.refuses(Conflict, "transfer-live"):
        world.do(corrections.swap, a.id, b.id, reason="names mixed up")


# an admission ---------------------------------------------------------------------------------
def test_a_cancelled_admission_lets_the_request_wait_again_and_the_bed_go(world):
    bed, _ = world.unit()
    made = world.accepted(bed)
    stay = world.do(admit, made.id)
    gone = world.do(undoing.cancel_admission, stay.id, reason="wrong person")
    assert (gone.state, gone.end_code) == (StayState.ENDED, StayEnd.ENTERED_IN_ERROR)
    assert gone.segments == ()
    again = world.do(placement.get, made.id)
    assert (again.state, again.waiting_since) == (RequestState.WAITING, made.waiting_since)
    assert world.held(bed).hold.bed == bed
    with world.refuses(Conflict, "illegal-step"):
        world.do(undoing.cancel_admission, stay.id, reason="twice")


def test_an_admission_is_not_cancelled_over_what_came_after(world, soon):
    stay, _, _, two, ward = moved(world)
    new = world.one("SELECT id FROM stay WHERE facility_id = 'ward-1'")
    with world.refuses(Conflict, "transferred"):
        world.do(undoing.cancel_admission, new, reason="wrong person")
    other = world.admitted(two)
    world.do(begin_leave, other.id, ends_at=soon)
    with world.refuses(Conflict, "on-leave"):
        world.do(undoing.cancel_admission, other.id, reason="wrong person")
    assert bed_of(world, new) == ward
    assert stay.id != new


def test_a_bed_promised_behind_a_stay_that_never_was_is_held_at_once(world):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.do(discharge.due, stay.id)
    waiting = world.submit()
    world.do(decisions.promise_bed, waiting.id, bed, CHOICE)
    world.do(undoing.cancel_admission, stay.id, reason="wrong person")
    assert world.do(placement.get, waiting.id).hold.bed == bed


# a discharge ----------------------------------------------------------------------------------
def test_a_cancelled_discharge_goes_on_as_if_nobody_had_left(world):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.discharged(stay.id)
    back = world.do(corrections.cancel_discharge, stay.id, reason="wrong line")
    assert (back.state, back.ended_at, back.end_code) == (StayState.ACTIVE, None, None)
    assert back.segments[-1].until is None
    assert back.segments[-1].since == stay.admitted_at
    assert world.one("SELECT state FROM bed WHERE id = :b", b=bed) == "in_service"
    with world.refuses(Conflict, "illegal-step"):
        world.do(corrections.cancel_discharge, stay.id, reason="twice")


def test_a_discharge_on_leave_is_taken_back_to_leave(world, soon):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.do(begin_leave, stay.id, ends_at=soon)
    world.discharged(stay.id)
    assert world.do(corrections.cancel_discharge, stay.id, reason="x").state is StayState.ON_LEAVE


def test_a_bed_closed_behind_somebody_who_never_left_is_closing_again(world):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.out_of_use(bed, BedState.CLOSING)
    world.discharged(stay.id)
    world.do(corrections.cancel_discharge, stay.id, reason="wrong line")
    assert world.one("SELECT state FROM bed WHERE id = :b", b=bed) == "closing"


@pytest.mark.parametrize("since", ["held", "admitted", "promised"])
def test_a_discharge_is_not_cancelled_when_the_bed_has_been_given_away(world, since):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.discharged(stay.id)
    if since == "promised":
        world.do(decisions.promise_bed, world.submit().id, bed, CHOICE)
        code = "bed-promised"
    else:
        world.fit(bed)
        code = "bed-given-away"
        world.held(bed) if since == "held" else world.admitted(bed)
    with world.refuses(Conflict, code) as caught:
        world.do(corrections.cancel_discharge, stay.id, reason="wrong line")
    assert "first" in caught.value.detail


def test_somebody_admitted_elsewhere_since_did_leave(world):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.discharged(stay.id)
    away = world.admitted(world.unit("psc-2.w1")[0], stay.person)
    with world.refuses(Conflict, "person-elsewhere") as caught:
        world.do(corrections.cancel_discharge, stay.id, reason="wrong line")
    assert caught.value.members["stay"] == away.id


# a transfer -----------------------------------------------------------------------------------
def test_a_cancelled_transfer_puts_the_person_back_where_they_came_from(world):
    stay, move, one, _, ward = moved(world)
    back = world.do(undoing.cancel_transfer, move.id, reason="wrong person")
    assert back.state is TransferState.CANCELLED
    assert bed_of(world, stay.id) == one
    states = world.sql("SELECT facility_id, state, end_code FROM stay ORDER BY id")
    assert [tuple(it) for it in states] == [
        ("psc-1", "active", None),
        ("ward-1", "ended", "entered_in_error"),
    ]
    assert world.one("SELECT state FROM bed WHERE id = :b", b=one) == "in_service"
    assert world.held(ward).hold.bed == ward
    with world.refuses(Conflict, "illegal-step"):
        world.do(undoing.cancel_transfer, move.id, reason="twice")


def test_a_transfer_within_a_facility_is_taken_back_as_a_segment(world):
    one, _, three, _ = world.unit(rooms=(2, 2))
    stay = world.admitted(one)
    world.fit_to_move(stay.person, UnitKind.PSC)
    move = world.do(handover.arrive, world.on_the_way(stay.id, three).id)
    world.do(undoing.cancel_transfer, move.id, reason="wrong person")
    assert bed_of(world, stay.id) == one
    assert world.one("SELECT state FROM stay") == "active"


def test_a_transfer_is_not_cancelled_when_the_bed_has_been_given_away_or_life_went_on(world):
    _, move, one, _, _ = moved(world)
    world.fit(one)
    held = world.held(one)
    with world.refuses(Conflict, "bed-given-away"):
        world.do(undoing.cancel_transfer, move.id, reason="wrong person")
    world.do(placement.withdraw, held.id, reason="free it")
    new = world.one("SELECT id FROM stay WHERE facility_id = 'ward-1'")
    world.discharged(new)
    with world.refuses(Conflict, "moved-on"):
        world.do(undoing.cancel_transfer, move.id, reason="wrong person")
