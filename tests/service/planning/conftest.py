"""Fixtures for tests of planning: a full ward, planned or not, and ways to plan it."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, make_url, select

from service.access.caller import Actor, Role
from service.access.vault import Vault
from service.lifecycle import RunTrigger
from service.policy import default_policy
from service.solving import solve
from service.store.engine import run
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.plans import planning_decisions, planning_runs
from service.workflow.plans.planning_decisions import ProposalShown
from service.workflow.seeds.seed import seed_network
from tests.database import Server, engine_on
from tests.service.planning.full_ward import full_ward


@pytest.fixture(scope="package")
def ctx() -> Context:
    """A coordinator's context."""
    actor = Actor("key-1", "Coordinator Li", Role.COORDINATOR)
    return Context(actor, default_policy(), Vault(b"e" * 32, b"i" * 32))


@pytest.fixture(scope="package")
def seeded(server: Server, template: str, ctx: Context) -> Iterator[str]:
    """A database in which the only ward is full, to be copied."""
    with server.scratch(template) as address:
        with engine_on(address) as engine:
            run(engine, seed_network, ctx, full_ward())
        yield str(make_url(address).database)


@pytest.fixture(scope="package")
def planned(server: Server, seeded: str, ctx: Context) -> Iterator[str]:
    """The same with a plan that is solved and undecided, to be copied."""
    with server.scratch(seeded) as address:
        with engine_on(address) as engine:
            solved(engine, ctx)
        yield str(make_url(address).database)


@pytest.fixture
def ward(request: pytest.FixtureRequest, server: Server) -> Iterator[Engine]:
    """A test's own full ward, planned if the test asks for the proposals."""
    source = "planned" if "proposals" in request.fixturenames else "seeded"
    with server.scratch(request.getfixturevalue(source)) as address, engine_on(address) as engine:
        yield engine


@pytest.fixture
def proposals(ward: Engine, ctx: Context) -> list[ProposalShown]:
    """The moves that the plan for the full ward proposes."""
    with ward.connect() as conn:
        planned_run = conn.execute(select(core.planning_run.c.id)).scalar_one()
    return run(ward, planning_decisions.list_proposals, ctx, planned_run)


def solved(
    engine: Engine, ctx: Context, seed: int = 0, trigger: RunTrigger = RunTrigger.ASKED
) -> str:
    """Ask for a plan and solve it as a worker does; the run's id."""
    asked = run(engine, planning_runs.request_run, ctx, seed=seed, trigger=trigger)
    taken = run(engine, planning_runs.take_up, ctx, asked.id)
    assert taken is not None
    found = asyncio.run(
        solve(taken.snapshot, seed=seed, limit_s=60, last=taken.last, previous=taken.previous)
    )
    answer = found.plan, found.seconds, found.changes
    run(engine, planning_runs.finish, ctx, taken, *answer)
    return asked.id
