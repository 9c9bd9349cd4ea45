"""Stays 在院/在所 as their readers see them."""

from sqlalchemy import Connection

from service.access.scope import facility_scope, require_facility
from service.store import stays
from service.workflow.context import Context
from service.workflow.privacy.visibility import hidden_stays, require_stay
from service.workflow.views import StayView, stay_view


def get(conn: Connection, ctx: Context, stay: str) -> StayView:
    """One stay with its segments. A facility's key reads that facility's.

    Raises:
        NotFound: no such stay, or none this caller may know of.
        Forbidden: another facility's key.
    """
    require_stay(conn, ctx, stay)
    row = stays.stay(conn, stay)
    require_facility(ctx.actor, row.facility)
    return stay_view(conn, row)


def listed(
    conn: Connection,
    ctx: Context,
    *,
    after: str | None,
    limit: int,
    facility: str | None = None,
    person: str | None = None,
    open_only: bool = True,
) -> list[StayView]:
    """Stays in the order they were recorded; a facility's key sees its own."""
    if facility is not None:
        require_facility(ctx.actor, facility)
    found: list[StayView] = []
    while len(found) < limit:
        rows = stays.page(
            conn,
            after=after,
            limit=limit,
            facility=facility or facility_scope(ctx.actor),
            person=person,
            open_only=open_only,
        )
        unseen = hidden_stays(conn, ctx, rows)
        found += [stay_view(conn, row) for row in rows if row.id not in unseen]
        if len(rows) < limit:
            break
        after = rows[-1].id
    return found[:limit]
