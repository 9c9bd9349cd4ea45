"""Screenings 初筛: the officer's five questions at night, and what follows from the answers."""

from typing import Annotated

from fastapi import status
from pydantic import BaseModel, ConfigDict

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.store.tables.care import Consciousness, LastUse
from service.workflow.instants import AwareInstant
from service.workflow.placing import screening
from service.workflow.placing.screening import Answers, Screened
from solver.codes import Tri

router = resource("people")

Screener = Annotated[Call, calling(Role.INTAKE_OFFICER, Role.FACILITY_ADMIN, Role.COORDINATOR)]


class NewScreening(BaseModel):
    """The five questions, each answered, ``unknown`` where nobody can say. Never a grade: that is
    a clinician's.

    ``consciousness``: how awake the person is. ``last_alcohol_or_sedative``: when they last took
    any; their withdrawal is the lethal one.
    """

    model_config = ConfigDict(extra="forbid")

    consciousness: Consciousness
    bleeding: Tri
    cough_or_fever: Tri
    self_harm: Tri
    last_alcohol_or_sedative: LastUse
    screened_at: AwareInstant | None = None


@router.post("/people/{person_id}/screenings", status_code=status.HTTP_201_CREATED)
async def screen_person(person_id: str, body: NewScreening, call: Screener) -> Screened:
    """Ask the five questions. A red flag opens the emergency lane by itself; anything positive or
    unknown asks for the cautious place and a doctor; all clear leads to the new-arrivals unit.

    The newest screening counts, until a clinician assesses the person.
    """
    return await call.write(
        screening.screen,
        person_id,
        Answers(
            consciousness=body.consciousness,
            bleeding=body.bleeding,
            cough_or_fever=body.cough_or_fever,
            self_harm=body.self_harm,
            last_alcohol_or_sedative=body.last_alcohol_or_sedative,
        ),
        screened_at=body.screened_at,
    )
