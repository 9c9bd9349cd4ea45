"""When a newer plan takes the place of an older one, and what stands for whoever is deciding."""

import gzip
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from service.errors import Conflict
from service.lifecycle import ProposalState, RunOutcome, RunState, RunTrigger, WorkState
from service.store.engine import run
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.plans import (
    hand_plans,
    last_plan,
    planning_decisions,
    planning_runs,
    run_explanations,
    run_views,
)
from service.workflow.plans.planning_decisions import ProposalShown
from service.workflow.plans.run_views import RunShown
from service.workflow.plans.superseding import forget_replaced
from solver.changes import ChangeKind, ChangeReason
from solver.check import violations
from solver.domain import Plan, Unplaced
from solver.instance import network_from_json, plan_from_json
from tests.service.planning.conftest import solved
from tests.service.planning.full_ward import WAITING

OFFICER = {"officer": "Coordinator Li", "reason": "both are fit to go back, two are waiting"}
URGENT = (RunTrigger.EMERGENCY, RunTrigger.CLOSURE)
CALM = (RunTrigger.ARRIVAL, RunTrigger.DISCHARGE, RunTrigger.ISOLATION, RunTrigger.FACTS)


@dataclass
class Desk:
    """Plans handed in without solving: what is looked at is what becomes of them."""

    engine: Engine
    ctx: Context

    @property
    def last(self) -> Plan:
        with self.engine.connect() as conn:
            found = last_plan.newest(conn)
        assert found is not None
        return found.plan

    def again(self, plan: Plan, trigger: RunTrigger = RunTrigger.ARRIVAL) -> RunShown:
        """A run for this trigger ends with this plan."""
        asked = run(self.engine, planning_runs.request_run, self.ctx, trigger=trigger)
        taken = run(self.engine, planning_runs.take_up, self.ctx, asked.id)
        assert taken is not None
        run(self.engine, planning_runs.finish, self.ctx, taken, plan, {})
        return self.run(asked.id)

    def run(self, id_: str) -> RunShown:
        return run(self.engine, planning_runs.get_run, self.ctx, id_)

    def moves(self, id_: str) -> list[ProposalShown]:
        return run(self.engine, planning_decisions.list_proposals, self.ctx, id_)

    def approve(self, id_: str) -> ProposalShown:
        return run(self.engine, planning_decisions.approve, self.ctx, id_, **OFFICER)

    def lies_back(self) -> None:
        """Let the plans there are be finished longer ago than they stay undisturbed."""
        back = self.ctx.policy.replanning.undisturbed + timedelta(seconds=1)
        with self.engine.begin() as conn:
            long_ago = func.clock_timestamp() - back
            conn.execute(update(core.planning_run).values(finished_at=long_ago))


@pytest.fixture
def desk(ward: Engine, ctx: Context) -> Desk:
    """Whoever asked for the plan there is did so a while ago."""
    found = Desk(ward, ctx)
    found.lies_back()
    return found


def without_one(plan: Plan) -> Plan:
    """The plan without its last placement: that request stays unplaced."""
    last = plan.moves[-1]
    assert last.request is not None
    return replace(plan, moves=plan.moves[:-1], unplaced=(Unplaced(last.request, ()),))


def test_a_plan_comes_back_from_its_rows_as_the_checker_found_it_clean(
    desk: Desk, proposals: list[ProposalShown]
):
    taken_from = run(desk.engine, planning_runs.request_run, desk.ctx)
    taken = run(desk.engine, planning_runs.take_up, desk.ctx, taken_from.id)
    assert taken is not None
    assert taken.last == desk.last
    assert taken.previous is not None
    with desk.engine.connect() as conn:
        own = select(core.planning_run.c.snapshot).where(core.planning_run.c.state == "solved")
        network = network_from_json(gzip.decompress(conn.execute(own).scalar_one()).decode())
    assert violations(network, desk.last) == ()
    standing = plan_from_json(taken.previous.decode())
    assert [it.person for it in standing.moves] == [it.person for it in proposals]


def test_a_plan_that_proposes_nothing_new_leaves_the_standing_one_as_it_is(
    desk: Desk, proposals: list[ProposalShown]
):
    again = desk.again(desk.last)
    assert (again.state, again.outcome) == (RunState.SUPERSEDED, RunOutcome.UNCHANGED)
    assert again.previous_run == proposals[0].run
    assert again.explained is None
    assert desk.moves(again.id) == []
    assert desk.run(proposals[0].run).state is RunState.SOLVED
    assert desk.moves(proposals[0].run) == proposals


def test_a_plan_that_was_asked_for_counts_even_if_it_says_the_same(
    desk: Desk, proposals: list[ProposalShown]
):
    again = desk.again(desk.last, RunTrigger.ASKED)
    assert (again.state, again.outcome) == (RunState.SOLVED, None)
    assert (again.explained, again.worth_state) == (WorkState.PENDING, WorkState.PENDING)
    assert desk.run(proposals[0].run).state is RunState.SUPERSEDED


def test_somebody_more_without_a_bed_is_something_new(desk: Desk, proposals: list[ProposalShown]):
    more = replace(desk.last, unplaced=(Unplaced("rq_another", ()),))
    again = desk.again(more)
    assert (again.outcome, again.explained, again.worth_state) == (None, WorkState.PENDING, None)


def test_a_move_kept_by_the_newer_plan_may_be_decided_on_by_its_older_id(
    desk: Desk, proposals: list[ProposalShown]
):
    """Somebody has the older list before them; the newer plan makes the same move."""
    first = desk.again(without_one(desk.last))
    second = desk.again(desk.last, RunTrigger.ASKED)
    kept = {it.kept_from: it for it in desk.moves(first.id)}
    assert set(kept) == {it.id for it in proposals[:-1]}
    decided = desk.approve(proposals[0].id)
    assert (decided.run, decided.state) == (second.id, ProposalState.APPROVED)
    assert decided.kept_from == kept[proposals[0].id].id
    assert decided.id == desk.moves(second.id)[0].id


@pytest.mark.parametrize("word", [planning_decisions.approve, planning_decisions.reject])
def test_a_second_word_on_a_move_decided_on_in_a_later_plan_is_told_that_it_was_decided(
    desk: Desk, proposals: list[ProposalShown], word: Any
):
    """Also when a plan newer still has nothing of that move."""
    last = desk.last
    second = desk.again(last, RunTrigger.ASKED)
    third = desk.again(last, RunTrigger.ASKED)
    assert desk.approve(proposals[0].id).run == third.id
    gone = last.moves[0].id
    rest = tuple(
        replace(it, after=tuple(each for each in it.after if each != gone)) for it in last.moves[1:]
    )
    fourth = desk.again(replace(last, moves=rest), RunTrigger.ASKED)
    assert fourth.state is RunState.SOLVED
    for older in (proposals[0].id, desk.moves(second.id)[0].id, desk.moves(third.id)[0].id):
        with pytest.raises(Conflict) as caught:
            run(desk.engine, word, desk.ctx, older, **OFFICER)
        assert caught.value.code == "illegal-step"
        assert caught.value.members["present"] == "approved"
    assert desk.approve(proposals[1].id).run == fourth.id


def test_a_move_that_the_newer_plan_does_not_make_is_superseded(
    desk: Desk, proposals: list[ProposalShown]
):
    desk.again(without_one(desk.last))
    with pytest.raises(Conflict) as caught:
        desk.approve(proposals[-1].id)
    assert caught.value.code == "superseded"
    assert "changes" in caught.value.detail
    with pytest.raises(Conflict) as caught:
        run(desk.engine, planning_decisions.reject, desk.ctx, proposals[-1].id, **OFFICER)
    assert caught.value.code == "superseded"


def test_a_rejection_by_the_older_id_is_one_of_the_kept_move(
    desk: Desk, proposals: list[ProposalShown]
):
    again = desk.again(without_one(desk.last))
    no = run(desk.engine, planning_decisions.reject, desk.ctx, proposals[0].id, **OFFICER)
    assert (no.run, no.state) == (again.id, ProposalState.REJECTED)


@pytest.mark.parametrize("trigger", CALM)
def test_a_plan_gives_way_to_one_that_somebody_is_deciding_on(
    desk: Desk, proposals: list[ProposalShown], trigger: RunTrigger
):
    changed = without_one(desk.last)
    desk.approve(proposals[0].id)
    again = desk.again(changed, trigger)
    assert (again.state, again.outcome) == (RunState.SUPERSEDED, RunOutcome.YIELDED)
    assert desk.moves(again.id) == []
    assert (again.explained, again.worth_state) == (None, None)
    assert run(desk.engine, run_views.list_changes, desk.ctx, again.id).lines == ()
    with pytest.raises(Conflict) as caught:
        run(desk.engine, run_explanations.list_explanations, desk.ctx, again.id, limit=9)
    assert proposals[0].run in caught.value.detail
    assert desk.run(proposals[0].run).state is RunState.SOLVED
    assert desk.approve(proposals[1].id).run == proposals[0].run
    with desk.engine.connect() as conn:
        told = core.event.c.operation == "planning_run.yielded"
        data = conn.execute(select(core.event.c.data).where(told)).scalars().all()
    assert data == [{"trigger": trigger.value, "to": proposals[0].run}]


@pytest.mark.parametrize("trigger", [*URGENT, RunTrigger.ASKED])
def test_what_is_urgent_or_asked_for_gives_way_to_nobody(
    desk: Desk, proposals: list[ProposalShown], trigger: RunTrigger
):
    changed = without_one(desk.last)
    desk.approve(proposals[0].id)
    assert desk.again(changed, trigger).outcome is None
    assert desk.run(proposals[0].run).state is RunState.SUPERSEDED


def test_a_decision_that_lies_back_holds_up_no_plan(desk: Desk, proposals: list[ProposalShown]):
    changed = without_one(desk.last)
    desk.approve(proposals[0].id)
    back = desk.ctx.policy.replanning.undisturbed + timedelta(seconds=1)
    with desk.engine.begin() as conn:
        long_ago = func.clock_timestamp() - back
        row = core.plan_proposal.c.id == proposals[0].id
        conn.execute(update(core.plan_proposal).where(row).values(decided_at=long_ago))
    assert desk.again(changed).outcome is None


@pytest.mark.parametrize("trigger", CALM)
def test_a_plan_gives_way_to_one_that_somebody_asked_for_a_moment_ago(
    desk: Desk, proposals: list[ProposalShown], trigger: RunTrigger
):
    """Nobody has decided on it yet: whoever asked is reading it."""
    asked = desk.again(desk.last, RunTrigger.ASKED)
    changed = without_one(desk.last)
    again = desk.again(changed, trigger)
    assert (again.state, again.outcome) == (RunState.SUPERSEDED, RunOutcome.YIELDED)
    assert desk.run(asked.id).state is RunState.SOLVED
    assert desk.again(changed, RunTrigger.CLOSURE).outcome is None
    assert desk.run(asked.id).state is RunState.SUPERSEDED


def test_a_plan_that_nobody_asked_for_holds_up_none_however_new(
    desk: Desk, proposals: list[ProposalShown]
):
    last = desk.last
    first = desk.again(without_one(last))
    second = desk.again(last)
    assert (first.outcome, second.outcome) == (None, None)


def test_answers_that_are_not_there_when_a_plan_is_replaced_are_not_waited_for(
    desk: Desk, proposals: list[ProposalShown]
):
    assert desk.run(proposals[0].run).explained is WorkState.PENDING
    last = desk.last
    second = desk.again(last, RunTrigger.ASKED)
    with desk.engine.begin() as conn:
        row = core.planning_run.c.id == second.id
        conn.execute(update(core.planning_run).where(row).values(explained=WorkState.READY))
    desk.again(last, RunTrigger.ASKED)
    first, second = desk.run(proposals[0].run), desk.run(second.id)
    assert (first.state, first.explained, first.worth_state) == (RunState.SUPERSEDED, None, None)
    assert (second.explained, second.worth_state) == (WorkState.READY, None)
    run(desk.engine, run_explanations.fail_worth, desk.ctx, first.id)
    assert desk.run(first.id).worth_state is None
    with pytest.raises(Conflict) as caught:
        run(desk.engine, run_explanations.get_worth, desk.ctx, first.id)
    assert "newer plan" in caught.value.detail


def test_a_snapshot_that_was_let_go_of_is_not_one_that_is_still_to_come(
    desk: Desk, proposals: list[ProposalShown]
):
    replaced = desk.again(without_one(desk.last))
    desk.again(desk.last, RunTrigger.ASKED)
    with desk.engine.begin() as conn:
        long_ago = func.clock_timestamp() - desk.ctx.policy.replanning.keep - timedelta(days=1)
        conn.execute(update(core.planning_run).values(finished_at=long_ago))
    assert run(desk.engine, forget_replaced, desk.ctx) == 1
    queued = run(desk.engine, planning_runs.request_run, desk.ctx)
    for id_, said in ((replaced.id, "let go of"), (queued.id, "no worker")):
        with pytest.raises(Conflict) as caught:
            run(desk.engine, hand_plans.snapshot_of, desk.ctx, id_)
        assert caught.value.code == "run-without-snapshot"
        assert said in caught.value.detail


def test_a_plan_decided_to_its_end_holds_up_none(desk: Desk, proposals: list[ProposalShown]):
    for it in proposals:
        desk.approve(it.id)
    assert desk.run(proposals[0].run).state is RunState.APPLIED
    again = desk.again(replace(desk.last, moves=desk.last.moves[:1]))
    assert (again.state, again.outcome) == (RunState.SOLVED, None)


def test_nothing_left_to_do_after_an_applied_plan_is_nothing_new(
    desk: Desk, proposals: list[ProposalShown]
):
    for it in proposals:
        desk.approve(it.id)
    again = desk.again(replace(desk.last, moves=()))
    assert again.outcome is RunOutcome.UNCHANGED


def test_with_nothing_changed_a_new_plan_is_kept_line_by_line(
    desk: Desk, ctx: Context, proposals: list[ProposalShown]
):
    """Solved in a child process: the planner starts from the plan before."""
    again = solved(desk.engine, ctx, trigger=RunTrigger.ARRIVAL)
    assert desk.run(again).outcome is RunOutcome.UNCHANGED
    found = run(desk.engine, run_views.list_changes, ctx, again)
    assert found.counts == {**dict.fromkeys(ChangeKind, 0), ChangeKind.KEPT: len(proposals)}
    assert {it.reason for it in found.lines} == {ChangeReason.SAME_BED}
    assert found.previous_run == proposals[0].run


def test_the_first_plan_is_new_line_by_line_and_a_run_without_a_plan_has_no_lines(
    desk: Desk, ctx: Context, proposals: list[ProposalShown]
):
    found = run(desk.engine, run_views.list_changes, ctx, proposals[0].run)
    assert found.previous_run is None
    assert found.counts[ChangeKind.NEW] == len(proposals) == len(found.lines)
    waiting = [it for it in found.lines if it.person in WAITING]
    assert {it.reason for it in waiting} == {ChangeReason.NEWLY_WAITING}
    assert all(it.zh and it.en for it in found.lines)
    only = run(desk.engine, run_views.list_changes, ctx, found.run, kind=ChangeKind.KEPT)
    assert (only.lines, only.counts) == ((), found.counts)
    queued = run(desk.engine, planning_runs.request_run, ctx)
    with pytest.raises(Conflict) as caught:
        run(desk.engine, run_views.list_changes, ctx, queued.id)
    assert caught.value.code == "run-not-solved"


@pytest.mark.parametrize(
    ("trigger", "decided", "days", "let_go"),
    [
        (RunTrigger.ARRIVAL, False, 8, True),
        (RunTrigger.ARRIVAL, False, 6, False),
        (RunTrigger.ARRIVAL, True, 8, False),
        (RunTrigger.ASKED, False, 8, False),
    ],
)
def test_the_bulk_of_a_replaced_plan_is_let_go_unless_somebody_asked_or_decided(
    desk: Desk,
    ctx: Context,
    proposals: list[ProposalShown],
    trigger: RunTrigger,
    decided: bool,
    days: int,
    let_go: bool,
):
    replaced = desk.again(without_one(desk.last), trigger)
    if decided:
        desk.approve(desk.moves(replaced.id)[0].id)
    newest = desk.again(desk.last, RunTrigger.ASKED)
    with desk.engine.begin() as conn:
        long_ago = func.clock_timestamp() - timedelta(days=days)
        row = core.planning_run.c.id.in_([replaced.id, newest.id])
        conn.execute(update(core.planning_run).where(row).values(finished_at=long_ago))
    moves = desk.moves(replaced.id)
    assert run(desk.engine, forget_replaced, ctx) == int(let_go)
    assert run(desk.engine, forget_replaced, ctx) == 0
    with desk.engine.connect() as conn:
        kept = select(core.planning_run.c.id).where(core.planning_run.c.snapshot.is_not(None))
        ids = set(conn.execute(kept).scalars())
    assert (replaced.id in ids) is not let_go
    assert newest.id in ids
    assert desk.moves(replaced.id) == moves
    assert desk.run(replaced.id).snapshot_hash
