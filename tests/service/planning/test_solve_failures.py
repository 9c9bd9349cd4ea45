"""A solver that dies, overruns or answers nonsense: a reason, and never half a plan."""

import asyncio
import errno
import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from service import planning_worker
from service.lifecycle import RunState, RunTrigger, WorkState
from service.planning_worker import PlanningWorker
from service.store.engine import run
from service.store.network_keeper import NetworkKeeper
from service.store.postgres_errors import ServerGone
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.plans import planning_decisions, planning_runs, run_explanations
from service.workflow.plans.planning_decisions import ProposalShown
from solver.domain import Network
from solver.instance import plan_to_json
from tests.service.planning.test_superseding import Desk, without_one

_CLEAN = '{"format": "rehab-beds/plan", "version": 1, "plan": '


def impostor(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Let another program stand where the child process's Python is. Called as
    ``-m solver plan NETWORK --out PLAN --stats STATS``, so "$6" is the plan's file, "$8" the
    figures'; for ``explain NETWORK PLAN --out WHY`` "$7" is the answers'. A waiting one (``warm``)
    is told these words in a line."""
    program = folder / "impostor"
    words = "import json, shlex, sys; print(shlex.join(json.loads(sys.argv[1])))"
    program.write_text(
        "#!/bin/sh\n"
        'if [ "$3" = warm ]; then\n'
        "read -r line || exit 0\n"
        f'eval "set -- -m solver $({sys.executable} -c \'{words}\' "$line")"\n'
        "fi\n"
        f"{script}\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def worker(engine: Engine, ctx: Context, limit_s: float = 60.0) -> PlanningWorker:
    url = engine.url.render_as_string(hide_password=False)
    return PlanningWorker(url, engine, ctx, limit_s=limit_s)


FIGURES = """printf '{"seconds": {}}' > "$8";"""


@pytest.mark.parametrize(
    ("script", "limit_s", "code"),
    [
        ("kill -9 $$", 60.0, "died"),
        ("kill -TERM $$", 60.0, "died"),
        ("exit 1", 60.0, "died"),
        (f"{FIGURES} exit 0", 60.0, "died"),
        ("exec sleep 60", 0.3, "timed_out"),
        (f'{FIGURES} head -c 100 /dev/urandom > "$6"', 60.0, "unreadable"),
        (f"{FIGURES} printf '{_CLEAN}' > \"$6\"", 60.0, "unreadable"),
        (f'{FIGURES} : > "$6"', 60.0, "unreadable"),
        (f"{FIGURES} printf '[]' > \"$6\"", 60.0, "unreadable"),
        ('cp "$GIVEN" "$6"; printf \'[1]\' > "$8"', 60.0, "unreadable"),
        ('cp "$GIVEN" "$6"', 60.0, "unreadable"),
        (f'{FIGURES} cp "$GIVEN" "$6"', 60.0, "unclean"),
        (f'{FIGURES} cp "$GIVEN" "$6"; kill -9 $$', 60.0, "died"),
    ],
)
def test_a_run_whose_solver_fails_keeps_the_reason_and_the_standing_plan(
    ward: Engine,
    ctx: Context,
    proposals: list[ProposalShown],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    script: str,
    limit_s: float,
    code: str,
):
    """Whatever lies in the files: an older plan's moves, half of one, noise."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    given = tmp_path / "given.json"
    given.write_text(plan_to_json(without_one(Desk(ward, ctx).last)))
    impostor(monkeypatch, tmp_path, script.replace("$GIVEN", str(given)))
    asked = run(ward, planning_runs.request_run, ctx).id
    asyncio.run(worker(ward, ctx, limit_s).solve_run(asked))
    shown = run(ward, planning_runs.get_run, ctx, asked)
    assert (shown.state, shown.failure) == (RunState.FAILED, code)
    assert (shown.levels, shown.unplaced, shown.explained) == ((), (), None)
    assert shown.finished_at is not None
    assert run(ward, planning_decisions.list_proposals, ctx, asked) == []
    assert run(ward, planning_runs.get_run, ctx, proposals[0].run).state is RunState.SOLVED
    assert run(ward, planning_decisions.list_proposals, ctx, proposals[0].run) == proposals
    assert list(tmp_path.glob("rehab-beds-solve-*")) == []


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "no_space"), (errno.EDQUOT, "no_space"), (5, "died")]
)
def test_a_full_disk_fails_the_run_and_says_so(
    ward: Engine, ctx: Context, monkeypatch: pytest.MonkeyPatch, number: int, code: str
):
    def full(self: Path, data: bytes) -> int:
        raise OSError(number, "no")

    asked = run(ward, planning_runs.request_run, ctx).id
    monkeypatch.setattr(Path, "write_bytes", full)
    asyncio.run(worker(ward, ctx).solve_run(asked))
    shown = run(ward, planning_runs.get_run, ctx, asked)
    assert (shown.state, shown.failure) == (RunState.FAILED, code)


@pytest.mark.parametrize(
    ("script", "limit_s"),
    [
        ("kill -9 $$", 60.0),
        ("exit 0", 60.0),
        ("exec sleep 60", 0.3),
        ('printf \'{"placed": [\' > "$7"', 60.0),
        ("printf '[]' > \"$7\"", 60.0),
        ('printf \'{"placed": [{}], "unplaced": [], "left": []}\' > "$7"', 60.0),
        ('printf \'{"placed": []}\' > "$7"', 60.0),
    ],
)
def test_a_plan_stands_when_it_cannot_be_explained(
    ward: Engine,
    ctx: Context,
    proposals: list[ProposalShown],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    script: str,
    limit_s: float,
):
    impostor(monkeypatch, tmp_path, script)
    solver = worker(ward, ctx, limit_s)
    asyncio.run(solver.explain_run(proposals[0].run))
    asyncio.run(solver.weigh_run(proposals[0].run))
    shown = run(ward, planning_runs.get_run, ctx, proposals[0].run)
    assert shown.state is RunState.SOLVED
    assert (shown.explained, shown.worth_state) == (WorkState.FAILED, WorkState.FAILED)
    assert run(ward, planning_decisions.list_proposals, ctx, proposals[0].run) == proposals
    with ward.connect() as conn:
        kept = conn.execute(select(func.count()).select_from(core.plan_explanation)).scalar_one()
    assert kept == 0


def test_what_a_dead_worker_left_unexplained_is_found_again(
    ward: Engine, ctx: Context, proposals: list[ProposalShown]
):
    assert run(ward, run_explanations.abandoned_explanations, ctx) == []
    with ward.begin() as conn:
        back = func.clock_timestamp() - run_explanations.ABANDONED_AFTER
        conn.execute(core.planning_run.update().values(finished_at=back))
    assert run(ward, run_explanations.abandoned_explanations, ctx) == [proposals[0].run]


def test_a_superseded_plan_is_explained_to_nobody(
    ward: Engine, ctx: Context, proposals: list[ProposalShown], monkeypatch: pytest.MonkeyPatch
):
    desk = Desk(ward, ctx)
    desk.again(without_one(desk.last), RunTrigger.ASKED)
    monkeypatch.setattr(sys, "executable", "/nowhere")
    asyncio.run(worker(ward, ctx).explain_run(proposals[0].run))
    assert desk.run(proposals[0].run).explained is None


@pytest.mark.parametrize("gone", [OperationalError("SELECT", {}, Exception()), ServerGone("gone")])
def test_a_run_that_the_database_gave_no_answer_about_is_made_by_its_job_coming_again(
    ward: Engine, ctx: Context, monkeypatch: pytest.MonkeyPatch, gone: Exception
):
    """The network could not be read; the job is not used up by that."""
    monkeypatch.setattr(planning_worker, "RETRY_S", 0)
    solver, refresh = worker(ward, ctx), NetworkKeeper.refresh_async
    failed: list[Exception] = []

    async def once(keeper: NetworkKeeper) -> Network:
        if not failed:
            failed.append(gone)
            raise gone
        return await refresh(keeper)

    monkeypatch.setattr(NetworkKeeper, "refresh_async", once)
    asked = run(ward, planning_runs.request_run, ctx).id

    async def working() -> None:
        task = asyncio.create_task(solver.work())
        try:
            async with asyncio.timeout(60):
                while Desk(ward, ctx).run(asked).state in (RunState.QUEUED, RunState.RUNNING):
                    await asyncio.sleep(0.05)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    with capture_logs() as logs:
        asyncio.run(working())
    assert Desk(ward, ctx).run(asked).state is RunState.SOLVED
    (said,) = [it for it in logs if it["event"] == "planning_run_not_taken_up"]
    assert (said["run"], said["error"]) == (asked, type(gone).__name__)


def test_the_sweep_goes_on_whatever_one_run_dies_of(
    ward: Engine, ctx: Context, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(planning_worker, "SWEEP_EVERY_S", 0.01)
    first, second = (run(ward, planning_runs.request_run, ctx).id for _ in range(2))
    with ward.begin() as conn:
        back = func.clock_timestamp() - planning_runs.ABANDONED_AFTER - timedelta(minutes=1)
        conn.execute(core.planning_run.update().values(requested_at=back))
    tried: list[str] = []

    def dies(conn: Connection, ctx: Context, subject: str, network: Network) -> None:
        tried.append(subject)
        raise ZeroDivisionError("of a person's data")

    monkeypatch.setattr(planning_runs, "take_up", dies)

    async def sweeping() -> None:
        """Each job dies once; every further try is the sweep's."""
        task = asyncio.create_task(worker(ward, ctx).work())
        try:
            async with asyncio.timeout(30):
                while min(tried.count(first), tried.count(second)) < 4:
                    await asyncio.sleep(0.01)
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    with capture_logs() as logs:
        asyncio.run(sweeping())
    assert {it["error"] for it in logs if it["event"] == "sweep_failed"} == {"ZeroDivisionError"}
    assert "person's" not in str(logs)


def test_what_one_more_bed_would_buy_is_kept_with_the_run(
    ward: Engine,
    ctx: Context,
    proposals: list[ProposalShown],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    document = {"placed": [], "unplaced": [], "left": [], "worth": {"beds": [{"gain": 3}]}}
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps(document))
    impostor(monkeypatch, tmp_path, f'cp "{answer}" "$7"')
    asyncio.run(worker(ward, ctx).weigh_run(proposals[0].run))
    found = run(ward, run_explanations.get_worth, ctx, proposals[0].run)
    assert found.worth == {"beds": [{"gain": 3}]}
