"""When one plan takes the place of another, and what stands through it.

A plan must not change under whoever is deciding on it. A move that the newer plan proposes just
the same may be decided on by its older proposal too. A plan that nobody asked for gives way: where
it proposes nothing new, and where a coordinator has asked for the one before it or decided on it a
moment ago, unless what happened is urgent (``Replanning.urgent``).
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, delete, func, select, update

from service.lifecycle import ProposalState, RunOutcome, RunState, RunTrigger, WorkState
from service.store import events
from service.store.engine import now
from service.store.tables.core import plan_explanation, plan_proposal, planning_run
from service.workflow.context import Context
from solver.domain import Move, Plan

FORGOTTEN_AT_ONCE: Final = 50
_DECIDED: Final = (ProposalState.APPROVED, ProposalState.REJECTED)
_p, _r = plan_proposal.c, planning_run.c


def outcome_of(
    conn: Connection,
    ctx: Context,
    run: RowMapping,
    standing: Collection[str],
    plan: Plan,
    at: datetime,
) -> RunOutcome | None:
    """Whether the plan of this run gives way to the one before it, and why; None if it counts.

    ``run``: its id, trigger and previous run. ``standing``: the solved runs, locked.
    """
    if run["trigger"] == RunTrigger.ASKED:
        return None
    if _says_the_same(conn, run["previous_run"], standing, plan):
        return RunOutcome.UNCHANGED
    if run["trigger"] in ctx.policy.replanning.urgent:
        return None
    in_use = any(in_hand(conn, ctx, each, at) for each in standing)
    return RunOutcome.YIELDED if in_use else None


def in_hand(conn: Connection, ctx: Context, run: str, at: datetime) -> bool:
    """Whether somebody asked for this plan or decided on it a moment ago and may go on with the
    rest of it."""
    decided = select(func.max(_p.decided_at)).where(_p.run_id == run)
    asked_for = select(_r.finished_at).where(_r.id == run, _r.trigger == RunTrigger.ASKED)
    moments = (conn.execute(it).scalar_one_or_none() for it in (decided, asked_for))
    since = at - ctx.policy.replanning.undisturbed
    if not any(moment is not None and moment > since for moment in moments):
        return False
    left = select(_p.id).where(_p.run_id == run, _p.state == ProposalState.PROPOSED).limit(1)
    return conn.execute(left).first() is not None


def kept(conn: Connection, runs: Collection[str], plan: Plan) -> dict[str, str]:
    """The undecided proposals of these runs that the plan makes just the same, by move id."""
    rows = conn.execute(
        select(_p.id, _p.person_id, _p.from_bed_id, _p.to_bed_id, _p.request_id).where(
            _p.run_id.in_(runs), _p.state == ProposalState.PROPOSED
        )
    )
    older = {tuple(row)[1:]: row.id for row in rows}
    return {move.id: older[_same(move)] for move in plan.moves if _same(move) in older}


def successor(conn: Connection, proposal: str) -> str | None:
    """The proposal that makes the same move as this superseded one: undecided in the newest plan,
    or decided on in a plan between; None if the newest plan does not make the move."""
    at: str | None = proposal
    while at is not None:
        rows = conn.execute(
            select(_p.id, _p.state, planning_run.c.state.label("run_state"))
            .join(planning_run, planning_run.c.id == _p.run_id)
            .where(_p.kept_from == at)
            .order_by(_p.id.desc())
        ).all()
        for row in rows:
            if row.state == ProposalState.PROPOSED and row.run_state == RunState.SOLVED:
                return str(row.id)
        for row in rows:
            if row.state in _DECIDED:
                return str(row.id)
        at = rows[0].id if rows else None
    return None


def supersede(conn: Connection, ctx: Context, runs: Sequence[str]) -> None:
    """Another plan counts now: what nobody decided on is closed, what was decided stays, and no
    answer that is not there yet is worked out any more."""
    conn.execute(
        update(plan_proposal)
        .where(_p.run_id.in_(runs), _p.state == ProposalState.PROPOSED)
        .values(state=ProposalState.SUPERSEDED, version=_p.version + 1)
    )
    conn.execute(
        update(planning_run)
        .where(planning_run.c.id.in_(runs))
        .values(
            state=RunState.SUPERSEDED,
            explained=func.nullif(_r.explained, WorkState.PENDING.value),
            worth_state=func.nullif(_r.worth_state, WorkState.PENDING.value),
            version=_r.version + 1,
        )
    )
    for each in runs:
        events.append(conn, ctx.actor, "planning_run.superseded", "planning_run", each)


def told_of_yielding(conn: Connection, ctx: Context, run: RowMapping) -> None:
    """Say that what called for this plan waits until nobody is deciding on the one before it."""
    events.append(
        conn,
        ctx.actor,
        "planning_run.yielded",
        "planning_run",
        run["id"],
        data={"trigger": run["trigger"], "to": run["previous_run"]},
    )


def forget_replaced(conn: Connection, ctx: Context, limit: int = FORGOTTEN_AT_ONCE) -> int:
    """Let go of the snapshots and explanations of plans that a newer one replaced long ago, that
    nobody asked for and nobody decided on; returns how many runs were let go of.

    The run with its hash, figures, proposals and changes stays.
    """
    at = now(conn)
    decided = select(_p.id).where(_p.run_id == _r.id, _p.decided_at.is_not(None))
    replaced = (
        select(_r.id)
        .where(
            _r.state == RunState.SUPERSEDED,
            _r.trigger != RunTrigger.ASKED,
            _r.snapshot.is_not(None),
            _r.finished_at < at - ctx.policy.replanning.keep,
            ~decided.exists(),
        )
        .order_by(_r.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    runs = list(conn.execute(replaced).scalars())
    conn.execute(delete(plan_explanation).where(plan_explanation.c.run_id.in_(runs)))
    conn.execute(update(planning_run).where(_r.id.in_(runs)).values(snapshot=None, explained=None))
    return len(runs)


def _says_the_same(
    conn: Connection, previous: str | None, standing: Collection[str], plan: Plan
) -> bool:
    """Whether the plan is what is left of the one it was made from, which still counts."""
    if previous is None or not set(standing) <= {previous}:
        return False
    before = conn.execute(
        select(planning_run.c.state, planning_run.c.unplaced).where(planning_run.c.id == previous)
    ).one()
    if before.state not in (RunState.SOLVED, RunState.APPLIED):
        return False
    rows = conn.execute(
        select(_p.person_id, _p.from_bed_id, _p.to_bed_id, _p.request_id).where(
            _p.run_id == previous, _p.state == ProposalState.PROPOSED
        )
    )
    if {tuple(row) for row in rows} != {_same(move) for move in plan.moves}:
        return False
    return {it["request"] for it in before.unplaced or ()} == {it.request for it in plan.unplaced}


def _same(move: Move) -> tuple[str, str | None, str, str | None]:
    """What makes two proposed moves the same: who, from where to where, for which request."""
    return move.person, move.from_bed, move.to_bed, move.request
