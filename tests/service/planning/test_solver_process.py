"""A solver that has loaded and waits: started before it is asked, replaced when it is gone."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from service.solver_process import SolveFailed, WarmSolver
from solver.instance import network_to_json, plan_from_json
from tests.service.planning.full_ward import full_ward


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, Path]:
    """A network's file, and where its plan is to be."""
    network = tmp_path / "network.json"
    network.write_text(network_to_json(full_ward()))
    return str(network), tmp_path / "plan.json"


def with_warm(scene: Callable[[WarmSolver], Coroutine[Any, Any, None]]) -> None:
    async def play() -> None:
        warm = WarmSolver()
        try:
            await scene(warm)
        finally:
            await warm.close()

    asyncio.run(play())


def pid_of_waiting(warm: WarmSolver) -> int:
    assert warm.waiting is not None
    return warm.waiting


def test_a_waiting_solver_plans_and_another_waits_after_it(files: tuple[str, Path]):
    network, out = files

    async def scene(warm: WarmSolver) -> None:
        await warm.prepare()
        first = pid_of_waiting(warm)
        await warm("plan", network, "--out", str(out), limit_s=60)
        assert plan_from_json(out.read_text()).moves
        assert pid_of_waiting(warm) != first

    with_warm(scene)


def test_a_solver_that_died_while_it_waited_is_not_missed(files: tuple[str, Path]):
    network, out = files

    async def scene(warm: WarmSolver) -> None:
        await warm.prepare()
        os.kill(pid_of_waiting(warm), signal.SIGKILL)
        await asyncio.sleep(0.2)
        await warm("plan", network, "--out", str(out), limit_s=60)
        assert plan_from_json(out.read_text()).moves

    with_warm(scene)


def test_a_command_that_fails_or_overruns_says_so_and_the_next_works(files: tuple[str, Path]):
    network, out = files

    async def scene(warm: WarmSolver) -> None:
        with pytest.raises(SolveFailed) as failed:
            await warm("plan", "no-such-file.json", "--out", str(out), limit_s=60)
        assert failed.value.code == "died"
        with pytest.raises(SolveFailed) as late:
            await warm("plan", network, "--out", str(out), limit_s=0.001)
        assert late.value.code == "timed_out"
        await warm("plan", network, "--out", str(out), limit_s=60)
        assert out.exists()

    with_warm(scene)


def test_the_waiting_solver_ends_when_it_is_closed():
    async def scene(warm: WarmSolver) -> None:
        await warm.prepare()
        pid = pid_of_waiting(warm)
        await warm.close()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    with_warm(scene)
