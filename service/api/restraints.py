"""The log of protective restraints 保护性约束 of a stay."""

from typing import Annotated

from fastapi import Path, status

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.preconditions import ExpectedVersion, tagged
from service.workflow.persons import restraints
from service.workflow.persons.restraints import Check, NewRestraint, RestraintView

router = resource("restraints")

Orders = Annotated[Call, calling(Role.CLINICIAN, Role.FACILITY_ADMIN)]
Reader = Annotated[
    Call, calling(Role.CLINICIAN, Role.FACILITY_ADMIN, Role.COORDINATOR, Role.AUDITOR)
]
Id = Annotated[str, Path(min_length=1, max_length=80)]


@router.post("/stays/{stay_id}/restraints", status_code=status.HTTP_201_CREATED)
async def begin_restraint(stay_id: Id, body: NewRestraint, call: Orders) -> RestraintView:
    """Record that a restraint began: against danger only, never as a punishment."""
    made = await call.write(restraints.begin_restraint, stay_id, body)
    tagged(call, made.version)
    return made


@router.get("/stays/{stay_id}/restraints")
async def list_restraints(stay_id: Id, call: Reader) -> list[RestraintView]:
    """Every restraint of a stay, the newest first."""
    return await call.read(restraints.list_restraints, stay_id)


@router.post("/restraints/{restraint_id}/checks")
async def check_restraint(restraint_id: Id, body: Check, call: Orders) -> RestraintView:
    """Record that somebody looked at the person; the next look is due again."""
    done = await call.write(restraints.check_restraint, restraint_id, body)
    tagged(call, done.version)
    return done


@router.put("/restraints/{restraint_id}/end")
async def end_restraint(restraint_id: Id, version: ExpectedVersion, call: Orders) -> RestraintView:
    """Record that the restraint was lifted."""
    done = await call.write(restraints.end_restraint, restraint_id, version=version)
    tagged(call, done.version)
    return done
