"""A plan rebuilt from its rows: what the next one starts from, and what is explained."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select

from service.lifecycle import ProposalState, RunState
from service.store.tables.core import plan_proposal, planning_run
from solver.codes import MoveReason, PlanStatus
from solver.cost import TERMS
from solver.domain import LevelResult, Move, Plan, Unplaced

_TERM_ORDER: Final = {term.name: place for place, term in enumerate(TERMS)}
_OF_A_PLAN: Final = (
    planning_run.c.id,
    planning_run.c.seed,
    planning_run.c.status,
    planning_run.c.levels,
    planning_run.c.unplaced,
)


@dataclass(frozen=True, slots=True)
class LastPlan:
    """A solved plan: every move it proposed, and those of them that nobody has decided on."""

    run: str
    plan: Plan
    undecided: Plan


def newest(conn: Connection) -> LastPlan | None:
    """The plan of the newest snapshot that is solved or applied; None before the first."""
    query = (
        select(*_OF_A_PLAN)
        .where(planning_run.c.state.in_((RunState.SOLVED, RunState.APPLIED)))
        .order_by(planning_run.c.network_position.desc(), planning_run.c.id.desc())
        .limit(1)
    )
    found = conn.execute(query).mappings().one_or_none()
    return _rebuilt(conn, found) if found is not None else None


def plan_of(conn: Connection, run: str) -> LastPlan:
    """The plan of one run that was solved, as the checker found it clean."""
    query = select(*_OF_A_PLAN).where(planning_run.c.id == run)
    return _rebuilt(conn, conn.execute(query).mappings().one())


def _rebuilt(conn: Connection, run: RowMapping) -> LastPlan:
    found = conn.execute(
        select(plan_proposal)
        .where(plan_proposal.c.run_id == run["id"])
        .order_by(plan_proposal.c.ordinal)
    )
    rows = found.mappings().all()
    move_of = {row["id"]: row["move_id"] for row in rows}
    moves = tuple(_move(row, tuple(move_of[it] for it in row["after"])) for row in rows)
    plan = Plan(
        moves=moves,
        unplaced=tuple(_unplaced(left) for left in run["unplaced"] or ()),
        levels=tuple(
            LevelResult(it["level"], it["value"], it["bound"]) for it in run["levels"] or ()
        ),
        status=PlanStatus(run["status"]),
        seed=run["seed"],
    )
    open_ = {row["move_id"] for row in rows if row["state"] == ProposalState.PROPOSED}
    left = tuple(move for move in moves if move.id in open_)
    return LastPlan(run["id"], plan, replace(plan, moves=left))


def _move(row: RowMapping, after: tuple[str, ...]) -> Move:
    return Move(
        id=row["move_id"],
        person=row["person_id"],
        from_bed=row["from_bed_id"],
        to_bed=row["to_bed_id"],
        request=row["request_id"],
        reason=MoveReason(row["reason"]),
        after=after,
        ready_at=row["ready_at"],
        displaced_for=row["displaced_for"],
        terms=tuple(sorted(row["terms"].items(), key=lambda it: _TERM_ORDER[it[0]])),
    )


def _unplaced(left: dict[str, Any]) -> Unplaced:
    expected = left["expected_free"]
    return Unplaced(
        request=left["request"],
        by_rule=tuple(sorted(left["by_rule"].items())),
        expected_free=datetime.fromisoformat(expected) if expected is not None else None,
    )
