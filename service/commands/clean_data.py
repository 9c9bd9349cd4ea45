"""``rehab-beds clean-data``: delete the embedded database and everything made with it."""

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service.commands.demo import made_by_demo
from service.settings import load_settings
from service.store.embedded import ensure_server
from service.store.postgres_errors import EmbeddedServerError


def register(app: typer.Typer) -> None:
    """Add ``clean-data``."""

    @app.command("clean-data")
    def clean_data(
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    ) -> None:
        """Delete the embedded database, its keys and the demo's. A database by address is not."""
        settings = load_settings()
        found = [
            path
            for path in (settings.postgres_dir, settings.keys_dir, *made_by_demo(settings))
            if path.exists()
        ]
        if not found:
            Console().print(f"nothing to delete in {settings.data_dir}", highlight=False)
            return
        if in_use(settings.postgres_dir):
            Console(stderr=True).print(
                f"[bold red]error:[/] the database in {settings.postgres_dir} is in use; stop the "
                "service and its worker first",
                highlight=False,
            )
            raise typer.Exit(1)
        if not yes:
            listed = ", ".join(map(str, found))
            typer.confirm(f"delete {listed} and everybody recorded there?", abort=True)
        _stop_orphan(settings.postgres_dir)
        for path in found:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        Console().print(f"deleted: {', '.join(map(str, found))}", highlight=False)


def _stop_orphan(postgres_dir: Path) -> None:
    """Stop the server that a killed process left behind; without its files it would run on."""
    if (postgres_dir / "cluster" / "postmaster.pid").exists():
        # The last to leave stops it. What cannot be started holds nothing up: it is deleted.
        with suppress(EmbeddedServerError):
            ensure_server(postgres_dir).release()


def in_use(postgres_dir: Path) -> bool:
    """Tell whether a process has a share in the embedded server of this folder."""
    try:
        lock = os.open(postgres_dir / "users.lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
