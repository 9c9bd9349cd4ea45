"""Placement requests: ask, read ranked beds, decide, answer, admit."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Query, status
from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.live import live
from service.api.paging import Page, Paging, page
from service.api.preconditions import tagged
from service.api.ranked import CandidateShown, RankingShown, ranked
from service.errors import Conflict, Refused
from service.lifecycle import LIVE_REQUEST_STATES, RequestState
from service.store import postgres_errors
from service.workflow import (
    admission,
    answers,
    decision_records,
    decisions,
    placement,
    visibility,
)
from service.workflow.decision_records import DecisionRecords
from service.workflow.decisions import Choice, Decided
from service.workflow.instants import AwareInstant
from service.workflow.judgement import Override
from service.workflow.views import RequestView, StayView
from solver.ranking import Ranking

router = resource("placement")

NEXT_CANDIDATES: Final = 5
CATCH_UP_S: Final = 3.0
"""How long candidates wait for the ranked snapshot to know a request made a moment ago."""

Asker = Annotated[Call, calling(Role.INTAKE_OFFICER, Role.CLINICIAN, Role.COORDINATOR)]
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
RankReader = Annotated[
    Call, calling(Role.INTAKE_OFFICER, Role.CLINICIAN, Role.COORDINATOR, Role.AUDITOR)
]
Receiver = Annotated[Call, calling(Role.FACILITY_ADMIN, Role.INTEGRATION, Role.COORDINATOR)]

Words = Annotated[str, Field(min_length=1, max_length=2000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewPlacementRequest(_Body):
    """A person needs a bed. ``note`` is sealed and shown to those who decide, nobody else."""

    person: Annotated[str, Field(min_length=1, max_length=80)]
    emergency: bool = False
    note: Annotated[str, Field(max_length=2000)] | None = None


class OverrideMade(_Body):
    """An overridable rule set aside, and why."""

    rule: Annotated[str, Field(min_length=1, max_length=40)]
    reason: Words


class PlacementDecision(_Body):
    """A named officer's decision for a bed.

    ``rank``, ``alternatives`` and ``position`` say what the officer had before them: the rank of
    the bed, the beds shown, the ranking's position in the event log.
    """

    bed: Annotated[str, Field(min_length=1, max_length=80)]
    officer: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Words
    rank: Annotated[int, Field(ge=1)] | None = None
    alternatives: Annotated[list[str], Field(max_length=100)] = []
    position: Annotated[int, Field(ge=0)] = 0
    overrides: Annotated[list[OverrideMade], Field(max_length=20)] = []


class Reason(_Body):
    """Why, in a sentence that the record keeps."""

    reason: Words


class Acceptance(_Body):
    """The receiving side takes the person. Left out, the policy's usual arrival counts."""

    expected_arrival: AwareInstant | None = None


class DeclineAnswer(_Body):
    """The receiving side does not, for a code that is lawful for its kind of unit."""

    code: Annotated[str, Field(min_length=1, max_length=60)]
    reason: Annotated[str, Field(max_length=2000)] = ""


class Arrival(_Body):
    """The person came; ``occurred_at`` may lie in the past and is shown as such."""

    occurred_at: AwareInstant | None = None
    expected_end: AwareInstant | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request and the ranking it was given."""

    request: RequestView
    ranking: Ranking


@router.post("/placement-requests", status_code=status.HTTP_201_CREATED)
async def submit_placement_request(body: NewPlacementRequest, call: Asker) -> RequestView:
    """Ask for a bed for a person; a person has one live request at a time."""
    made = await call.write(placement.submit, body.person, emergency=body.emergency, note=body.note)
    call.created(f"/api/v1/placement-requests/{made.id}")
    tagged(call, made.version)
    return made


@router.get("/placement-requests")
async def list_placement_requests(
    call: Reader,
    asked: Paging,
    state: Annotated[
        list[RequestState],
        Query(
            default_factory=lambda: list(LIVE_REQUEST_STATES),
            description="Only these; the live ones if none.",
        ),
    ],
    person: Annotated[str | None, Query(max_length=80)] = None,
) -> Page[RequestView]:
    """Requests in the order they were made; a facility sees those a bed of it is held for."""
    rows = await call.read(
        placement.listed, after=asked.after, limit=asked.fetch, states=state, person=person
    )
    return page(call, asked, rows, lambda it: it.id)


@router.get("/placement-requests/{request_id}")
async def get_placement_request(request_id: str, call: Reader) -> RequestView:
    """One request with its hold or promise."""
    found = await call.read(placement.get, request_id)
    tagged(call, found.version)
    return found


@router.get("/placement-requests/{request_id}/candidates")
async def list_candidates(
    request_id: str,
    call: RankReader,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> RankingShown:
    """Free beds that are lawful and safe for the person, best first; every refusal for the rest.

    Ranked on this process's snapshot, whose position in the event log is in the answer; only a
    decision looks at the rows themselves.
    """
    asked = await _ranking(call, request_id, limit)
    return ranked(asked.ranking)


@router.get("/placement-requests/{request_id}/decisions")
async def list_decisions(request_id: str, call: RankReader) -> DecisionRecords:
    """Who decided what, seeing what; and which units declined, why. Each oldest first."""
    return await call.read(decision_records.records_of, request_id)


@router.post("/placement-requests/{request_id}/decision", status_code=status.HTTP_201_CREATED)
async def decide_placement(request_id: str, body: PlacementDecision, call: Asker) -> Decided:
    """Give the person a bed: it is held against everybody else until the other side answers.

    A lost race is 409 and carries the next candidates.
    """
    await call.read(visibility.require_request, request_id)
    try:
        return await call.write(decisions.decide, request_id, body.bed, _choice(body))
    except Conflict as lost:
        lost.members["candidates"] = await _next_candidates(call, request_id, body.bed)
        raise
    except postgres_errors.Conflict:
        raise Conflict(
            "bed-taken",
            f"somebody else got bed {body.bed} a moment ago; decide for one of the candidates",
            bed=body.bed,
            candidates=await _next_candidates(call, request_id, body.bed),
        ) from None


@router.post("/placement-requests/{request_id}/promise", status_code=status.HTTP_201_CREATED)
async def promise_placement(request_id: str, body: PlacementDecision, call: Asker) -> Decided:
    """Promise a bed that somebody is about to leave or that waits for cleaning.

    It becomes a hold in the moment it is recorded fit; the request goes on waiting until then.
    """
    await call.read(visibility.require_request, request_id)
    return await call.write(decisions.promise_bed, request_id, body.bed, _choice(body))


@router.post("/placement-requests/{request_id}/release")
async def release_placement_hold(request_id: str, body: Reason, call: Asker) -> RequestView:
    """Give the held bed back; the request waits again."""
    await call.read(visibility.require_request, request_id)
    return await call.write(answers.release_hold, request_id, reason=body.reason)


@router.post("/placement-requests/{request_id}/withdrawal")
async def withdraw_placement_request(request_id: str, body: Reason, call: Asker) -> RequestView:
    """Stop asking. Decisions taken stand as they were."""
    await call.read(visibility.require_request, request_id)
    return await call.write(placement.withdraw, request_id, reason=body.reason)


@router.post("/placement-requests/{request_id}/refusal")
async def refuse_placement(request_id: str, body: Reason, call: Asker) -> RequestView:
    """The person says no. It ends the request and triggers nothing else."""
    await call.read(visibility.require_request, request_id)
    return await call.write(placement.refuse, request_id, reason=body.reason)


@router.post("/placement-requests/{request_id}/no-lawful-bed")
async def record_no_lawful_bed(request_id: str, body: Reason, call: Asker) -> RequestView:
    """Record that the network has no lawful bed for this person."""
    await call.read(visibility.require_request, request_id)
    return await call.write(placement.no_lawful_bed, request_id, reason=body.reason)


@router.post("/placement-requests/{request_id}/acceptance")
async def accept_placement(request_id: str, body: Acceptance, call: Receiver) -> RequestView:
    """The receiving facility takes the person: the hold lasts to the arrival plus grace."""
    return await call.write(answers.accept, request_id, expected_arrival=body.expected_arrival)


@router.post("/placement-requests/{request_id}/decline")
async def decline_placement(request_id: str, body: DeclineAnswer, call: Receiver) -> RequestView:
    """The receiving facility does not take the person; the request waits again."""
    return await call.write(answers.decline, request_id, code=body.code, reason=body.reason)


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


def _choice(body: PlacementDecision) -> Choice:
    return Choice(
        officer=body.officer,
        reason=body.reason,
        rank=body.rank,
        alternatives=body.alternatives,
        overrides=[Override(it.rule, it.reason) for it in body.overrides],
        network_position=body.position,
    )


async def _ranking(call: Call, request_id: str, limit: int) -> _Asked:
    """Rank off the event loop, waiting a moment for a snapshot that knows the request."""
    request = await call.read(placement.get, request_id)
    keeper = live(call.state).network
    deadline = asyncio.get_running_loop().time() + CATCH_UP_S
    while True:
        try:
            found = await asyncio.to_thread(placement.candidates, keeper.current(), request, limit)
            return _Asked(request, found)
        except Conflict as behind:
            if behind.code != "not-ranked-yet" or asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.05)


async def _next_candidates(call: Call, request_id: str, lost: str) -> Sequence[CandidateShown]:
    """What is left for whoever lost a race; nothing when that cannot be said now."""
    try:
        asked = await _ranking(call, request_id, NEXT_CANDIDATES + 1)
    except (Conflict, Refused):
        return []
    left = [it for it in ranked(asked.ranking).candidates if it.bed != lost]
    return left[:NEXT_CANDIDATES]
