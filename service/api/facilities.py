"""Facilities: read, enter, change, retire."""

from typing import Annotated

from fastapi import status

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.paging import Page, Paging, page
from service.api.preconditions import ExpectedVersion, tagged
from service.workflow.inventory import facilities
from service.workflow.inventory.place_fields import FacilityChange, FacilityRecord, NewFacility
from service.workflow.inventory.places import Retired

router = resource("facilities")

PLACE_READERS = (
    Role.INTAKE_OFFICER,
    Role.CLINICIAN,
    Role.FACILITY_ADMIN,
    Role.COORDINATOR,
    Role.AUDITOR,
    Role.INTEGRATION,
)
Reader = Annotated[Call, calling(*PLACE_READERS)]
Admin = Annotated[Call, calling(Role.FACILITY_ADMIN, Role.COORDINATOR)]
Coordinator = Annotated[Call, calling(Role.COORDINATOR)]


@router.get("/facilities")
async def list_facilities(
    call: Reader, asked: Paging, retired: bool = False
) -> Page[FacilityRecord]:
    """Facilities by id; ``retired=true`` shows retired ones too."""
    rows = await call.read(
        facilities.list_facilities, limit=asked.fetch, after=asked.after, retired=retired
    )
    return page(call, asked, rows, lambda it: it.id)


@router.post("/facilities", status_code=status.HTTP_201_CREATED)
async def create_facility(body: NewFacility, call: Coordinator) -> FacilityRecord:
    """Enter a facility into the network."""
    made = await call.write(facilities.create_facility, body)
    call.created(f"/api/v1/facilities/{made.id}")
    tagged(call, made.version)
    return made


@router.get("/facilities/{facility_id}")
async def get_facility(facility_id: str, call: Reader) -> FacilityRecord:
    """One facility with its duty phone."""
    found = await call.read(facilities.get_facility, facility_id)
    tagged(call, found.version)
    return found


@router.patch("/facilities/{facility_id}")
async def change_facility(
    facility_id: str, body: FacilityChange, version: ExpectedVersion, call: Admin
) -> FacilityRecord:
    """Change what is recorded of a facility; members not given stay."""
    changed = await call.write(facilities.change_facility, facility_id, body, version=version)
    tagged(call, changed.version)
    return changed


@router.delete("/facilities/{facility_id}")
async def retire_facility(facility_id: str, version: ExpectedVersion, call: Coordinator) -> Retired:
    """Take a facility out of the network with everything in it; its history stays."""
    return await call.write(facilities.retire_facility, facility_id, version=version)
