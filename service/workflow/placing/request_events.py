"""What the log says of a placement request: ids, its state, and what the use case adds."""

from datetime import datetime

from sqlalchemy import Connection

from service.store import events
from service.store.requests import RequestRow
from service.workflow.context import Context


def request_told(
    conn: Connection,
    ctx: Context,
    row: RequestRow,
    operation: str,
    now: datetime,
    **data: str | bool,
) -> None:
    """Write a request's event; it concerns no bed."""
    events.append(
        conn,
        ctx.actor,
        operation,
        "placement_request",
        row.id,
        person=row.person,
        data={"state": row.state.value, **data},
        occurred_at=now,
    )
