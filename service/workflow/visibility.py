"""Whose requests and stays a caller may know of.

Consensual treatment is invisible to the police side: an intake officer finds nothing of somebody
whose legal basis in force is their own consent, and cannot tell that from there being nothing.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from service.access.caller import Role
from service.errors import NotFound
from service.store import requests, stays
from service.store.network_people import basis_kinds
from service.workflow.context import Context
from service.workflow.person_view import HIDDEN_FROM_POLICE


def hidden(conn: Connection, ctx: Context, persons: Iterable[str]) -> frozenset[str]:
    """Those of the people whose treatment this caller may not know of."""
    if ctx.actor.role is not Role.INTAKE_OFFICER:
        return frozenset()
    kinds = basis_kinds(conn, list(persons))
    return frozenset(person for person, kind in kinds.items() if kind in HIDDEN_FROM_POLICE)


def require_request(conn: Connection, ctx: Context, request: str) -> None:
    """Raise NotFound for a request this caller may not know of, as for one that is not there."""
    if hidden(conn, ctx, [requests.request(conn, request).person]):
        raise NotFound(
            "request-not-found", f"there is no placement request {request}", request=request
        )


def require_stay(conn: Connection, ctx: Context, stay: str) -> None:
    """Raise NotFound for a stay this caller may not know of, as for one that is not there."""
    if hidden(conn, ctx, [stays.stay(conn, stay).person]):
        raise NotFound("stay-not-found", f"there is no stay {stay}", stay=stay)
