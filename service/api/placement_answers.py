"""Answers to a held bed: accept, decline, overrule, admit; and the person who never came."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import status
from pydantic import Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.placements import BedId, Body, Reason, Words, next_candidates
from service.api.ranked import CandidateShown
from service.lifecycle import RequestState
from service.workflow.instants import AwareInstant
from service.workflow.placing import admission, answers, overruling
from service.workflow.placing.overruling import Overruled
from service.workflow.views import RequestView, StayView

router = resource("placement")

Receiver = Annotated[
    Call,
    calling(Role.FACILITY_ADMIN, Role.INTEGRATION, Role.COORDINATOR, Role.CLINICIAN),
]
"""Who answers for the receiving facility; a clinician for their own only."""
Coordinator = Annotated[Call, calling(Role.COORDINATOR)]


class Acceptance(Body):
    """The receiving side takes the person. Left out, the policy's usual arrival counts."""

    expected_arrival: AwareInstant | None = None


class DeclineAnswer(Body):
    """The receiving side does not, for a code that is lawful for its kind of unit."""

    code: Annotated[str, Field(min_length=1, max_length=60)]
    reason: Annotated[str, Field(max_length=2000)] = ""


class Overruling(Body):
    """A unit's decline is set aside, by whom and why; ``bed`` of that unit is held if free."""

    unit: Annotated[str, Field(min_length=1, max_length=80)]
    officer: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Words
    bed: BedId | None = None


class Arrival(Body):
    """The person came; ``occurred_at`` may lie in the past and is shown as such."""

    occurred_at: AwareInstant | None = None
    expected_end: AwareInstant | None = None


@dataclass(frozen=True, slots=True)
class Declined(RequestView):
    """The request after a decline: held again where its officer had named a next bed. Where it
    waits, ``candidates`` are the next beds, shown to a coordinator."""

    candidates: tuple[CandidateShown, ...] = ()


@router.post("/placement-requests/{request_id}/acceptance")
async def accept_placement(request_id: str, body: Acceptance, call: Receiver) -> RequestView:
    """The receiving facility takes the person: the hold lasts to the arrival plus grace."""
    return await call.write(answers.accept, request_id, expected_arrival=body.expected_arrival)


@router.post("/placement-requests/{request_id}/decline")
async def decline_placement(request_id: str, body: DeclineAnswer, call: Receiver) -> Declined:
    """The receiving facility does not take the person: the next bed its officer named is held, or
    the request waits again."""
    after = await call.write(answers.decline, request_id, code=body.code, reason=body.reason)
    shown: tuple[CandidateShown, ...] = ()
    if after.state is RequestState.WAITING and call.actor.role is Role.COORDINATOR:
        shown = tuple(await next_candidates(call, request_id, None))
    members = {name: getattr(after, name) for name in RequestView.__dataclass_fields__}
    return Declined(**members, candidates=shown)


@router.post("/placement-requests/{request_id}/overrule")
async def overrule_decline(request_id: str, body: Overruling, call: Coordinator) -> Overruled:
    """Set a unit's decline aside: it is a candidate again, and the bed named is held if free.

    A decline by a doctor's finding is never overruled.
    """
    return await call.write(
        overruling.overrule,
        request_id,
        unit=body.unit,
        reason=body.reason,
        officer=body.officer,
        bed=body.bed,
    )


@router.post("/placement-requests/{request_id}/admission", status_code=status.HTTP_201_CREATED)
async def admit_person(request_id: str, body: Arrival, call: Receiver) -> StayView:
    """The person came: the hold becomes a stay, judged once more as of that moment."""
    stay = await call.write(
        admission.admit,
        request_id,
        occurred_at=body.occurred_at,
        expected_end=body.expected_end,
    )
    call.created(f"/api/v1/stays/{stay.id}")
    return stay


@router.post("/placement-requests/{request_id}/not-arrived")
async def record_not_arrived(request_id: str, body: Reason, call: Receiver) -> RequestView:
    """An accepted person did not come; the request ends and the bed is free."""
    return await call.write(answers.not_arrived, request_id, reason=body.reason)
