"""Beds kept during leave, surge places, and the lane where nothing may stand before the act."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from service.lifecycle import RequestState, StayState, TransferState
from service.store.tables.claims import StayEnd
from service.workflow.emergencies.emergency import MEDICAL_KINDS, Emergency, admit_emergency
from service.workflow.inventory.surge import open_surge_place
from service.workflow.moves import transfers
from service.workflow.placing import placement
from service.workflow.placing.answers import accept
from service.workflow.stays.leave import begin_leave, end_leave
from solver.codes import Isolation, LegalBasis, Sex, UnitKind

HOSPITAL = {"kind": UnitKind.CTH, "bases": (LegalBasis.CONSTRAINED,)}
NOW = Emergency(unit="hosp-1.er", officer="Dr Chen", reason="found unconscious")


def hospital(world, rooms=(2,), **kw):
    return world.unit("hosp-1.er", rooms=rooms, **{**HOSPITAL, **kw})


# leave ----------------------------------------------------------------------------------------
def test_a_leave_keeps_the_bed_and_the_return_goes_on_with_the_stay(world, soon):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    away = world.do(begin_leave, stay.id, ends_at=soon, to="hosp-7")
    assert away.state is StayState.ON_LEAVE
    assert [(it.kind, it.until is None) for it in away.segments] == [
        ("stay", False),
        ("leave", True),
    ]
    assert away.segments[1].expected_end == soon
    other = world.submit()
    with world.refuses(Conflict, "bed-taken"):
        world.decide(other.id, bed)
    back = world.do(end_leave, stay.id)
    assert [it.kind for it in back.segments] == ["stay", "leave", "stay"]
    ends = [(it.since, it.until) for it in back.segments]
    assert ends[0][1] == ends[1][0]
    assert ends[1][1] == ends[2][0]


def test_two_bed_accounting_is_two_rows(world, soon):
    bed, _ = world.unit()
    other = world.unit("ward-1.a", kind=UnitKind.OMW)[0]
    stay = world.admitted(bed)
    world.do(begin_leave, stay.id, ends_at=soon)
    away = world.admitted(other, stay.person)
    with world.refuses(Conflict, "person-elsewhere") as caught:
        world.do(end_leave, stay.id)
    assert caught.value.members["stay"] == away.id
    world.discharged(away.id)
    assert world.do(end_leave, stay.id).state is StayState.ACTIVE


def test_a_bed_that_is_kept_for_somebody_is_not_held_for_them_again(world, soon):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.do(begin_leave, stay.id, ends_at=soon)
    made = world.submit(stay.person)
    with world.refuses(Conflict, "bed-is-theirs") as caught:
        world.decide(made.id, bed)
    assert caught.value.members["stay"] == stay.id


def test_nobody_returns_to_a_place_that_no_longer_fits_them(world, soon):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.do(begin_leave, stay.id, ends_at=soon)
    world.assess(stay.person, Isolation.AIRBORNE)
    with world.refuses(Refused, "refused-by-rules"):
        world.do(end_leave, stay.id)


def test_steps_of_a_leave_out_of_order_are_refused(world, soon, ago):
    one, _, three, _ = world.unit(rooms=(2, 2))
    stay = world.admitted(one)
    with world.refuses(Conflict, "illegal-step"):
        world.do(end_leave, stay.id)
    with world.refuses(Invalid, "out-of-range"):
        world.do(begin_leave, stay.id, ends_at=ago(5))
    with world.refuses(Conflict, "before-its-segment"):
        world.do(begin_leave, stay.id, ends_at=soon, occurred_at=ago(5))
    world.proposed(stay.id, three)
    with world.refuses(Conflict, "transfer-live"):
        world.do(begin_leave, stay.id, ends_at=soon)
    with world.refuses(Forbidden, "other-facility"):
        world.as_(Role.FACILITY_ADMIN, "hosp-1").do(begin_leave, stay.id, ends_at=soon)


# surge ----------------------------------------------------------------------------------------
def test_a_surge_place_is_put_up_and_gone_when_its_person_leaves(world):
    hospital(world)
    first = world.do(open_surge_place, "hosp-1.er")
    second = world.do(open_surge_place, "hosp-1.er", room="hosp-1.er.r1")
    assert (first.bed, second.bed) == ("hosp-1.er.r1.s1", "hosp-1.er.r1.s2")
    with world.refuses(Invalid, "not-of-this-unit"):
        world.do(open_surge_place, "hosp-1.er", room="psc-1.w1.r1")
    with world.refuses(NotFound, "unit-not-found"):
        world.do(open_surge_place, "hosp-1.nothing")
    with world.refuses(Forbidden, "other-facility"):
        world.as_(Role.FACILITY_ADMIN, "psc-1").do(open_surge_place, "hosp-1.er")
    person = world.person()
    stay = world.do(admit_emergency, person, Emergency(**as_dict(bed=second.bed))).stay
    assert stay.segments[0].bed == second.bed
    world.discharged(stay.id)
    left = world.sql("SELECT state, retired_at IS NOT NULL FROM bed WHERE id = :b", b=second.bed)
    assert tuple(left[0]) == ("closed", True)


def as_dict(**changed):
    given = {"unit": NOW.unit, "officer": NOW.officer, "reason": NOW.reason}
    return {**given, **changed}


# emergency ------------------------------------------------------------------------------------
def test_an_emergency_needs_no_hold_no_papers_and_no_assessment(world):
    bed, _ = hospital(world)
    person = world.person(basis=None, isolation=None)
    done = world.do(admit_emergency, person, NOW)
    assert done.stay.segments[0].bed == bed
    assert not done.stay.segments[0].emergency
    assert not done.surge
    assert done.due
    data = world.one("SELECT data FROM event WHERE operation = 'stay.emergency_admitted'")
    assert data == {"surge": False}
    owed = world.sql("SELECT detail FROM due_item WHERE kind = 'emergency_papers' ORDER BY detail")
    assert [it[0] for it in owed] == sorted(done.due)


def test_who_called_an_emergency_and_why_stands_with_the_stay_and_in_no_event(world):
    hospital(world)
    stay = world.do(admit_emergency, world.person(), NOW).stay.id
    kept = world.sql("SELECT admission_officer, admission_reason FROM stay WHERE id = :s", s=stay)
    assert tuple(kept[0]) == (NOW.officer, NOW.reason)
    assert not world.sql("SELECT 1 FROM event WHERE data::text LIKE :n", n=f"%{NOW.officer}%")


def test_a_facility_calls_the_lane_into_its_own_units_or_for_its_own_people(world):
    centre, _ = world.unit()
    hospital(world)
    stay, stranger = world.admitted(centre), world.person()
    ours = world.as_(Role.FACILITY_ADMIN, "psc-1")
    with world.refuses(NotFound, "person-not-found"):
        ours.do(admit_emergency, stranger, NOW)
    assert ours.do(admit_emergency, stay.person, NOW).stay.facility == "hosp-1"
    theirs = world.as_(Role.FACILITY_ADMIN, "hosp-1")
    assert theirs.do(admit_emergency, stranger, NOW).stay.facility == "hosp-1"


def test_the_lane_leads_to_medical_care_and_never_into_custody(world):
    world.unit()
    person = world.person()
    with world.refuses(Refused, "emergency-is-medical"):
        world.do(admit_emergency, person, Emergency(**as_dict(unit="psc-1.w1")))
    assert MEDICAL_KINDS.isdisjoint({UnitKind.PSC, UnitKind.JSC, UnitKind.RC})


def test_a_full_unit_puts_up_a_surge_place(world):
    for bed in hospital(world):
        world.do(admit_emergency, world.person(), Emergency(**as_dict(bed=bed)))
    done = world.do(admit_emergency, world.person(sex=Sex.FEMALE), NOW)
    assert done.surge
    assert world.one("SELECT kind FROM bed WHERE id = :b", b=done.stay.segments[0].bed) == "SURGE"
    assert world.one("SELECT count(*) FROM bed_claim WHERE kind = 'stay'") == 3


def test_a_named_bed_that_is_occupied_or_closed_becomes_a_surge_place(world):
    one, two = hospital(world)
    world.do(admit_emergency, world.person(), Emergency(**as_dict(bed=one)))
    world.set("bed", two, state="closed", state_reason="repair")
    for bed in (one, two):
        done = world.do(admit_emergency, world.person(), Emergency(**as_dict(bed=bed)))
        assert done.surge


def test_an_emergency_ends_a_foreign_hold_and_that_request_waits_again(world):
    bed, _ = hospital(world, kind=UnitKind.OMW, bases=(LegalBasis.COMPULSORY,))
    held = world.held(bed)
    done = world.do(admit_emergency, world.person(), Emergency(**as_dict(bed=bed)))
    assert done.stay.segments[0].bed == bed
    assert world.do(placement.get, held.id).state is RequestState.WAITING
    assert "hold.released" in world.events()


def test_without_a_named_bed_no_hold_is_touched(world):
    one, two = hospital(world, kind=UnitKind.OMW, bases=(LegalBasis.COMPULSORY,))
    held = world.held(one)
    done = world.do(admit_emergency, world.person(), NOW)
    assert done.stay.segments[0].bed == two
    assert world.do(placement.get, held.id).state is RequestState.HELD


def test_an_emergency_turns_the_open_stay_into_leave_and_keeps_that_bed(world):
    centre, _ = world.unit()
    hospital(world)
    stay = world.admitted(centre)
    done = world.do(admit_emergency, stay.person, NOW)
    assert world.one("SELECT state FROM stay WHERE id = :s", s=stay.id) == "on_leave"
    other = world.submit()
    with world.refuses(Conflict, "bed-taken"):
        world.decide(other.id, centre)
    world.discharged(done.stay.id)
    assert world.do(end_leave, stay.id).state is StayState.ACTIVE


@pytest.mark.parametrize("departed", [False, True])
def test_an_emergency_ends_a_transfer_and_diverts_who_is_on_the_way(world, departed):
    one, _, three, _ = world.unit(rooms=(2, 2))
    hospital(world)
    stay = world.admitted(one)
    world.fit_to_move(stay.person, UnitKind.PSC)
    move = world.on_the_way(stay.id, three) if departed else world.approved(stay.id, three)
    world.do(admit_emergency, stay.person, NOW)
    state = TransferState.DIVERTED if departed else TransferState.CANCELLED
    assert world.do(transfers.get, move.id).state is state
    assert world.held(three).hold.bed == three


@pytest.mark.parametrize("emergency", [False, True])
@pytest.mark.parametrize("stage", ["waiting", "held", "accepted"])
def test_a_request_for_an_emergency_is_met_and_another_is_withdrawn(world, emergency, stage):
    bed, _ = world.unit("ward-1.a", kind=UnitKind.OMW)
    hospital(world)
    person = world.person()
    made = world.submit(person, emergency=emergency)
    if stage != "waiting":
        world.decide(made.id, bed)
    if stage == "accepted":
        world.do(accept, made.id)
    world.do(admit_emergency, person, NOW)
    after = world.do(placement.get, made.id)
    assert after.state is (RequestState.ADMITTED if emergency else RequestState.WITHDRAWN)
    assert after.hold is None


def test_an_emergency_is_reasoned_and_about_somebody_on_record(world):
    hospital(world)
    person = world.person()
    with world.refuses(Invalid, "reason-missing"):
        world.do(admit_emergency, person, Emergency(**as_dict(reason=" ")))
    with world.refuses(NotFound, "person-not-found"):
        world.do(admit_emergency, "p-0000000000", NOW)


def test_a_hospital_outside_the_network_takes_a_surge_place_so_every_claim_has_a_bed(world):
    world.unit("ext-1.er", rooms=(0,), kind=UnitKind.EXT, bases=(), external=True)
    done = world.do(admit_emergency, world.person(), Emergency(**as_dict(unit="ext-1.er")))
    assert done.surge
    assert done.stay.segments[0].bed == "ext-1.er.r1.s1"


def test_an_emergency_is_backdated_like_anything_else(world, ago):
    hospital(world)
    done = world.do(admit_emergency, world.person(), Emergency(**as_dict(occurred_at=ago(30))))
    assert done.stay.recorded_at - done.stay.admitted_at >= timedelta(minutes=30)


def test_a_device_clock_that_runs_fast_does_not_close_the_lane(world, soon):
    hospital(world)
    done = world.do(admit_emergency, world.person(), Emergency(**as_dict(occurred_at=soon)))
    assert done.said_at == soon
    assert done.stay.admitted_at == done.stay.recorded_at
    said = world.one(
        "SELECT data->>'said_at' FROM event WHERE operation = 'stay.emergency_admitted'"
    )
    assert datetime.fromisoformat(said) == soon


def test_a_time_before_the_persons_last_change_means_just_after_it(world, ago):
    centre, _ = world.unit()
    hospital(world)
    stay = world.admitted(centre)
    given = ago(60)
    done = world.do(admit_emergency, stay.person, Emergency(**as_dict(occurred_at=given)))
    assert stay.admitted_at < done.stay.admitted_at < done.stay.recorded_at
    assert done.said_at == given
    home = world.person()
    first = world.do(admit_emergency, home, NOW).stay
    world.discharged(first.id, code=StayEnd.DISCHARGED)
    again = world.do(admit_emergency, home, Emergency(**as_dict(occurred_at=ago(60)))).stay
    assert again.admitted_at > world.one("SELECT ended_at FROM stay WHERE id = :s", s=first.id)
