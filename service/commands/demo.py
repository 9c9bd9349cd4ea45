"""The demo city: seeded once, with one key per role kept beside the data."""

import contextlib
import hmac
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, Engine, select

from service.access.caller import FACILITY_ROLES, Role
from service.access.keys import digest_of
from service.commands.seed import seed_city
from service.errors import Conflict
from service.settings import Settings
from service.store.engine import run
from service.store.keys import live_keys
from service.store.tables.core import facility
from service.workflow.context import Context
from service.workflow.keys import create_key

_FILE: Final = "demo-keys.json"
_HALF_WRITTEN: Final = "demo-city-is-being-written"
_OCCUPANCY: Final = 0.9
_SEED: Final = 7


def ensure_demo_city(
    engine: Engine, ctx: Context, settings: Settings, progress: Callable[[str], None]
) -> None:
    """Seed the city if the database has no facility yet.

    Raises Conflict: an earlier start was broken off in the middle of it.
    """
    marker = settings.data_dir / _HALF_WRITTEN
    if marker.exists():
        raise Conflict(
            "demo-city-half-written",
            "an earlier start was ended while it wrote the demo city; run 'make clean-data' "
            "(rehab-beds clean-data) and start again",
        )
    if run(engine, _has_facility):
        return
    progress("writing the demo city; this is done once")
    marker.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    marker.touch()
    seed_city(engine, ctx, seed=_SEED, occupancy=_OCCUPANCY, progress=progress)
    marker.unlink()


def made_by_demo(settings: Settings) -> list[Path]:
    """The files the demo keeps beside the data."""
    return [demo_keys_file(settings), settings.data_dir / _HALF_WRITTEN]


def _has_facility(conn: Connection) -> bool:
    return conn.execute(select(facility.c.id).limit(1)).first() is not None


def demo_keys_file(settings: Settings) -> Path:
    """Where the demo's keys are kept, readable by this user alone."""
    return settings.data_dir / _FILE


def demo_keys(settings: Settings) -> dict[Role, str]:
    """The demo's keys as kept; empty if there are none. Raises nothing for a damaged file."""
    try:
        kept = json.loads(demo_keys_file(settings).read_text())
        return {Role(role): str(text) for role, text in kept.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def ensure_demo_keys(conn: Connection, ctx: Context, kept: Mapping[Role, str]) -> dict[Role, str]:
    """One live key per role: those kept that still work, new ones for the rest.

    The roles that act for one facility get the first of the network by id.
    """
    digests = {key.id: key.digest for key in live_keys(conn) if key.expires_at is None}
    first = conn.execute(
        select(facility.c.id)
        .where(facility.c.external.is_(False), facility.c.retired_at.is_(None))
        .order_by(facility.c.id)
        .limit(1)
    ).scalar_one()
    keys = {}
    for role in Role:
        text = kept.get(role, "")
        key_id, _, secret = text.rpartition("_")
        if not hmac.compare_digest(digests.get(key_id, b""), digest_of(secret)):
            text = create_key(
                conn,
                ctx,
                name=f"demo {role}",
                role=role,
                facility=first if role in FACILITY_ROLES else None,
            ).text
        keys[role] = text
    return keys


def keep_demo_keys(settings: Settings, keys: Mapping[Role, str]) -> None:
    """Write the demo's keys, mode 0600, whole or not at all."""
    path = demo_keys_file(settings)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({role.value: text for role, text in keys.items()}, file, indent=1)
    new.replace(path)


def show_demo_keys(
    console: Console,
    keys: Mapping[Role, str],
    facilities: Mapping[str, str | None],
    address: str,
) -> None:
    """Print the keys, the facility that each acts for, and a first request to try.

    ``facilities``: by key id; None for a key of the whole network.
    """
    table = Table("role", "key", "acts for", title=f"rehab-beds serves the demo city on {address}")
    for role, text in keys.items():
        table.add_row(role.value, text, facilities[text.rpartition("_")[0]] or "all")
    # A key cut short could not be used.
    table.columns[1].no_wrap = True
    table.columns[1].min_width = max(map(len, keys.values()))
    console.print(table)
    console.print(
        f"try: curl -H 'Authorization: Bearer {keys[Role.DASHBOARD]}' {address}/api/v1/occupancy",
        soft_wrap=True,
        highlight=False,
    )
