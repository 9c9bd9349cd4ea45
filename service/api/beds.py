"""Beds, their own state, and the periods in which they are out of service."""

from typing import Annotated

from fastapi import Query, status
from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.facilities import PLACE_READERS
from service.api.paging import Page, Paging, page
from service.api.preconditions import ExpectedVersion, tagged
from service.workflow.inventory import bed_state, beds, out_of_service
from service.workflow.inventory.bed_rounds import (
    LARGEST_BATCH,
    Confirmed,
    RowResult,
    confirm_bed,
    record_bed_states,
)
from service.workflow.inventory.bed_state import StateRecorded
from service.workflow.inventory.out_of_service import (
    NewPeriod,
    Period,
    PeriodChange,
    PeriodEnd,
    PeriodRecorded,
)
from service.workflow.inventory.place_fields import (
    BedChange,
    BedRecord,
    BedStateFields,
    BedStateRow,
    NewBed,
    PlaceId,
)
from service.workflow.inventory.places import Retired
from solver.codes import BedState

router = resource("beds")

Reader = Annotated[Call, calling(*PLACE_READERS)]
Admin = Annotated[Call, calling(Role.FACILITY_ADMIN, Role.COORDINATOR)]
BedKeeper = Annotated[Call, calling(Role.FACILITY_ADMIN, Role.INTEGRATION, Role.COORDINATOR)]


class BedStateRows(BaseModel):
    """Many beds' states at once; each bed named once."""

    model_config = ConfigDict(extra="forbid")

    rows: Annotated[list[BedStateRow], Field(min_length=1, max_length=LARGEST_BATCH)]


class RowResults(BaseModel):
    """What became of each row, in the order they were sent."""

    results: list[RowResult]


@router.get("/beds")
async def list_beds(
    call: Reader,
    asked: Paging,
    unit: Annotated[PlaceId | None, Query()] = None,
    facility: Annotated[PlaceId | None, Query()] = None,
    state: BedState | None = None,
    retired: bool = False,
) -> Page[BedRecord]:
    """Beds by id with their own state; narrowed to a unit, a facility, a state if named."""
    rows = await call.read(
        beds.list_beds,
        limit=asked.fetch,
        after=asked.after,
        unit_id=unit,
        facility_id=facility,
        state=state,
        retired=retired,
    )
    return page(call, asked, rows, lambda it: it.id)


@router.post("/beds", status_code=status.HTTP_201_CREATED)
async def create_bed(body: NewBed, call: Admin) -> BedRecord:
    """Set up a bed in a room, in service."""
    made = await call.write(beds.create_bed, body)
    call.created(f"/api/v1/beds/{made.id}")
    tagged(call, made.version)
    return made


@router.get("/beds/{bed_id}")
async def get_bed(bed_id: str, call: Reader) -> BedRecord:
    """One bed with its own state; not who is in it."""
    found = await call.read(beds.get_bed, bed_id)
    tagged(call, found.version)
    return found


@router.patch("/beds/{bed_id}")
async def change_bed(
    bed_id: str, body: BedChange, version: ExpectedVersion, call: Admin
) -> BedRecord:
    """Change what a bed is equipped for; members not given stay."""
    changed = await call.write(beds.change_bed, bed_id, body, version=version)
    tagged(call, changed.version)
    return changed


@router.delete("/beds/{bed_id}")
async def retire_bed(bed_id: str, version: ExpectedVersion, call: Admin) -> Retired:
    """Take a bed out for good; its history stays."""
    return await call.write(beds.retire_bed, bed_id, version=version)


@router.put("/beds/{bed_id}/state")
async def record_bed_state(
    bed_id: str, body: BedStateFields, version: ExpectedVersion, call: BedKeeper
) -> StateRecorded:
    """Record the state somebody saw the bed in; a promise on a bed that is fit becomes a hold."""
    done = await call.write(bed_state.record_bed_state, bed_id, body, version=version)
    tagged(call, done.bed.version)
    return done


@router.put("/beds/{bed_id}/confirmation")
async def confirm_bed_state(bed_id: str, call: BedKeeper) -> Confirmed:
    """Say that the bed is as recorded."""
    return await call.write(confirm_bed, bed_id)


@router.put("/bed-states")
async def record_many_bed_states(body: BedStateRows, call: BedKeeper) -> RowResults:
    """Record many beds' states, each for itself: a row that is refused stops no other."""
    return RowResults(results=await call.write(record_bed_states, body.rows))


@router.get("/out-of-service-periods")
async def list_out_of_service_periods(
    call: Reader,
    asked: Paging,
    bed: Annotated[PlaceId | None, Query()] = None,
    unit: Annotated[PlaceId | None, Query()] = None,
    ended: Annotated[bool, Query(description="Show periods that ended, too.")] = False,
) -> Page[Period]:
    """Out-of-service periods by id, open ones unless asked otherwise."""
    rows = await call.read(
        out_of_service.list_periods,
        limit=asked.fetch,
        after=asked.after,
        bed_id=bed,
        unit_id=unit,
        open_only=not ended,
    )
    return page(call, asked, rows, lambda it: it.id)


@router.post("/beds/{bed_id}/out-of-service-periods", status_code=status.HTTP_201_CREATED)
async def open_out_of_service_period(
    bed_id: str, body: NewPeriod, call: BedKeeper
) -> PeriodRecorded:
    """Take a bed out of service; with somebody in it, it is closing until they leave."""
    done = await call.write(out_of_service.open_period, bed_id, body)
    call.created(f"/api/v1/out-of-service-periods/{done.period.id}")
    tagged(call, done.period.version)
    return done


@router.get("/out-of-service-periods/{period_id}")
async def get_out_of_service_period(period_id: str, call: Reader) -> Period:
    """One period."""
    found = await call.read(out_of_service.get_period, period_id)
    tagged(call, found.version)
    return found


@router.patch("/out-of-service-periods/{period_id}")
async def change_out_of_service_period(
    period_id: str, body: PeriodChange, version: ExpectedVersion, call: BedKeeper
) -> PeriodRecorded:
    """Change the forecast, the reason or the note of an open period."""
    done = await call.write(out_of_service.change_period, period_id, body, version=version)
    tagged(call, done.period.version)
    return done


@router.put("/out-of-service-periods/{period_id}/end")
async def end_out_of_service_period(
    period_id: str, body: PeriodEnd, version: ExpectedVersion, call: BedKeeper
) -> PeriodRecorded:
    """Record that the bed can be used again, and the state it comes back in."""
    done = await call.write(out_of_service.end_period, period_id, body, version=version)
    tagged(call, done.period.version)
    return done
