"""The seeded city on a scratch embedded server, durable as in production, and its service."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import urlopen

from sqlalchemy import Engine

from service.access.caller import Role
from service.commands.database import bring_up_to_date, context_of, database, engine_of
from service.commands.seed import seed_city
from service.commands.serve import environment_of
from service.settings import Settings
from service.store.engine import run
from service.store.schema import PROJECT
from service.workflow.keys import create_key
from tests.database import scratch_folder

READY_S = 60
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Seeded:
    """A running city: an engine on its database, its settings, PostgreSQL's first process."""

    engine: Engine
    settings: Settings
    postgres: int


@dataclass(frozen=True, slots=True)
class Served:
    """A served city: the port, the server's process and a coordinator's Authorization header."""

    port: int
    process: int
    headers: dict[str, str]


@contextmanager
def seeded_city() -> Iterator[Seeded]:
    """The city of ``rehab-beds seed wuhan --occupancy 0.9 --seed 7``; gone afterwards."""
    folder = scratch_folder()
    try:
        with database(Settings(database_url=None, data_dir=folder)) as settings:
            bring_up_to_date(settings)
            with engine_of(settings, timeout_ms=0) as engine:
                seed_city(engine, context_of(settings), seed=7, occupancy=0.9, progress=print)
                yield Seeded(engine, settings, _postmaster(settings.postgres_dir))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def serving(city: Seeded) -> Iterator[Served]:
    """Serve the city in a process of its own, ready to be asked."""
    key = run(
        city.engine,
        create_key,
        context_of(city.settings),
        name="benchmark",
        role=Role.COORDINATOR,
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.served"],
        cwd=PROJECT,
        env={**os.environ, **environment_of(city.settings)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        _wait_until_ready(port)
        yield Served(port, process.pid, {"Authorization": f"Bearer {key.text}"})
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_seconds(process: int) -> float:
    """User and system time of a process so far, of those of its children that ended too."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(it) for it in fields[11:15]) / _TICKS


def family_cpu_seconds(first: int) -> float:
    """``cpu_seconds`` of a process and its present children: PostgreSQL with all its sessions."""
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    total = cpu_seconds(first)
    for child in children:
        try:
            total += cpu_seconds(int(child))
        except FileNotFoundError:
            continue  # It ended meanwhile and is counted with its parent from now on.
    return total


def _postmaster(folder: Path) -> int:
    return int((folder / "cluster" / "postmaster.pid").read_text().split("\n", 1)[0])


def _wait_until_ready(port: int) -> None:
    deadline = monotonic() + READY_S
    while monotonic() < deadline:
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, ConnectionError):
            sleep(0.1)
    raise RuntimeError(f"the server was not ready after {READY_S} s")
