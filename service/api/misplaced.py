"""Misplaced people, and the reviews of restrictive stays."""

import asyncio
from datetime import date
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.live import live
from service.api.paging import Page, Paging, page
from service.workflow.watch import watching_list, watching_reviews
from service.workflow.watch.watching_list import MisplacedView
from service.workflow.watch.watching_reviews import Reviewed, ReviewOutcome

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
Reviewer = Annotated[Call, calling(Role.CLINICIAN, Role.COORDINATOR)]


class Review(BaseModel):
    """Somebody outside the unit looked: who, what it came to, and when to look again."""

    model_config = ConfigDict(extra="forbid")

    outcome: ReviewOutcome
    reviewer: Annotated[str, Field(min_length=1, max_length=200)]
    note: Annotated[str, Field(max_length=2000)] = ""
    next_on: date | None = None


@router.get("/stays/misplaced")
async def list_misplaced(
    call: Reader,
    asked: Paging,
    facility: Annotated[str | None, Query(max_length=80)] = None,
    free_beds: Annotated[
        bool, Query(description="Count the free beds each transfer leads to.")
    ] = False,
) -> Page[MisplacedView]:
    """People whose present place is not, or no longer, lawful and safe: by which rules, since
    when, by when it is put right, and the ways out."""
    rows = await call.read(
        watching_list.listed, after=asked.after, limit=asked.fetch, facility=facility
    )
    shown = page(call, asked, rows, lambda it: it.id)
    if free_beds and shown.items:
        network = live(call.state).network.current()
        shown.items = await asyncio.to_thread(
            watching_list.with_free_beds, network, list(shown.items)
        )
    return shown


@router.post("/stays/{stay_id}/review")
async def review_stay(stay_id: str, body: Review, call: Reviewer) -> Reviewed:
    """Record the review of a restrictive stay and the day of the next."""
    return await call.write(
        watching_reviews.record_review,
        stay_id,
        outcome=body.outcome,
        reviewer=body.reviewer,
        note=body.note,
        next_on=body.next_on,
    )
