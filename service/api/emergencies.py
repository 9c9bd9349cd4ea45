"""The emergency lane: into medical care at once, one person or a whole unit; papers come after.

No key of a request, no version, no known identity and no free bed is asked for.
"""

from typing import Annotated, Any, Final, Literal

from fastapi import status
from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.store.tables.inventory import OutOfServiceReason
from service.workflow.emergencies import emergency, evacuation
from service.workflow.emergencies.emergency import Emergency, EmergencyAdmission
from service.workflow.emergencies.evacuation import Destination, Evacuated, Evacuation
from service.workflow.instants import AwareInstant
from service.workflow.persons.people import PersonId
from solver.codes import Sex

router = resource("emergencies")

MOST_DESTINATIONS: Final = 50
MOST_PEOPLE: Final = 500

Rescuer = Annotated[
    Call,
    calling(
        Role.INTAKE_OFFICER,
        Role.CLINICIAN,
        Role.COORDINATOR,
        Role.FACILITY_ADMIN,
        keyed=False,
    ),
]
Evacuator = Annotated[
    Call, calling(Role.COORDINATOR, Role.FACILITY_ADMIN, Role.CLINICIAN, keyed=False)
]

Words = Annotated[str, Field(min_length=1, max_length=2000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Id = Annotated[str, Field(min_length=1, max_length=80)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EmergencyCall(_Body):
    """Medical care at once: a unit or a facility alone, external ones too; a bed or room if one is
    known to fit."""

    officer: Name
    reason: Words
    facility: Id | None = None
    unit: Id | None = None
    bed: Id | None = None
    room: Id | None = None
    occurred_at: AwareInstant | None = None


class NewEmergency(EmergencyCall):
    """As a call for somebody on record; ``person`` left out or "unknown" opens a record for
    somebody nobody can name, with what they appear to be if that can be said."""

    person: PersonId | Literal["unknown"] = "unknown"
    apparent_sex: Sex | None = None
    apparent_age: Annotated[int, Field(ge=0, le=130)] | None = None


class EvacuationDestination(_Body):
    """A unit of medical care, or a facility: then all of its medical units."""

    unit: Id | None = None
    facility: Id | None = None


class EvacuationOfOne(EvacuationDestination):
    """A destination of their own for one person in the unit."""

    person: PersonId


class NewEvacuation(_Body):
    """Where everybody in the unit goes: destinations in order, or one of their own for some.

    ``close_beds``: take the unit's beds out of service for this reason, so that nobody is sent in.
    """

    officer: Name
    reason: Words
    destinations: Annotated[list[EvacuationDestination], Field(max_length=MOST_DESTINATIONS)] = []
    people: Annotated[list[EvacuationOfOne], Field(max_length=MOST_PEOPLE)] = []
    occurred_at: AwareInstant | None = None
    close_beds: OutOfServiceReason | None = None


@router.post("/emergencies", status_code=status.HTTP_201_CREATED)
async def open_emergency(body: NewEmergency, call: Rescuer) -> EmergencyAdmission:
    """Into medical care at once, known or not: nothing is waited for.

    What it went past is in ``due``; the record of somebody unknown is ``stay.person``, and is
    merged with their own once they are known.
    """
    where = _where(body)
    if body.person == "unknown":
        done = await call.write(
            emergency.admit_unidentified, where, sex=body.apparent_sex, age=body.apparent_age
        )
    else:
        done = await call.write(emergency.admit_emergency, body.person, where)
    call.created(f"/api/v1/stays/{done.stay.id}")
    return done


@router.post("/people/{person_id}/emergency", status_code=status.HTTP_201_CREATED)
async def admit_emergency(person_id: str, body: EmergencyCall, call: Rescuer) -> EmergencyAdmission:
    """Into medical care at once: no free bed, no paper and no key of a request is waited for.

    What it went past is in ``due``.
    """
    done = await call.write(emergency.admit_emergency, person_id, _where(body))
    call.created(f"/api/v1/stays/{done.stay.id}")
    return done


@router.post("/units/{unit_id}/evacuation", status_code=status.HTTP_201_CREATED)
async def evacuate_unit(unit_id: str, body: NewEvacuation, call: Evacuator) -> Evacuated:
    """Take everybody present in the unit into medical care at once: all or nobody.

    Their beds are kept as leave; holds into the unit end and those requests wait again.
    """
    return await call.write(
        evacuation.evacuate,
        unit_id,
        Evacuation(
            officer=body.officer,
            reason=body.reason,
            destinations=[Destination(**_named(it)) for it in body.destinations],
            people={it.person: Destination(**_named(it)) for it in body.people},
            occurred_at=body.occurred_at,
            close_beds=body.close_beds,
        ),
    )


def _where(body: EmergencyCall) -> Emergency:
    return Emergency(
        officer=body.officer,
        reason=body.reason,
        facility=body.facility,
        unit=body.unit,
        bed=body.bed,
        room=body.room,
        occurred_at=body.occurred_at,
    )


def _named(it: EvacuationDestination) -> dict[str, Any]:
    return {"unit": it.unit, "facility": it.facility}
