"""``rehab-beds seed``: a synthetic city, or many, in an empty database."""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import Engine, text

from service.commands.database import bring_up_to_date, context_of, database, engine_of
from service.settings import load_settings
from service.store.engine import now, run
from service.workflow.context import Context
from service.workflow.seeds.seed import (
    Seeded,
    finish_seed,
    portions,
    require_empty_database,
    write_portion,
)
from solver.synthetic import city

CITIES = ("wuhan",)


def seed_city(
    engine: Engine,
    ctx: Context,
    *,
    seed: int,
    occupancy: float,
    waiting: int = 200,
    cities: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> Seeded:
    """Fill an empty database with synthetic cities, portion by portion, each committed.

    Raises Conflict ``database-not-empty``; ValueError for an argument that makes no sense.
    """
    run(engine, require_empty_database)
    at = run(engine, now).replace(second=0, microsecond=0)
    network = city(seed, occupancy, waiting, cities, at)
    progress(f"drawn: {len(network.beds)} beds, {len(network.persons)} people")
    for portion in portions(network):
        run(engine, write_portion, ctx, network, portion)
    done = run(engine, finish_seed, ctx, network)
    with engine.begin() as conn:
        # Until the server's own round comes by, its planner knows nothing of these tables.
        conn.execute(text("ANALYZE"))
    return done


def register(app: typer.Typer) -> None:
    """Add ``seed``."""

    @app.command()
    def seed(
        network: Annotated[str, typer.Argument(help="What to draw: wuhan.")] = "wuhan",
        occupancy: Annotated[
            float, typer.Option(min=0.0, max=1.0, help="Share of beds with somebody in them.")
        ] = 0.9,
        seed: Annotated[int, typer.Option(help="The same seed draws the same network.")] = 7,
        waiting: Annotated[int, typer.Option(min=0, help="Waiting requests a city.")] = 200,
        cities: Annotated[int, typer.Option(min=1, max=100, help="How many cities.")] = 1,
    ) -> None:
        """Fill an empty database with a synthetic network: places, people, stays, requests."""
        if network not in CITIES:
            raise typer.BadParameter(f"{network}: draw one of {', '.join(CITIES)}")
        console = Console()
        with database(load_settings()) as settings:
            bring_up_to_date(settings)
            with engine_of(settings) as engine:
                done = seed_city(
                    engine,
                    context_of(settings),
                    seed=seed,
                    occupancy=occupancy,
                    waiting=waiting,
                    cities=cities,
                    progress=console.print,
                )
        console.print(
            f"seeded: {done.facilities} facilities, {done.units} units, {done.rooms} rooms, "
            f"{done.beds} beds, {done.stays} people in them, {done.requests} waiting"
        )
