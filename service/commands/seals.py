"""``rehab-beds seals``: the event log's seals, exported to be kept elsewhere, and checked."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service.commands.database import engine_of, existing_database
from service.settings import load_keys, load_settings
from service.store.engine import run
from service.store.seals import export_heads, head_line, read_head, verify

_seals = typer.Typer(help="Seals of the event log: export, verify.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add ``seals``."""
    app.add_typer(_seals, name="seals")


@_seals.command("export")
def export(
    after: Annotated[int, typer.Option(min=0, help="Only seals after this position.")] = 0,
) -> None:
    """Print each seal as a line of JSON; keep them where nobody of the database can write."""
    with (
        existing_database(load_settings()) as settings,
        engine_of(settings, timeout_ms=0) as engine,
    ):
        for line in run(engine, lambda conn: [head_line(it) for it in export_heads(conn, after)]):
            typer.echo(line)


@_seals.command("verify")
def check(
    heads: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Seals exported before.")
    ] = None,
) -> None:
    """Check events against their seals, and seals against exported ones; a fault is exit 1."""
    try:
        lines = heads.read_text(encoding="utf-8").splitlines() if heads is not None else []
        expected = [read_head(line) for line in lines if line.strip()]
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None
    with (
        existing_database(load_settings()) as settings,
        engine_of(settings, timeout_ms=0) as engine,
    ):
        found = run(engine, verify, load_keys(settings).seal, expected)
    console = Console()
    for fault in found.faults:
        console.print(
            f"[bold red]{fault.kind}[/]: events {fault.first_pos} to {fault.last_pos}",
            highlight=False,
        )
    if found.faults:
        raise typer.Exit(1)
    console.print(
        f"sealed and unchanged: events 1 to {found.sealed_to} of {found.last_pos}", highlight=False
    )
