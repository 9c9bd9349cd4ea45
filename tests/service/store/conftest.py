"""Folders and processes for the tests of the embedded server."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from service.store.embedded_install import program_folder, server_user
from service.store.schema import PROJECT
from tests.database import FAST, scratch_folder


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder every user can reach; whatever server was left in it is ended afterwards."""
    folder = scratch_folder()
    yield folder
    left = [_postmaster(file) for file in folder.rglob("postmaster.pid")]
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
    wait_until(lambda: not any(map(is_alive, left)))
    shutil.rmtree(folder)


class Users:
    """Starts processes that use a server, and ends them all afterwards."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[str]] = []

    def begin(self, folder: Path, **wanted: Any) -> subprocess.Popen[str]:
        """Start a process without waiting for what it says."""
        asked = {"folder": str(folder), "options": FAST, **wanted}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.service.store.server_user", json.dumps(asked)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def start(self, folder: Path, **wanted: Any) -> tuple[subprocess.Popen[str], dict[str, str]]:
        """Start a process and return it with what it said."""
        process = self.begin(folder, **wanted)
        assert process.stdout is not None
        said: dict[str, str] = json.loads(process.stdout.readline())
        return process, said

    def leave(self, process: subprocess.Popen[str]) -> None:
        """Let a process release its share and end."""
        process.communicate("\n", timeout=60)
        assert process.returncode == 0


@pytest.fixture
def users() -> Iterator[Users]:
    """Starts other processes that use a server."""
    made = Users()
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def ordinary(place: Path) -> dict[str, Any]:
    """What makes a server user an ordinary one: nothing, unless the tests run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    programs = program_folder(server_user(place / "none"))
    return {"uid": nobody.pw_uid, "gid": nobody.pw_gid, "wheel": str(programs.parents[2])}


@pytest.fixture
def owned(place: Path, ordinary: dict[str, Any]) -> Path:
    """A folder that belongs to the ordinary user."""
    folder = place / "home"
    folder.mkdir(mode=0o700)
    if ordinary:
        os.chown(folder, ordinary["uid"], ordinary["gid"])
    return folder


def postmaster(folder: Path) -> int:
    """Return the process id of the server of a data folder."""
    return _postmaster(folder / "cluster" / "postmaster.pid")


def is_alive(pid: int) -> bool:
    """Tell whether a process lives; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition; fail if it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


def _postmaster(file: Path) -> int:
    return int(file.read_text().split("\n", 1)[0])
