"""The way back: a doctor's statement puts it on the coordinator's list, nothing else does."""

from __future__ import annotations

import pytest

from service.access.caller import Role
from service.workflow.moves import handover
from service.workflow.moves.returns import list_returns
from service.workflow.persons import fitness
from service.workflow.persons.fitness import NewFitness, NewMovementStop, StopReason
from solver.codes import UnitKind


@pytest.fixture
def patient(world):
    """Somebody from a centre who lies in the ward: their stay there, and a free centre bed."""
    here, _free = world.unit("psc-1.w1", rooms=(1, 1))
    [ward] = world.unit("omw-1.w1", rooms=(1,), kind=UnitKind.OMW)
    person = world.person()
    world.fit_to_move(person, UnitKind.OMW)
    move = world.on_the_way(world.admitted(here, person).id, ward)
    world.do(handover.arrive, move.id)
    world.as_(Role.CLINICIAN).do(fitness.revoke_fitness, person)
    world.fit(here)
    return person, here


def _fit(world, person, *kinds):
    until = world.one("SELECT current_date + 5")
    return world.as_(Role.CLINICIAN).do(
        fitness.state_fitness, person, NewFitness(kinds=frozenset(kinds), ends_on=until)
    )


def _clock(world, person):
    return world.sql(
        "SELECT outcome FROM due_item WHERE kind = 'fitness_return' AND subject_id = :p"
        " ORDER BY id",
        p=person,
    )


def test_nobody_is_on_the_list_without_a_doctors_word(world, patient):
    assert world.do(list_returns) == []


def test_a_statement_of_fitness_puts_the_way_back_on_the_list_with_a_clock(world, patient):
    person, _here = patient
    _fit(world, person, UnitKind.PSC)
    [back] = world.do(list_returns)
    assert (back.person, back.unit, back.origin_unit) == (person, "omw-1.w1", "psc-1.w1")
    assert _clock(world, person) == [(None,)]


def test_fitness_for_another_ward_is_no_way_back(world, patient):
    person, _here = patient
    _fit(world, person, UnitKind.OMW)
    assert world.do(list_returns) == []
    assert _clock(world, person) == []


def test_a_statement_taken_back_takes_the_way_back_off_the_list(world, patient):
    person, _here = patient
    _fit(world, person, UnitKind.PSC)
    world.as_(Role.CLINICIAN).do(fitness.revoke_fitness, person)
    assert world.do(list_returns) == []
    assert _clock(world, person) == [("called_off",)]


def test_a_way_back_that_has_begun_is_off_the_list_and_done_at_arrival(world, patient):
    person, here = patient
    _fit(world, person, UnitKind.PSC)
    [back] = world.do(list_returns)
    move = world.on_the_way(back.stay, here)
    assert world.do(list_returns) == []
    world.do(handover.arrive, move.id)
    assert _clock(world, person) == [("done",)]


def test_a_movement_stop_is_shown_beside_the_way_back(world, patient):
    person, _here = patient
    _fit(world, person, UnitKind.PSC)
    world.as_(Role.CLINICIAN).do(
        fitness.set_movement_stop, person, NewMovementStop(reason=StopReason.UNSTABLE)
    )
    [back] = world.do(list_returns)
    assert back.movement_stop


def test_a_facility_sees_those_it_treats_or_answers_for_and_no_others(world, patient):
    person, _here = patient
    _fit(world, person, UnitKind.PSC)
    assert len(world.as_(Role.FACILITY_ADMIN, "omw-1").do(list_returns)) == 1
    assert world.as_(Role.FACILITY_ADMIN, "psc-9").do(list_returns) == []
