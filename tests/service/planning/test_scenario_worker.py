"""What-ifs in a worker's hands: taken up once, all the answers or a reason, never half of them."""

import asyncio
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, make_url, select, update

from service import solving
from service.access.caller import Actor, Role
from service.access.vault import Vault
from service.errors import Conflict, Invalid
from service.lifecycle import ScenarioState
from service.policy import default_policy
from service.solver_process import SolveFailed
from service.store.engine import run
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.plans import scenarios
from service.workflow.plans.planning_runs import ABANDONED_AFTER
from service.workflow.seeds.seed import seed_network
from solver.codes import Isolation
from solver.instance import network_to_json
from solver.scenarios import CloseUnit, Discharges, Outbreak, Scenario, scenarios_to_json
from tests.database import Server, engine_on
from tests.service.planning.at_work import operations, work_until
from tests.service.planning.full_ward import CENTRE, RESIDENTS, WARD, full_ward


@pytest.fixture(scope="module")
def ctx() -> Context:
    actor = Actor("key-1", "Coordinator Li", Role.COORDINATOR)
    return Context(actor, default_policy(), Vault(b"e" * 32, b"i" * 32))


@pytest.fixture(scope="module")
def seeded(server: Server, template: str, ctx: Context) -> Iterator[str]:
    """A database with the full ward, to be copied."""
    with server.scratch(template) as address:
        with engine_on(address) as engine:
            run(engine, seed_network, ctx, full_ward())
        yield str(make_url(address).database)


@pytest.fixture
def address(server: Server, seeded: str) -> Iterator[str]:
    """A test's own full ward."""
    with server.scratch(seeded) as made:
        yield made


@pytest.fixture
def ward(address: str) -> Iterator[Engine]:
    with engine_on(address) as engine:
        yield engine


ASKED = (Scenario("gone in a week", (Discharges(7),)), Scenario("closed", (CloseUnit(WARD),)))


def test_what_is_asked_and_its_job_are_committed_together_or_not_at_all(ward: Engine, ctx: Context):
    with ward.connect() as conn:
        scenarios.request_scenarios(conn, ctx, ASKED)
        jobs = "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'scenarios'"
        assert conn.exec_driver_sql(jobs).scalar_one() == 1
        conn.rollback()
        assert conn.exec_driver_sql(jobs).scalar_one() == 0
        assert conn.execute(select(core.scenario.c.id)).first() is None


def test_scenarios_are_taken_up_once_and_again_only_when_their_worker_died(
    ward: Engine, ctx: Context
):
    asked = run(ward, scenarios.request_scenarios, ctx, ASKED).id
    first = run(ward, scenarios.take_up, ctx, asked)
    assert first is not None
    assert run(ward, scenarios.take_up, ctx, asked) is None
    assert run(ward, scenarios.abandoned_scenarios, ctx) == []
    with ward.begin() as conn:
        long_ago = func.clock_timestamp() - ABANDONED_AFTER - timedelta(minutes=1)
        conn.execute(update(core.scenario).values(started_at=long_ago))
    assert run(ward, scenarios.abandoned_scenarios, ctx) == [asked]
    second = run(ward, scenarios.take_up, ctx, asked)
    assert second is not None
    with pytest.raises(Conflict) as caught:
        run(ward, scenarios.fail, ctx, first, "died")
    assert caught.value.code == "run-overtaken"
    run(ward, scenarios.fail, ctx, second, "died")
    assert run(ward, scenarios.take_up, ctx, asked) is None


def test_a_job_for_what_nobody_asked_does_nothing(ward: Engine, ctx: Context):
    assert run(ward, scenarios.take_up, ctx, "sc_nobody") is None


def test_a_seed_out_of_range_is_refused(ward: Engine, ctx: Context):
    with pytest.raises(Invalid) as caught:
        run(ward, scenarios.request_scenarios, ctx, ASKED, seed=2**31)
    assert caught.value.errors[0].pointer == "/seed"


def test_scenarios_that_the_network_has_outgrown_fail_with_that_reason(ward: Engine, ctx: Context):
    both = (Scenario("both ill", (Outbreak(WARD, Isolation.AIRBORNE, 2),)),)
    asked = run(ward, scenarios.request_scenarios, ctx, both).id
    with ward.begin() as conn:
        conn.execute(
            update(core.bed_claim)
            .where(core.bed_claim.c.person_id == RESIDENTS[0])
            .values(voided_at=func.clock_timestamp(), void_reason="test", voided_by="test")
        )
    assert run(ward, scenarios.take_up, ctx, asked) is None
    shown = run(ward, scenarios.get_scenarios, ctx, asked)
    assert (shown.state, shown.failure) == (ScenarioState.FAILED, "no_longer_fits")
    assert shown.answers is None
    assert run(ward, scenarios.take_up, ctx, asked) is None


def impostor(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Let another program stand where the child process's Python is."""
    program = folder / "impostor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


# Called as: -m solver scenarios NETWORK SCENARIOS --out ANSWERS; so "$7" is the answers' file.
@pytest.mark.parametrize(
    ("script", "limit_s", "code"),
    [
        ("kill -9 $$", 60.0, "died"),
        ("exit 1", 60.0, "died"),
        ("exit 0", 60.0, "died"),
        (
            """printf '{"format": "rehab-beds/answers", "version": 1, "tod' > "$7"; exit 0""",
            60,
            "unreadable",
        ),
        ("exec sleep 60", 0.3, "timed_out"),
    ],
)
def test_a_solve_that_dies_or_overruns_leaves_a_reason_and_never_half_an_answer(
    address: str,
    ward: Engine,
    ctx: Context,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    script: str,
    limit_s: float,
    code: str,
):
    asked = run(ward, scenarios.request_scenarios, ctx, ASKED).id
    impostor(monkeypatch, tmp_path, script)
    work_until(address, ward, ctx, asked, limit_s)
    shown = run(ward, scenarios.get_scenarios, ctx, asked)
    assert (shown.state, shown.failure) == (ScenarioState.FAILED, code)
    assert shown.answers is None
    assert shown.finished_at is not None
    assert operations(ward)[-1] == "scenario.failed"


def test_answers_to_other_scenarios_than_those_asked_are_no_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    snapshot = network_to_json(full_ward()).encode()
    both = scenarios_to_json(ASKED).encode()
    found = asyncio.run(solving.answer(snapshot, both, seed=0, limit_s=60))
    assert [it.name for it in found.scenarios] == [it.name for it in ASKED]
    other = tmp_path / "other.json"
    other.write_text(scenarios_to_json(ASKED[:1]))
    python = sys.executable
    impostor(monkeypatch, tmp_path, f'exec {python} -m solver scenarios "$4" {other} --out "$7"')
    with pytest.raises(SolveFailed) as caught:
        asyncio.run(solving.answer(snapshot, both, seed=0, limit_s=60))
    assert caught.value.code == "unreadable"


def test_the_states_of_a_comparison_end_with_an_answer_or_a_reason(ward: Engine, ctx: Context):
    asked = run(ward, scenarios.request_scenarios, ctx, ASKED).id
    taken = run(ward, scenarios.take_up, ctx, asked)
    assert taken is not None
    run(ward, scenarios.fail, ctx, taken, "died")
    assert run(ward, scenarios.get_scenarios, ctx, asked).state is ScenarioState.FAILED
    with pytest.raises(Conflict) as caught:
        run(ward, scenarios.fail, ctx, taken, "died")
    assert caught.value.code == "run-overtaken"


OUTBREAK = {"step": "outbreak", "unit": WARD, "route": "airborne", "people": 3}


def test_people_are_counted_on_the_network_asked_about():
    network = full_ward()
    raw = {**OUTBREAK, "people": 2}
    asked = scenarios.read_asked([{"name": "x", "steps": [raw]}], network)
    assert asked == (Scenario("x", (Outbreak(WARD, Isolation.AIRBORNE, 2),)),)
    with pytest.raises(Invalid) as caught:
        scenarios.read_asked([{"name": "x", "steps": [{**raw, "unit": CENTRE}]}], network)
    assert caught.value.errors[0].pointer == "/scenarios/0/steps/0/people"
