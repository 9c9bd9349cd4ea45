"""The ward's day: bed to bed, the roll count and what it opens, who comes and who goes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from service.store.tables.watch import DiscrepancyKind
from service.workflow.persons import fitness
from service.workflow.persons.fitness import NewMovementStop, StopReason
from service.workflow.placing import answers
from service.workflow.stays import leave
from service.workflow.stays.discharge import due as discharge_due
from service.workflow.ward import discrepancies, roll_counts
from service.workflow.ward.bed_moves import move_bed
from service.workflow.ward.expected import expected_in
from service.workflow.ward.roll_counts import Found, NewRollCount
from solver.codes import Isolation, Sex, UnitKind

UNIT = "psc-1.w1"


def _move(world, stay, bed, **more):
    return world.do(move_bed, stay.id, bed, reason="nearer the nurses", **more)


def _count(world, shift="day", **more):
    return world.do(roll_counts.record_roll_count, UNIT, NewRollCount(shift=shift, **more))


def _open(world):
    return world.do(discrepancies.listed, after=None, limit=100)


# bed to bed -----------------------------------------------------------------------------------


def test_somebody_changes_beds_in_one_step_and_the_bed_they_left_is_to_be_cleaned(world):
    one, two = world.unit(rooms=(1, 1))
    stay = world.admitted(one)
    moved = _move(world, stay, two)
    assert [it.bed for it in moved.segments] == [one, two]
    assert moved.segments[0].until == moved.segments[1].since
    assert world.one("SELECT state FROM bed WHERE id = :b", b=one) == "housekeeping"
    reason = world.one("SELECT move_reason FROM bed_claim WHERE bed_id = :b", b=two)
    assert reason == "nearer the nurses"


def test_the_room_an_isolated_person_leaves_is_contaminated_as_a_room(world):
    one, other, two = world.unit(rooms=(2, 1), room_isolation=Isolation.CONTACT, cohort=True)
    stay = world.admitted(one, world.person(isolation=Isolation.CONTACT))
    _move(world, stay, two)
    states = dict(world.sql("SELECT id, state FROM bed"))
    assert (states[one], states[other]) == ("contaminated", "contaminated")


def test_the_rules_of_the_other_bed_are_looked_at_again(world):
    one, two, _three = world.unit(rooms=(1, 2))
    woman = world.admitted(two, world.person(sex=Sex.FEMALE))
    man = world.admitted(one)
    with world.refuses(Refused, "refused-by-rules"):
        _move(world, man, "psc-1.w1.r2.b2")
    assert woman.id != man.id


@pytest.mark.parametrize("why", ["same-bed", "other-unit", "bed-taken"])
def test_a_bed_that_cannot_be_had_in_one_step_is_refused_by_name(world, why):
    one, two = world.unit(rooms=(1, 1))
    [elsewhere] = world.unit("psc-1.w2", rooms=(1,))
    stay = world.admitted(one)
    world.admitted(two)
    bed = {"same-bed": one, "other-unit": elsewhere, "bed-taken": two}[why]
    with world.refuses(Conflict, why):
        _move(world, stay, bed)


def test_a_movement_stop_stands_for_the_ward_too_and_a_clinician_may_go_past_it(world):
    one, two = world.unit(rooms=(1, 1))
    stay = world.admitted(one)
    doctor = world.as_(Role.CLINICIAN)
    doctor.do(
        fitness.set_movement_stop, stay.person, NewMovementStop(reason=StopReason.TREATMENT_RUNNING)
    )
    with world.refuses(Refused, "not-movable"):
        _move(world, stay, two)
    assert _move(doctor, stay, two).segments[-1].bed == two


def test_another_facilitys_admin_moves_nobody(world):
    one, two = world.unit(rooms=(1, 1))
    stay = world.admitted(one)
    with world.refuses(Forbidden, "other-facility"):
        _move(world.as_(Role.FACILITY_ADMIN, "psc-9"), stay, two)


# the roll count -------------------------------------------------------------------------------


def test_a_count_that_finds_everybody_in_place_opens_nothing_and_confirms_the_beds(world):
    one, _two = world.unit(rooms=(1, 1))
    stay = world.admitted(one)
    counted = _count(world, as_recorded=True, confirm_beds=True)
    assert (counted.expected, counted.found, counted.differences) == (1, 1, ())
    assert [it.person for it in world.do(roll_counts.roll, UNIT)] == [stay.person]
    assert "unit.beds_confirmed" in world.events()


def test_a_count_opens_each_difference_with_a_clock_and_moves_nobody(world):
    one, two, three = world.unit(rooms=(1, 1, 1))
    missing, astray = world.admitted(one), world.admitted(two)
    visitor = world.person()
    counted = _count(
        world,
        found=[Found(person=astray.person, bed=three), Found(person=visitor)],
        strangers=1,
    )
    assert {(it.kind, it.person, it.bed) for it in counted.differences} == {
        ("missing", missing.person, one),
        ("wrong_bed", astray.person, three),
        ("not_on_record", visitor, None),
        ("not_on_record", None, None),
    }
    clocks = world.one("SELECT count(*) FROM due_item WHERE kind = 'discrepancy'")
    assert clocks == len(_open(world)) == 4
    assert world.one("SELECT count(*) FROM bed_claim WHERE upper_inf(during)") == 2


def test_somebody_on_leave_is_not_expected_at_the_count(world, soon):
    [one] = world.unit(rooms=(1,))
    stay = world.admitted(one)
    world.do(leave.begin_leave, stay.id, ends_at=soon)
    assert _count(world, as_recorded=True).expected == 0


def test_a_person_found_in_place_at_a_later_count_closes_their_own_discrepancy(world):
    [one] = world.unit(rooms=(1,))
    stay = world.admitted(one)
    _count(world, "day")
    assert [it.kind for it in _open(world)] == [DiscrepancyKind.MISSING]
    _count(world, "evening", found=[Found(person=stay.person)])
    assert _open(world) == []
    assert world.one("SELECT outcome FROM due_item WHERE kind = 'discrepancy'") == "done"


def test_a_shift_is_counted_once_and_the_same_difference_is_not_opened_twice(world):
    [one] = world.unit(rooms=(1,))
    world.admitted(one)
    _count(world, "day")
    with world.refuses(Conflict, "counted-already"):
        _count(world, "day")
    _count(world, "night")
    assert len(_open(world)) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"shift": "dawn"}, "unknown-shift"),
        ({"as_recorded": True, "strangers": 1}, "both-said"),
        ({"found": [Found(person="p-0000000000"), Found(person="p-0000000000")]}, "named-twice"),
        ({"found": [Found(person="p-0000000000")]}, "person-not-found"),
    ],
)
def test_a_count_that_cannot_be_right_is_refused_and_nothing_is_written(world, body, code):
    world.unit()
    with world.refuses(Invalid, code):
        _count(world, **body)


def test_a_discrepancy_is_resolved_once_in_words_by_its_own_facility(world):
    [one] = world.unit(rooms=(1,))
    world.admitted(one)
    _count(world)
    [it] = _open(world)
    with world.refuses(NotFound, "discrepancy-not-found"):
        world.as_(Role.FACILITY_ADMIN, "psc-9").do(
            discrepancies.resolve, it.id, resolution="not ours"
        )
    own = world.as_(Role.FACILITY_ADMIN, "psc-1")
    done = own.do(discrepancies.resolve, it.id, resolution="in the yard; the sheet was old")
    assert done.resolution == "in the yard; the sheet was old"
    with world.refuses(Conflict, "resolved-already"):
        own.do(discrepancies.resolve, it.id, resolution="again")


# who comes and who goes -----------------------------------------------------------------------


def test_the_next_shift_sees_who_comes_and_who_goes(world, soon):
    here, leaving, away, due = world.unit(rooms=(1, 1, 1, 1))
    [ward] = world.unit("omw-1.w1", rooms=(1,), kind=UnitKind.OMW)
    coming = world.do(answers.accept, world.held(here).id, expected_arrival=soon)
    goer = world.person()
    world.fit_to_move(goer, UnitKind.OMW)
    world.approved(world.admitted(leaving, goer).id, ward)
    back = world.admitted(away)
    world.do(leave.begin_leave, back.id, ends_at=soon - timedelta(hours=1))
    out = world.admitted(due)
    world.do(discharge_due, out.id)
    found = {(it.direction, it.how, it.person) for it in world.do(expected_in, UNIT, hours=72)}
    assert found >= {
        ("arrival", "placement", coming.person),
        ("departure", "transfer", goer),
        ("arrival", "return", back.person),
        ("departure", "discharge", out.person),
    }
    [arrival] = [it for it in world.do(expected_in, UNIT, hours=72) if it.how == "placement"]
    assert (arrival.at, arrival.firm) == (soon, True)
    assert [it.how for it in world.do(expected_in, "omw-1.w1", hours=1)] == ["transfer"]


def test_what_lies_further_ahead_is_left_out(world, soon):
    [one] = world.unit(rooms=(1,))
    world.do(answers.accept, world.held(one).id, expected_arrival=soon)
    assert world.do(expected_in, UNIT, hours=1) == []
