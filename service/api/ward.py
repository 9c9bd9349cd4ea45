"""The ward's day: bed to bed, the roll count, what differs, who comes and who goes."""

from typing import Annotated

from fastapi import Query, status
from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.paging import Page, Paging, page
from service.workflow.instants import AwareInstant
from service.workflow.inventory.place_fields import PlaceId
from service.workflow.views import StayView
from service.workflow.ward import bed_moves, discrepancies, expected, roll_counts
from service.workflow.ward.discrepancies import DiscrepancyShown
from service.workflow.ward.expected import Expected
from service.workflow.ward.roll_counts import NewRollCount, OnRoll, RollCounted

router = resource("ward")

Ward = Annotated[
    Call, calling(Role.FACILITY_ADMIN, Role.INTEGRATION, Role.CLINICIAN, Role.COORDINATOR)
]
Reader = Annotated[
    Call,
    calling(Role.FACILITY_ADMIN, Role.INTEGRATION, Role.CLINICIAN, Role.COORDINATOR, Role.AUDITOR),
]


class BedChange(BaseModel):
    """Another bed of the same unit, why, and when; left out, now."""

    model_config = ConfigDict(extra="forbid")

    to_bed: PlaceId
    reason: Annotated[str, Field(min_length=1, max_length=2000)]
    occurred_at: AwareInstant | None = None


class Resolution(BaseModel):
    """What was found: which of the two was wrong, and what was put right."""

    model_config = ConfigDict(extra="forbid")

    resolution: Annotated[str, Field(min_length=1, max_length=2000)]


@router.post("/stays/{stay_id}/bed")
async def move_to_another_bed(stay_id: str, body: BedChange, call: Ward) -> StayView:
    """The person lies in another bed of the same unit, in one step; rules are looked at again."""
    return await call.write(
        bed_moves.move_bed,
        stay_id,
        body.to_bed,
        reason=body.reason,
        occurred_at=body.occurred_at,
    )


@router.get("/units/{unit_id}/roll")
async def read_roll(unit_id: str, call: Ward) -> list[OnRoll]:
    """Who is on record in the unit, by bed: the sheet a shift counts from."""
    return await call.read(roll_counts.roll, unit_id)


@router.post("/units/{unit_id}/roll-counts", status_code=status.HTTP_201_CREATED)
async def record_roll_count(unit_id: str, body: NewRollCount, call: Ward) -> RollCounted:
    """A shift's count; what differs is opened on a clock. Nobody is moved by it."""
    return await call.write(roll_counts.record_roll_count, unit_id, body)


@router.get("/units/{unit_id}/roll-counts")
async def list_roll_counts(unit_id: str, call: Reader, asked: Paging) -> Page[RollCounted]:
    """The unit's counts, in the order they were made."""
    rows = await call.read(roll_counts.listed, unit_id, after=asked.after, limit=asked.fetch)
    return page(call, asked, rows, lambda it: it.id)


@router.get("/units/{unit_id}/expected")
async def list_expected(
    unit_id: str,
    call: Reader,
    hours: Annotated[int, Query(ge=1, le=24 * 31, description="How far ahead.")] = 24,
) -> list[Expected]:
    """Planned arrivals and departures, the earliest first."""
    return await call.read(expected.expected_in, unit_id, hours=hours)


@router.get("/discrepancies")
async def list_discrepancies(
    call: Reader,
    asked: Paging,
    unit: Annotated[PlaceId | None, Query()] = None,
    resolved: Annotated[bool, Query(description="Those somebody has looked at too.")] = False,
) -> Page[DiscrepancyShown]:
    """Where record and ward differ, in the order it was seen; a facility sees its own."""
    rows = await call.read(
        discrepancies.listed, after=asked.after, limit=asked.fetch, unit=unit, resolved=resolved
    )
    return page(call, asked, rows, lambda it: it.id)


@router.post("/discrepancies/{discrepancy_id}/resolution")
async def resolve_discrepancy(
    discrepancy_id: str, body: Resolution, call: Ward
) -> DiscrepancyShown:
    """Say what was found and put right."""
    return await call.write(discrepancies.resolve, discrepancy_id, resolution=body.resolution)
