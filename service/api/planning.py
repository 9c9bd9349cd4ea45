"""Planning runs and their proposals: ask, read, ask why, decide one move at a time."""

from typing import Annotated

from fastapi import Query, status
from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.paging import Page, Paging, page
from service.workflow.plans import planning_decisions, planning_runs, run_explanations, run_views
from service.workflow.plans.planning_decisions import ProposalShown
from service.workflow.plans.run_explanations import ExplanationShown, WorthShown
from service.workflow.plans.run_views import ChangesShown, RunShown
from solver.changes import ChangeKind

router = resource("planning")

Planner = Annotated[Call, calling(Role.COORDINATOR)]
Reader = Annotated[Call, calling(Role.COORDINATOR, Role.AUDITOR)]


class NewPlanningRun(BaseModel):
    """Ask for a plan of the network as it is now. The same snapshot and seed give the same plan."""

    model_config = ConfigDict(extra="forbid")

    seed: Annotated[int, Field(ge=0, le=planning_runs.MAX_SEED)] = 0


class ProposalDecision(BaseModel):
    """A named human's word on one proposed move."""

    model_config = ConfigDict(extra="forbid")

    officer: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Annotated[str, Field(min_length=1, max_length=2000)]


@router.post("/planning-runs", status_code=status.HTTP_202_ACCEPTED)
async def request_planning_run(body: NewPlanningRun, call: Planner) -> RunShown:
    """Ask for a plan; a worker solves it. Read the run at ``Location`` until it is ``solved``."""
    run = await call.write(planning_runs.request_run, seed=body.seed)
    call.created(f"/api/v1/planning-runs/{run.id}")
    return run


@router.get("/planning-runs")
async def list_planning_runs(call: Reader, asked: Paging) -> Page[RunShown]:
    """Planning runs, newest first."""
    rows = await call.read(planning_runs.list_runs, limit=asked.fetch, after=asked.after)
    return page(call, asked, rows, lambda run: run.id)


@router.get("/planning-runs/{run_id}")
async def get_planning_run(run_id: str, call: Reader) -> RunShown:
    """One run: where it stands, value, bound and gap by level, who stays unplaced and why."""
    return await call.read(planning_runs.get_run, run_id)


@router.get("/planning-runs/{run_id}/proposals")
async def list_proposals(
    run_id: str,
    call: Reader,
    person: Annotated[
        str | None, Query(description="Only the moves of this person or made for their request.")
    ] = None,
) -> list[ProposalShown]:
    """The run's moves in an order that works, each with its reason and price."""
    return await call.read(planning_decisions.list_proposals, run_id, person=person)


@router.get("/planning-runs/{run_id}/changes")
async def list_plan_changes(
    run_id: str,
    call: Reader,
    kind: Annotated[ChangeKind | None, Query(description="Only lines of this kind.")] = None,
) -> ChangesShown:
    """What the plan changes against the one before it: one line a person, each with its reason."""
    return await call.read(run_views.list_changes, run_id, kind=kind)


@router.get("/planning-runs/{run_id}/explanations")
async def list_plan_explanations(
    run_id: str,
    call: Reader,
    asked: Paging,
    person: Annotated[
        str | None, Query(max_length=80, description="Only the answer about this person.")
    ] = None,
    request: Annotated[
        str | None, Query(max_length=80, description="Only the answer to this placement request.")
    ] = None,
) -> Page[ExplanationShown]:
    """Why each person is placed or moved as planned, and why each request without a bed has none.

    They follow the plan by a moment: 409 ``not-explained`` says whether to ask again.
    """
    rows = await call.read(
        run_explanations.list_explanations,
        run_id,
        limit=asked.fetch,
        after=asked.after,
        person=person,
        request=request,
    )
    return page(call, asked, rows, lambda it: it.id)


@router.get("/planning-runs/{run_id}/worth")
async def get_plan_worth(run_id: str, call: Reader) -> WorthShown:
    """What one more bed of each kind, or one more staffed place in each unit, would have bought on
    the run's snapshot, each checked by planning again.

    Worked out for plans that somebody asked for; 409 ``not-explained`` until it is there.
    """
    return await call.read(run_explanations.get_worth, run_id)


@router.post("/proposals/{proposal_id}/approval")
async def approve_proposal(
    proposal_id: str, body: ProposalDecision, call: Planner
) -> ProposalShown:
    """Approve one move. Today is looked at again under lock: 409 ``superseded`` if it moved on.

    Where a newer plan makes the same move, that plan's proposal is the one approved and answered.
    """
    return await call.write(
        planning_decisions.approve, proposal_id, officer=body.officer, reason=body.reason
    )


@router.post("/proposals/{proposal_id}/rejection")
async def reject_proposal(proposal_id: str, body: ProposalDecision, call: Planner) -> ProposalShown:
    """Reject one move, with the reason that the next plan's readers will see."""
    return await call.write(
        planning_decisions.reject, proposal_id, officer=body.officer, reason=body.reason
    )
