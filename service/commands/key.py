"""``rehab-beds key``: who may call, as what."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.access.caller import Role
from service.commands.database import context_of, engine_of, existing_database
from service.settings import load_settings
from service.store.engine import run
from service.workflow import keys

_keys = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add ``key``."""
    app.add_typer(_keys, name="key")


@_keys.command("create")
def create(
    name: Annotated[str, typer.Option(help="Whose key this is: a person or a system.")],
    role: Annotated[Role, typer.Option(help="What the holder may do.")],
    facility: Annotated[
        str | None,
        typer.Option(
            help="For facility_admin and integration their facility's id; for a clinician, if "
            "given, their hospital's."
        ),
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days until it expires; never if not given.")
    ] = None,
) -> None:
    """Make a key and show it, this once. Only its digest is kept."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    with existing_database(load_settings()) as settings, engine_of(settings) as engine:
        made = run(
            engine,
            keys.create_key,
            context_of(settings),
            name=name,
            role=role,
            facility=facility,
            expires_at=expires_at,
        )
    Console(stderr=True).print("The key, shown this once; keep it like a password:")
    typer.echo(made.text)


@_keys.command("list")
def list_all() -> None:
    """Show every key by id: whose, what for, until when. Never a secret."""
    with existing_database(load_settings()) as settings, engine_of(settings) as engine:
        found = run(engine, keys.list_keys, context_of(settings))
    table = Table("id", "name", "role", "facility", "created", "expires", "revoked")
    # An id cut short could not be revoked.
    table.columns[0].no_wrap = True
    table.columns[0].min_width = max((len(key.id) for key in found), default=0)
    for column in table.columns[1:]:
        column.overflow = "fold"
    for key in found:
        table.add_row(
            key.id,
            key.name,
            key.role,
            key.facility or "",
            _shown(key.created_at),
            _shown(key.expires_at),
            _shown(key.revoked_at),
        )
    Console().print(table)


@_keys.command("revoke")
def revoke(
    key_id: Annotated[
        str, typer.Argument(help="The key's id: its text up to the last underscore.")
    ],
) -> None:
    """Revoke a key for good. Serving processes refuse it within two seconds."""
    with existing_database(load_settings()) as settings, engine_of(settings) as engine:
        run(engine, keys.revoke_key, context_of(settings), key_id)
    Console().print(f"{key_id} is revoked")


def _shown(instant: datetime | None) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ") if instant else ""
