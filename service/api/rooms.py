"""Rooms of a unit: read, enter, change, retire."""

from typing import Annotated

from fastapi import Query, status

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.facilities import PLACE_READERS
from service.api.paging import Page, Paging, page
from service.api.preconditions import ExpectedVersion, tagged
from service.workflow.inventory import rooms
from service.workflow.inventory.place_fields import NewRoom, PlaceId, RoomChange, RoomRecord
from service.workflow.inventory.places import Retired

router = resource("rooms")

Reader = Annotated[Call, calling(*PLACE_READERS)]
Admin = Annotated[Call, calling(Role.FACILITY_ADMIN, Role.COORDINATOR)]


@router.get("/rooms")
async def list_rooms(
    call: Reader,
    asked: Paging,
    unit: Annotated[PlaceId | None, Query()] = None,
    retired: bool = False,
) -> Page[RoomRecord]:
    """Rooms by id, of one unit if named."""
    rows = await call.read(
        rooms.list_rooms, limit=asked.fetch, after=asked.after, unit_id=unit, retired=retired
    )
    return page(call, asked, rows, lambda it: it.id)


@router.post("/rooms", status_code=status.HTTP_201_CREATED)
async def create_room(body: NewRoom, call: Admin) -> RoomRecord:
    """Enter a room of a unit."""
    made = await call.write(rooms.create_room, body)
    call.created(f"/api/v1/rooms/{made.id}")
    tagged(call, made.version)
    return made


@router.get("/rooms/{room_id}")
async def get_room(room_id: str, call: Reader) -> RoomRecord:
    """One room."""
    found = await call.read(rooms.get_room, room_id)
    tagged(call, found.version)
    return found


@router.patch("/rooms/{room_id}")
async def change_room(
    room_id: str, body: RoomChange, version: ExpectedVersion, call: Admin
) -> RoomRecord:
    """Change what is recorded of a room; members not given stay."""
    changed = await call.write(rooms.change_room, room_id, body, version=version)
    tagged(call, changed.version)
    return changed


@router.delete("/rooms/{room_id}")
async def retire_room(room_id: str, version: ExpectedVersion, call: Admin) -> Retired:
    """Close a room for good, with its beds; its history stays."""
    return await call.write(rooms.retire_room, room_id, version=version)
