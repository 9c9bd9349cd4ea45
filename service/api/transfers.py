"""Transfers: ask, approve, accept, depart, arrive; the origin bed is kept until arrival."""

from typing import Annotated

from fastapi import Query, status
from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.paging import Page, Paging, page
from service.api.placements import Acceptance, DeclineAnswer, Reason
from service.api.preconditions import tagged
from service.lifecycle import LIVE_TRANSFER_STATES, TransferState
from service.workflow import handover, transfers
from service.workflow.instants import AwareInstant
from service.workflow.views import TransferView
from solver.codes import MoveReason

router = resource("transfers")

Reader = Annotated[
    Call,
    calling(Role.CLINICIAN, Role.COORDINATOR, Role.FACILITY_ADMIN, Role.INTEGRATION, Role.AUDITOR),
]
Asker = Annotated[Call, calling(Role.CLINICIAN, Role.COORDINATOR, Role.FACILITY_ADMIN)]
Approver = Annotated[Call, calling(Role.COORDINATOR)]
Facility = Annotated[Call, calling(Role.FACILITY_ADMIN, Role.INTEGRATION)]
Stopper = Annotated[
    Call, calling(Role.CLINICIAN, Role.COORDINATOR, Role.FACILITY_ADMIN, Role.INTEGRATION)
]


class NewTransfer(BaseModel):
    """Ask for a resident to be moved; nothing is held before approval."""

    model_config = ConfigDict(extra="forbid")

    stay: Annotated[str, Field(min_length=1, max_length=80)]
    to_bed: Annotated[str, Field(min_length=1, max_length=80)]
    reason: MoveReason
    text: Annotated[str, Field(max_length=2000)] = ""


class Moment(BaseModel):
    """When it happened; left out, now."""

    model_config = ConfigDict(extra="forbid")

    occurred_at: AwareInstant | None = None


@router.post("/transfers", status_code=status.HTTP_201_CREATED)
async def request_transfer(body: NewTransfer, call: Asker) -> TransferView:
    """Ask for a resident to be moved to another bed."""
    made = await call.write(
        transfers.request_transfer, body.stay, body.to_bed, reason=body.reason, text=body.text
    )
    call.created(f"/api/v1/transfers/{made.id}")
    return made


@router.get("/transfers")
async def list_transfers(
    call: Reader,
    asked: Paging,
    state: Annotated[
        list[TransferState],
        Query(
            default_factory=lambda: list(LIVE_TRANSFER_STATES),
            description="Only these; the live ones if none.",
        ),
    ],
    person: Annotated[str | None, Query(max_length=80)] = None,
) -> Page[TransferView]:
    """Transfers in the order they were asked for; a facility sees those from and to it."""
    rows = await call.read(
        transfers.listed, after=asked.after, limit=asked.fetch, states=state, person=person
    )
    return page(call, asked, rows, lambda it: it.id)


@router.get("/transfers/{transfer_id}")
async def get_transfer(transfer_id: str, call: Reader) -> TransferView:
    """One transfer with its hold or promise."""
    found = await call.read(transfers.get, transfer_id)
    tagged(call, found.version)
    return found


@router.post("/transfers/{transfer_id}/approval")
async def approve_transfer(transfer_id: str, body: Reason, call: Approver) -> TransferView:
    """Approve: the destination is held, or promised behind an approved departure."""
    return await call.write(transfers.approve, transfer_id, reason=body.reason)


@router.post("/transfers/{transfer_id}/rejection")
async def reject_transfer(transfer_id: str, body: Reason, call: Approver) -> TransferView:
    """Say no to a proposed transfer."""
    return await call.write(transfers.reject, transfer_id, reason=body.reason)


@router.post("/transfers/{transfer_id}/acceptance")
async def accept_transfer(transfer_id: str, body: Acceptance, call: Facility) -> TransferView:
    """The receiving facility takes the person."""
    return await call.write(
        handover.accept_transfer, transfer_id, expected_arrival=body.expected_arrival
    )


@router.post("/transfers/{transfer_id}/decline")
async def decline_transfer(transfer_id: str, body: DeclineAnswer, call: Facility) -> TransferView:
    """The receiving facility does not, for a coded reason."""
    return await call.write(
        handover.decline_transfer, transfer_id, code=body.code, reason=body.reason
    )


@router.post("/transfers/{transfer_id}/departure")
async def record_departure(transfer_id: str, body: Moment, call: Facility) -> TransferView:
    """The person leaves; from now on the hold never lapses."""
    return await call.write(handover.depart, transfer_id, occurred_at=body.occurred_at)


@router.post("/transfers/{transfer_id}/arrival")
async def record_arrival(transfer_id: str, body: Moment, call: Facility) -> TransferView:
    """The person is there: the bed they left is free for cleaning, the new one is theirs."""
    return await call.write(handover.arrive, transfer_id, occurred_at=body.occurred_at)


@router.post("/transfers/{transfer_id}/return")
async def turn_transfer_back(transfer_id: str, body: Reason, call: Facility) -> TransferView:
    """The person comes back to the bed they left, which was kept for them."""
    return await call.write(handover.turn_back, transfer_id, reason=body.reason)


@router.post("/transfers/{transfer_id}/cancellation")
async def cancel_transfer(transfer_id: str, body: Reason, call: Stopper) -> TransferView:
    """The transfer will not happen; what it held is free."""
    return await call.write(transfers.cancel, transfer_id, reason=body.reason)
