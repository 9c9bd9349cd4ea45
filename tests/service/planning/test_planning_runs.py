"""Planning runs on a real database, solved in a real child process."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, func, select, text, update

from service.errors import Conflict, Invalid, NotFound
from service.lifecycle import ProposalState, RunState
from service.solver_process import SolveFailed
from service.solving import solve
from service.store.engine import run
from service.store.locks import lock
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.moves import handover
from service.workflow.plans import planning_decisions, planning_runs
from service.workflow.plans.planning_decisions import ProposalShown
from solver.instance import network_to_json
from tests.service.planning.conftest import solved
from tests.service.planning.full_ward import RESIDENTS, WAITING, full_ward
from tests.service.workflow.world import World

OFFICER = {"officer": "Coordinator Li", "reason": "both are fit to go back, two are waiting"}


def jobs(conn: Connection) -> int:
    count = conn.exec_driver_sql("SELECT count(*) FROM procrastinate_jobs").scalar_one()
    return int(count)


def everything(engine: Engine) -> dict[str, int]:
    """How many rows each table has that an approval could write."""
    tables = (core.bed_claim, core.bed_next, core.transfer, core.placement_decision, core.event)
    with engine.connect() as conn:
        return {
            it.name: conn.execute(select(func.count()).select_from(it)).scalar_one()
            for it in tables
        }


def test_a_run_and_its_job_are_committed_together_or_not_at_all(ward: Engine, ctx: Context):
    with ward.connect() as conn:
        planning_runs.request_run(conn, ctx)
        assert jobs(conn) == 1
        conn.rollback()
        assert jobs(conn) == 0
        assert conn.execute(select(core.planning_run.c.id)).first() is None


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_out_of_range_is_refused_with_the_range(ward: Engine, ctx: Context, seed: int):
    with pytest.raises(Invalid) as caught:
        run(ward, planning_runs.request_run, ctx, seed=seed)
    assert caught.value.errors[0].pointer == "/seed"
    assert str(2**31 - 1) in caught.value.errors[0].message


def test_a_run_is_taken_up_once_and_again_only_when_its_worker_died(ward: Engine, ctx: Context):
    asked = run(ward, planning_runs.request_run, ctx)
    first = run(ward, planning_runs.take_up, ctx, asked.id)
    assert first is not None
    assert run(ward, planning_runs.take_up, ctx, asked.id) is None
    with ward.begin() as conn:
        long_ago = func.clock_timestamp() - planning_runs.ABANDONED_AFTER - timedelta(minutes=1)
        conn.execute(update(core.planning_run).values(started_at=long_ago))
    assert run(ward, planning_runs.abandoned_runs, ctx) == [asked.id]
    second = run(ward, planning_runs.take_up, ctx, asked.id)
    assert second is not None
    with pytest.raises(Conflict) as caught:
        run(ward, planning_runs.fail, ctx, first, "died")
    assert caught.value.code == "run-overtaken"
    run(ward, planning_runs.fail, ctx, second, "died")


def test_a_job_for_a_run_that_is_not_there_does_nothing(ward: Engine, ctx: Context):
    assert run(ward, planning_runs.take_up, ctx, "pr_nobody") is None
    with pytest.raises(NotFound):
        run(ward, planning_runs.get_run, ctx, "pr_nobody")


def test_a_full_ward_is_planned_by_moving_two_back_and_placing_two(
    ward: Engine, ctx: Context, proposals: list[ProposalShown]
):
    moved = [it for it in proposals if it.from_bed is not None]
    placed = [it for it in proposals if it.from_bed is None]
    assert {it.person for it in moved} == set(RESIDENTS)
    assert {it.person for it in placed} == set(WAITING)
    first_of = {it.to_bed: it for it in placed}
    for it in moved:
        assert it.from_bed is not None
        assert it.id in first_of[it.from_bed].after
        assert it.reason_zh
        assert it.reason_en
    shown = run(ward, planning_runs.get_run, ctx, proposals[0].run)
    assert shown.state is RunState.SOLVED
    assert [it.level for it in shown.levels] == [0, 1, 2, 3, 4]
    assert all(it.value >= it.bound - 1e-6 for it in shown.levels)
    assert shown.unplaced == ()
    assert shown.network_position is not None
    assert shown.snapshot_hash
    assert shown.seconds


def test_moves_approved_in_order_become_transfers_and_promises(
    ward: Engine, ctx: Context, proposals: list[ProposalShown]
):
    for it in proposals:
        decided = run(ward, planning_decisions.approve, ctx, it.id, **OFFICER)
        assert decided.state is ProposalState.APPROVED
        assert decided.decided_by == OFFICER["officer"]
        assert (decided.transfer is not None) == (it.from_bed is not None)
    with ward.connect() as conn:
        transfers = conn.execute(select(core.transfer.c.state)).scalars().all()
        promises = conn.execute(
            select(core.bed_next.c.person_id).where(core.bed_next.c.state == "live")
        ).scalars()
        assert list(transfers) == ["approved", "approved"]
        assert set(promises) == set(WAITING)
    assert run(ward, planning_runs.get_run, ctx, proposals[0].run).state is RunState.APPLIED


def test_a_bed_whose_resident_has_left_is_promised_while_it_awaits_cleaning(
    ward: Engine, ctx: Context, proposals: list[ProposalShown]
):
    later = next(it for it in proposals if it.after and it.request is not None)
    for earlier in later.after:
        move = run(ward, planning_decisions.approve, ctx, earlier, **OFFICER).transfer
        assert move is not None
        world = World(ward, ctx)
        world.do(handover.accept_transfer, move)
        world.depart(move)
        world.do(handover.arrive, move)
    decided = run(ward, planning_decisions.approve, ctx, later.id, **OFFICER)
    assert decided.state is ProposalState.APPROVED
    with ward.connect() as conn:
        live = core.bed_next.c.state == "live"
        assert conn.execute(select(core.bed_next.c.bed_id).where(live)).scalars().all() == [
            later.to_bed
        ]


def test_an_approval_waits_for_the_person_before_it_takes_the_proposal(
    ward: Engine, ctx: Context, proposals: list[ProposalShown]
):
    """Whoever holds a person may go on to their proposals: expiry and merging do."""
    first = proposals[0]
    proposal = select(core.plan_proposal.c.id).where(core.plan_proposal.c.id == first.id)
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with ThreadPoolExecutor(1) as pool, ward.connect() as conn:
        lock(conn, persons=[first.person])
        approval = pool.submit(
            lambda: run(ward, planning_decisions.approve, ctx, first.id, **OFFICER)
        )
        with ward.connect() as watch:
            deadline = time.monotonic() + 2
            while not watch.execute(waiting).scalar_one() and time.monotonic() < deadline:
                watch.rollback()
                time.sleep(0.01)
        conn.execute(proposal.with_for_update(nowait=True))
        conn.rollback()
        assert approval.result(20).state is ProposalState.APPROVED


def test_a_move_behind_another_is_not_approved_before_it(
    ward: Engine, ctx: Context, proposals: list[ProposalShown]
):
    later = next(it for it in proposals if it.after)
    before = everything(ward)
    with pytest.raises(Conflict) as caught:
        run(ward, planning_decisions.approve, ctx, later.id, **OFFICER)
    assert caught.value.code == "earlier-move-first"
    assert caught.value.members["proposal"] == later.after[0]
    assert everything(ward) == before


def test_a_move_behind_a_rejected_one_is_superseded(
    ward: Engine, ctx: Context, proposals: list[ProposalShown]
):
    later = next(it for it in proposals if it.after)
    run(ward, planning_decisions.reject, ctx, later.after[0], officer="Li", reason="he is asleep")
    with pytest.raises(Conflict) as caught:
        run(ward, planning_decisions.approve, ctx, later.id, **OFFICER)
    assert caught.value.code == "superseded"


def test_a_decided_move_is_not_decided_again(
    ward: Engine, ctx: Context, proposals: list[ProposalShown]
):
    run(ward, planning_decisions.reject, ctx, proposals[0].id, officer="Li", reason="not tonight")
    for verb in (planning_decisions.approve, planning_decisions.reject):
        with pytest.raises(Conflict) as caught:
            run(ward, verb, ctx, proposals[0].id, **OFFICER)
        assert caught.value.code == "illegal-step"


@pytest.mark.parametrize("field", ["officer", "reason"])
def test_a_decision_without_a_name_or_a_reason_is_refused(
    ward: Engine, ctx: Context, proposals: list[ProposalShown], field: str
):
    before = everything(ward)
    with pytest.raises(Invalid) as caught:
        run(ward, planning_decisions.approve, ctx, proposals[0].id, **{**OFFICER, field: "  "})
    assert caught.value.errors[0].pointer == f"/{field}"
    assert everything(ward) == before


def test_an_approval_after_the_bed_closed_is_superseded_and_changes_nothing(
    ward: Engine, ctx: Context, proposals: list[ProposalShown]
):
    move = next(it for it in proposals if it.from_bed is not None)
    with ward.begin() as conn:
        conn.execute(update(core.bed).where(core.bed.c.id == move.to_bed).values(state="closed"))
    before = everything(ward)
    with pytest.raises(Conflict) as caught:
        run(ward, planning_decisions.approve, ctx, move.id, **OFFICER)
    assert caught.value.code == "superseded"
    assert caught.value.members["proposal"] == move.id
    assert "new plan" in caught.value.detail
    assert everything(ward) == before


def test_an_approval_after_the_person_moved_is_superseded(
    ward: Engine, ctx: Context, proposals: list[ProposalShown]
):
    move = next(it for it in proposals if it.from_bed is not None)
    with ward.begin() as conn:
        conn.execute(
            update(core.bed_claim)
            .where(core.bed_claim.c.person_id == move.person)
            .values(voided_at=func.clock_timestamp(), void_reason="test", voided_by="test")
        )
    with pytest.raises(Conflict) as caught:
        run(ward, planning_decisions.approve, ctx, move.id, **OFFICER)
    assert (caught.value.code, caught.value.members["cause"]) == ("superseded", "person-moved")


def test_a_newer_plan_supersedes_what_nobody_decided_on(
    ward: Engine, ctx: Context, proposals: list[ProposalShown]
):
    solved(ward, ctx, seed=1)
    old = run(ward, planning_runs.get_run, ctx, proposals[0].run)
    assert old.state is RunState.SUPERSEDED
    left = run(ward, planning_decisions.list_proposals, ctx, proposals[0].run)
    assert {it.state for it in left} == {ProposalState.SUPERSEDED}


def test_a_plan_of_an_older_snapshot_does_not_replace_one_of_a_newer(ward: Engine, ctx: Context):
    late = run(ward, planning_runs.request_run, ctx)
    taken = run(ward, planning_runs.take_up, ctx, late.id)
    assert taken is not None
    answer = asyncio.run(solve(taken.snapshot, seed=0, limit_s=60))
    with ward.begin() as conn:
        conn.execute(update(core.event).values(pos=core.event.c.seq))
    newer = solved(ward, ctx)
    run(ward, planning_runs.finish, ctx, taken, answer.plan, answer.seconds)
    assert run(ward, planning_runs.get_run, ctx, late.id).state is RunState.SUPERSEDED
    assert run(ward, planning_runs.get_run, ctx, newer).state is RunState.SOLVED
    left = run(ward, planning_decisions.list_proposals, ctx, late.id)
    assert {it.state for it in left} == {ProposalState.SUPERSEDED}


def test_a_failed_run_keeps_its_reason_and_shows_no_move(ward: Engine, ctx: Context):
    asked = run(ward, planning_runs.request_run, ctx)
    taken = run(ward, planning_runs.take_up, ctx, asked.id)
    assert taken is not None
    run(ward, planning_runs.fail, ctx, taken, "timed_out")
    shown = run(ward, planning_runs.get_run, ctx, asked.id)
    assert (shown.state, shown.failure) == (RunState.FAILED, "timed_out")
    assert run(ward, planning_decisions.list_proposals, ctx, asked.id) == []


def test_a_solve_that_overruns_is_killed_and_says_so():
    snapshot = network_to_json(full_ward()).encode()
    with pytest.raises(SolveFailed) as caught:
        asyncio.run(solve(snapshot, seed=0, limit_s=0.01))
    assert caught.value.code == "timed_out"


def test_a_solve_that_dies_says_so():
    with pytest.raises(SolveFailed) as caught:
        asyncio.run(solve(b"{}", seed=0, limit_s=60))
    assert caught.value.code == "died"


@pytest.fixture
def orphanage(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that solves for a long time, to be killed."""
    network = replace(full_ward())
    snapshot = tmp_path / "network.json"
    snapshot.write_text(network_to_json(network))
    script = (
        "import asyncio, pathlib, sys, service.solving as s\n"
        "sys.executable = sys.argv[2]\n"
        "asyncio.run(s.solve(pathlib.Path(sys.argv[1]).read_bytes(), seed=0, limit_s=60))\n"
    )
    sleeper = tmp_path / "sleeper"
    sleeper.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    sleeper.chmod(0o755)
    parent = subprocess.Popen([sys.executable, "-c", script, str(snapshot), str(sleeper)])
    yield parent
    parent.kill()
    parent.wait()


def test_a_solve_dies_with_its_parent(orphanage: subprocess.Popen[bytes], tmp_path: Path):
    deadline = time.monotonic() + 20
    pid_file = tmp_path / "pid"
    while not (pid_file.exists() and pid_file.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child = int(pid_file.read_text())
    os.kill(child, 0)
    orphanage.send_signal(signal.SIGKILL)
    orphanage.wait()
    while _alive(child):
        assert time.monotonic() < deadline, "the solve outlived its parent"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
