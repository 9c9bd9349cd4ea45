"""Solves queued planning runs: takes a job, plans in a child process, stores what was found.

Runs on as many machines as wanted. A job may come twice and a worker may die in mid-solve: the
run's own row decides whether there is anything to do.
"""

import asyncio
from typing import Any, Final

import procrastinate
import structlog
from sqlalchemy import Engine

from service.access.caller import SYSTEM
from service.errors import ServiceError
from service.solving import SolveFailed, solve
from service.store.engine import database_url, run
from service.store.jobs import PLANNING_QUEUE, SOLVE_RUN
from service.store.postgres_errors import StoreError
from service.workflow.context import Context
from service.workflow.plans import planning_runs
from service.workflow.plans.planning_runs import TakenUp

SWEEP_EVERY_S: Final = 60.0
_log = structlog.get_logger(__name__)


class PlanningWorker:
    """One worker: give it an engine for its own transactions and the context it acts in."""

    def __init__(
        self, url: str, engine: Engine, ctx: Context, *, limit_s: float, concurrency: int = 1
    ) -> None:
        """``limit_s``: wall-clock seconds a solve may take before it is killed."""
        conninfo = database_url(url).set(drivername="postgresql")
        self._engine = engine
        self._frozen = engine.execution_options(isolation_level="REPEATABLE READ")
        self._ctx = Context(actor=SYSTEM, policy=ctx.policy, vault=ctx.vault)
        self._limit_s = limit_s
        self._concurrency = concurrency
        self._app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                conninfo=conninfo.render_as_string(hide_password=False), min_size=1, max_size=4
            )
        )
        self._app.task(name=SOLVE_RUN, queue=PLANNING_QUEUE)(self.solve_run)

    async def work(self) -> None:
        """Work until cancelled; a solve in hand is killed and its run stays for another worker."""
        async with self._app.open_async():
            sweeper = asyncio.create_task(self._sweep())
            try:
                await self._app.run_worker_async(
                    queues=[PLANNING_QUEUE],
                    concurrency=self._concurrency,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=2.0,
                    delete_jobs="successful",
                    shutdown_graceful_timeout=1.0,
                )
            finally:
                sweeper.cancel()

    async def solve_run(self, subject: str) -> None:
        """Solve one run if it still wants solving."""
        taken = await asyncio.to_thread(
            run, self._frozen, planning_runs.take_up, self._ctx, subject
        )
        if taken is None:
            return
        try:
            solved = await solve(taken.snapshot, seed=taken.seed, limit_s=self._limit_s)
        except SolveFailed as failed:
            _log.warning("planning_run_failed", run=subject, code=failed.code)
            await self._record(planning_runs.fail, taken, failed.code)
            return
        await self._record(planning_runs.finish, taken, solved.plan, solved.seconds)

    async def _record(self, use_case: Any, taken: TakenUp, *answer: Any) -> None:
        try:
            await asyncio.to_thread(run, self._engine, use_case, self._ctx, taken, *answer)
        except ServiceError as overtaken:
            _log.warning("planning_run_overtaken", run=taken.run, code=overtaken.code)

    async def _sweep(self) -> None:
        """Take up runs whose worker died or whose job was lost."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                lost = await asyncio.to_thread(
                    run, self._engine, planning_runs.abandoned_runs, self._ctx
                )
                for subject in lost:
                    await self.solve_run(subject)
            except (StoreError, ServiceError) as error:
                _log.warning("sweep_failed", error=type(error).__name__)
