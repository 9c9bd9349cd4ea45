"""What one API process keeps current for all its requests: the log, the Network, the occupancy.

It also stands by as sequencer, so that a single process works alone; a worker looks more often
whether the lead is free and so takes it where there is one.
"""

import asyncio
import contextlib
import gc
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from service.api.occupancy_keeper import OccupancyKeeper
from service.api.state import State
from service.store.engine import make_engine
from service.store.event_reader import EventListener
from service.store.network_keeper import NetworkKeeper
from service.store.sequencer import Sequencer

NETWORK_EVERY_S: Final = 0.2
"""The Network is read again at most this often."""
STANDBY_S: Final = 2.0
_NAME: Final = "live"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Live:
    """The listener of this process and what follows it."""

    listener: EventListener
    network: NetworkKeeper
    occupancy: OccupancyKeeper


def live(state: State) -> Live:
    """What this process keeps current."""
    found: Live = state.shared[_NAME]
    return found


@asynccontextmanager
async def keeping(state: State) -> AsyncIterator[Live]:
    """Keep everything current while the application serves."""
    url = state.settings.database_url
    assert url is not None, "the application was made with a database address"
    engine = make_engine(url, application_name="rehab-beds-keepers", pool_size=3, max_overflow=0)
    here = Live(EventListener(url), NetworkKeeper(engine, state.policy), OccupancyKeeper(engine))
    state.shared[_NAME] = here
    stop = threading.Event()
    standby = threading.Thread(
        target=Sequencer(engine, standby_s=STANDBY_S).run, args=(stop,), name="sequencer"
    )
    for read_first in (here.network.refresh_async, here.occupancy.refresh):
        try:
            await read_first()
        except (DBAPIError, PoolTimeout) as error:
            # The process starts all the same and says 503 until the database is back.
            _log.warning("first_reading_failed", error=type(error).__name__)
    tasks = [
        asyncio.create_task(here.listener.run()),
        asyncio.create_task(here.occupancy.keep(here.listener)),
        asyncio.create_task(_keep_network(here)),
    ]
    standby.start()
    _leave_out_of_collections()
    try:
        with _sent_away_at_the_end(here):
            yield here
    finally:
        stop.set()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.to_thread(standby.join)
        await _all_returned(engine)
        engine.dispose()
        del state.shared[_NAME]


async def _all_returned(engine: Engine) -> None:
    """Wait for readings whose task was cancelled: they go on in their thread to their end."""
    assert isinstance(engine.pool, QueuePool)
    while engine.pool.checkedout():
        await asyncio.sleep(0.01)


def _leave_out_of_collections() -> None:
    """Take what was just read out of the garbage collector's rounds: with a city of 4,000 beds in
    its way each full round stops every request for a quarter of a second. What is no longer used
    is freed all the same. Only where the process is the server's own.
    """
    if threading.current_thread() is threading.main_thread():
        gc.collect()
        gc.freeze()


@contextmanager
def _sent_away_at_the_end(here: Live) -> Iterator[None]:
    """End open streams when the process is told to end.

    The server waits for every answer before it tells the application, so a stream would wait for
    an end that waits for the stream. Its own handlers run all the same, after this.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def end(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(here.listener.close)
        loop.call_soon_threadsafe(here.occupancy.close)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    taken = [number for number, handler in before.items() if callable(handler)]
    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


async def _keep_network(here: Live) -> None:
    while True:
        try:
            await here.network.refresh_async()
        except (DBAPIError, PoolTimeout) as error:
            _log.warning("network_not_read", error=type(error).__name__)
        await asyncio.sleep(NETWORK_EVERY_S)
        await here.listener.beyond(here.network.position, here.network.seconds_to_next_change())
