"""A solve in a process of its own: niced, killable, dying with its parent.

Building a model holds the interpreter for tens of milliseconds at a time, and took an API's p99
from 5 ms to seconds when both shared a process. The child is ``python -m solver plan``: files in,
files out, no database, no secrets in its environment.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from solver.check import violations
from solver.domain import Plan
from solver.instance import network_from_json, plan_from_json

NICENESS: Final = 10
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "HOME")


class SolveFailed(Exception):
    """The child gave no plan that may be shown; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Solved:
    """A plan that the checker found clean, and the seconds each step took."""

    plan: Plan
    seconds: dict[str, float]


def _child_setup() -> None:
    """Runs in the child before it starts: die with the parent, stand back for everybody else."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.nice(NICENESS)


async def solve(snapshot: bytes, *, seed: int, limit_s: float) -> Solved:
    """Plan a snapshot and judge the plan again here, with the checker alone.

    Raises:
        SolveFailed: ``timed_out`` (the child was killed), ``died`` (no plan came back) or
            ``unclean`` (the checker found a violation).
    """
    with tempfile.TemporaryDirectory(prefix="rehab-beds-solve-") as folder:
        network_file = Path(folder) / "network.json"
        plan_file = Path(folder) / "plan.json"
        stats_file = Path(folder) / "stats.json"
        network_file.write_bytes(snapshot)
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "solver",
            "plan",
            str(network_file),
            "--out",
            str(plan_file),
            "--stats",
            str(stats_file),
            "--seed",
            str(seed),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            preexec_fn=_child_setup,
            cwd=Path(__file__).parent.parent,
        )
        try:
            async with asyncio.timeout(limit_s):
                status = await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()
            raise SolveFailed("timed_out") from None
        except asyncio.CancelledError:
            child.kill()
            await child.wait()
            raise
        if status != 0 or not plan_file.exists():
            raise SolveFailed("died")
        return await asyncio.to_thread(
            _judged, snapshot, plan_file.read_text(), stats_file.read_text()
        )


def _judged(snapshot: bytes, plan_text: str, stats_text: str) -> Solved:
    network = network_from_json(snapshot.decode())
    plan = plan_from_json(plan_text)
    if violations(network, plan):
        raise SolveFailed("unclean")
    return Solved(plan, json.loads(stats_text)["seconds"])
