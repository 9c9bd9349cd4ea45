"""For the auditor: who read whom, and what somebody should look at. And finding one's own cases."""

from typing import Annotated

from fastapi import Path, Query

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.paging import Page, Paging, page
from service.workflow.persons import person_search
from service.workflow.persons.people import PersonId
from service.workflow.persons.person_search import PeopleFound, PersonSearch
from service.workflow.privacy import access_records, audit_flags
from service.workflow.privacy.access_records import AccessRecorded
from service.workflow.privacy.audit_flags import FlagSeen, FlagView

router = resource("audit")

Auditor = Annotated[Call, calling(Role.AUDITOR)]
FlagReader = Annotated[Call, calling(Role.AUDITOR, Role.COORDINATOR)]
Seeker = Annotated[
    Call,
    calling(
        Role.INTAKE_OFFICER,
        Role.CLINICIAN,
        Role.FACILITY_ADMIN,
        Role.INTEGRATION,
        Role.COORDINATOR,
        Role.AUDITOR,
        keyed=False,
    ),
]
Someone = Annotated[str | None, Query(max_length=80)]


@router.post("/people/search")
async def search_people(body: PersonSearch, call: Seeker) -> PeopleFound:
    """Find one of your own cases by its document. Nobody there and not yours are one answer."""
    call.headers["Cache-Control"] = "no-store"
    return await call.write(person_search.search_person, body)


@router.get("/access-records")
async def list_access_records(
    call: Auditor, asked: Paging, person: Someone = None, actor: Someone = None
) -> Page[AccessRecorded]:
    """Who read which person's file or identity, when and for what, oldest first."""
    rows = await call.read(
        access_records.listed, after=asked.after, limit=asked.fetch, person=person, actor=actor
    )
    return page(call, asked, rows, lambda it: it.id)


@router.get("/people/{person_id}/access-records")
async def list_access_records_of_person(
    person_id: Annotated[PersonId, Path()], call: Auditor, asked: Paging
) -> Page[AccessRecorded]:
    """Who read this person's file or identity, oldest first."""
    rows = await call.read(
        access_records.listed, after=asked.after, limit=asked.fetch, person=person_id
    )
    return page(call, asked, rows, lambda it: it.id)


@router.get("/audit-flags")
async def list_audit_flags(
    call: FlagReader,
    asked: Paging,
    unseen: Annotated[bool, Query(description="Only those nobody has looked at.")] = False,
    person: Someone = None,
) -> Page[FlagView]:
    """What somebody outside should look at, oldest first; of these a coordinator sees records that
    may be one person's."""
    rows = await call.read(
        audit_flags.listed, after=asked.after, limit=asked.fetch, unseen=unseen, person=person
    )
    return page(call, asked, rows, lambda it: it.id)


@router.post("/audit-flags/{flag_id}/seen")
async def mark_audit_flag_seen(flag_id: str, body: FlagSeen, call: Auditor) -> FlagView:
    """The auditor has looked, and notes what came of it."""
    return await call.write(audit_flags.seen, flag_id, body)
