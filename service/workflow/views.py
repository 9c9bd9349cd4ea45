"""What use cases answer about requests, holds, stays and transfers. No names, no findings."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from service.lifecycle import RequestState, StayState, TransferState
from service.store.claims import holds, promises, rows
from service.store.requests import RequestRow
from service.store.seats import duty_phone
from service.store.stays import StayRow
from service.store.tables.claims import ClaimKind, StayEnd
from service.store.tables.workflow import RequestKind
from service.store.transfers import TransferRow
from service.workflow.moves.journeys import ApprovalNeeded
from service.workflow.placing.alternatives import Alternative
from service.workflow.words import WordShown
from solver.codes import MoveReason


@dataclass(frozen=True, slots=True)
class HoldView:
    """A bed held 预留 in ``[since, until)``; ``until`` is null once the person is on the way.

    ``duty_phone``: the facility's, day and night.
    """

    id: str
    bed: str
    unit: str
    facility: str
    since: datetime
    until: datetime | None
    accepted: bool
    duty_phone: str


@dataclass(frozen=True, slots=True)
class PromiseView:
    """A bed that is somebody's next, and the stay it waits for to leave."""

    id: str
    bed: str
    waits_for_stay: str | None


@dataclass(frozen=True, slots=True)
class RequestView:
    """A placement request 收治申请.

    ``responsible_facility``: who took the person in and answers for them, whoever has the bed.
    ``then``: the beds the deciding officer named next. ``lane``: what opened the emergency lane
    by itself. ``rank``: its place in the queue, where the queue was asked for. ``alternatives``:
    what else the law offers, where no bed is lawful.
    """

    id: str
    person: str
    state: RequestState
    kind: RequestKind
    emergency: bool
    lane: str | None
    responsible_facility: str | None
    waiting_since: datetime
    requested_by: str
    hold: HoldView | None
    promise: PromiseView | None
    then: tuple[str, ...]
    ended_at: datetime | None
    end_reason: str | None
    version: int
    note: str | None = None
    rank: int | None = None
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentView:
    """A part of a stay on one bed, ``[since, until)``; a leave keeps the bed while away."""

    id: str
    kind: ClaimKind
    bed: str
    since: datetime
    until: datetime | None
    emergency: bool
    expected_end: datetime | None


@dataclass(frozen=True, slots=True)
class StayView:
    """A person's episode 在院/在所 at one facility. ``recorded_at`` shows what was backdated.

    ``responsible_facility``: the centre that answers for the person when it is not this one.
    ``doctor_sees_by``: said as somebody comes back from treatment whom no doctor has seen since.
    """

    id: str
    person: str
    facility: str
    responsible_facility: str | None
    request: str | None
    state: StayState
    admitted_at: datetime
    recorded_at: datetime
    expected_end: datetime | None
    ended_at: datetime | None
    end_code: StayEnd | None
    segments: tuple[SegmentView, ...]
    version: int
    doctor_sees_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class TransferView:
    """A transfer 转院/转所; the origin bed is kept until arrival.

    ``accepted_for``: whose word the receiving unit has given, security's or care's.
    ``handover_written``: a clinician's summary goes along. ``arrival_check``: what the receiver
    found, as codes. ``approvals``: what an organ must approve before the person leaves.
    """

    id: str
    person: str
    stay: str
    from_bed: str
    to_bed: str
    state: TransferState
    reason: MoveReason
    reason_text: str
    proposal: str | None
    requested_by: str
    requested_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    expected_arrival: datetime | None
    departed_at: datetime | None
    arrived_at: datetime | None
    hold: HoldView | None
    promise: PromiseView | None
    accepted_for: tuple[str, ...]
    escorts: tuple[dict[str, Any], ...]
    vehicle: str | None
    care_flags: tuple[str, ...]
    handover_written: bool
    arrival_check: dict[str, Any] | None
    ended_at: datetime | None
    end_reason: str | None
    version: int
    approvals: tuple[ApprovalNeeded, ...] = ()
    words: tuple[WordShown, ...] = ()


def hold_view(conn: Connection, claim: rows.Claim | None) -> HoldView | None:
    """A hold as callers see it."""
    if claim is None:
        return None
    return HoldView(
        id=claim.id,
        bed=claim.bed,
        unit=claim.unit,
        facility=claim.facility,
        since=claim.since,
        until=claim.until,
        accepted=claim.accepted_at is not None,
        duty_phone=duty_phone(conn, claim.facility),
    )


def _promise_view(promise: promises.Promise | None) -> PromiseView | None:
    if promise is None:
        return None
    return PromiseView(promise.id, promise.bed, promise.waits_for_stay)


def request_view(conn: Connection, row: RequestRow, note: str | None = None) -> RequestView:
    """A request with its hold or promise."""
    waits = row.state is RequestState.WAITING
    return RequestView(
        id=row.id,
        person=row.person,
        state=row.state,
        kind=row.kind,
        emergency=row.emergency,
        lane=row.lane,
        responsible_facility=row.responsible,
        waiting_since=row.waiting_since,
        requested_by=row.requested_by,
        hold=hold_view(conn, holds.hold_for(conn, request=row.id)),
        promise=_promise_view(promises.promised_to(conn, row.person)) if waits else None,
        then=row.fallbacks,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        version=row.version,
        note=note,
    )


def stay_view(conn: Connection, row: StayRow) -> StayView:
    """A stay with its segments in force."""
    return StayView(
        id=row.id,
        person=row.person,
        facility=row.facility,
        responsible_facility=row.responsible,
        request=row.request,
        state=row.state,
        admitted_at=row.admitted_at,
        recorded_at=row.recorded_at,
        expected_end=row.expected_end,
        ended_at=row.ended_at,
        end_code=row.end_code,
        segments=tuple(
            SegmentView(
                id=it.id,
                kind=it.kind,
                bed=it.bed,
                since=it.since,
                until=it.until,
                emergency=it.emergency,
                expected_end=it.expected_end,
            )
            for it in rows.segments(conn, row.id)
        ),
        version=row.version,
    )


def transfer_view(conn: Connection, row: TransferRow) -> TransferView:
    """A transfer with its hold or promise."""
    found = promises.promised_to(conn, row.person)
    mine = found if found is not None and found.transfer == row.id else None
    return TransferView(
        id=row.id,
        person=row.person,
        stay=row.stay,
        from_bed=row.from_bed,
        to_bed=row.to_bed,
        state=row.state,
        reason=row.reason,
        reason_text=row.reason_text,
        proposal=row.proposal,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        expected_arrival=row.expected_arrival,
        departed_at=row.departed_at,
        arrived_at=row.arrived_at,
        hold=hold_view(conn, holds.hold_for(conn, transfer=row.id)),
        promise=_promise_view(mine),
        accepted_for=tuple(sorted(it["side"] for it in row.acceptances)),
        escorts=row.escorts,
        vehicle=row.vehicle,
        care_flags=row.care_flags,
        handover_written=row.handover is not None,
        arrival_check=row.arrival_check,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        version=row.version,
    )
