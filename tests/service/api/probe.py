"""Routes that put the machinery of a call to the test, beside the real ones.

Their effect is an event: it is counted afterwards.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, func, select

from service import logs
from service.access.caller import Role
from service.access.scope import require_facility
from service.api.calls import Call, calling, resource
from service.api.paging import Page, Paging, page
from service.api.preconditions import ExpectedVersion, tagged
from service.app import create_app
from service.errors import Conflict, NotFound
from service.settings import Settings, load_settings
from service.store.events import append
from service.store.tables.core import event
from service.workflow.context import Context
from service.workflow.instants import AwareInstant
from service.workflow.versions import require_version

router = resource("probe")
Officer = Annotated[Call, calling(Role.INTAKE_OFFICER)]


class NewMark(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=50)]
    seconds: Annotated[float, Field(ge=0, le=5)] = 0
    at: AwareInstant | None = None


class Mark(BaseModel):
    seq: int
    text: str


def mark(conn: Connection, ctx: Context, text: str, seconds: float = 0) -> Mark:
    seq = append(conn, ctx.actor, "probe.marked", "probe", text)
    time.sleep(seconds)
    return Mark(seq=seq, text=text)


def mark_once_or_refuse(conn: Connection, ctx: Context, text: str) -> Mark:
    """Refuses while nothing else was marked; what it wrote before is undone."""
    others = conn.execute(select(func.count()).where(event.c.subject_id == "opens")).scalar_one()
    append(conn, ctx.actor, "probe.marked", "probe", text)
    if not others:
        raise Conflict("lost-race", "mark 'opens' first", candidates=["a", "b"])
    return Mark(seq=0, text=text)


def fail(conn: Connection, ctx: Context) -> Mark:
    append(conn, ctx.actor, "probe.marked", "probe", "failed")
    raise RuntimeError("the name of a patient")


def divide_in_sql(conn: Connection, ctx: Context, number: int) -> int:
    return int(conn.execute(select(func.int4(number))).scalar_one())


def missing(conn: Connection, ctx: Context) -> Mark:
    raise NotFound("no-such-path", "there is none")


@router.post("/probe/marks", status_code=201)
async def make_mark(body: NewMark, call: Officer) -> Mark:
    made = await call.write(mark, body.text, body.seconds)
    call.created(f"/api/v1/probe/marks/{made.seq}")
    tagged(call, 1)
    return made


@router.post("/probe/unkeyed-marks", status_code=201)
async def make_mark_without_key(
    body: NewMark, call: Annotated[Call, calling(Role.INTAKE_OFFICER, keyed=False)]
) -> Mark:
    return await call.write(mark, body.text, body.seconds)


@router.post("/probe/refusals")
async def refuse_or_mark(body: NewMark, call: Officer) -> Mark:
    return await call.write(mark_once_or_refuse, body.text)


@router.post("/probe/failures")
async def fail_inside(call: Officer) -> Mark:
    return await call.write(fail)


@router.post("/probe/missing")
async def find_nothing(call: Officer) -> Mark:
    return await call.write(missing)


@router.post("/probe/scoped/{facility_id}")
async def act_for_facility(
    facility_id: str,
    call: Annotated[Call, calling(Role.INTAKE_OFFICER, Role.FACILITY_ADMIN)],
) -> Mark:
    made = await call.write(mark, facility_id)
    require_facility(call.actor, facility_id)
    return made


@router.put("/probe/marks/{name}")
async def change_mark(name: str, version: ExpectedVersion, call: Officer) -> Mark:
    require_version(version, 3)
    made = await call.write(mark, name)
    tagged(call, 4)
    return made


@router.get("/probe/marks")
async def list_marks(
    asked: Paging, call: Officer, at_least: Annotated[int, Field(ge=0)] = 0
) -> Page[str]:
    names = [f"m{number:03}" for number in range(at_least, 120)]
    rows = [name for name in names if name > (asked.after or "")][: asked.fetch]
    return page(call, asked, rows, lambda name: name)


@router.get("/probe/numbers/{number}")
async def read_number(number: int, call: Officer) -> int:
    return await call.read(divide_in_sql, number)


@router.post("/probe/files", max_body_size=3_000_000)
async def take_file(
    call: Annotated[Call, calling(Role.INTAKE_OFFICER, keyed=False, accepts=("text/csv",))],
) -> int:
    return sum([len(part) async for part in call.request.stream()])


@router.get("/probe/ticks", response_class=StreamingResponse)
async def stream_ticks(call: Officer) -> StreamingResponse:
    async def ticks() -> AsyncIterator[bytes]:
        while True:
            yield b": tick\n\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(ticks(), media_type="text/event-stream")


def probed_app(settings: Settings) -> FastAPI:
    app = create_app(settings)
    app.router.routes.extend(router.routes)
    return app


def probed_app_from_environment() -> FastAPI:
    logs.configure()
    return probed_app(load_settings())
