"""Terms: who is under one and where, what interrupts, changes and ends it; community measures."""

from datetime import date
from typing import Annotated

from fastapi import Path, Query, status
from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.paging import Page, Paging, page
from service.api.preconditions import tagged
from service.lifecycle import TermState
from service.store.tables.law import AbsenceKind, CommunityEnd, ProposalKind, TermEnd
from service.workflow.instants import AwareInstant
from service.workflow.law import (
    absences,
    community,
    community_view,
    releases,
    term_changes,
    term_view,
)
from service.workflow.law.community import NewMeasure
from service.workflow.law.community_view import MeasureView
from service.workflow.law.term_changes import Part, Result
from service.workflow.law.term_view import TermDetail, TermView
from service.workflow.persons.people import PersonId

router = resource("terms")

Reader = Annotated[
    Call,
    calling(Role.INTAKE_OFFICER, Role.COORDINATOR, Role.FACILITY_ADMIN, Role.AUDITOR),
]
Clerk = Annotated[Call, calling(Role.INTAKE_OFFICER, Role.COORDINATOR)]
Centre = Annotated[Call, calling(Role.INTAKE_OFFICER, Role.COORDINATOR, Role.FACILITY_ADMIN)]
MeasureReader = Annotated[Call, calling(Role.INTAKE_OFFICER, Role.COORDINATOR, Role.AUDITOR)]

Words = Annotated[str, Field(min_length=1, max_length=2000)]
Id = Annotated[str, Path(min_length=1, max_length=80)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Happened(_Body):
    """Something happened to the person: when, and why in a sentence."""

    reason: Words
    occurred_at: AwareInstant | None = None


class Detention(Happened):
    """Detained or arrested elsewhere; ``document``: the paper it rests on."""

    kind: AbsenceKind
    document: Annotated[str, Field(max_length=120)] | None = None


class TreatmentOutside(_Body):
    """Treatment outside begins; its ground is looked at again on ``review_on``."""

    review_on: date
    reason: Words


class OutsideReview(_Body):
    """The ground stands; the next look is on ``review_on``."""

    review_on: date


class Proposal(_Body):
    """What the centre proposes. ``findings``: the parts of the diagnosis assessment. ``days``:
    how much longer, for an extension."""

    kind: ProposalKind
    findings: dict[Part, Result] = Field(default_factory=dict)
    days: Annotated[int, Field(ge=1, le=366)] | None = None


class ProposalAnswer(_Body):
    """Let the deciding organ's answer on record take effect."""

    kind: ProposalKind
    reason: Words


class Release(_Body):
    """Release: how the term ends, and why in a sentence."""

    end: TermEnd
    reason: Words


class ReportedIn(_Body):
    """The person reported to the community."""

    reported_on: date


class PauseDay(_Body):
    """The day from which the measure pauses, or goes on."""

    on: date


class MeasureEnded(_Body):
    """How the measure ended."""

    code: CommunityEnd


@router.get("/terms")
async def list_terms(
    call: Reader,
    asked: Paging,
    without_bed: Annotated[
        bool, Query(description="Only terms that run while no bed is their person's.")
    ] = False,
    state: Annotated[list[TermState] | None, Query(max_length=6)] = None,
    facility: Annotated[str | None, Query(max_length=80)] = None,
    person: Annotated[str | None, Query(max_length=80)] = None,
) -> Page[TermView]:
    """Terms by id; a centre sees those it answers for."""
    rows = await call.read(
        term_view.listed,
        after=asked.after,
        limit=asked.fetch,
        states=tuple(state or ()),
        without_bed=without_bed,
        facility=facility,
        person=person,
    )
    return page(call, asked, rows, lambda it: it.id)


@router.get("/terms/{term_id}")
async def get_term(term_id: Id, call: Reader) -> TermDetail:
    """One term with its absences, proposals, approvals and running clocks."""
    found = await call.write(term_view.get, term_id)
    tagged(call, found.term.version)
    return found


@router.post("/terms/{term_id}/escape")
async def record_escape(term_id: Id, body: Happened, call: Centre) -> TermDetail:
    """The person escaped: beds are free, the days away do not count, police are told at once."""
    return await call.write(
        absences.escaped, term_id, reason=body.reason, occurred_at=body.occurred_at
    )


@router.post("/terms/{term_id}/detention")
async def record_detention(term_id: Id, body: Detention, call: Clerk) -> TermDetail:
    """The person is detained or arrested elsewhere: the term runs, the bed is free."""
    return await call.write(
        absences.detained,
        term_id,
        body.kind,
        reason=body.reason,
        document=body.document,
        occurred_at=body.occurred_at,
    )


@router.post("/terms/{term_id}/out-medical")
async def begin_out_medical(term_id: Id, body: TreatmentOutside, call: Clerk) -> TermDetail:
    """Treatment outside the centre begins, on its whole set of papers."""
    return await call.write(
        absences.treated_outside, term_id, review_on=body.review_on, reason=body.reason
    )


@router.post("/terms/{term_id}/out-medical-review")
async def review_out_medical(term_id: Id, body: OutsideReview, call: Clerk) -> TermDetail:
    """The ground of the treatment outside was looked at again and stands."""
    return await call.write(absences.reviewed_outside, term_id, review_on=body.review_on)


@router.post("/terms/{term_id}/return")
async def record_return(term_id: Id, body: Happened, call: Clerk) -> TermDetail:
    """The absence is over: with term left the person waits for a bed, without they are free."""
    return await call.write(
        absences.came_back, term_id, reason=body.reason, occurred_at=body.occurred_at
    )


@router.post("/terms/{term_id}/proposals")
async def propose_change(term_id: Id, body: Proposal, call: Clerk) -> TermDetail:
    """Propose an early release, an extension, or a change to the community."""
    return await call.write(
        term_changes.propose, term_id, body.kind, findings=body.findings, days=body.days
    )


@router.post("/terms/{term_id}/answers")
async def apply_answer(term_id: Id, body: ProposalAnswer, call: Clerk) -> TermDetail:
    """Let the deciding organ's answer, which is on record as an approval, take effect."""
    return await call.write(term_changes.answer, term_id, body.kind, reason=body.reason)


@router.post("/terms/{term_id}/release")
async def release_person(term_id: Id, body: Release, call: Centre) -> TermDetail:
    """Let the person go; no acceptance, paper, destination or clock is waited for. The centre that
    answers for the person records it where the term has ended by law."""
    return await call.write(releases.release, term_id, end=body.end, reason=body.reason)


@router.post("/terms/{term_id}/death")
async def record_death(term_id: Id, body: Happened, call: Clerk) -> TermDetail:
    """The person died, wherever they were."""
    return await call.write(
        releases.died, term_id, reason=body.reason, occurred_at=body.occurred_at
    )


@router.get("/people/{person_id}/community-measures")
async def list_community_measures(
    person_id: Annotated[PersonId, Path()], call: MeasureReader
) -> list[MeasureView]:
    """The person's community measures, the newest first."""
    return await call.write(community_view.listed, person_id)


@router.post("/people/{person_id}/community-measures", status_code=status.HTTP_201_CREATED)
async def order_community_measure(
    person_id: Annotated[PersonId, Path()], body: NewMeasure, call: Clerk
) -> MeasureView:
    """Record that police ordered community detoxification or rehabilitation."""
    return await call.write(community.order, person_id, body)


@router.post("/community-measures/{measure_id}/report")
async def report_to_community(measure_id: Id, body: ReportedIn, call: Clerk) -> MeasureView:
    """The person reported: the measure runs from that day."""
    return await call.write(community.report, measure_id, reported_on=body.reported_on)


@router.post("/community-measures/{measure_id}/pause")
async def pause_community_measure(measure_id: Id, body: PauseDay, call: Clerk) -> MeasureView:
    """The person is detained: the days do not count."""
    return await call.write(community.pause, measure_id, on=body.on)


@router.post("/community-measures/{measure_id}/resumption")
async def resume_community_measure(measure_id: Id, body: PauseDay, call: Clerk) -> MeasureView:
    """The person is free again and the measure goes on."""
    return await call.write(community.resume, measure_id, on=body.on)


@router.post("/community-measures/{measure_id}/end")
async def end_community_measure(measure_id: Id, body: MeasureEnded, call: Clerk) -> MeasureView:
    """The measure is over."""
    return await call.write(community.end, measure_id, code=body.code)
