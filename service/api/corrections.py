"""Corrections of the past: what was recorded in error is voided with a reason, never deleted."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.placements import Reason
from service.workflow.instants import AwareInstant
from service.workflow.persons import merging
from service.workflow.persons.merging import Merged
from service.workflow.stays import corrections, undoing
from service.workflow.views import StayView, TransferView

router = resource("corrections")

Corrector = Annotated[Call, calling(Role.FACILITY_ADMIN, Role.COORDINATOR)]
Coordinator = Annotated[Call, calling(Role.COORDINATOR)]

Words = Annotated[str, Field(min_length=1, max_length=2000)]
Id = Annotated[str, Field(min_length=1, max_length=80)]


class TimesCorrected(BaseModel):
    """When a stay really began, ended, or both."""

    model_config = ConfigDict(extra="forbid")

    admitted_at: AwareInstant | None = None
    ended_at: AwareInstant | None = None
    reason: Words


class SwapCorrected(BaseModel):
    """Two people were recorded in each other's beds."""

    model_config = ConfigDict(extra="forbid")

    other: Id
    reason: Words


class MergeCorrected(BaseModel):
    """Another record is the same person; it goes on as this one."""

    model_config = ConfigDict(extra="forbid")

    merged: Id
    reason: Words


class Swapped(BaseModel):
    """Both stays as they stand now."""

    stay: StayView
    other: StayView


@router.post("/stays/{stay_id}/times")
async def correct_times(stay_id: str, body: TimesCorrected, call: Corrector) -> StayView:
    """Correct when a stay began, ended, or both."""
    return await call.write(
        corrections.correct_times,
        stay_id,
        admitted_at=body.admitted_at,
        ended_at=body.ended_at,
        reason=body.reason,
    )


@router.post("/stays/{stay_id}/swap")
async def swap_stays(stay_id: str, body: SwapCorrected, call: Corrector) -> Swapped:
    """Exchange two people who were recorded in each other's beds."""
    stay, other = await call.write(corrections.swap, stay_id, body.other, reason=body.reason)
    return Swapped(stay=stay, other=other)


@router.post("/stays/{stay_id}/admission-cancellation")
async def cancel_admission(stay_id: str, body: Reason, call: Corrector) -> StayView:
    """An admission was recorded in error: the person never came."""
    return await call.write(undoing.cancel_admission, stay_id, reason=body.reason)


@router.post("/stays/{stay_id}/discharge-cancellation")
async def cancel_discharge(stay_id: str, body: Reason, call: Corrector) -> StayView:
    """A discharge was recorded in error: the person never left."""
    return await call.write(corrections.cancel_discharge, stay_id, reason=body.reason)


@router.post("/transfers/{transfer_id}/arrival-cancellation")
async def cancel_arrival(transfer_id: str, body: Reason, call: Corrector) -> TransferView:
    """An arrival was recorded in error: the person never left the bed they came from."""
    return await call.write(undoing.cancel_transfer, transfer_id, reason=body.reason)


@router.post("/people/{person_id}/merge")
async def merge_persons(person_id: str, body: MergeCorrected, call: Coordinator) -> Merged:
    """Two records are one person: the other one goes on as this one."""
    return await call.write(merging.merge_persons, person_id, body.merged, reason=body.reason)
