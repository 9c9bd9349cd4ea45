"""Planning again by itself: what calls for a plan, once, within a second, by whichever worker."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text, update

from service.lifecycle import RunState, RunTrigger
from service.policy import DEFAULT_POLICY
from service.settings import Settings
from service.store import events
from service.store.engine import run
from service.store.sequencer import give_positions
from service.store.tables import core
from service.worker import worker_beside
from service.workflow.context import Context
from service.workflow.plans import planning_decisions, planning_runs, replanning
from service.workflow.plans.planning_decisions import ProposalShown
from service.workflow.plans.replanning import Looked
from solver.codes import PlanStatus
from solver.domain import Plan, Unplaced
from tests.service.planning.full_ward import WAITING
from tests.service.planning.test_superseding import Desk

OFFICER = {"officer": "Coordinator Li", "reason": "fit to go back"}
_run = core.planning_run.c


class Log:
    """A follower of the log, and events written for it."""

    def __init__(self, engine: Engine, ctx: Context) -> None:
        self.engine, self.ctx = engine, ctx
        self.place()
        self.seen: Looked = run(engine, replanning.begin, ctx)
        self.seen = replace(self.seen, position=max(self.seen.position, self.end))

    @property
    def end(self) -> int:
        with self.engine.connect() as conn:
            return int(conn.execute(select(func.max(core.event.c.pos))).scalar_one() or 0)

    def place(self) -> None:
        with self.engine.begin() as conn:
            while give_positions(conn):
                pass

    def write(self, operation: str, **data: Any) -> None:
        subject = operation.partition(".")[0]
        run(
            self.engine,
            lambda conn: events.append(
                conn, self.ctx.actor, operation, subject, f"{subject}-1", data=data
            ),
        )
        self.place()

    def look(self) -> list[tuple[str, str]]:
        """Look once; state and trigger of every run there is."""
        self.seen = run(self.engine, replanning.look, self.ctx, self.seen)
        return self.runs()

    def runs(self) -> list[tuple[str, str]]:
        with self.engine.connect() as conn:
            found = conn.execute(select(_run.state, _run.trigger).order_by(_run.id)).all()
        return [(row.state, row.trigger) for row in found]

    def take_up(self) -> planning_runs.TakenUp:
        with self.engine.connect() as conn:
            waiting = select(_run.id).where(_run.state == RunState.QUEUED)
            asked = conn.execute(waiting).scalar_one()
        taken = run(self.engine, planning_runs.take_up, self.ctx, asked)
        assert taken is not None
        return taken

    def finish(self, taken: planning_runs.TakenUp) -> None:
        """The run ends with a plan of nothing to do."""
        nothing = Plan((), (), (), PlanStatus.OPTIMAL, 0)
        run(self.engine, planning_runs.finish, self.ctx, taken, nothing, {})

    def spaced(self) -> None:
        """Let the runs there are lie back in time."""
        self.back(self.ctx.policy.replanning.spacing + timedelta(seconds=1))

    def back(self, back: timedelta) -> None:
        with self.engine.begin() as conn:
            conn.execute(update(core.planning_run).values(requested_at=_run.requested_at - back))


@pytest.fixture
def log(ward: Engine, ctx: Context) -> Log:
    return Log(ward, ctx)


def test_nothing_that_happens_elsewhere_calls_for_a_plan(log: Log):
    for operation in ("due.overdue", "hold.placed", "word.recorded", "planning_run.solved"):
        log.write(operation)
    assert log.look() == []
    assert log.look() == []


@pytest.mark.parametrize(
    ("operation", "data", "trigger"),
    [
        ("request.submitted", {"emergency": False}, RunTrigger.ARRIVAL),
        ("request.submitted", {"emergency": True}, RunTrigger.EMERGENCY),
        ("stay.ended", {"code": "released"}, RunTrigger.DISCHARGE),
        ("assessment.recorded", {}, RunTrigger.ISOLATION),
        ("bed.state_changed", {"to": "closed"}, RunTrigger.CLOSURE),
        ("bed.state_changed", {"to": "in_service"}, RunTrigger.DISCHARGE),
        ("bed.state_changed", {"to": "housekeeping"}, None),
        ("unit.changed", {}, RunTrigger.CLOSURE),
        ("consent.withdrawn", {}, RunTrigger.FACTS),
        ("facility.changed", {}, RunTrigger.FACTS),
        ("bed.changed", {}, RunTrigger.FACTS),
        ("opinion.recorded", {}, RunTrigger.FACTS),
        ("opinion.revoked", {}, RunTrigger.FACTS),
        ("approval.recorded", {}, RunTrigger.FACTS),
        ("approval.revoked", {}, RunTrigger.FACTS),
        ("term.reopened", {}, RunTrigger.FACTS),
        ("term.extended", {}, RunTrigger.FACTS),
        ("request.not_arrived", {}, RunTrigger.ARRIVAL),
        ("leave.begun", {}, RunTrigger.DISCHARGE),
    ],
)
def test_what_happened_calls_for_a_run_by_its_name(
    log: Log, operation: str, data: dict[str, Any], trigger: RunTrigger | None
):
    log.write(operation, **data)
    assert log.look() == ([("queued", trigger.value)] if trigger is not None else [])


def test_a_run_says_which_event_called_for_it_and_that_the_system_asked(log: Log):
    log.write("due.overdue")
    log.write("request.submitted", emergency=False)
    called = log.end
    log.look()
    with log.engine.connect() as conn:
        row = conn.execute(select(_run.trigger_position, _run.requested_by)).one()
    assert row == (called, log.ctx.actor.id)


def test_much_that_happens_while_a_run_waits_is_one_run_and_the_most_urgent_names_it(log: Log):
    for operation in ("request.submitted", "stay.ended", "unit.changed", "assessment.recorded"):
        log.write(operation)
        log.look()
    assert log.look() == [("queued", "closure")]


def test_what_happens_while_a_run_is_made_is_one_more_run(log: Log, ctx: Context):
    log.write("request.submitted")
    log.look()
    taken = log.take_up()
    log.spaced()
    for _ in range(30):
        log.write("request.submitted")
    assert log.look() == [("running", "arrival"), ("queued", "arrival")]
    assert log.look() == [("running", "arrival"), ("queued", "arrival")]
    run(log.engine, planning_runs.fail, ctx, taken, "died")
    log.finish(log.take_up())
    log.spaced()
    assert log.look() == [("failed", "arrival"), ("solved", "arrival")]


def test_what_a_failed_run_was_to_meet_is_planned_for_once_more_and_no_oftener(
    log: Log, ctx: Context
):
    log.write("request.submitted")
    log.look()
    first = log.take_up()
    assert log.look() == [("running", "arrival")]
    run(log.engine, planning_runs.fail, ctx, first, "died")
    log.spaced()
    assert log.look() == [("failed", "arrival"), ("queued", "arrival")]
    run(log.engine, planning_runs.fail, ctx, log.take_up(), "died")
    log.spaced()
    assert log.look() == log.look() == [("failed", "arrival")] * 2
    log.write("stay.ended")
    assert log.look()[2:] == [("queued", "discharge")]
    run(log.engine, planning_runs.fail, ctx, log.take_up(), "died")
    log.spaced()
    assert log.look()[3:] == [("queued", "discharge")]
    run(log.engine, planning_runs.fail, ctx, log.take_up(), "died")
    log.spaced()
    assert len(log.look()) == len(log.look()) == 4


def test_whoever_comes_next_plans_again_for_what_a_failed_run_was_to_meet(log: Log, ctx: Context):
    log.write("request.submitted")
    log.look()
    run(log.engine, planning_runs.fail, ctx, log.take_up(), "died")
    log.spaced()
    log.seen = run(log.engine, replanning.begin, ctx)
    assert log.look() == [("failed", "arrival"), ("queued", "arrival")]


def test_a_run_that_lost_its_job_holds_up_the_next_for_half_a_minute(log: Log):
    log.write("request.submitted")
    log.look()
    log.write("stay.ended")
    log.spaced()
    assert log.look() == [("queued", "arrival")]
    for lost in range(1, replanning.LOST_AT_MOST):
        log.back(replanning.LOST_AFTER + timedelta(seconds=1))
        assert len(log.look()) == len(log.look()) == lost + 1
    log.back(replanning.LOST_AFTER + timedelta(seconds=1))
    log.write("unit.changed")
    assert len(log.look()) == replanning.LOST_AT_MOST


def test_runs_that_nobody_asked_for_are_spaced_but_what_is_urgent_is_not(log: Log):
    log.write("request.submitted")
    log.look()
    log.finish(log.take_up())
    log.write("stay.ended")
    assert log.look() == [("solved", "arrival")]
    log.write("unit.changed")
    assert log.look()[1:] == [("queued", "closure")]
    log.finish(log.take_up())
    log.write("stay.ended")
    log.look()
    log.spaced()
    assert log.look()[2:] == [("queued", "discharge")]


def test_a_run_that_a_coordinator_asked_for_meets_what_happened_before_it_is_made(
    log: Log, ctx: Context
):
    log.write("request.submitted")
    run(log.engine, planning_runs.request_run, ctx)
    assert log.look() == [("queued", "asked")]
    log.take_up()
    assert log.look() == [("running", "asked")]


def test_whoever_comes_next_knows_what_was_not_met(log: Log, ctx: Context):
    """The holder of the lead died after it had seen the event."""
    log.write("request.submitted")
    run(log.engine, planning_runs.request_run, ctx)
    log.take_up()
    log.write("stay.ended")
    fresh = Log.__new__(Log)
    fresh.engine, fresh.ctx = log.engine, ctx
    fresh.seen = run(log.engine, replanning.begin, ctx)
    assert fresh.look() == [("running", "asked"), ("queued", "discharge")]


@pytest.mark.parametrize("guarded", [False, True])
def test_two_that_look_at_once_queue_one_run(
    ward: Engine, ctx: Context, monkeypatch: pytest.MonkeyPatch, guarded: bool
):
    """As when the lead changed hands and the old holder has not noticed. Without the turn each
    sees that no run waits, and both queue one."""
    both = threading.Barrier(2)

    def slowly(*args: Any, **kw: Any) -> Any:
        with suppress(threading.BrokenBarrierError):
            both.wait(1.0)
        return planning_runs.request_run(*args, **kw)

    monkeypatch.setattr(replanning, "request_run", slowly)
    if not guarded:
        monkeypatch.setattr(replanning, "_TURN", text("SELECT :class, :lock"))
    lookers = Log(ward, ctx), Log(ward, ctx)
    lookers[0].write("request.submitted")
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(it.look) for it in lookers]:
            done.result(20)
    assert len(lookers[0].runs()) == (1 if guarded else 2)


def test_what_gave_way_to_a_coordinator_is_planned_once_nobody_is_deciding(
    ward: Engine, ctx: Context, proposals: list[ProposalShown]
):
    desk, log = Desk(ward, ctx), Log(ward, ctx)
    plan = desk.last
    desk.approve(proposals[0].id)
    log.write("request.submitted")
    log.look()
    taken = log.take_up()
    changed = Plan(plan.moves[:-1], (Unplaced("rq_x", ()),), plan.levels, plan.status, 0)
    run(ward, planning_runs.finish, ctx, taken, changed, {})
    log.place()
    log.spaced()
    assert log.look() == [("solved", "asked"), ("superseded", "arrival")]
    for it in proposals[1:]:
        run(ward, planning_decisions.approve, ctx, it.id, **OFFICER)
    assert log.look() == [("applied", "asked"), ("superseded", "arrival"), ("queued", "arrival")]


# With real workers ------------------------------------------------------------------------------


@pytest.fixture
def at_work(ward: Engine, settings: Settings) -> tuple[Engine, Settings]:
    url = ward.url.render_as_string(hide_password=False)
    return ward, settings.model_copy(update={"database_url": url})


def until(engine: Engine, done: Any, limit_s: float = 60.0) -> list[Any]:
    deadline = time.monotonic() + limit_s
    while True:
        with engine.connect() as conn:
            rows = list(conn.execute(select(core.planning_run).order_by(_run.id)).all())
        if done(rows):
            return rows
        assert time.monotonic() < deadline, [(it.state, it.trigger, it.failure) for it in rows]
        time.sleep(0.05)


def happened(engine: Engine, ctx: Context, times: int = 1) -> datetime:
    """Somebody's request is written so often; when the last was."""
    for _ in range(times):
        run(
            engine,
            lambda conn: events.append(
                conn, ctx.actor, "request.submitted", "placement_request", "rq_waiting1",
                person=WAITING[0],
            ),
        )  # fmt: skip
    with engine.connect() as conn:
        written: datetime = conn.execute(select(func.max(core.event.c.recorded_at))).scalar_one()
        return written


def test_an_arrival_leads_to_an_explained_plan_and_a_burst_to_one_or_two_more(
    at_work: tuple[Engine, Settings], ctx: Context
):
    """Two workers; the first plan is called for within a second and made once."""
    ward, settings = at_work
    with ExitStack() as workers:
        for _ in range(2):
            workers.enter_context(worker_beside(settings))
        until(ward, lambda rows: _following(ward))
        assert until(ward, lambda rows: True) == []
        at = happened(ward, ctx)
        (first,) = until(ward, lambda rows: rows and rows[-1].explained == "ready")
        assert (first.state, first.trigger) == (RunState.SOLVED, "arrival")
        assert first.requested_at - at < timedelta(seconds=1)
        happened(ward, ctx, times=30)
        time.sleep(1.0)
        rows = until(
            ward, lambda rows: len(rows) > 1 and all(it.finished_at is not None for it in rows)
        )
    later = [(it.state, it.outcome) for it in rows[1:]]
    assert 1 <= len(later) <= 3
    assert set(later) == {("superseded", "unchanged")}
    assert rows[0].state == RunState.SOLVED


def test_a_worker_whose_policy_says_so_plans_nothing_by_itself(
    at_work: tuple[Engine, Settings], ctx: Context, tmp_path: Any
):
    ward, settings = at_work
    written = DEFAULT_POLICY.read_text()
    off = tmp_path / "off.toml"
    off.write_text(written.replace("[replanning]\nenabled = true", "[replanning]\nenabled = false"))
    assert off.read_text() != written
    with worker_beside(settings.model_copy(update={"policy_file": off})):
        happened(ward, ctx)
        time.sleep(2.0)
        assert until(ward, lambda rows: True) == []


def _following(engine: Engine) -> bool:
    """Whether some worker follows the log for plans and another places events."""
    with engine.connect() as conn:
        held = conn.exec_driver_sql(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND classid = 20260 AND objid IN (1, 5) AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).scalar_one()
    return bool(held == 2)
