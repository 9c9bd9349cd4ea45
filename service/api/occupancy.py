"""Occupancy for polls and for listeners: the same bytes, from memory, by who may see what."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Header, Response
from fastapi.responses import StreamingResponse

from service.access.caller import Role
from service.access.scope import require_facility
from service.api.calls import ALL_ROLES, Call, PollRoute, calling, resource
from service.api.live import live
from service.api.occupancy_keeper import CITY, Body, OccupancyKeeper, Resource
from service.api.occupancy_views import CityOccupancy, FacilityOccupancy, View, view_of
from service.errors import NotFound, ServiceError
from service.workflow.inventory.occupancy import Occupancy

HEARTBEAT_S: Final = 15.0
STREAM_LIFE_S: Final = 600.0
"""After this a listener is sent away and comes back with its last id: no stream grows old."""
RETRY_MS: Final = 2000

router = resource("occupancy")
polls = resource("occupancy", PollRoute)

Anybody = Annotated[Call, calling(*ALL_ROLES)]
UnitReader = Annotated[Call, calling(*(role for role in ALL_ROLES if role is not Role.DASHBOARD))]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match")]
LastEventId = Annotated[str | None, Header(alias="Last-Event-ID")]

_UNCHANGED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "Nothing has changed since the ETag sent in If-None-Match."}
}
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
        "description": "Server-sent events; the id of each is the content hash of its data.",
    }
}


@polls.get("/occupancy", response_model=CityOccupancy, responses=_UNCHANGED)
async def get_occupancy(call: Anybody, if_none_match: IfNoneMatch = None) -> Response:
    """The city: the ladder, by sex and bed kind, facility by facility, and who waits by grade."""
    return await _answer(call, CITY, if_none_match)


@router.get("/occupancy/stream", response_class=StreamingResponse, responses=_STREAM)
async def stream_occupancy(call: Anybody, last_event_id: LastEventId = None) -> StreamingResponse:
    """The city again whenever it changes, the latest state only, at most four times a second.

    With ``Last-Event-ID`` of the present state nothing is sent until it changes. Comments carry
    the server's time, so a silent line is told from a quiet one.
    """
    keeper = live(call.state).occupancy
    keeper.snapshot()
    return StreamingResponse(
        _frames(call, keeper, view_of(call.actor), last_event_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@polls.get(
    "/occupancy/facilities/{facility_id}", response_model=FacilityOccupancy, responses=_UNCHANGED
)
async def get_facility_occupancy(
    facility_id: str, call: Anybody, if_none_match: IfNoneMatch = None
) -> Response:
    """One facility and its units."""
    require_facility(call.actor, facility_id)
    return await _answer(call, ("facility", facility_id), if_none_match)


@polls.get("/occupancy/units/{unit_id}", response_model=Occupancy, responses=_UNCHANGED)
async def get_unit_occupancy(
    unit_id: str, call: UnitReader, if_none_match: IfNoneMatch = None
) -> Response:
    """One unit. Not for dashboards: a unit's numbers are too small to hide its people."""
    return await _answer(call, ("unit", unit_id), if_none_match)


router.routes.extend(polls.routes)


async def _answer(call: Call, asked: Resource, if_none_match: str | None) -> Response:
    body = await live(call.state).occupancy.body(view_of(call.actor), asked)
    if body is None:
        kind, id_ = asked
        raise NotFound(f"{kind}-not-found", f"there is no {kind} {id_} that this key may see")
    headers = {"ETag": body.etag, "Cache-Control": "no-cache", "Vary": "Authorization"}
    if if_none_match is not None and _matches(if_none_match, body):
        return Response(status_code=304, headers=headers)
    return Response(body.content, media_type="application/json", headers=headers)


def _matches(if_none_match: str, body: Body) -> bool:
    """Whether one of the caller's ETags is the present one, compared weakly (RFC 9110 13.1.2)."""
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return if_none_match.strip() == "*" or body.etag in tags


async def _frames(
    call: Call, keeper: OccupancyKeeper, view: View, sent: str | None
) -> AsyncIterator[bytes]:
    """Frames until the stream's life or the process is over, the key is revoked, or the numbers
    grew old."""
    ends = datetime.now(UTC).timestamp() + STREAM_LIFE_S
    yield b"retry: %d\n\n" % RETRY_MS
    while datetime.now(UTC).timestamp() < ends and not keeper.closed:
        try:
            await call.check_key()
            body = await keeper.body(view, CITY)
        except ServiceError:
            return
        if body is not None and body.hash != sent:
            yield body.frame
            sent = body.hash
        else:
            yield b": %b\n\n" % datetime.now(UTC).isoformat(timespec="seconds").encode()
        await keeper.newer(HEARTBEAT_S)
