"""The full ward, served: an application over it and a key per role."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from starlette.testclient import TestClient

from service import logs
from service.access.caller import FACILITY_ROLES, Role
from service.app import create_app
from service.commands.database import context_of
from service.settings import Settings
from service.store.engine import run
from service.workflow.context import Context
from service.workflow.keys import create_key
from service.workflow.seeds.seed import seed_network
from tests.database import Server, engine_on
from tests.service.api.conftest import Holder, settings_for
from tests.service.planning.full_ward import full_ward

PLANNING_ROLES = frozenset({Role.COORDINATOR, Role.AUDITOR})


@dataclass(frozen=True, slots=True)
class ServedWard:
    """A database with the full ward, its settings, and who may call."""

    engine: Engine
    settings: Settings
    ctx: Context
    holders: Mapping[Role, Holder]

    @property
    def coordinator(self) -> Holder:
        """Who plans."""
        return self.holders[Role.COORDINATOR]


@contextmanager
def served_ward(server: Server, template: str, folder: Path) -> Iterator[ServedWard]:
    """The full ward in a database of its own, with the application serving it."""
    logs.configure()
    with server.scratch(template) as url, engine_on(url) as engine:
        settings = settings_for(url, folder)
        ctx = context_of(settings)
        run(engine, seed_network, ctx, full_ward())
        keys = {
            role: run(
                engine,
                create_key,
                ctx,
                name=f"{role} of the ward",
                role=role,
                facility="omw-1" if role in FACILITY_ROLES else None,
            ).text
            for role in Role
        }
        with TestClient(create_app(settings)) as client:
            holders = {role: Holder(client, key) for role, key in keys.items()}
            yield ServedWard(engine, settings, ctx, holders)
