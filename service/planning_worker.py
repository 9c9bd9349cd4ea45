"""Solves queued planning runs and scenarios: takes a job, plans in a child process, stores what
was found. A plan is explained after it is stored, and what one more bed would buy comes last.

Runs on as many machines as wanted. A job may come twice and a worker may die in mid-solve: the
own row of what is asked decides whether there is anything to do.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

import procrastinate
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from service.access.caller import SYSTEM
from service.errors import ServiceError
from service.solver_process import SolveFailed, WarmSolver
from service.solving import answer, explain, solve, weigh
from service.store.engine import database_url, run
from service.store.jobs import (
    EXPLAIN_RUN,
    EXPLAINING_QUEUE,
    PLANNING_QUEUE,
    SCENARIO_QUEUE,
    SOLVE_RUN,
    SOLVE_SCENARIOS,
    WEIGH_RUN,
    WEIGHING_QUEUE,
)
from service.store.network_keeper import NetworkKeeper
from service.store.postgres_errors import StoreError
from service.workflow.context import Context
from service.workflow.plans import planning_runs, run_explanations, scenarios
from service.workflow.plans.planning_runs import TakenUp
from service.workflow.plans.run_explanations import ToExplain
from service.workflow.plans.scenarios import ScenariosTaken

SWEEP_EVERY_S: Final = 60.0
TRIES: Final = 10
RETRY_S: Final = 2
"""How often, and how far apart, a job comes again whose run could not be taken up."""
CONNECTIONS: Final = 8
"""To the queues: each listens on one. All are opened before any work, so that an early end leaves
none half open."""
_log = structlog.get_logger(__name__)
T = TypeVar("T")


class NotTakenUp(Exception):
    """The database gave a run no answer; the run is queued as it was and the job comes again."""


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
        self._warm = WarmSolver()
        self._keeper = NetworkKeeper(engine, ctx.policy)
        self._app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                conninfo=conninfo.render_as_string(hide_password=False),
                min_size=CONNECTIONS,
                max_size=CONNECTIONS,
            )
        )
        again = procrastinate.RetryStrategy(
            max_attempts=TRIES, wait=RETRY_S, retry_exceptions=[NotTakenUp]
        )
        self._app.task(name=SOLVE_RUN, queue=PLANNING_QUEUE, retry=again)(self.solve_run)
        self._app.task(name=SOLVE_SCENARIOS, queue=SCENARIO_QUEUE)(self.solve_scenarios)
        self._app.task(name=EXPLAIN_RUN, queue=EXPLAINING_QUEUE)(self.explain_run)
        self._app.task(name=WEIGH_RUN, queue=WEIGHING_QUEUE)(self.weigh_run)

    async def work(self) -> None:
        """Work until cancelled; a solve in hand is killed and its run stays for another worker."""
        await self._warm.prepare()
        async with self._app.open_async():
            sweeper = asyncio.create_task(self._sweep())
            try:
                async with asyncio.TaskGroup() as all_queues:
                    all_queues.create_task(self._serve(PLANNING_QUEUE, self._concurrency))
                    for queue in (SCENARIO_QUEUE, EXPLAINING_QUEUE, WEIGHING_QUEUE):
                        all_queues.create_task(self._serve(queue, 1))
            finally:
                sweeper.cancel()
                await self._warm.close()

    async def _serve(self, queue: str, concurrency: int) -> None:
        await self._app.run_worker_async(
            queues=[queue],
            concurrency=concurrency,
            install_signal_handlers=False,
            fetch_job_polling_interval=2.0,
            delete_jobs="successful",
            shutdown_graceful_timeout=1.0,
        )

    async def solve_run(self, subject: str) -> None:
        """Solve one run if it still wants solving.

        Raises:
            NotTakenUp: it could not be asked whether it does.
        """
        try:
            network = await self._keeper.refresh_async()
            taken = await asyncio.to_thread(
                run, self._frozen, planning_runs.take_up, self._ctx, subject, network
            )
        except (SQLAlchemyError, StoreError) as error:
            _log.warning("planning_run_not_taken_up", run=subject, error=type(error).__name__)
            raise NotTakenUp(subject) from None
        if taken is None:
            return
        try:
            solved = await solve(
                taken.snapshot,
                seed=taken.seed,
                limit_s=self._limit_s,
                last=taken.last,
                previous=taken.previous,
                network=taken.network,
                runner=self._warm,
            )
        except SolveFailed as failed:
            _log.warning("planning_run_failed", run=subject, code=failed.code)
            await self._record(planning_runs.fail, taken, failed.code)
            return
        found = solved.plan, solved.seconds, solved.changes
        await self._record(planning_runs.finish, taken, *found)

    async def explain_run(self, subject: str) -> None:
        """Explain a plan that still counts; it stands whether this works or not."""
        taken = await self._to_explain(subject)
        if taken is None:
            return
        try:
            found = await explain(taken.snapshot, taken.plan, limit_s=self._limit_s)
            await self._keep(run_explanations.store_explanations, subject, found)
        except SolveFailed as failed:
            _log.warning("run_not_explained", run=subject, code=failed.code)
            await self._keep(run_explanations.fail_explanations, subject)
        except DBAPIError as unfit:
            # Answers about somebody the database does not know are no answers.
            _log.error("run_not_explained", run=subject, error=type(unfit).__name__)
            await self._keep(run_explanations.fail_explanations, subject)

    async def weigh_run(self, subject: str) -> None:
        """Say what one more of each would buy to a plan that still counts."""
        taken = await self._to_explain(subject)
        if taken is None:
            return
        try:
            found = await weigh(taken.snapshot, taken.plan, limit_s=self._limit_s)
        except SolveFailed as failed:
            _log.warning("run_not_weighed", run=subject, code=failed.code)
            await self._keep(run_explanations.fail_worth, subject)
            return
        await self._keep(run_explanations.store_worth, subject, found)

    async def _to_explain(self, subject: str) -> ToExplain | None:
        return await asyncio.to_thread(
            run, self._engine, run_explanations.take_up, self._ctx, subject
        )

    async def _keep(self, use_case: Any, subject: str, *found: Any) -> None:
        await asyncio.to_thread(run, self._engine, use_case, self._ctx, subject, *found)

    async def solve_scenarios(self, subject: str) -> None:
        """Answer scenarios that were asked about together, if they still want an answer."""
        taken = await asyncio.to_thread(run, self._frozen, scenarios.take_up, self._ctx, subject)
        if taken is None:
            return
        try:
            found = await answer(
                taken.snapshot, taken.scenarios, seed=taken.seed, limit_s=self._limit_s
            )
        except SolveFailed as failed:
            _log.warning("scenarios_failed", run=subject, code=failed.code)
            await self._record(scenarios.fail, taken, failed.code)
            return
        await self._record(scenarios.finish, taken, found)

    async def _record(self, use_case: Any, taken: TakenUp | ScenariosTaken, *found: Any) -> None:
        try:
            await asyncio.to_thread(run, self._engine, use_case, self._ctx, taken, *found)
        except ServiceError as overtaken:
            _log.warning("planning_run_overtaken", run=taken.run, code=overtaken.code)

    async def _sweep(self) -> None:
        """Take up what a worker died over or whose job was lost."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            for left, work in (
                (planning_runs.abandoned_runs, self.solve_run),
                (scenarios.abandoned_scenarios, self.solve_scenarios),
                (run_explanations.abandoned_explanations, self.explain_run),
                (run_explanations.abandoned_explanations, self.weigh_run),
            ):
                found = asyncio.to_thread(run, self._engine, left, self._ctx)
                for subject in await _unless_it_fails(found) or ():
                    await _unless_it_fails(work(subject))


async def _unless_it_fails(work: Awaitable[T]) -> T | None:
    """What the work gives, or None: whatever one piece of the sweep dies of, the sweep goes on."""
    try:
        return await work
    except Exception as error:
        _log.warning("sweep_failed", error=type(error).__name__)
        return None
