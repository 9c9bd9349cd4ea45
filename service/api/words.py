"""Objections, complaints, requests for review and wishes of people, and their answers."""

from typing import Annotated

from fastapi import Path, status

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.paging import Page, Paging, page
from service.store.tables.watch import WordKind
from service.workflow import words
from service.workflow.persons.people import PersonId
from service.workflow.words import Answer, NewObjection, NewWish, WordShown

router = resource("objections and wishes")

Listener = Annotated[
    Call,
    calling(
        Role.INTAKE_OFFICER,
        Role.CLINICIAN,
        Role.FACILITY_ADMIN,
        Role.INTEGRATION,
        Role.COORDINATOR,
        Role.AUDITOR,
    ),
]
Answerer = Annotated[
    Call, calling(Role.INTAKE_OFFICER, Role.CLINICIAN, Role.FACILITY_ADMIN, Role.COORDINATOR)
]
Overseer = Annotated[Call, calling(Role.COORDINATOR, Role.AUDITOR)]
OfPerson = Annotated[PersonId, Path()]


@router.post("/people/{person_id}/objections", status_code=status.HTTP_201_CREATED)
async def record_objection(person_id: OfPerson, body: NewObjection, call: Listener) -> WordShown:
    """Write down an objection, complaint or request for review, in the person's own words."""
    return await call.write(words.record_objection, person_id, body)


@router.get("/people/{person_id}/objections")
async def list_objections(person_id: OfPerson, call: Listener) -> list[WordShown]:
    """What was objected, oldest first, with the answers; nothing is ever erased."""
    return await call.read(words.listed, person_id, words.OBJECTIONS)


@router.post("/people/{person_id}/wishes", status_code=status.HTTP_201_CREATED)
async def record_wish(person_id: OfPerson, body: NewWish, call: Listener) -> WordShown:
    """Write down what the person would rather have; decisions and plans show it."""
    return await call.write(words.record_wish, person_id, body)


@router.get("/people/{person_id}/wishes")
async def list_wishes(person_id: OfPerson, call: Listener) -> list[WordShown]:
    """What the person would rather have, oldest first."""
    return await call.read(words.listed, person_id, (WordKind.WISH,))


@router.get("/objections")
async def list_unanswered_objections(call: Overseer, asked: Paging) -> Page[WordShown]:
    """Everything that still waits for an answer."""
    rows = await call.read(words.unanswered, after=asked.after, limit=asked.fetch)
    return page(call, asked, rows, lambda it: it.id)


@router.post("/objections/{word_id}/answer")
async def answer_objection(word_id: str, body: Answer, call: Answerer) -> WordShown:
    """Answer an objection, complaint, request for review or wish; what was said stays."""
    return await call.write(words.answer_word, word_id, body)


@router.post("/objections/{word_id}/withdrawal")
async def withdraw_objection(word_id: str, call: Listener) -> WordShown:
    """The person takes back what they said; it stays on record, struck."""
    return await call.write(words.withdraw_word, word_id)
