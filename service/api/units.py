"""Units of a facility, and a round through one: every bed confirmed as it is."""

from typing import Annotated

from fastapi import Query, status

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.facilities import PLACE_READERS
from service.api.paging import Page, Paging, page
from service.api.preconditions import ExpectedVersion, tagged
from service.workflow.inventory import units
from service.workflow.inventory.bed_rounds import Confirmed, confirm_unit
from service.workflow.inventory.place_fields import NewUnit, PlaceId, UnitChange, UnitRecord
from service.workflow.inventory.places import Retired

router = resource("units")

Reader = Annotated[Call, calling(*PLACE_READERS)]
Admin = Annotated[Call, calling(Role.FACILITY_ADMIN, Role.COORDINATOR)]
BedKeeper = Annotated[Call, calling(Role.FACILITY_ADMIN, Role.INTEGRATION, Role.COORDINATOR)]


@router.get("/units")
async def list_units(
    call: Reader,
    asked: Paging,
    facility: Annotated[PlaceId | None, Query()] = None,
    retired: bool = False,
) -> Page[UnitRecord]:
    """Units by id, of one facility if named."""
    rows = await call.read(
        units.list_units,
        limit=asked.fetch,
        after=asked.after,
        facility_id=facility,
        retired=retired,
    )
    return page(call, asked, rows, lambda it: it.id)


@router.post("/units", status_code=status.HTTP_201_CREATED)
async def create_unit(body: NewUnit, call: Admin) -> UnitRecord:
    """Open a unit in a facility."""
    made = await call.write(units.create_unit, body)
    call.created(f"/api/v1/units/{made.id}")
    tagged(call, made.version)
    return made


@router.get("/units/{unit_id}")
async def get_unit(unit_id: str, call: Reader) -> UnitRecord:
    """One unit: kind, licences, owners, accepted bases, whom it takes."""
    found = await call.read(units.get_unit, unit_id)
    tagged(call, found.version)
    return found


@router.patch("/units/{unit_id}")
async def change_unit(
    unit_id: str, body: UnitChange, version: ExpectedVersion, call: Admin
) -> UnitRecord:
    """Change what is recorded of a unit; members not given stay, nobody is moved by it."""
    changed = await call.write(units.change_unit, unit_id, body, version=version)
    tagged(call, changed.version)
    return changed


@router.delete("/units/{unit_id}")
async def retire_unit(unit_id: str, version: ExpectedVersion, call: Admin) -> Retired:
    """Close a unit for good, with its rooms and beds; its history stays."""
    return await call.write(units.retire_unit, unit_id, version=version)


@router.put("/units/{unit_id}/confirmation")
async def confirm_unit_beds(unit_id: str, call: BedKeeper) -> Confirmed:
    """Say that every bed of the unit is as recorded."""
    return await call.write(confirm_unit, unit_id)
