"""Whom a hold passes over in the queue, and whom it does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid
from service.workflow.placing import answers
from service.workflow.placing.queue import PassedOver
from solver.codes import LegalBasis, Sex, UnitKind
from tests.service.workflow.night import by, choice, line, passing, waiting
from tests.service.workflow.world import World


def passes(world: World, request: str, *beds: str) -> tuple[int, ...]:
    return passing(world, request, *beds).ranks


@pytest.mark.parametrize(
    ("ahead", "mine", "beds", "passed"),
    [
        # (grade, hours waited) of the other, of the one who asks; free beds for both; passed over
        ((3, 0), (1, 0), 1, True),
        ((3, 0), (1, 0), 2, False),
        ((1, 0), (3, 0), 1, False),
        ((1, 9), (3, 0), 1, False),
        ((2, 2), (2, 0), 1, True),
        ((2, 1), (2, 0), 1, True),
        ((2, 0.9), (2, 0), 1, False),
        ((2, 0), (2, 2), 1, False),
        ((2, 2), (2, 0), 2, False),
    ],
)
def test_sicker_or_as_sick_and_an_hour_longer_where_such_beds_are_scarce(
    world, ahead, mine, beds, passed
):
    free = world.unit("omw-1.a", kind=UnitKind.OMW, rooms=(1,) * beds)
    waiting(world, *ahead)
    asking = waiting(world, *mine)
    assert passes(world, asking, free[0]) == ((1,) if passed else ())


def test_as_many_beds_as_people_ahead_are_too_few_and_one_more_is_enough(world):
    free = world.unit("omw-1.a", kind=UnitKind.OMW, rooms=(1, 1, 1))
    for grade in (4, 3):
        waiting(world, grade)
    asking = waiting(world, 1)
    assert passes(world, asking, free[0]) == ()
    world.out_of_use(free[2])
    assert passes(world, asking, free[0]) == (2,)
    world.out_of_use(free[1])
    assert passes(world, asking, free[0]) == (1, 2)


def test_a_bed_that_would_not_serve_them_passes_nobody_over(world):
    men = world.unit("psc-1.w1", rooms=(1,), sex=Sex.MALE.value)[0]
    made = world.submit(world.person(sex=Sex.FEMALE))
    world.set("placement_request", made.id, emergency=False)
    asking = waiting(world, 0)
    assert passes(world, asking, men) == ()
    hospital = world.unit("cth-1.a", kind=UnitKind.CTH, bases=(LegalBasis.VOLUNTARY,))[0]
    assert passes(world, asking, hospital) == ()


def test_somebody_whose_unit_declined_them_is_not_passed_over_there(world):
    bed = world.unit("omw-1.a", kind=UnitKind.OMW, rooms=(1,))[0]
    sick = waiting(world, 3)
    world.decide(sick, bed)
    world.do(answers.decline, sick, code="equipment")
    assert passes(world, waiting(world, 1), bed) == ()


def test_an_emergency_is_never_held_up_and_comes_first(world):
    bed = world.unit("omw-1.a", kind=UnitKind.OMW, rooms=(1,))[0]
    waiting(world, 4, 9)
    urgent = world.submit(emergency=True)
    found = line(world)
    assert found.rank_of[urgent.id] == 1
    margin = timedelta(hours=1)
    given: dict[str, Any] = {"emergency": True}
    assert found.passed_over(urgent.person, urgent.waiting_since, [bed], margin, **given) == (
        PassedOver()
    )
    assert passes(world, waiting(world, 4), bed) == (1, 2)


def test_the_next_beds_named_count_too(world):
    one = world.unit("psc-1.w1", rooms=(1,), level_of_care=1)[0]
    ward = world.unit("omw-1.a", kind=UnitKind.OMW, rooms=(1,))[0]
    waiting(world, 3)
    asking = waiting(world, 1)
    assert passes(world, asking, one) == ()
    assert passes(world, asking, one, ward) == (1,)


def test_a_decision_that_passes_over_somebody_says_ranks_and_nothing_of_them(world):
    bed = world.unit("omw-1.a", kind=UnitKind.OMW, rooms=(1,))[0]
    sick = waiting(world, 3)
    asking = waiting(world, 1)
    officer = by(world, Role.INTAKE_OFFICER)
    with world.refuses(Conflict, "passes-over") as caught:
        officer.decide(asking, bed, choice(passed=passing(world, asking, bed)))
    assert caught.value.members["ranks"] == [1]
    said = f"{caught.value.detail} {caught.value.members}"
    assert sick not in said
    assert "p-" not in said
    assert "G3" not in said


def test_only_a_coordinator_goes_past_with_a_reason_and_an_auditor_is_told(world):
    bed = world.unit("omw-1.a", kind=UnitKind.OMW, rooms=(1,))[0]
    waiting(world, 3)
    asking = waiting(world, 1)
    passed = passing(world, asking, bed)
    past = choice(passed=passed, past_reason="the ward's lift is broken for stretchers")
    with world.refuses(Forbidden, "past-is-the-coordinators"):
        by(world, Role.INTAKE_OFFICER).decide(asking, bed, past)
    with world.refuses(Invalid, "reason-missing"):
        world.decide(asking, bed, choice(passed=passed, past_reason=" "))
    decided = world.decide(asking, bed, past)
    kept = world.sql("SELECT passed_over, passed_over_reason FROM placement_decision")[0]
    assert tuple(kept) == (1, "the ward's lift is broken for stretchers")
    flag = world.sql("SELECT kind, request_id, subject_id, data FROM audit_flag")[0]
    assert tuple(flag) == ("passed_over", asking, decided.decision, {"ranks": [1]})


def test_a_rule_that_refuses_is_told_before_the_queue(world):
    bed = world.unit("psc-1.w1", rooms=(1,), sex=Sex.FEMALE.value)[0]
    asking = waiting(world, 1)
    with world.refuses(Conflict, "refused-by-rules"):
        world.decide(asking, bed, choice(passed=PassedOver((1,))))
