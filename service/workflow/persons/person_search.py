"""Finding somebody by their document: a caller's own cases only.

Nobody there and somebody whom the caller may not know of are one answer, of one statement.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import StringConstraints
from sqlalchemy import Connection, select

from service.store.engine import now as database_time
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.inventory.place_fields import Strict
from service.workflow.persons.documents import normalised
from service.workflow.persons.people import Document, record_access
from service.workflow.privacy.own_cases import own_case


class PersonSearch(Strict):
    """The document somebody carries, and what you look them up for; the search is recorded."""

    document: Document
    purpose: Annotated[str, StringConstraints(strip_whitespace=True, min_length=4, max_length=200)]


@dataclass(frozen=True, slots=True)
class PeopleFound:
    """Pseudonyms of the caller's own cases; empty when there is none, and nothing follows from
    that."""

    people: tuple[str, ...]


def search_person(conn: Connection, ctx: Context, asked: PersonSearch) -> PeopleFound:
    """The caller's own case with this document, if there is one. A finding is recorded."""
    person = core.person.c
    index = ctx.vault.blind_index(normalised(asked.document.number))
    found = conn.execute(
        select(person.id).where(
            person.document_index == index,
            person.merged_into.is_(None),
            own_case(ctx, person.id, database_time(conn)),
        )
    ).scalar_one_or_none()
    if found is None:
        return PeopleFound(())
    record_access(conn, ctx, found, f"search: {asked.purpose}")
    return PeopleFound((found,))
