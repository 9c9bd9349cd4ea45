"""Reading who somebody is: for a stated purpose, by those who may, and never unseen."""

from dataclasses import dataclass

from sqlalchemy import Connection

from service.access.caller import Role
from service.errors import Forbidden, Invalid
from service.store.tables.core import person
from service.workflow.context import Context
from service.workflow.inventory.places import get_row
from service.workflow.persons.documents import DocumentKind
from service.workflow.persons.people import opened_identity, record_access
from service.workflow.persons.person_view import known_to_police, require_visible


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the person is. Every reading of it is recorded with its purpose."""

    id: str
    name: str | None
    phone: str | None
    document_kind: DocumentKind | None
    document_number: str | None


def read_identity(conn: Connection, ctx: Context, person_id: str, purpose: str) -> Identity:
    """Who the person is, for a stated purpose; who read it, and why, is recorded.

    Raises:
        NotFound: there is no such person, or this caller may not know of them.
        Forbidden: the police side asks about somebody who is under no custodial measure.
        Invalid: no purpose is stated.
    """
    stated = purpose.strip()
    if len(stated) < 4:
        raise Invalid.field(
            "query/purpose", "missing", "say in a few words what you need the name for", purpose
        )
    row = get_row(conn, person, person_id)
    require_visible(conn, ctx, person_id)
    if ctx.actor.role is Role.INTAKE_OFFICER and not known_to_police(conn, person_id):
        raise Forbidden(
            "not-for-this-role",
            "an intake officer reads the identity of people under a measure ordered by police; "
            "ask the coordinator",
        )
    record_access(conn, ctx, person_id, stated)
    members = opened_identity(ctx.vault, row)
    kind = members.get("document_kind")
    return Identity(
        id=person_id,
        name=members.get("name"),
        phone=members.get("phone"),
        document_kind=DocumentKind(kind) if kind is not None else None,
        document_number=members.get("document_number"),
    )
