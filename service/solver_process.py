"""``python -m solver`` in a process of its own: niced, killable, dying with its parent.

Loading the solver takes longer than planning a city, so whoever must answer soon keeps one process
that has loaded everything and waits for its one command (``solver warm``).
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Final

NICENESS: Final = 10
LEAST_URGENT: Final = 19
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "HOME")


class SolveFailed(Exception):
    """The child gave nothing that may be shown; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _child_setup(niceness: int) -> None:
    """Runs in the child before it starts: die with the parent, stand back for everybody else."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.nice(niceness)


async def _start(*words: str, niceness: int, told: bool) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "solver",
        *words,
        stdin=asyncio.subprocess.PIPE if told else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        preexec_fn=partial(_child_setup, niceness),
        cwd=Path(__file__).parent.parent,
    )


async def run_solver(
    command: str, *arguments: str, limit_s: float, niceness: int = NICENESS
) -> None:
    """Run one command in a child process to its end, which is exit status 0.

    Raises:
        SolveFailed: ``timed_out`` (it was killed) or ``died`` (any other end).
    """
    child = await _start(command, *arguments, niceness=niceness, told=False)
    await _ended(child, limit_s)


class WarmSolver:
    """Runs commands as ``run_solver`` does, each in a child that was started before it was asked
    for. Give it one event loop, and close it."""

    def __init__(self) -> None:
        self._spare: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    async def __call__(self, command: str, *arguments: str, limit_s: float) -> None:
        """Run one command in the waiting child; another takes its place once it has ended."""
        child, self._spare = self._spare, None
        if child is None or child.returncode is not None:
            child = await self._waiting()
        assert child.stdin is not None
        try:
            child.stdin.write(json.dumps([command, *arguments]).encode() + b"\n")
            await child.stdin.drain()
        except ConnectionError:
            # It died while it waited.
            child = await _start(command, *arguments, niceness=NICENESS, told=False)
        try:
            await _ended(child, limit_s)
        finally:
            await self.prepare()

    @property
    def waiting(self) -> int | None:
        """The process id of the child that waits; None for none."""
        return None if self._spare is None else self._spare.pid

    async def prepare(self) -> None:
        """Have a child waiting from now on."""
        async with self._starting:
            if self._spare is None and not self._closed:
                self._spare = await self._waiting()

    async def close(self) -> None:
        """End the waiting child; none waits after this."""
        self._closed = True
        async with self._starting:
            child, self._spare = self._spare, None
        if child is not None and child.returncode is None:
            child.kill()
            await child.wait()

    async def _waiting(self) -> asyncio.subprocess.Process:
        return await _start("warm", niceness=NICENESS, told=True)


async def _ended(child: asyncio.subprocess.Process, limit_s: float) -> None:
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
    if status != 0:
        raise SolveFailed("died")
