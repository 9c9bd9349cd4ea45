"""The application in a process of its own, behind a real uvicorn on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from service.commands.serve import environment_of
from service.settings import Settings
from service.store.schema import PROJECT

READY_S = 90


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_alive(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            if client.get("/livez").status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert process.poll() is None, "the server ended before it was ready"
        assert time.monotonic() < deadline, "the server did not get ready"
        time.sleep(0.05)


@contextmanager
def process_of(settings: Settings, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A uvicorn over the probed application; ended hard if the test did not end it."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "--factory", "--port", str(port)),
            *("--log-level", "warning", "--timeout-graceful-shutdown", "1"),
            "tests.service.api.probe:probed_app_from_environment",
        ],
        cwd=PROJECT,
        env={**os.environ, **environment_of(settings)},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def served(settings: Settings) -> Iterator[httpx.Client]:
    """A client of a new server process."""
    port = free_port()
    with (
        process_of(settings, port) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        wait_until_alive(client, process)
        yield client
