"""The web application: what is served, and what runs while it is served."""

import importlib
import pkgutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import ModuleType
from typing import Final

from fastapi import FastAPI

from service import api, logs
from service.access.keys import Keyring
from service.access.vault import Vault
from service.api import contract, problems
from service.api.state import State
from service.api.watch import Watch
from service.policy import DEFAULT_POLICY, load_policy
from service.settings import Settings, load_keys, load_settings
from service.store.engine import make_async_engine, run_async
from service.store.keys import live_keys

VERSION: Final = "0.3.0"
POLLED: Final = "service.api.occupancy"
"""Routes are tried in order, and dashboards ask this one more often than all others together."""


def create_app(settings: Settings) -> FastAPI:
    """The application over the database of ``settings.database_url``; nothing is connected yet.

    Raises SettingsError or PolicyError: the service cannot start as it is configured.
    """
    modules = resources()
    state = make_state(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(state.engine.dispose)
            for module in modules:
                serving = getattr(module, "serving", None)
                if serving is not None:
                    await stack.enter_async_context(serving(state))
            yield

    app = FastAPI(
        title="rehab-beds",
        version=VERSION,
        summary="Beds, placements and transfers of a city's drug-rehabilitation network.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load scripts from elsewhere.
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = state
    app.add_middleware(Watch)
    problems.install(app)
    for module in modules:
        # One flat list: routes are matched in order, and each has its own whole path already.
        app.router.routes.extend(module.router.routes)
    contract.install(app)
    return app


def app_from_environment() -> FastAPI:
    """The application as the environment configures it: what uvicorn's own processes call."""
    logs.configure()
    return create_app(load_settings())


def make_state(settings: Settings) -> State:
    """What the process holds for all requests."""
    if settings.database_url is None:
        raise ValueError("give the database's address: the embedded server is started before")
    keys = load_keys(settings)
    engine = make_async_engine(
        settings.database_url,
        pool_size=settings.pool_size,
        pool_timeout_ms=settings.pool_timeout_ms,
        statement_timeout_ms=settings.statement_timeout_ms,
        lock_timeout_ms=settings.lock_timeout_ms,
    )
    return State(
        settings=settings,
        engine=engine,
        policy=load_policy(settings.policy_file or DEFAULT_POLICY),
        vault=Vault(keys.encryption, keys.blind_index),
        keyring=Keyring(lambda: run_async(engine, live_keys)),
    )


def resources() -> list[ModuleType]:
    """The modules of ``service.api`` that have a router, by name, the one polled most first."""
    names = sorted(
        (module.name for module in pkgutil.iter_modules(api.__path__, "service.api.")),
        key=lambda name: (name != POLLED, name),
    )
    found = [importlib.import_module(name) for name in names]
    return [module for module in found if hasattr(module, "router")]
