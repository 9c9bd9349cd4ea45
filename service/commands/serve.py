"""``rehab-beds serve``: the API, over the database that is set or the embedded one."""

import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Annotated, Any, Final

import typer
import uvicorn
from rich.console import Console

from service import logs
from service.api.health import MULTIPROCESS_DIR
from service.app import create_app
from service.commands.database import bring_up_to_date, context_of, database, engine_of
from service.commands.demo import (
    demo_keys,
    ensure_demo_city,
    ensure_demo_keys,
    keep_demo_keys,
    show_demo_keys,
)
from service.settings import KEY_NAMES, PREFIX, Settings, load_settings
from service.store.engine import run
from service.store.keys import live_keys
from service.worker import worker_beside

GRACE_S: Final = 3
"""Seconds that open event streams get at shutdown; without a limit they would hold it up."""


def register(app: typer.Typer) -> None:
    """Add ``serve``."""

    @app.command()
    def serve(
        host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
        port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port.")] = None,
        demo: Annotated[
            bool, typer.Option("--demo", help="Seed the demo city; print a key per role.")
        ] = False,
        workers: Annotated[
            int | None, typer.Option(min=1, max=64, help="API processes; one per core is enough.")
        ] = None,
    ) -> None:
        """Serve the API.

        The embedded database is migrated, and its worker runs beside the API. With DATABASE_URL
        run 'rehab-beds migrate' before, and 'rehab-beds worker' beside.
        """
        given = {"host": host, "port": port, "api_workers": workers}
        settings = load_settings().model_copy(
            update={name: value for name, value in given.items() if value is not None}
        )
        _require_free(settings)
        logs.configure(plain=demo)
        embedded = settings.database_url is None
        with _leaving_when_told(), database(settings) as running:
            if embedded or demo:
                bring_up_to_date(running)
            if demo:
                _prepare_demo(running)
            # One command is the whole service there, so the clocks and the planner run beside it.
            with worker_beside(running) if embedded or demo else nullcontext():
                _serve(running)


@contextmanager
def _leaving_when_told() -> Iterator[None]:
    """Turn SIGTERM into an ordinary exit, so that the embedded database is stopped too.

    uvicorn ends well on the signal and then raises it again for whoever stood there before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _prepare_demo(settings: Settings) -> None:
    ctx = context_of(settings)
    console = Console()
    with engine_of(settings, timeout_ms=0) as engine:
        ensure_demo_city(engine, ctx, settings, console.print)
        keys = run(engine, ensure_demo_keys, ctx, demo_keys(settings))
        facilities = {key.id: key.facility for key in run(engine, live_keys)}
    keep_demo_keys(settings, keys)
    show_demo_keys(console, keys, facilities, f"http://{settings.host}:{settings.port}")


def _serve(settings: Settings) -> None:
    if settings.api_workers == 1:
        uvicorn.run(create_app(settings), **uvicorn_options(settings))
        return
    with tempfile.TemporaryDirectory(prefix="rehab-beds-metrics-") as folder:
        os.environ.update({**environment_of(settings), MULTIPROCESS_DIR: folder})
        uvicorn.run(
            "service.app:app_from_environment",
            factory=True,
            workers=settings.api_workers,
            **uvicorn_options(settings),
        )


def uvicorn_options(settings: Settings) -> dict[str, Any]:
    """How uvicorn serves the API, in one process or many."""
    return {
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "timeout_graceful_shutdown": GRACE_S,
    }


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, for processes of our own."""
    variables = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value is None:
            continue
        if name in KEY_NAMES:
            value = value.get_secret_value()
        variables["DATABASE_URL" if name == "database_url" else f"{PREFIX}{name.upper()}"] = str(
            value
        )
    return variables


def _require_free(settings: Settings) -> None:
    """Say that the port is taken before a database is started for nothing."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            Console(stderr=True).print(
                f"[bold red]error:[/] cannot listen on {settings.host} port {settings.port}: "
                f"{os.strerror(error.errno or 0)}; choose another with --port",
                highlight=False,
            )
            raise typer.Exit(1) from None
