"""What-ifs: asked for, answered by a worker, kept, and nothing else written.

The row is the truth, as with a planning run: a job that carries its id may run twice or be lost,
what a dead worker left ``running`` is taken up again, and what is answered is never solved a
second time. No proposal comes of an answer; whoever likes it changes the network itself.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, and_, insert, or_, select, text, update

from service.errors import Conflict, Invalid, NotFound
from service.lifecycle import ScenarioState, advance
from service.store import events, jobs
from service.store.engine import now
from service.store.ids import new_id
from service.store.network import load_network
from service.store.tables.core import scenario
from service.workflow.context import Context
from service.workflow.plans.planning_runs import ABANDONED_AFTER, MAX_SEED
from service.workflow.plans.scenarios_shown import ComparisonShown, comparison_shown
from solver.domain import Network
from solver.instance import InstanceError, decoded, encoded, network_to_json
from solver.scenarios import (
    Comparison,
    Scenario,
    apply,
    plain_scenario,
    scenarios_from,
    scenarios_to_json,
)

NO_LONGER_FITS: Final = "no_longer_fits"
"""The coded reason of scenarios that the network, by the time they were taken up, had outgrown."""
_UNHURRIED: Final = text("SET LOCAL idle_in_transaction_session_timeout = 120000")
_c: Final = scenario.c


@dataclass(frozen=True, slots=True)
class ScenarioRunShown:
    """Scenarios asked about together. ``scenarios`` is what was asked; ``answers`` is there once
    it is ``solved``, ``failure`` says why it is ``failed``."""

    id: str
    state: ScenarioState
    seed: int
    scenarios: list[dict[str, Any]]
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    network_position: int | None
    policy_version: str | None
    snapshot_hash: str | None
    answers: ComparisonShown | None
    failure: str | None
    version: int


@dataclass(frozen=True, slots=True)
class ScenariosTaken:
    """Scenarios in a worker's hands: the snapshot and they as files, and which attempt this is."""

    run: str
    snapshot: bytes
    scenarios: bytes
    seed: int
    attempt: int


def read_asked(raw: object, network: Network) -> tuple[Scenario, ...]:
    """The scenarios of a body, each of which can be done to this network. CPU for a city: some
    hundredths of a second each.

    Raises:
        Invalid: the first field at fault, with its value and the way out.
    """
    try:
        asked = scenarios_from(raw, "scenarios")
        for i, it in enumerate(asked):
            apply(network, it, f"scenarios[{i}]")
    except InstanceError as fault:
        pointer = "/" + fault.field.replace("[", "/").replace("]", "").replace(".", "/")
        raise Invalid.field(pointer, "not-possible", fault.way_out, fault.value) from fault
    return asked


def request_scenarios(
    conn: Connection, ctx: Context, asked: Sequence[Scenario], *, seed: int = 0
) -> ScenarioRunShown:
    """Ask what would be if; answered on the network as it is when a worker takes it up.

    Raises:
        Invalid: the seed is not in [0, 2**31).
    """
    if not 0 <= seed <= MAX_SEED:
        raise Invalid.field("/seed", "out-of-range", f"seed must be 0 to {MAX_SEED}", seed)
    run = new_id("sc")
    conn.execute(
        insert(scenario).values(
            id=run,
            state=ScenarioState.QUEUED,
            seed=seed,
            scenarios=[plain_scenario(it) for it in asked],
            requested_by=ctx.actor.id,
            requested_at=now(conn),
            version=1,
        )
    )
    jobs.enqueue(conn, jobs.SCENARIO_QUEUE, jobs.SOLVE_SCENARIOS, subject=run)
    data = {"scenarios": str(len(asked))}
    events.append(conn, ctx.actor, "scenario.queued", "scenario", run, data=data)
    return get_scenarios(conn, ctx, run)


def get_scenarios(conn: Connection, ctx: Context, run: str) -> ScenarioRunShown:
    """Scenarios asked about together, with their answers once they are there.

    Raises:
        NotFound: none by that id.
    """
    row = conn.execute(select(scenario).where(_c.id == run)).mappings().one_or_none()
    if row is None:
        raise NotFound("scenario-not-found", f"there are no scenarios by the id {run}")
    return _shown(row)


def list_scenarios(
    conn: Connection, ctx: Context, *, limit: int, after: str | None = None
) -> list[ScenarioRunShown]:
    """What was asked, newest first, at most ``limit`` of those before the id ``after``."""
    query = select(scenario).order_by(_c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(_c.id < after)
    return [_shown(row) for row in conn.execute(query).mappings()]


def take_up(conn: Connection, ctx: Context, run: str) -> ScenariosTaken | None:
    """Take queued or abandoned scenarios in hand, or None if they are in another's or answered.

    Scenarios that cannot be done to the network any more have failed with that: ``NO_LONGER_FITS``.
    Call it in a REPEATABLE READ transaction: the snapshot and its event position are one view.
    """
    # A city is put together between statements; a slow machine takes longer than any use case may.
    conn.execute(_UNHURRIED)
    at = now(conn)
    row = conn.execute(
        select(_c.state, _c.started_at, _c.seed, _c.scenarios, _c.version)
        .where(_c.id == run)
        .with_for_update()
    ).one_or_none()
    if row is None:
        return None
    abandoned = row.state == ScenarioState.RUNNING and row.started_at < at - ABANDONED_AFTER
    if row.state != ScenarioState.QUEUED and not abandoned:
        return None
    network = load_network(conn, ctx.policy)
    snapshot = network_to_json(network).encode()
    conn.execute(
        update(scenario)
        .where(_c.id == run)
        .values(
            state=ScenarioState.RUNNING,
            started_at=at,
            network_position=network.position,
            policy_version=ctx.policy.version,
            snapshot_hash=hashlib.sha256(snapshot).hexdigest(),
            version=_c.version + 1,
        )
    )
    events.append(conn, ctx.actor, "scenario.started", "scenario", run)
    asked = scenarios_from(row.scenarios, "scenarios")
    text_ = scenarios_to_json(asked).encode()
    taken = ScenariosTaken(run, snapshot, text_, row.seed, row.version + 1)
    try:
        for it in asked:
            apply(network, it)
    except InstanceError:
        fail(conn, ctx, taken, NO_LONGER_FITS)
        return None
    return taken


def finish(conn: Connection, ctx: Context, taken: ScenariosTaken, answers: Comparison) -> None:
    """Store the answers, all of them or none.

    Raises:
        Conflict: ``run-overtaken``, another worker has taken them up since.
    """
    _leave_running(conn, taken, ScenarioState.SOLVED)
    conn.execute(
        update(scenario)
        .where(_c.id == taken.run)
        .values(finished_at=now(conn), answers=encoded(answers))
    )
    events.append(conn, ctx.actor, "scenario.solved", "scenario", taken.run)


def fail(conn: Connection, ctx: Context, taken: ScenariosTaken, code: str) -> None:
    """Record that there is no answer, with a coded reason: that of ``SolveFailed``.

    Raises:
        Conflict: ``run-overtaken``, another worker has taken them up since.
    """
    _leave_running(conn, taken, ScenarioState.FAILED)
    conn.execute(
        update(scenario).where(_c.id == taken.run).values(finished_at=now(conn), failure=code)
    )
    data = {"failure": code}
    events.append(conn, ctx.actor, "scenario.failed", "scenario", taken.run, data=data)


def abandoned_scenarios(conn: Connection, ctx: Context) -> list[str]:
    """What no worker has in hand: left running by one that died, or with a lost job."""
    before = now(conn) - ABANDONED_AFTER
    lost = or_(
        and_(_c.state == ScenarioState.RUNNING, _c.started_at < before),
        and_(_c.state == ScenarioState.QUEUED, _c.requested_at < before),
    )
    return list(conn.execute(select(_c.id).where(lost)).scalars())


def _leave_running(conn: Connection, taken: ScenariosTaken, state: ScenarioState) -> None:
    row = conn.execute(
        select(_c.state, _c.version).where(_c.id == taken.run).with_for_update()
    ).one()
    if row.version != taken.attempt:
        raise Conflict(
            "run-overtaken",
            "another worker has taken these scenarios up since; its answer counts",
            run=taken.run,
        )
    advance("scenario", row.state, state)
    conn.execute(
        update(scenario).where(_c.id == taken.run).values(state=state, version=_c.version + 1)
    )


def _shown(row: RowMapping) -> ScenarioRunShown:
    answers = row["answers"]
    found = None if answers is None else decoded(Comparison, answers, "answers")
    return ScenarioRunShown(
        **{
            name: row[name]
            for name in ScenarioRunShown.__dataclass_fields__
            if name not in ("state", "answers")
        },
        state=ScenarioState(row["state"]),
        answers=None if found is None else comparison_shown(found),
    )
