"""A clinician's word: assessments, fitness to be moved, movement stops."""

from typing import Annotated

from fastapi import Path, status

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.workflow.persons import assessments, fitness
from service.workflow.persons.assessments import AssessmentRecorded, NewAssessment
from service.workflow.persons.fitness import NewFitness, NewMovementStop
from service.workflow.persons.people import PersonId
from service.workflow.persons.person_parts import FitnessView, MovementStopView

router = resource("assessments")

Clinician = Annotated[Call, calling(Role.CLINICIAN)]
OfPerson = Annotated[PersonId, Path()]


@router.post("/people/{person_id}/assessments", status_code=status.HTTP_201_CREATED)
async def record_assessment(
    person_id: OfPerson, body: NewAssessment, call: Clinician
) -> AssessmentRecorded:
    """Record a finding; its grade is the maximum of its dimensions. Nothing refuses a finding."""
    return await call.write(assessments.record_assessment, person_id, body)


@router.post("/people/{person_id}/fitness-statements", status_code=status.HTTP_201_CREATED)
async def state_fitness(person_id: OfPerson, body: NewFitness, call: Clinician) -> FitnessView:
    """Say where the person is fit to be moved, and until when."""
    return await call.write(fitness.state_fitness, person_id, body)


@router.delete("/people/{person_id}/fitness-statements", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_fitness(person_id: OfPerson, call: Clinician) -> None:
    """Take the statement in force back."""
    await call.write(fitness.revoke_fitness, person_id)


@router.post("/people/{person_id}/movement-stops", status_code=status.HTTP_201_CREATED)
async def set_movement_stop(
    person_id: OfPerson, body: NewMovementStop, call: Clinician
) -> MovementStopView:
    """Say that the person is not moved for now."""
    return await call.write(fitness.set_movement_stop, person_id, body)


@router.delete("/people/{person_id}/movement-stops", status_code=status.HTTP_204_NO_CONTENT)
async def lift_movement_stop(person_id: OfPerson, call: Clinician) -> None:
    """The person may be moved again."""
    await call.write(fitness.lift_movement_stop, person_id)
