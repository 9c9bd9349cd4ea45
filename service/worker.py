"""The worker: everything that happens without a caller. As many on as many machines as wanted.

    sequencer   gives committed events their positions; one leads, the others stand by
    clocks      lapses holds, ends proposals nobody answered, once each
    sealing     signs the log in batches
    purging     removes stored answers that nobody may ask for again
    planning    solves queued planning runs, each in a process of its own

Each part lives in a thread of its own with short transactions, so none waits for another; what
goes wrong in one round is logged and the next round tries again. ``serve --demo`` runs the same
worker beside the API.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from sqlalchemy import Connection, Engine

from service.commands.database import context_of
from service.planning_worker import PlanningWorker
from service.settings import Settings, load_keys
from service.store.engine import make_engine, run
from service.store.idempotency import purge
from service.store.seals import seal_next
from service.store.sequencer import Sequencer
from service.workflow.clocks import Lapsed, expire_proposals, lapse_holds
from service.workflow.context import Context

SEAL_EVERY_S: Final = 5.0
PURGE_EVERY_S: Final = 600.0
_STANDBY_S: Final = 0.5
_LOOK_S: Final = 0.2
"""How soon a stop is noticed, in seconds."""

_log = structlog.get_logger(__name__)

Round = Callable[[], object]


class Worker:
    """One worker over a running database. ``work`` ends soon after ``stop``."""

    def __init__(self, settings: Settings, *, planning: bool = True) -> None:
        """``planning=False`` leaves planning runs to other workers."""
        assert settings.database_url is not None, "the database is started before its worker"
        self._url = settings.database_url
        self._settings = settings
        self._ctx = context_of(settings)
        self._seal_key = load_keys(settings).seal
        self._planning = planning
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ask the worker to end; may be called from any thread or signal handler."""
        self._stop.set()

    async def work(self) -> None:
        """Work until ``stop``."""
        engine = make_engine(self._url, application_name="rehab-beds-worker")
        sequencer = Sequencer(engine, standby_s=_STANDBY_S)
        threads = [
            threading.Thread(target=sequencer.run, args=(self._stop,), name="sequencer"),
            self._every(
                "clocks", self._settings.clock_interval_s, lambda: run_clocks(engine, self._ctx)
            ),
            self._every("sealing", SEAL_EVERY_S, lambda: seal_all(engine, self._seal_key)),
            self._every("purging", PURGE_EVERY_S, lambda: run(engine, purge)),
        ]
        for thread in threads:
            thread.start()
        planner = asyncio.create_task(self._plan(engine)) if self._planning else None
        _log.info("worker_started", planning=self._planning)
        try:
            while not self._stop.is_set():
                await asyncio.sleep(_LOOK_S)
        finally:
            self._stop.set()
            if planner is not None:
                planner.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await planner
            for thread in threads:
                await asyncio.to_thread(thread.join)
            engine.dispose()
            _log.info("worker_stopped")

    async def _plan(self, engine: Engine) -> None:
        while True:
            planner = PlanningWorker(
                self._url,
                engine,
                self._ctx,
                limit_s=self._settings.solve_limit_s,
                concurrency=self._settings.worker_concurrency,
            )
            try:
                await planner.work()
            except Exception as error:
                # The queue's connection is gone, or a fault of ours: the rest must go on.
                _log.error("planning_worker_ended", error=type(error).__name__)
            await asyncio.sleep(1.0)

    def _every(self, name: str, seconds: float, one_round: Round) -> threading.Thread:
        return threading.Thread(target=self._repeat, args=(name, seconds, one_round), name=name)

    def _repeat(self, name: str, seconds: float, one_round: Round) -> None:
        while not self._stop.is_set():
            try:
                one_round()
            except Exception as error:
                # A clock that died in silence would keep beds from people for ever.
                _log.error("worker_round_failed", job=name, error=type(error).__name__)
            self._stop.wait(seconds)


def run_clocks(engine: Engine, ctx: Context) -> None:
    """Write everything that time has brought about by now."""
    jobs: tuple[Callable[[Connection, Context], Lapsed], ...] = (lapse_holds, expire_proposals)
    for job in jobs:
        while run(engine, job, ctx).more:
            pass


def seal_all(engine: Engine, key: bytes) -> None:
    """Seal every placed event that no seal covers yet."""
    while run(engine, seal_next, key):
        pass


def run_worker(settings: Settings) -> None:
    """Work in this process until SIGTERM or SIGINT; what is in hand is finished or left whole."""
    worker = Worker(settings)

    async def until_told() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        await worker.work()

    asyncio.run(until_told())


@contextmanager
def worker_beside(settings: Settings) -> Iterator[None]:
    """A worker in a thread of this process, for as long as the body runs."""
    worker = Worker(settings)
    thread = threading.Thread(target=lambda: asyncio.run(worker.work()), name="worker")
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join()
