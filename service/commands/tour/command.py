"""The command: keys for the night, the scenes, and the keys revoked again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Final

import httpx
import typer
from rich.console import Console
from sqlalchemy import Engine

from service.access.caller import Role
from service.commands.database import context_of, engine_of, existing_database
from service.commands.tour.night import Night, TourStopped
from service.commands.tour.scenes import SCENES
from service.settings import load_settings
from service.store.engine import now, run
from service.workflow.context import Context
from service.workflow.keys import create_key, revoke_key

_KEYS_LAST: Final = timedelta(hours=1)


def register(app: typer.Typer) -> None:
    """Add ``tour``."""

    @app.command()
    def tour(
        url: Annotated[
            str | None, typer.Option(help="Where the service is; this machine's by default.")
        ] = None,
    ) -> None:
        """Play one night in the demo city through the API; every request is printed."""
        settings = load_settings()
        address = url or f"http://{settings.host}:{settings.port}"
        console = Console()
        with (
            existing_database(settings) as running,
            engine_of(running) as engine,
            httpx.Client(base_url=address, timeout=60, trust_env=False) as client,
        ):
            try:
                play(client, console, engine, context_of(running))
            except TourStopped as stopped:
                console.print(f"\n[bold red]the tour stops here:[/] {stopped}", highlight=False)
                raise typer.Exit(1) from None


def play(client: httpx.Client, console: Console, engine: Engine, ctx: Context) -> Night:
    """Play every scene with keys that last for the night and are revoked at its end."""
    with keys_of(engine, ctx) as keys:
        night = Night(client, console, keys.make)
        for role in (Role.INTAKE_OFFICER, Role.CLINICIAN, Role.COORDINATOR):
            night.caller(role)
        board = night.caller(Role.DASHBOARD)
        city = night.done(board, "GET", "/occupancy", show=False)["total"]
        ladder = city["ladder"]
        night.say(
            "The city now: "
            + ", ".join(f"{rung.replace('_', ' ')} {ladder[rung]}" for rung in ladder)
            + f"; occupied {city['occupied']}."
        )
        for scene in SCENES:
            scene(night)
        night.say("\n[bold green]The tour is over.[/] Its keys are revoked.")
        return night


class Keys:
    """Makes keys and remembers them."""

    def __init__(self, engine: Engine, ctx: Context) -> None:
        self._engine = engine
        self._ctx = ctx
        self.made: list[str] = []

    def make(self, name: str, role: Role, facility: str | None) -> str:
        """A key for the night; its text."""
        key = run(
            self._engine,
            create_key,
            self._ctx,
            name=f"tour: {name}",
            role=role,
            facility=facility,
            expires_at=run(self._engine, now) + _KEYS_LAST,
        )
        self.made.append(key.id)
        return key.text


@contextmanager
def keys_of(engine: Engine, ctx: Context) -> Iterator[Keys]:
    """A maker of keys; every key it made is revoked at the end."""
    keys = Keys(engine, ctx)
    try:
        yield keys
    finally:
        for key in keys.made:
            run(engine, revoke_key, ctx, key)
