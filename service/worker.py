"""The worker: everything that happens without a caller. As many on as many machines as wanted.

    sequencer   gives committed events their positions; one leads, the others stand by
    clocks      lapses holds and leaves, ends proposals nobody answered and consents that ran
                out, tells of what is overdue, once each
    daily       judges everybody's place anew a minute into each legal day, and at the start
    sealing     signs the log in batches
    purging     removes stored answers that nobody may ask for again, and the snapshots of plans
                that were replaced long ago and that nobody asked for or decided on
    replanning  asks for a new plan when something happened that calls for one; one leads
    planning    solves queued planning runs, each in a process of its own

Each part lives in a thread of its own with short transactions, so none waits for another; what
goes wrong in one round is logged and the next round tries again. ``serve --demo`` runs the same
worker beside the API.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection, Engine

from service.commands.database import context_of
from service.planning_worker import PlanningWorker
from service.replanner import Replanner
from service.settings import Settings, load_keys
from service.store.engine import make_engine, run
from service.store.idempotency import purge
from service.store.seals import seal_next
from service.store.sequencer import Sequencer
from service.workflow.consent.withdrawals import expire_consents
from service.workflow.context import Context
from service.workflow.plans.superseding import FORGOTTEN_AT_ONCE, forget_replaced
from service.workflow.stays.leave_lapse import lapse_leaves
from service.workflow.watch.clocks import expire_proposals, lapse_holds
from service.workflow.watch.daily import judge_everybody, next_round
from service.workflow.watch.due_list import ring_overdue

SEAL_EVERY_S: Final = 5.0
PURGE_EVERY_S: Final = 600.0
DAILY_AGAIN_S: Final = 600.0
"""How soon a daily round that left something out is tried again."""
_STANDBY_S: Final = 0.5
_LOOK_S: Final = 0.2
"""How soon a stop is noticed, in seconds."""

_log = structlog.get_logger(__name__)

Round = Callable[[], object]


class _Done(Protocol):
    """What a clock's job answers."""

    @property
    def more(self) -> bool:
        """Whether another call has work."""


Job = Callable[[Connection, Context, frozenset[str]], tuple[bool, Collection[str]]]
"""One batch of a clock's work, rows named left out: whether there is more, and what failed."""


def _lapse_holds(
    conn: Connection, ctx: Context, skip: frozenset[str]
) -> tuple[bool, Collection[str]]:
    done = lapse_holds(conn, ctx, skip=skip)
    return done.more, done.failed


def _expire_proposals(
    conn: Connection, ctx: Context, skip: frozenset[str]
) -> tuple[bool, Collection[str]]:
    done = expire_proposals(conn, ctx, skip=skip)
    return done.more, done.failed


def _plain(job: Callable[[Connection, Context], _Done]) -> Job:
    """A job that ends its own run when a whole batch of it fails."""

    def batch(conn: Connection, ctx: Context, skip: frozenset[str]) -> tuple[bool, Collection[str]]:
        return job(conn, ctx).more, ()

    return batch


CLOCKS: Final[tuple[tuple[str, Job], ...]] = (
    ("holds", _lapse_holds),
    ("proposals", _expire_proposals),
    ("leaves", _plain(lapse_leaves)),
    ("consents", _plain(expire_consents)),
    ("overdue", _plain(ring_overdue)),
)
"""Everything that time brings about, in the order one round writes it."""


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
            threading.Thread(target=self._daily, args=(engine,), name="daily"),
            self._every("sealing", SEAL_EVERY_S, lambda: seal_all(engine, self._seal_key)),
            self._every("purging", PURGE_EVERY_S, lambda: purge_all(engine, self._ctx)),
        ]
        if self._ctx.policy.replanning.enabled:
            follow = Replanner(engine, self._ctx).run
            threads.append(threading.Thread(target=follow, args=(self._stop,), name="replanning"))
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

    def _daily(self, engine: Engine) -> None:
        while not self._stop.is_set():
            try:
                failed = judge_everybody(engine, self._ctx, self._stop.is_set)
            except Exception as error:
                _log.error("worker_round_failed", job="daily", error=type(error).__name__)
                failed = ("all",)
            following = next_round(datetime.now(UTC), self._ctx.policy.zone)
            wait = (following - datetime.now(UTC)).total_seconds()
            self._stop.wait(min(wait, DAILY_AGAIN_S) if failed else wait)

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
    """Write everything that time has brought about by now.

    A job that fails is logged and the others go on; a row that fails is left out for the rest of
    this run, so that whatever waits behind it is reached.
    """
    for name, job in CLOCKS:
        skip: frozenset[str] = frozenset()
        try:
            more = True
            while more:
                more, failed = run(engine, job, ctx, skip)
                skip |= frozenset(failed)
        except Exception as error:
            _log.error("worker_round_failed", job=name, error=type(error).__name__)


def purge_all(engine: Engine, ctx: Context) -> None:
    """Remove what is kept for a while only: stored answers, and the bulk of replaced plans."""
    run(engine, purge)
    while run(engine, forget_replaced, ctx) == FORGOTTEN_AT_ONCE:
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
