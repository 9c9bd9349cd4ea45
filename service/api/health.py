"""Is the process alive, is it ready, how has it fared: for whoever keeps it running."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Gauge,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from pydantic import BaseModel
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from service.api.state import State
from service.errors import ServiceError, Unavailable
from service.store import schema
from service.store.due import overdue_count
from service.store.engine import now, run_async

MULTIPROCESS_DIR: Final = "PROMETHEUS_MULTIPROC_DIR"

router = APIRouter(tags=["operation"], generate_unique_id_function=lambda route: route.name)


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"]


class Ready(BaseModel):
    """The process can do its work."""

    status: Literal["ready"]
    schema_revision: str


@asynccontextmanager
async def serving(state: State) -> AsyncIterator[None]:
    """Keep the keyring fresh; know which revision of the schema this code is written for."""
    state.shared["schema_heads"] = await asyncio.to_thread(schema.heads)
    await state.keyring.refresh()
    stop = asyncio.Event()
    task = asyncio.create_task(state.keyring.keep_fresh(stop))
    try:
        yield
    finally:
        stop.set()
        await task


@router.get("/livez")
async def livez() -> Alive:
    """The process answers; it asks nothing of the database."""
    return Alive(status="alive")


@router.get("/readyz", responses={503: {"$ref": "#/components/responses/Problem503"}})
async def readyz(request: Request) -> Ready:
    """The database answers, its schema is the one this code is written for, keys can be checked."""
    state: State = request.app.state.service
    found = await run_async(state.engine, _revisions)
    wanted = state.shared["schema_heads"]
    if found != wanted:
        raise _not_ready(
            "schema-not-current",
            f"the database is at revision {_listed(found)}, this service needs {_listed(wanted)}; "
            "run 'rehab-beds migrate'",
        )
    if not state.keyring.fresh:
        raise _not_ready("keys-unavailable", "keys could not be read lately")
    return Ready(status="ready", schema_revision=_listed(found))


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Prometheus' text format, over all processes that serve together, and how many clocks are
    overdue in the network, where the database says so."""
    registry = REGISTRY
    if MULTIPROCESS_DIR in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(
        generate_latest(registry) + await _overdue(request.app.state.service),
        media_type=CONTENT_TYPE_LATEST,
    )


async def _overdue(state: State) -> bytes:
    """The gauge of overdue clocks; nothing while the database does not answer."""
    try:
        count = await run_async(state.engine, _overdue_now)
    except (ServiceError, SQLAlchemyError):
        return b""
    registry = CollectorRegistry()
    Gauge("rehab_overdue_clocks", "Running clocks whose hour has passed", registry=registry).set(
        count
    )
    return generate_latest(registry)


def _overdue_now(conn: Connection) -> int:
    return overdue_count(conn, now(conn))


def _revisions(conn: Connection) -> tuple[str, ...]:
    return schema.current(conn)


def _listed(revisions: tuple[str, ...]) -> str:
    return ", ".join(revisions) or "none"


def _not_ready(code: str, detail: str) -> Unavailable:
    members: dict[str, Any] = {"headers": {"Retry-After": "2"}}
    return Unavailable(code, detail, **members)
