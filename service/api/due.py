"""The due list: clocks by the organ that must act, and that a thing was done."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.paging import Page, Paging, page
from service.errors import Invalid
from service.workflow.instants import AwareInstant
from service.workflow.watch import due_list
from service.workflow.watch.due_list import DueView

router = resource("due")

_MARK: Final = "|"

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
Doer = Annotated[
    Call,
    calling(Role.INTAKE_OFFICER, Role.CLINICIAN, Role.COORDINATOR, Role.FACILITY_ADMIN),
]


class Settlement(BaseModel):
    """What was done, when (now, if left out), under which document."""

    model_config = ConfigDict(extra="forbid")

    done_at: AwareInstant | None = None
    document: Annotated[str, Field(max_length=200)] = ""
    note: Annotated[str, Field(max_length=2000)] = ""


@router.get("/due")
async def list_due(
    call: Reader,
    asked: Paging,
    facility: Annotated[str | None, Query(max_length=80)] = None,
    kind: Annotated[str | None, Query(max_length=80)] = None,
    person: Annotated[str | None, Query(max_length=80)] = None,
    overdue: Annotated[
        bool | None, Query(description="Only those whose hour has passed, or only the others.")
    ] = None,
) -> Page[DueView]:
    """The running clocks the caller works by, the longest overdue first."""
    rows = await call.read(
        due_list.listed,
        after=_after(asked.after),
        limit=asked.fetch,
        facility=facility,
        kind=kind,
        person=person,
        overdue=overdue,
    )
    return page(call, asked, rows, lambda it: f"{it.due_at.isoformat()}{_MARK}{it.id}")


@router.post("/due/{due_id}/settlement")
async def settle_due(due_id: str, body: Settlement, call: Doer) -> DueView:
    """A notice was sent, a thing was done."""
    return await call.write(
        due_list.settle_by_hand,
        due_id,
        done_at=body.done_at,
        document=body.document,
        note=body.note,
    )


def _after(key: str | None) -> tuple[datetime, str] | None:
    """The hour and the id that a page of this list begins after."""
    if key is None:
        return None
    instant, mark, id_ = key.partition(_MARK)
    try:
        at = datetime.fromisoformat(instant)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not mark:
        raise Invalid.field(
            "query/cursor",
            "bad-cursor",
            "this is the cursor of another list; leave it out to begin at the start",
            key,
        )
    return at, id_
