"""``rehab-beds worker``: clocks, positions, seals and planning runs, without a caller."""

import typer

from service import logs
from service.commands.database import database
from service.settings import load_settings
from service.worker import run_worker


def register(app: typer.Typer) -> None:
    """Add ``worker``."""

    @app.command()
    def worker() -> None:
        """Do what time and the queue ask for, until told to stop. Run as many as wanted."""
        logs.configure()
        with database(load_settings()) as settings:
            run_worker(settings)
