"""Doctors' opinions on questions of law: by clinicians and a hospital's own system only."""

from typing import Annotated

from fastapi import Path, status

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.workflow.persons import opinions, psychiatric_reviews
from service.workflow.persons.opinions import NewOpinion
from service.workflow.persons.people import PersonId
from service.workflow.persons.person_parts import OpinionView

router = resource("opinions")

Doctor = Annotated[Call, calling(Role.CLINICIAN, Role.INTEGRATION)]
Reader = Annotated[Call, calling(Role.CLINICIAN, Role.AUDITOR)]
Anybody = Annotated[
    Call,
    calling(
        Role.INTAKE_OFFICER,
        Role.CLINICIAN,
        Role.FACILITY_ADMIN,
        Role.INTEGRATION,
        Role.COORDINATOR,
    ),
]
OfPerson = Annotated[PersonId, Path()]


@router.post("/people/{person_id}/opinions", status_code=status.HTTP_201_CREATED)
async def record_opinion(person_id: OfPerson, body: NewOpinion, call: Doctor) -> OpinionView:
    """Record what doctors found on a question of law; the newest of its kind counts."""
    return await call.write(opinions.record_opinion, person_id, body)


@router.get("/people/{person_id}/opinions")
async def list_opinions(person_id: OfPerson, call: Reader) -> list[OpinionView]:
    """Every opinion about a person, the newest first."""
    return await call.read(opinions.list_opinions, person_id)


@router.post("/opinions/{opinion_id}/revocation")
async def revoke_opinion(opinion_id: str, call: Doctor) -> OpinionView:
    """Take an opinion back that was recorded in error."""
    return await call.write(opinions.revoke_opinion, opinion_id)


@router.post("/people/{person_id}/rediagnosis-request", status_code=status.HTTP_204_NO_CONTENT)
async def ask_rediagnosis(person_id: OfPerson, call: Anybody) -> None:
    """The person or their guardian asks that two other psychiatrists look, in anybody's hand."""
    await call.write(psychiatric_reviews.ask_rediagnosis, person_id)
