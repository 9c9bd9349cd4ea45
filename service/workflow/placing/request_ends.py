"""How a placement request ends for a reason outside it: a death, a refusal, a word taken back."""

from datetime import datetime

from sqlalchemy import Connection

from service.lifecycle import RequestState
from service.store import requests
from service.workflow.context import Context
from service.workflow.placing.offers import keep_time
from service.workflow.placing.placement import release, settled
from service.workflow.placing.request_events import request_told


def end_live_request(
    conn: Connection, ctx: Context, person: str, to: RequestState, reason: str, now: datetime
) -> bool:
    """End the person's live request with a coded reason and free what was held or promised for it.

    The caller holds the person. Returns whether one was live.
    """
    live = requests.live_request(conn, person)
    if live is None:
        return False
    live = settled(conn, ctx, live, now)
    live = requests.step(conn, live, to, now=now, reason=reason)
    release(conn, ctx, live, to.value, now)
    keep_time(conn, ctx, live, now)
    request_told(conn, ctx, live, f"request.{to.value}", now)
    return True
