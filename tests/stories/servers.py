"""The service in processes of its own: real uvicorns over one database, and who calls them.

Each process listens on a Unix socket in a private folder, so no port can be taken by somebody
else in between.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import httpx
from sqlalchemy import Engine

from service.access.caller import FACILITY_ROLES, Role
from service.commands.serve import environment_of
from service.settings import Settings
from service.store.engine import run
from service.store.schema import PROJECT
from service.workflow.keys import create_key
from tests.service.workflow.world import context
from tests.stories.asks import Ask

READY_S = 60
BASE = "http://rehab-beds"
AS_SERVED = "service.app:app_from_environment"
PATIENT = {
    "pool_size": 5,
    "pool_timeout_ms": 60_000,
    "lock_timeout_ms": 30_000,
    "statement_timeout_ms": 30_000,
}
"""Five connections a process and ten more when it is busy: four processes fit under PostgreSQL's
usual 100. Longer waits than in production: how fast a burst is done depends on the machine, who
wins it does not."""


def make_keys(engine: Engine, *facilities: str) -> dict[str, str]:
    """A key for each role of the whole network by its name, and one for each facility's admin."""
    admin = Role.FACILITY_ADMIN
    wanted: list[tuple[str, Role, str | None]] = [
        *((role.value, role, None) for role in Role if role not in FACILITY_ROLES),
        *((facility, admin, facility) for facility in facilities),
    ]
    return {
        name: run(
            engine,
            create_key,
            context(),
            name=f"{name} of the stories",
            role=role,
            facility=facility,
        ).text
        for name, role, facility in wanted
    }


@contextmanager
def serving(
    settings: Settings, count: int = 1, *, application: str = AS_SERVED
) -> Iterator[tuple[str, ...]]:
    """Serve with ``count`` processes and yield their sockets; every process is ended afterwards.

    ``application`` is the factory they serve. They are not traced for coverage: a traced process
    answers half as fast, and what they run has tests of its own.
    """
    patient = settings.model_copy(update=PATIENT)
    environment = {
        name: value
        for name, value in {**os.environ, **environment_of(patient)}.items()
        if not name.startswith("COVERAGE_")
    }
    with tempfile.TemporaryDirectory(prefix="rehab-beds-stories-", dir="/tmp") as folder:
        sockets = tuple(str(Path(folder) / f"{number}.sock") for number in range(count))
        with ExitStack() as stack:
            processes = [
                stack.enter_context(_process(application, it, environment)) for it in sockets
            ]
            for process, it in zip(processes, sockets, strict=True):
                _wait_until_ready(process, it)
            yield sockets


@contextmanager
def _process(
    application: str, address: str, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "--factory", "--uds", address),
            *("--log-level", "warning", "--no-access-log", "--timeout-graceful-shutdown", "1"),
            *("--timeout-keep-alive", "120"),
            application,
        ],
        cwd=PROJECT,
        env=environment,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + READY_S
    answer = "it does not listen"
    while True:
        assert process.poll() is None, "a server process ended before it was ready"
        assert time.monotonic() < deadline, f"a server process did not get ready: {answer}"
        time.sleep(0.1)
        if not _listens(address):
            continue
        with client_of(address) as client:
            response = client.get("/readyz")
        if response.status_code == 200:
            return
        answer = response.text


def _listens(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
        return True


class Desk:
    """Somebody who asks one server process one thing after another."""

    def __init__(self, client: httpx.Client, keys: Mapping[str, str]) -> None:
        self.client = client
        self.keys = keys

    def __call__(self, ask: Ask) -> httpx.Response:
        return self.client.request(**ask.sent(self.keys))


@contextmanager
def client_of(address: str) -> Iterator[httpx.Client]:
    """A client of one server process."""
    transport = httpx.HTTPTransport(uds=address)
    with httpx.Client(transport=transport, base_url=BASE, timeout=60) as client:
        yield client


class Crowd:
    """Many callers at once, spread evenly over the server processes.

    Connections stay open between bursts, so that the requests of one burst really meet.
    """

    def __init__(self, sockets: Sequence[str], keys: Mapping[str, str]) -> None:
        self._sockets = sockets
        self._keys = keys
        self._runner = asyncio.Runner()
        self._clients: list[httpx.AsyncClient] = []

    def __enter__(self) -> Self:
        self._runner.__enter__()
        self._clients = [
            httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(
                    uds=it, limits=httpx.Limits(max_connections=None)
                ),
                base_url=BASE,
                timeout=60,
            )
            for it in self._sockets
        ]
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._leave())
        self._runner.__exit__(None, None, None)

    async def _leave(self) -> None:
        for client in self._clients:
            await client.aclose()

    def at_once(self, asks: Sequence[Ask]) -> list[httpx.Response]:
        """Ask everything at the same time; the answers in the order of ``asks``."""
        return self._runner.run(self._all(asks))

    async def _all(self, asks: Sequence[Ask]) -> list[httpx.Response]:
        clients = self._clients
        return list(
            await asyncio.gather(
                *(
                    clients[number % len(clients)].request(**ask.sent(self._keys))
                    for number, ask in enumerate(asks)
                )
            )
        )
