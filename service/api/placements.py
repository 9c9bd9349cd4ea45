"""Placement requests: ask, read ranked beds and the queue, decide."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import Query, status
from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.access.scope import facility_scope
from service.api.calls import Call, calling, resource
from service.api.live import live
from service.api.paging import Page, Paging, page
from service.api.preconditions import tagged
from service.api.ranked import CandidateShown, RankingShown, only_at, ranked
from service.errors import Conflict, Unavailable
from service.lifecycle import LIVE_REQUEST_STATES, RequestState
from service.store import postgres_errors
from service.workflow.judgement import Override
from service.workflow.placing import answers, decision_records, decisions, placement
from service.workflow.placing.decision_records import DecisionRecords
from service.workflow.placing.decisions import Choice, Decided
from service.workflow.placing.queue import NOBODY, PassedOver, line_of
from service.workflow.privacy import visibility
from service.workflow.privacy.refusal_records import keep_refusal, rules_of
from service.workflow.views import RequestView
from solver.ranking import Ranking

router = resource("placement")

NEXT_CANDIDATES: Final = 5
ALL_BEDS: Final = 1_000_000
_TAKEN: Final = frozenset({"bed-taken", "bed-not-in-service"})
CATCH_UP_S: Final = 3.0
"""How long candidates wait for the ranked snapshot to know a request made a moment ago."""

Asker = Annotated[
    Call,
    calling(Role.INTAKE_OFFICER, Role.CLINICIAN, Role.COORDINATOR, Role.FACILITY_ADMIN),
]
"""Who asks and decides; a hospital's administrator for its own volunteers and beds only."""
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
    Call,
    calling(
        Role.INTAKE_OFFICER,
        Role.CLINICIAN,
        Role.COORDINATOR,
        Role.AUDITOR,
        Role.FACILITY_ADMIN,
    ),
]
Historian = Annotated[
    Call, calling(Role.INTAKE_OFFICER, Role.CLINICIAN, Role.COORDINATOR, Role.AUDITOR)
]

BedId = Annotated[str, Field(min_length=1, max_length=80)]
Words = Annotated[str, Field(min_length=1, max_length=2000)]


class Body(BaseModel):
    """A body with no member but those named."""

    model_config = ConfigDict(extra="forbid")


class NewPlacementRequest(Body):
    """A person needs a bed. ``note`` is sealed and shown to those who decide, nobody else.
    ``responsible_facility``: the centre that took the person in and answers for them."""

    person: Annotated[str, Field(min_length=1, max_length=80)]
    emergency: bool = False
    note: Annotated[str, Field(max_length=2000)] | None = None
    responsible_facility: Annotated[str, Field(min_length=1, max_length=80)] | None = None


class OverrideMade(Body):
    """An overridable rule set aside, and why."""

    rule: Annotated[str, Field(min_length=1, max_length=40)]
    reason: Words


class PlacementDecision(Body):
    """A named officer's decision for a bed.

    ``rank``, ``alternatives`` and ``position`` say what the officer had before them: the rank of
    the bed, the beds shown, the ranking's position in the event log. ``then``: the beds to hold
    next, in order, should this one be declined or not answered for. ``past_reason``: a
    coordinator's, for going past people in the queue.
    """

    bed: BedId
    officer: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Words
    rank: Annotated[int, Field(ge=1)] | None = None
    alternatives: Annotated[list[str], Field(max_length=100)] = []
    position: Annotated[int, Field(ge=0)] = 0
    overrides: Annotated[list[OverrideMade], Field(max_length=20)] = []
    then: Annotated[list[BedId], Field(max_length=20)] = []
    past_reason: Annotated[str, Field(max_length=2000)] | None = None


class Reason(Body):
    """Why, in a sentence that the record keeps."""

    reason: Words


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and the ranking it was given on the snapshot of ``at``."""

    request: RequestView
    ranking: Ranking
    at: datetime

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that keep beds away."""
        return tuple(rule for rule, _ in self.ranking.by_rule)

    @property
    def none_is_lawful(self) -> bool:
        """Whether rules about this person keep every bed away, whoever is in it."""
        found = self.ranking
        return not (found.fitting or found.by_relation or found.declined)


@router.post("/placement-requests", status_code=status.HTTP_201_CREATED)
async def submit_placement_request(body: NewPlacementRequest, call: Asker) -> RequestView:
    """Ask for a bed for a person; a person has one live request at a time."""
    made = await call.write(
        placement.submit,
        body.person,
        emergency=body.emergency,
        note=body.note,
        responsible_facility=body.responsible_facility,
    )
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
    queue: Annotated[
        bool, Query(description="Those that wait, in the order of the queue, with their places.")
    ] = False,
) -> Page[RequestView]:
    """Requests in the order they were made; a facility sees those a bed of it is held for, and
    those of people it answers for."""
    if queue:
        line = await asyncio.to_thread(line_of, live(call.state).network.current())
        ranks = {it.request.id: it.rank for it in line.waiting}
        waiting = await call.read(placement.in_line, ranks, after=asked.after, limit=asked.fetch)
        return page(call, asked, waiting, lambda it: it.id)
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
    asked = await rank_now(call, request_id, limit)
    if asked.none_is_lawful and call.actor.role is not Role.AUDITOR:
        await call.write(keep_refusal, request_id, asked.rules)
    return ranked(asked.ranking)


@router.get("/placement-requests/{request_id}/decisions")
async def list_decisions(request_id: str, call: Historian) -> DecisionRecords:
    """Who decided what, seeing what; and which units declined, why. Each oldest first."""
    return await call.read(decision_records.records_of, request_id)


@router.post("/placement-requests/{request_id}/decision", status_code=status.HTTP_201_CREATED)
async def decide_placement(request_id: str, body: PlacementDecision, call: Asker) -> Decided:
    """Give the person a bed: it is held against everybody else until the other side answers.

    ``then`` names the beds to hold next, in order, should it decline or not answer. A lost race is
    409 and carries the next candidates. So is a hold that would pass over sicker or longer-waiting
    people for whom such beds are scarce (``passes-over``, with their places in the queue); a
    coordinator may go past with ``past_reason``.
    """
    choice = replace(_choice(body), passed=await _passed_over(call, request_id, body))
    try:
        return await call.write(decisions.decide, request_id, body.bed, choice)
    except Conflict as lost:
        await _refused(call, request_id, lost)
        await _what_is_left(call, request_id, body.bed, lost)
        raise
    except postgres_errors.Conflict:
        raced = Conflict(
            "bed-taken",
            f"somebody else got bed {body.bed} a moment ago; decide for one of the candidates",
            bed=body.bed,
        )
        await _what_is_left(call, request_id, body.bed, raced)
        raise raced from None


@router.post("/placement-requests/{request_id}/promise", status_code=status.HTTP_201_CREATED)
async def promise_placement(request_id: str, body: PlacementDecision, call: Asker) -> Decided:
    """Promise a bed that somebody is about to leave or that waits for cleaning.

    It becomes a hold in the moment it is recorded fit; the request goes on waiting until then.
    """
    await call.read(visibility.require_request, request_id)
    try:
        return await call.write(decisions.promise_bed, request_id, body.bed, _choice(body))
    except Conflict as lost:
        await _refused(call, request_id, lost)
        raise


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
    """Record that the network has no lawful bed for this person; the answer names what the law
    offers instead (``alternatives``)."""
    await call.read(visibility.require_request, request_id)
    try:
        rules = (await rank_now(call, request_id, 1)).rules
    except (Conflict, Unavailable):
        rules = ()
    return await call.write(placement.no_lawful_bed, request_id, reason=body.reason, rules=rules)


def _choice(body: PlacementDecision) -> Choice:
    return Choice(
        officer=body.officer,
        reason=body.reason,
        rank=body.rank,
        alternatives=body.alternatives,
        overrides=[Override(it.rule, it.reason) for it in body.overrides],
        network_position=body.position,
        then=body.then,
        past_reason=body.past_reason,
    )


async def _refused(call: Call, request_id: str, lost: Conflict) -> None:
    """Keep on record which rules refused; the refused write itself is undone."""
    if rules := rules_of(lost):
        await call.write(keep_refusal, request_id, rules)


async def _passed_over(call: Call, request_id: str, body: PlacementDecision) -> PassedOver:
    """Whom this decision would pass over, as this process's snapshot shows the queue."""
    request = await call.read(placement.get, request_id)
    if request.emergency:
        return NOBODY
    network = live(call.state).network.current()
    margin = timedelta(minutes=call.context.policy.queue.margin_minutes)
    beds = (body.bed, *body.then)

    def judged() -> PassedOver:
        return line_of(network).passed_over(request.person, request.waiting_since, beds, margin)

    return await asyncio.to_thread(judged)


async def rank_now(call: Call, request_id: str, limit: int) -> Asked:
    """Rank off the event loop, waiting a moment for a snapshot that knows the request.

    A hospital's own administrator is shown the beds of that hospital.
    """
    request = await call.read(placement.get, request_id)
    keeper = live(call.state).network
    own = facility_scope(call.actor)
    deadline = asyncio.get_running_loop().time() + CATCH_UP_S
    while True:
        try:
            network = keeper.current()
            found = await asyncio.to_thread(
                placement.candidates, network, request, limit if own is None else ALL_BEDS
            )
            shown = found if own is None else only_at(found, own, limit)
            return Asked(request, shown, network.now)
        except Conflict as behind:
            if behind.code != "not-ranked-yet" or asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.05)


async def next_candidates(
    call: Call, request_id: str, lost: str | None
) -> Sequence[CandidateShown]:
    """What is left for whoever lost a race or was told no; nothing when that cannot be said now."""
    shown = await _ranking_shown(call, request_id)
    left = [it for it in shown.candidates if it.bed != lost] if shown is not None else []
    return left[:NEXT_CANDIDATES]


async def _ranking_shown(call: Call, request_id: str) -> RankingShown | None:
    try:
        return ranked((await rank_now(call, request_id, NEXT_CANDIDATES + 1)).ranking)
    except (Conflict, Unavailable):
        return None


async def _what_is_left(call: Call, request_id: str, bed: str, lost: Conflict) -> None:
    """Give a lost decision the next candidates; where there are none, say so, when a lawful bed is
    expected, and whom to ring."""
    shown = await _ranking_shown(call, request_id)
    left = [it for it in shown.candidates if it.bed != bed] if shown is not None else []
    lost.members["candidates"] = left[:NEXT_CANDIDATES]
    if shown is None or left or lost.code not in _TAKEN:
        return
    phone = call.context.policy.offers.on_call_phone
    soonest = min((it.at for it in shown.expected), default=None)
    when = (
        f"the next is expected at {soonest.astimezone(call.context.policy.zone).isoformat()}"
        if soonest is not None
        else "none is forecast"
    )
    lost.detail = (
        f"bed {bed} is not to be had and no other lawful bed is free for this person now; {when}. "
        f"Ring the on-call coordinator, {phone}; in danger to life use the emergency lane"
    )
    lost.members |= {"expected": soonest, "on_call_phone": phone}
