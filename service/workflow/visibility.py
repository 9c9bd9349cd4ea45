"""Whose requests and stays a caller may know of.

Consensual treatment is invisible to the police side: an intake officer finds nothing of somebody
whose legal basis in force is their own consent, and cannot tell that from there being nothing. A
stay that rests on consent stays hidden when police decide on that person later.
"""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from service.access.caller import Role
from service.errors import NotFound
from service.store import requests, stays
from service.store.network_people import basis_kinds
from service.store.requests import RequestRow
from service.store.stays import StayRow
from service.store.tables.core import legal_basis, stay
from service.workflow.context import Context
from service.workflow.person_view import HIDDEN_FROM_POLICE


def hidden(conn: Connection, ctx: Context, persons: Iterable[str]) -> frozenset[str]:
    """Those of the people whose treatment this caller may not know of."""
    if ctx.actor.role is not Role.INTAKE_OFFICER:
        return frozenset()
    kinds = basis_kinds(conn, list(persons))
    return frozenset(person for person, kind in kinds.items() if kind in HIDDEN_FROM_POLICE)


def hidden_stays(conn: Connection, ctx: Context, rows: Collection[StayRow]) -> frozenset[str]:
    """Those of the stays that this caller may not know of, by id."""
    people = hidden(conn, ctx, (row.person for row in rows))
    by_consent = _by_consent(conn, ctx, stay.c.id, [row.id for row in rows])
    return by_consent.union(row.id for row in rows if row.person in people)


def hidden_requests(conn: Connection, ctx: Context, rows: Collection[RequestRow]) -> frozenset[str]:
    """Those of the placement requests that this caller may not know of, by id."""
    people = hidden(conn, ctx, (row.person for row in rows))
    by_consent = _by_consent(conn, ctx, stay.c.request_id, [row.id for row in rows])
    return by_consent.union(row.id for row in rows if row.person in people)


def _by_consent(
    conn: Connection, ctx: Context, column: ColumnElement[Any], ids: Collection[str]
) -> frozenset[str]:
    """The values of a column of stays that rest on the person's own consent."""
    if ctx.actor.role is not Role.INTAKE_OFFICER or not ids:
        return frozenset()
    found = conn.execute(
        select(column)
        .join(legal_basis, legal_basis.c.id == stay.c.basis_id)
        .where(column.in_(sorted(ids)), legal_basis.c.kind.in_(sorted(HIDDEN_FROM_POLICE)))
    ).scalars()
    return frozenset(found)


def require_request(conn: Connection, ctx: Context, request: str) -> None:
    """Raise NotFound for a request this caller may not know of, as for one that is not there."""
    if hidden_requests(conn, ctx, [requests.request(conn, request)]):
        raise NotFound(
            "request-not-found", f"there is no placement request {request}", request=request
        )


def require_stay(conn: Connection, ctx: Context, stay_id: str) -> None:
    """Raise NotFound for a stay this caller may not know of, as for one that is not there."""
    if hidden_stays(conn, ctx, [stays.stay(conn, stay_id)]):
        raise NotFound("stay-not-found", f"there is no stay {stay_id}", stay=stay_id)
