"""A hold becomes a stay, a stay ends, and the bed is cleaned before the next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid, Refused
from service.lifecycle import RequestState, StayState
from service.store.tables.claims import StayEnd
from service.workflow.emergencies.emergency import Emergency, admit_emergency
from service.workflow.placing import placement
from service.workflow.placing.admission import admit
from service.workflow.stays import discharge
from service.workflow.stays.leave import begin_leave
from solver.codes import BedState, Isolation, LegalBasis, UnitKind

HOSPITAL = {"kind": UnitKind.CTH, "bases": (LegalBasis.CONSTRAINED, LegalBasis.COMPULSORY)}


def beds(world):
    return dict(map(tuple, world.sql("SELECT id, state FROM bed ORDER BY id")))


def test_an_arrival_turns_the_hold_into_a_stay_without_a_gap(world):
    bed, _ = world.unit()
    made = world.accepted(bed)
    stay = world.do(admit, made.id)
    hold_end, stay_begin = world.sql(
        "SELECT (SELECT upper(during) FROM bed_claim WHERE kind = 'hold'),"
        " (SELECT lower(during) FROM bed_claim WHERE kind = 'stay')"
    )[0]
    assert hold_end == stay_begin == stay.admitted_at
    assert stay.segments[0].until is None
    assert world.one("SELECT state FROM placement_request") == "admitted"
    assert world.one("SELECT basis_id IS NOT NULL FROM stay")


def test_a_stay_is_not_admitted_before_the_receiving_side_accepts(world):
    bed, _ = world.unit()
    for made in (world.submit(), world.held(bed)):
        with world.refuses(Conflict, "illegal-step") as caught:
            world.do(admit, made.id)
        assert caught.value.members["asked"] == "admitted"


def test_an_arrival_after_grace_finds_the_hold_lapsed(world):
    bed, _ = world.unit()
    made = world.accepted(bed)
    world.age_hold(bed)
    with world.refuses(Conflict, "hold-lapsed"):
        world.do(admit, made.id)


def test_backdating_is_recorded_beside_the_time_of_recording(world, ago):
    bed, _ = world.unit()
    made = world.accepted(bed)
    stay = world.do(admit, made.id, occurred_at=ago(90))
    assert stay.recorded_at - stay.admitted_at >= timedelta(minutes=90)
    assert stay.segments[0].since == stay.admitted_at
    occurred, recorded, data = world.sql(
        "SELECT occurred_at, recorded_at, data FROM event WHERE operation = 'stay.admitted'"
    )[0]
    assert recorded - occurred >= timedelta(minutes=90)
    assert data["backdated"] is True


def test_the_future_and_a_naive_time_are_refused(world, soon):
    bed, _ = world.unit()
    made = world.accepted(bed)
    with world.refuses(Invalid, "in-the-future"):
        world.do(admit, made.id, occurred_at=soon)
    with world.refuses(Invalid, "naive-time"):
        world.do(admit, made.id, occurred_at=datetime(2026, 5, 1, 8))  # noqa: DTZ001
    with world.refuses(Invalid, "before-admission"):
        world.do(admit, made.id, expected_end=datetime(2020, 1, 1, tzinfo=UTC))


def test_nobody_is_admitted_before_the_decision_was_served(world, ago):
    bed, _ = world.unit()
    made = world.accepted(bed, world.person(served_at=ago(60)))
    with world.refuses(Refused, "refused-by-rules") as caught:
        world.do(admit, made.id, occurred_at=ago(61))
    assert [it["rule"] for it in caught.value.members["refusals"]] == ["L02"]
    assert world.do(admit, made.id, occurred_at=ago(59)).state is StayState.ACTIVE


def test_an_admission_backdated_into_somebody_elses_stay_says_until_when(world, ago):
    bed, _ = world.unit()
    first = world.accepted(bed)
    stay = world.do(admit, first.id, occurred_at=ago(100))
    world.discharged(stay.id, occurred_at=ago(50))
    world.fit(bed)
    late = world.accepted(bed)
    with world.refuses(Conflict, "bed-was-taken") as caught:
        world.do(admit, late.id, occurred_at=ago(70))
    assert caught.value.members["until"] is not None
    assert world.do(admit, late.id, occurred_at=ago(40)).state is StayState.ACTIVE


def test_a_hold_of_the_past_does_not_stand_against_who_was_really_there(world, ago):
    bed, _ = world.unit()
    world.accepted(bed)
    world.age_hold(bed, minutes=400)
    made = world.submit()
    world.decide(made.id, bed)
    from service.workflow.placing.answers import accept
    from service.workflow.watch.clocks import lapse_holds

    world.do(accept, made.id)
    world.do(lapse_holds)
    assert world.do(admit, made.id, occurred_at=ago(390)).state is StayState.ACTIVE


def test_rules_are_looked_at_again_at_the_door(world):
    bed, _ = world.unit()
    made = world.accepted(bed)
    world.assess(made.person, Isolation.AIRBORNE)
    with world.refuses(Refused, "refused-by-rules"):
        world.do(admit, made.id)


def test_a_bed_closed_after_the_hold_takes_nobody_and_who_came_on_it_gets_a_surge_place(world):
    bed, _ = world.unit()
    made = world.accepted(bed)
    world.out_of_use(bed)
    stay = world.do(admit, made.id)
    [segment] = stay.segments
    assert segment.bed.startswith("psc-1.w1.r1.s")
    query = "SELECT void_reason FROM bed_claim WHERE bed_id = :b"
    assert world.one(query, b=bed) == "bed_not_there"


def test_whoever_is_on_the_way_when_an_emergency_takes_their_bed_is_not_left_at_the_door(world):
    [bed] = world.unit("cth-1.w1", rooms=(1,), kind=UnitKind.CTH, bases=[LegalBasis.VOLUNTARY])
    person = world.person(basis=LegalBasis.VOLUNTARY)
    world.consents(person, UnitKind.CTH)
    made = world.accepted(bed, person)
    call = Emergency(unit="cth-1.w1", bed=bed, officer="Dr Gu", reason="collapsed at the door")
    ill = world.do(admit_emergency, world.person(), call)
    assert ill.stay.segments[0].bed == bed
    assert world.do(placement.get, made.id).state is RequestState.WAITING
    stay = world.do(admit, made.id)
    assert stay.segments[0].bed != bed
    assert world.do(placement.get, made.id).state is RequestState.ADMITTED


def test_a_facility_admits_and_discharges_in_its_own_beds_only(world):
    bed, _ = world.unit()
    made = world.accepted(bed)
    stranger, own = (world.as_(Role.FACILITY_ADMIN, it) for it in ("hosp-9", "psc-1"))
    with world.refuses(Forbidden, "other-facility"):
        stranger.do(admit, made.id)
    stay = own.do(admit, made.id)
    with world.refuses(Forbidden, "other-facility"):
        stranger.discharged(stay.id)
    assert own.discharged(stay.id).state is StayState.ENDED


def test_a_departure_leads_to_housekeeping_and_from_there_to_service(world):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    ended = world.discharged(stay.id)
    assert (ended.state, ended.end_code) == (StayState.ENDED, StayEnd.RELEASED)
    assert ended.segments[-1].until == ended.ended_at
    assert beds(world)[bed] == "housekeeping"
    made = world.submit()
    with world.refuses(Conflict, "bed-not-in-service"):
        world.decide(made.id, bed)
    world.fit(bed)
    assert world.decide(made.id, bed).request.hold.bed == bed


def test_a_room_left_by_an_isolated_person_is_contaminated_as_a_room(world):
    one, two = world.unit(rooms=(2,), room_isolation=Isolation.AIRBORNE)
    other = world.unit("psc-1.w2", rooms=(1,))[0]
    stay = world.admitted(one, world.person(isolation=Isolation.AIRBORNE))
    world.discharged(stay.id)
    assert beds(world) == {one: "contaminated", two: "contaminated", other: "in_service"}


def test_a_closing_bed_is_closed_by_the_departure(world):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    world.out_of_use(bed, BedState.CLOSING)
    world.discharged(stay.id)
    assert beds(world)[bed] == "closed"
    assert world.one("SELECT state_reason FROM bed WHERE id = :b", b=bed) == "repair"


def test_nobody_escapes_from_a_place_they_may_leave(world):
    ward = world.unit("hosp-1.a", **HOSPITAL, level_of_care=4)[0]
    centre, _ = world.unit()
    patient = world.admitted(centre)
    with world.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE unit SET security_owner = 'none'")
    with world.refuses(Invalid, "not-custody"):
        world.discharged(patient.id, StayEnd.ESCAPED)
    with world.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE unit SET security_owner = 'justice' WHERE id = 'psc-1.w1'")
    assert world.discharged(patient.id, StayEnd.ESCAPED).end_code is StayEnd.ESCAPED
    assert beds(world)[ward] == "in_service"


@pytest.mark.parametrize("code", [StayEnd.TRANSFERRED, StayEnd.ENTERED_IN_ERROR])
def test_a_discharge_cannot_pretend_to_be_a_transfer_or_an_error(world, code):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    with world.refuses(Invalid, "not-a-discharge"):
        world.discharged(stay.id, code)


def test_a_discharge_is_neither_before_the_arrival_nor_in_the_future_nor_twice(world, ago, soon):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    with world.refuses(Conflict, "before-its-segment"):
        world.discharged(stay.id, occurred_at=ago(60))
    with world.refuses(Invalid, "in-the-future"):
        world.discharged(stay.id, occurred_at=soon)
    with world.refuses(Invalid, "reason-missing"):
        world.do(discharge.discharge, stay.id, code=StayEnd.DISCHARGED, reason="")
    world.discharged(stay.id)
    with world.refuses(Conflict, "illegal-step"):
        world.discharged(stay.id)


def test_a_death_ends_every_stay_and_request_of_the_person(world, soon):
    bed, _ = world.unit()
    other = world.unit("ward-1.a", kind=UnitKind.OMW)[0]
    kept = world.admitted(bed)
    world.do(begin_leave, kept.id, ends_at=soon)
    away = world.admitted(other, kept.person)
    dead = world.discharged(away.id, StayEnd.DIED)
    assert dead.end_code is StayEnd.DIED
    assert {tuple(it) for it in world.sql("SELECT id, state, end_code FROM stay")} == {
        (kept.id, "ended", "died"),
        (away.id, "ended", "died"),
    }
    assert beds(world)[bed] == beds(world)[other] == "housekeeping"


def test_a_due_discharge_is_marked_with_its_forecast(world, soon):
    bed, _ = world.unit()
    stay = world.admitted(bed)
    due = world.do(discharge.due, stay.id, expected_end=soon)
    assert (due.state, due.expected_end) == (StayState.DISCHARGE_DUE, soon)
    with world.refuses(Conflict, "illegal-step"):
        world.do(discharge.due, stay.id)
    assert world.discharged(stay.id).state is StayState.ENDED
