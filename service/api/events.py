"""The event log for readers: what happened, by position, in pages or as it happens."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Header, Query
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter
from sqlalchemy import Connection

from service.access.caller import Role
from service.access.scope import facility_scope
from service.api.calls import Call, calling, resource
from service.api.live import keeping, live
from service.api.occupancy import HEARTBEAT_S, RETRY_MS, STREAM_LIFE_S
from service.api.state import State
from service.errors import Invalid, ServiceError
from service.store.event_reader import LoggedEvent, last_position, read_since
from service.store.postgres_errors import StoreError
from service.workflow.context import Context

BATCH: Final = 200
_LARGEST: Final = 2**63 - 1

router = resource("events")

Reader = Annotated[
    Call, calling(Role.AUDITOR, Role.COORDINATOR, Role.FACILITY_ADMIN, Role.INTEGRATION)
]
After = Annotated[int | None, Query(ge=0, le=_LARGEST, description="The last position you have.")]


@dataclass(frozen=True, slots=True)
class EventShown:
    """One event: an operation code and ids, no clinical or legal value, no name.

    ``pos`` has no holes in the whole log; a key of one facility sees that facility's events only.
    """

    pos: int
    operation: str
    subject_type: str
    subject_id: str
    person: str | None
    bed: str | None
    unit: str | None
    facility: str | None
    actor: str
    data: dict[str, Any]
    occurred_at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events after a position. ``last``: ask again with ``after`` this; nothing between the two
    is missing. ``end``: the log's newest position when this was read."""

    items: list[EventShown]
    last: int
    end: int


_SHOWN: Final = TypeAdapter(EventShown)


@asynccontextmanager
async def serving(state: State) -> AsyncIterator[None]:
    """Keep this process's view of the log, the network and the occupancy current."""
    async with keeping(state):
        yield


@router.get("/events")
async def list_events(
    call: Reader, after: After = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> EventPage:
    """Events after a position, oldest first."""
    return await call.read(_page, after or 0, limit)


@router.get(
    "/events/stream",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "Server-sent events; the id of each is its position.",
        }
    },
)
async def stream_events(
    call: Reader,
    after: After = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> StreamingResponse:
    """Events as they happen, from after ``Last-Event-ID`` or ``after``, else from now on."""
    start = _position(last_event_id)
    if start is None:
        start = after
    if start is None:
        start = (await call.read(_page, _LARGEST, 1)).end
    return StreamingResponse(
        _frames(call, start),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _page(conn: Connection, ctx: Context, after: int, limit: int) -> EventPage:
    # The end is read first: events that come in between are then found by the next page.
    end = last_position(conn)
    scope = facility_scope(ctx.actor)
    found = [_shown(it) for it in read_since(conn, after, limit, facility=scope)]
    whole = len(found) < limit
    last = max(after if after != _LARGEST else 0, end) if whole else after
    return EventPage(found, max([last, *(it.pos for it in found)]), end)


def _shown(event: LoggedEvent) -> EventShown:
    assert event.pos is not None, "only placed events are read"
    return EventShown(
        pos=event.pos,
        operation=event.operation,
        subject_type=event.subject_type,
        subject_id=event.subject_id,
        person=event.person_id,
        bed=event.bed_id,
        unit=event.unit_id,
        facility=event.facility_id,
        actor=event.actor,
        data=event.data,
        occurred_at=event.occurred_at.astimezone(UTC),
        recorded_at=event.recorded_at.astimezone(UTC),
    )


def _position(last_event_id: str | None) -> int | None:
    if last_event_id is None or last_event_id == "":
        return None
    if not last_event_id.isdecimal() or len(last_event_id) > 18:
        raise Invalid.field(
            "header/Last-Event-ID",
            "bad-position",
            "send the id of the last event you have, a whole number, or leave the header out",
            last_event_id[:60],
        )
    return int(last_event_id)


async def _frames(call: Call, position: int) -> AsyncIterator[bytes]:
    """Frames until the stream's life or the process is over, the key is revoked, or the log cannot
    be read."""
    listener = live(call.state).listener
    ends = datetime.now(UTC).timestamp() + STREAM_LIFE_S
    yield b"retry: %d\n\n" % RETRY_MS
    while datetime.now(UTC).timestamp() < ends and not listener.closed:
        try:
            await call.check_key()
            page = await call.read(_page, position, BATCH)
        except (ServiceError, StoreError):
            return
        if page.items:
            yield _encoded(page.items)
        else:
            yield b": %b\n\n" % datetime.now(UTC).isoformat(timespec="seconds").encode()
        position = max(position, page.last)
        if len(page.items) < BATCH:
            await listener.beyond(position, HEARTBEAT_S)


def _encoded(events: Sequence[EventShown]) -> bytes:
    return b"".join(
        b"id: %d\nevent: %b\ndata: %b\n\n" % (it.pos, it.operation.encode(), _SHOWN.dump_json(it))
        for it in events
    )
