"""Stays: who is where, leave, discharge and surge places."""

from typing import Annotated

from fastapi import Query, status
from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.paging import Page, Paging, page
from service.api.preconditions import ExpectedVersion, tagged
from service.store.tables.claims import StayEnd
from service.workflow.instants import AwareInstant
from service.workflow.inventory import surge
from service.workflow.inventory.surge import SurgePlace
from service.workflow.stays import discharge, leave, stay_lists
from service.workflow.views import StayView

router = resource("stays")

Reader = Annotated[
    Call,
    calling(
        Role.INTAKE_OFFICER,
        Role.CLINICIAN,
        Role.COORDINATOR,
        Role.FACILITY_ADMIN,
        Role.INTEGRATION,
        Role.AUDITOR,
    ),
]
Keeper = Annotated[
    Call, calling(Role.FACILITY_ADMIN, Role.INTEGRATION, Role.CLINICIAN, Role.COORDINATOR)
]
Words = Annotated[str, Field(min_length=1, max_length=2000)]
Id = Annotated[str, Field(min_length=1, max_length=80)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Departure(_Body):
    """The person has left for good: how, when, and why in a sentence."""

    code: StayEnd
    reason: Words
    occurred_at: AwareInstant | None = None


class DischargeDue(_Body):
    """A discharge is due; the bed may be promised to somebody else."""

    expected_end: AwareInstant | None = None


class LeaveBegun(_Body):
    """The person goes out for treatment and the bed is kept, until ``ends_at`` at the latest."""

    ends_at: AwareInstant
    to: Id | None = None
    occurred_at: AwareInstant | None = None


class LeaveExtended(_Body):
    """The bed is kept until another end, for this reason."""

    ends_at: AwareInstant
    reason: Words


class LeaveEnded(_Body):
    """The person is back in their bed."""

    occurred_at: AwareInstant | None = None


class NewSurgePlace(_Body):
    """A place made on the spot, in this room or the unit's first."""

    room: Id | None = None


@router.get("/stays")
async def list_stays(
    call: Reader,
    asked: Paging,
    facility: Annotated[str | None, Query(max_length=80)] = None,
    person: Annotated[str | None, Query(max_length=80)] = None,
    ended: Annotated[bool, Query(description="Stays that have ended too.")] = False,
) -> Page[StayView]:
    """Stays in the order they were recorded; a facility sees its own."""
    rows = await call.read(
        stay_lists.listed,
        after=asked.after,
        limit=asked.fetch,
        facility=facility,
        person=person,
        open_only=not ended,
    )
    return page(call, asked, rows, lambda it: it.id)


@router.get("/stays/{stay_id}")
async def get_stay(stay_id: str, call: Reader) -> StayView:
    """One stay with its segments."""
    found = await call.read(stay_lists.get, stay_id)
    tagged(call, found.version)
    return found


@router.post("/stays/{stay_id}/discharge")
async def discharge_person(stay_id: str, body: Departure, call: Keeper) -> StayView:
    """The person has left; the bed waits for cleaning."""
    return await call.write(
        discharge.discharge,
        stay_id,
        code=body.code,
        occurred_at=body.occurred_at,
        reason=body.reason,
    )


@router.post("/stays/{stay_id}/discharge-due")
async def mark_discharge_due(stay_id: str, body: DischargeDue, call: Keeper) -> StayView:
    """Mark that a discharge is due."""
    return await call.write(discharge.due, stay_id, expected_end=body.expected_end)


@router.post("/stays/{stay_id}/leave")
async def begin_leave(stay_id: str, body: LeaveBegun, call: Keeper) -> StayView:
    """The person goes out for treatment; their bed is kept."""
    return await call.write(
        leave.begin_leave,
        stay_id,
        ends_at=body.ends_at,
        to=body.to,
        occurred_at=body.occurred_at,
    )


@router.patch("/stays/{stay_id}/leave")
async def extend_leave(
    stay_id: str, body: LeaveExtended, version: ExpectedVersion, call: Keeper
) -> StayView:
    """Keep the bed until another end; an unreturned leave lapses after it."""
    changed = await call.write(
        leave.extend_leave, stay_id, ends_at=body.ends_at, reason=body.reason, version=version
    )
    tagged(call, changed.version)
    return changed


@router.post("/stays/{stay_id}/return")
async def end_leave(stay_id: str, body: LeaveEnded, call: Keeper) -> StayView:
    """The person is back in their bed."""
    return await call.write(leave.end_leave, stay_id, occurred_at=body.occurred_at)


@router.post("/units/{unit_id}/surge-places", status_code=status.HTTP_201_CREATED)
async def open_surge_place(unit_id: str, body: NewSurgePlace, call: Keeper) -> SurgePlace:
    """Put up a place beyond the licensed beds; it goes when its person leaves."""
    return await call.write(surge.open_surge_place, unit_id, room=body.room)
