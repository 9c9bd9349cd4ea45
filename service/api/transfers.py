"""Transfers: ask, approve, accept, depart, arrive; the origin bed is kept until arrival."""

from typing import Annotated

from fastapi import Query, status
from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.paging import Page, Paging, page
from service.api.placement_answers import Acceptance, DeclineAnswer
from service.api.placements import Reason
from service.api.preconditions import tagged
from service.lifecycle import LIVE_TRANSFER_STATES, TransferState
from service.workflow.instants import AwareInstant
from service.workflow.moves import handover, handover_papers, returns, transfers
from service.workflow.moves.handover import Side
from service.workflow.moves.handover_papers import Handover, NewHandover
from service.workflow.moves.journeys import ArrivalCheck, Journey
from service.workflow.moves.returns import Return
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
Sender = Annotated[Call, calling(Role.CLINICIAN, Role.FACILITY_ADMIN, Role.INTEGRATION)]
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


class TransferAcceptance(Acceptance):
    """The receiving side's yes. ``sides``: whose word this is, where security and care have two
    owners; both, if left out."""

    sides: Annotated[frozenset[Side], Field(max_length=2)] = frozenset()


class Departure(Journey):
    """The person leaves: who goes along, in what, and when; left out, now."""

    occurred_at: AwareInstant | None = None


class Arrival(BaseModel):
    """The person is there: what was found, and when; left out, now."""

    model_config = ConfigDict(extra="forbid")

    occurred_at: AwareInstant | None = None
    check: ArrivalCheck | None = None


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
async def accept_transfer(
    transfer_id: str, body: TransferAcceptance, call: Facility
) -> TransferView:
    """The receiving facility takes the person; with two owners, both must say so."""
    return await call.write(
        handover.accept_transfer,
        transfer_id,
        expected_arrival=body.expected_arrival,
        sides=body.sides,
    )


@router.post("/transfers/{transfer_id}/decline")
async def decline_transfer(transfer_id: str, body: DeclineAnswer, call: Facility) -> TransferView:
    """The receiving facility does not, for a coded reason."""
    return await call.write(
        handover.decline_transfer, transfer_id, code=body.code, reason=body.reason
    )


@router.post("/transfers/{transfer_id}/departure")
async def record_departure(transfer_id: str, body: Departure, call: Facility) -> TransferView:
    """The person leaves; from now on the hold never lapses, and late is an alarm.

    Between facilities: the approvals of this transition, a clinician's handover, and for somebody
    held by law two escorts, a woman among them for a woman.
    """
    journey = Journey(
        escorts=body.escorts, vehicle=body.vehicle, expected_arrival=body.expected_arrival
    )
    return await call.write(
        handover.depart, transfer_id, occurred_at=body.occurred_at, journey=journey
    )


@router.post("/transfers/{transfer_id}/arrival")
async def record_arrival(transfer_id: str, body: Arrival, call: Facility) -> TransferView:
    """The person is there: the bed they left is free for cleaning, the new one is theirs.

    A bed that was taken or closed meanwhile becomes a surge place: nobody is left at the door.
    """
    return await call.write(
        handover.arrive, transfer_id, occurred_at=body.occurred_at, check=body.check
    )


@router.put("/transfers/{transfer_id}/handover")
async def write_handover(transfer_id: str, body: NewHandover, call: Sender) -> Handover:
    """What goes along: care flags by the sending side, the clinical summary by its clinician."""
    return await call.write(handover_papers.write_handover, transfer_id, body)


@router.get("/transfers/{transfer_id}/handover")
async def read_handover(transfer_id: str, call: Reader) -> Handover:
    """The papers: care flags for escorts and bed admins, diagnoses for clinicians alone."""
    call.headers["Cache-Control"] = "no-store"
    return await call.write(handover_papers.read_handover, transfer_id)


@router.get("/returns")
async def list_returns(call: Reader, asked: Paging) -> Page[Return]:
    """People whom a doctor finds fit to go back to their centre, and nobody has begun it yet."""
    rows = await call.read(returns.list_returns, after=asked.after, limit=asked.fetch)
    return page(call, asked, rows, lambda it: it.stay)


@router.post("/transfers/{transfer_id}/return")
async def turn_transfer_back(transfer_id: str, body: Reason, call: Facility) -> TransferView:
    """The person comes back to the bed they left, which was kept for them."""
    return await call.write(handover.turn_back, transfer_id, reason=body.reason)


@router.post("/transfers/{transfer_id}/cancellation")
async def cancel_transfer(transfer_id: str, body: Reason, call: Stopper) -> TransferView:
    """The transfer will not happen; what it held is free."""
    return await call.write(transfers.cancel, transfer_id, reason=body.reason)
