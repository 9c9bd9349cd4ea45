"""The command line and the real server: start, keys, large bodies, streams at shutdown."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from service.access.caller import Role
from service.cli import app as cli
from service.commands.demo import demo_keys_file, made_by_demo
from service.commands.serve import environment_of
from service.settings import PREFIX, Settings
from service.store.schema import PROJECT
from tests.database import scratch_folder
from tests.service.api.conftest import Keys
from tests.service.api.processes import free_port, process_of, served, wait_until_alive

NUMBER = "/api/v1/probe/numbers/7"
KEY = re.compile(r"rbk_[0-9a-z]{10}_[0-9a-z]{32}")


@contextmanager
def command(environment: Mapping[str, str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `rehab-beds` process with nothing of this process's settings."""
    clean: dict[str, str] = {
        k: v for k, v in os.environ.items() if not k.startswith((PREFIX, "DATABASE_URL"))
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", *words],
        cwd=PROJECT,
        env={**clean, "COLUMNS": "100", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(process: subprocess.Popen[bytes], seconds: float) -> str:
    """What it printed, after it was asked to end and ended well in time."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=30)
    assert time.monotonic() - began < seconds
    assert process.returncode == 0
    return printed.decode()


@pytest.fixture
def folder() -> Iterator[Path]:
    made = scratch_folder()
    yield made
    shutil.rmtree(made)


def test_the_demo_serves_a_city_prints_a_key_per_role_and_starts_again(folder: Path):
    port = free_port()
    environment = {f"{PREFIX}DATA_DIR": str(folder / "data")}
    settings = Settings(data_dir=folder / "data")
    printed = []
    for _ in range(2):
        with (
            command(environment, "serve", "--demo", "--port", str(port)) as process,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
        ):
            wait_until_alive(client, process)
            assert client.get("/readyz").status_code == 200
            keys = KEY.findall(demo_keys_file(settings).read_text())
            assert len(keys) == len(set(keys)) == len(Role)
            for key in keys:
                answer = client.get("/api/v1/rules", headers={"Authorization": f"Bearer {key}"})
                assert answer.status_code == 200
            printed.append(ended(process, 15))
        server = settings.postgres_dir / "cluster" / "postmaster.pid"
        assert not server.exists(), "whoever is told to end stops the embedded server too"
    assert "cth-1" in printed[0], "it says which facility the facility's keys act for"
    assert set(KEY.findall(printed[0])) == set(keys)
    assert set(KEY.findall(printed[1])) == set(keys), "the second start keeps the keys"
    for path in made_by_demo(settings):
        assert not path.exists() or stat.S_IMODE(path.stat().st_mode) == 0o600
    with command(environment, "clean-data", "--yes") as process:
        assert process.wait(30) == 0
    assert not demo_keys_file(settings).exists()
    assert not settings.postgres_dir.exists()


def test_two_processes_serve_together_and_count_together(api_settings: Settings, api_keys: Keys):
    port = free_port()
    bearer = {"Authorization": f"Bearer {api_keys[Role.AUDITOR]}"}
    with (
        command(environment_of(api_settings), "serve", "--port", str(port), "--workers", "2") as it,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        wait_until_alive(client, it)
        for _ in range(30):
            assert httpx.get(f"{client.base_url}/api/v1/rules", headers=bearer).is_success
        counted = 'requests_total{method="GET",route="/api/v1/rules",status="200"} 30.0'
        assert counted in httpx.get(f"{client.base_url}/metrics").text
        ended(it, 15)


def test_a_body_of_50_mb_is_refused_at_once_and_the_server_goes_on(
    api_settings: Settings, api_keys: Keys
):
    bearer = {"Authorization": f"Bearer {api_keys[Role.INTAKE_OFFICER]}"}
    sent = 0

    def megabytes() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(50):
            sent += 1_000_000
            yield b"x" * 1_000_000

    headers = {**bearer, "Content-Type": "application/json", "Idempotency-Key": "a-large-one"}
    with served(api_settings) as client:
        for more in ({"Content-Length": "50000000"}, {}):
            sent = 0
            answer = client.post(
                "/api/v1/probe/marks", content=megabytes(), headers={**headers, **more}
            )
            assert answer.status_code == 413
            assert answer.json()["code"] == "body-too-large"
            assert sent < 50_000_000, "the server read it all"
        assert client.get(NUMBER, headers=bearer).json() == 7


def test_an_open_stream_does_not_hold_up_the_shutdown(api_settings: Settings, api_keys: Keys):
    port = free_port()
    bearer = {"Authorization": f"Bearer {api_keys[Role.INTAKE_OFFICER]}"}
    with (
        process_of(api_settings, port) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        wait_until_alive(client, process)
        with client.stream("GET", "/api/v1/probe/ticks", headers=bearer) as stream:
            assert next(stream.iter_bytes()).startswith(b": tick")
            process.send_signal(signal.SIGTERM)
            process.wait(10)


@pytest.fixture
def in_environment(api_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of(api_settings).items():
        monkeypatch.setenv(name, value)


def run_cli(*words: str) -> str:
    done = CliRunner().invoke(cli, words, catch_exceptions=False, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.usefixtures("in_environment", "api_keys")
def test_a_key_is_made_shown_once_listed_without_its_secret_and_revoked():
    made = KEY.search(run_cli("key", "create", "--name", "duty desk", "--role", "auditor"))
    assert made is not None
    key_id, _, secret = made[0].rpartition("_")
    listed = run_cli("key", "list")
    assert key_id in listed
    assert "duty desk" in listed
    assert secret not in listed
    assert f"{key_id} is revoked" in run_cli("key", "revoke", key_id)


def is_running(pid: int) -> bool:
    """Whether there is such a process and it has not ended; one that nobody waited for has."""
    shown = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip() != "" and not shown.stdout.strip().startswith("Z")


@pytest.mark.usefixtures("in_environment", "api_keys")
def test_a_narrow_screen_shows_key_ids_whole(monkeypatch: pytest.MonkeyPatch):
    name = "a system with a name as long as a name may well be in practice"
    run_cli("key", "create", "--name", name, "--role", "auditor")
    monkeypatch.setenv("COLUMNS", "60")
    done = CliRunner().invoke(cli, ["key", "list"], catch_exceptions=False)
    assert re.search(r"rbk_[0-9a-z]{10}\b", done.output)
    assert "…" not in done.output


@pytest.mark.parametrize(
    "words",
    [
        ("key", "list"),
        ("key", "create", "--name", "x", "--role", "auditor"),
        ("export", "beds"),
        ("seals", "verify"),
        ("tour",),
    ],
)
def test_a_command_in_a_folder_without_a_database_says_so_and_makes_none(
    folder: Path, words: tuple[str, ...]
):
    data = folder / "nothing-here"
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", *words],
        cwd=PROJECT,
        env={**environment, f"{PREFIX}DATA_DIR": str(data), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"there is no database in {data}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not data.exists()


def test_clean_data_stops_the_server_that_a_killed_service_left_behind(folder: Path):
    environment = {f"{PREFIX}DATA_DIR": str(folder / "data")}
    settings = Settings(data_dir=folder / "data")
    port = free_port()
    with (
        command(environment, "serve", "--port", str(port)) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        wait_until_alive(client, process)
        left = int((settings.postgres_dir / "cluster" / "postmaster.pid").read_text().split()[0])
        process.kill()
    assert is_running(left)
    with command(environment, "clean-data", "--yes") as process:
        assert process.wait(60) == 0
    assert not settings.postgres_dir.exists()
    assert not is_running(left)


@pytest.mark.usefixtures("api_keys")
def test_what_goes_wrong_on_the_command_line_is_a_sentence(api_settings: Settings):
    words = ("key", "create", "--name", "x", "--role", "integration", "--facility", "nowhere")
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", *words],
        cwd=PROJECT,
        env={**os.environ, **environment_of(api_settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "there is no facility 'nowhere'" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_port_that_is_taken_is_said_before_anything_is_started(folder: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with command({f"{PREFIX}DATA_DIR": str(folder / "data")}, "serve", "--port", port) as it:
            assert it.wait(90) == 1
    assert not (folder / "data").exists()
