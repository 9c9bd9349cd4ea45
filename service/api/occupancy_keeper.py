"""The occupancy of one process, kept as bytes: polls and streams never touch the database.

One reading at most every ``REBUILD_S``, when the log moved, when time alone changes a number, and
every ``LOOK_S`` in any case. A body holds instants and no ages and nothing of the process that
made it, so processes that read the same state agree on its content hash, which is its ETag and
the id of its SSE event. Numbers that could not be read for ``FAIL_CLOSED_S`` are not shown at all.
"""

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

import structlog
from pydantic import TypeAdapter
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.api import occupancy_views as views
from service.api.occupancy_views import CityOccupancy, FacilityOccupancy, View
from service.errors import Unavailable
from service.store.event_reader import EventListener
from service.workflow.inventory.occupancy import Measured, Occupancy, measure

REBUILD_S: Final = 0.25
LOOK_S: Final = 5.0
FAIL_CLOSED_S: Final = 15.0

Resource = tuple[Literal["city", "facility", "unit"], str]
CITY: Final[Resource] = ("city", "")

_BODY: Final = TypeAdapter[CityOccupancy | FacilityOccupancy | Occupancy](
    CityOccupancy | FacilityOccupancy | Occupancy
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it is sent. ``hash`` is of the bytes alone; ``frame`` is the same as SSE event."""

    content: bytes
    hash: str
    frame: bytes

    @property
    def etag(self) -> str:
        """The strong ETag."""
        return f'"{self.hash}"'


@dataclass(slots=True)
class Snapshot:
    """One reading and the bodies made from it so far, by who sees what. ``asked``: the keys of
    bodies that somebody asked for while this was the newest snapshot."""

    measured: Measured
    bodies: dict[tuple[View, Resource], Body] = field(default_factory=dict)
    asked: set[tuple[View, Resource]] = field(default_factory=set)

    def body(self, view: View, resource: Resource) -> Body | None:
        """The body for these callers if it is made."""
        key = (view, resource)
        if key in self.bodies:
            self.asked.add(key)
        return self.bodies.get(key)

    def prepare(self, view: View, resource: Resource) -> None:
        """Make the body unless it is made or there is none."""
        key = (view, resource)
        if key not in self.bodies:
            made = _body(self.measured, view, resource)
            if made is not None:
                self.bodies[key] = made


class OccupancyKeeper:
    """Keeps the newest snapshot and wakes whoever waits for the next one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="REPEATABLE READ")
        self._snapshot: Snapshot | None = None
        self._read_at = -FAIL_CLOSED_S
        self._newer = asyncio.Event()
        self.closed = False

    def close(self) -> None:
        """Send every listener away at once, because the process ends."""
        self.closed = True
        self._newer.set()

    def snapshot(self) -> Snapshot:
        """The newest snapshot.

        Raises:
            Unavailable: the numbers are older than ``FAIL_CLOSED_S``.
        """
        if self._snapshot is None or time.monotonic() - self._read_at > FAIL_CLOSED_S:
            raise Unavailable(
                "occupancy-unavailable",
                "the occupancy cannot be read now, and old numbers are not shown as new ones; "
                "try again in a moment",
                headers={"Retry-After": "2"},
            )
        return self._snapshot

    async def body(self, view: View, resource: Resource) -> Body | None:
        """The newest body for these callers, made in a thread if it is the first of its kind;
        None where there is nothing that they may see. Raises Unavailable as ``snapshot``."""
        snapshot = self.snapshot()
        if (view, resource) not in snapshot.bodies:
            await asyncio.to_thread(snapshot.prepare, view, resource)
        return snapshot.body(view, resource)

    async def newer(self, timeout_s: float) -> None:
        """Wait for a snapshot newer than the present one, or for ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._newer.wait()
        except TimeoutError:
            pass

    async def refresh(self) -> None:
        """Read once, in a thread, and take the new snapshot if anything differs."""
        began = time.monotonic()
        fresh = await asyncio.to_thread(self._read)
        self._read_at = began
        if fresh is not self._snapshot:
            self._snapshot = fresh
            waiting, self._newer = self._newer, asyncio.Event()
            waiting.set()

    async def keep(self, listener: EventListener) -> None:
        """Follow the log until cancelled."""
        while True:
            began = time.monotonic()
            try:
                await self.refresh()
            except (DBAPIError, PoolTimeout) as error:
                _log.warning("occupancy_not_read", error=type(error).__name__)
            await asyncio.sleep(max(0.0, began + REBUILD_S - time.monotonic()))
            known = self._snapshot
            await listener.beyond(
                known.measured.position if known is not None else 0, self._patience()
            )

    def _patience(self) -> float:
        """How long the present numbers stand if nothing happens, in seconds."""
        turns = self._snapshot.measured.next_change_at if self._snapshot is not None else None
        if turns is None:
            return LOOK_S
        return min(LOOK_S, max(0.0, (turns - datetime.now(UTC)).total_seconds()))

    def _read(self) -> Snapshot:
        with self._engine.connect() as conn:
            measured = measure(conn)
        old = self._snapshot
        if old is None:
            return Snapshot(measured)
        if (old.measured.facilities, old.measured.units, old.measured.waiting) == (
            measured.facilities,
            measured.units,
            measured.waiting,
        ):
            old.measured = measured
            return old
        fresh = Snapshot(measured)
        for view, resource in list(old.bodies):
            # Whoever polls finds the new bytes made, here and not on the event loop.
            if resource == CITY or (view, resource) in old.asked:
                fresh.prepare(view, resource)
        return fresh


def _body(measured: Measured, view: View, resource: Resource) -> Body | None:
    kind, id_ = resource
    shown: CityOccupancy | FacilityOccupancy | Occupancy | None
    match kind:
        case "city":
            shown = views.city(measured, view)
        case "facility":
            shown = views.facility(measured, view, id_)
        case "unit":
            shown = views.unit(measured, view, id_)
    if shown is None:
        return None
    content = _BODY.dump_json(shown)
    digest = hashlib.sha256(content).hexdigest()[:32]
    return Body(content, digest, b"id: %b\nevent: occupancy\ndata: %b\n\n" % (
        digest.encode(), content,
    ))  # fmt: skip
