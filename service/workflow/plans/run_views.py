"""Planning runs as their readers see them: value, bound, gap, what changed, who stays unplaced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select

from service.errors import Conflict, NotFound
from service.lifecycle import RunOutcome, RunState, RunTrigger, WorkState
from service.store.tables.core import planning_run
from service.workflow.context import Context
from solver.changes import Change, ChangeKind, ChangeReason, change_words

_INSIDE: Final = frozenset({"snapshot", "changes", "worth"})
_SHOWN: Final = tuple(column for column in planning_run.c if column.name not in _INSIDE)


@dataclass(frozen=True, slots=True)
class LevelShown:
    """One cost level of the plan shown: its value, a proven lower bound, the relative gap."""

    level: int
    value: int
    bound: float
    gap: float


@dataclass(frozen=True, slots=True)
class UnplacedShown:
    """A request the plan gives no bed: beds removed by each rule, and when one is expected."""

    request: str
    by_rule: dict[str, int]
    expected_free: datetime | None


@dataclass(frozen=True, slots=True)
class RunShown:
    """A planning run as its readers see it; the snapshot itself stays inside.

    ``trigger``: what called for it, ``trigger_position`` the event that did where nobody asked.
    ``previous_run``: the plan it was made from. ``outcome``: why that one goes on in its stead.
    ``explained`` and ``worth_state``: how far those answers are.
    """

    id: str
    kind: str
    state: RunState
    seed: int
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    network_position: int | None
    policy_version: str | None
    snapshot_hash: str | None
    status: str | None
    levels: tuple[LevelShown, ...]
    unplaced: tuple[UnplacedShown, ...]
    seconds: dict[str, float]
    failure: str | None
    trigger: RunTrigger
    trigger_position: int | None
    previous_run: str | None
    outcome: RunOutcome | None
    explained: WorkState | None
    worth_state: WorkState | None
    version: int


@dataclass(frozen=True, slots=True)
class ChangeShown:
    """What the plan changes for one person against the plan before it, and why.

    ``level`` and ``by``: the cost level that got better and by how much, where a price decided.
    """

    person: str
    request: str | None
    kind: ChangeKind
    reason: ChangeReason
    before: str | None
    now: str | None
    level: int | None
    by: int | None
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class ChangesShown:
    """The plan told apart from the one before it; everything is new where there was none."""

    run: str
    previous_run: str | None
    outcome: RunOutcome | None
    counts: dict[ChangeKind, int]
    lines: tuple[ChangeShown, ...]


def get_run(conn: Connection, ctx: Context, run: str) -> RunShown:
    """One run with value, bound and gap by level.

    Raises:
        NotFound: no run by that id.
    """
    row = conn.execute(select(*_SHOWN).where(planning_run.c.id == run)).mappings().one_or_none()
    if row is None:
        raise NotFound("planning-run-not-found", f"there is no planning run {run}")
    return _shown(row)


def list_runs(
    conn: Connection, ctx: Context, *, limit: int, after: str | None = None
) -> list[RunShown]:
    """Runs, newest first, at most ``limit`` of those before the id ``after``."""
    query = select(*_SHOWN).order_by(planning_run.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(planning_run.c.id < after)
    return [_shown(row) for row in conn.execute(query).mappings()]


def list_changes(
    conn: Connection, ctx: Context, run: str, *, kind: ChangeKind | None = None
) -> ChangesShown:
    """What a solved run changes against the plan before it, one line a person; ``kind`` keeps
    those lines alone, ``counts`` counts all.

    Raises:
        NotFound: no run by that id.
        Conflict: ``run-not-solved``, there is no plan yet, or there never was.
    """
    found = get_run(conn, ctx, run)
    kept = conn.execute(select(planning_run.c.changes).where(planning_run.c.id == run)).scalar_one()
    if kept is None:
        raise Conflict(
            "run-not-solved",
            f"planning run {run} is {found.state} and has no plan to tell apart; read the run, or "
            "ask for a new one",
            run=run,
            state=found.state.value,
        )
    lines = [_change_shown(Change(**each)) for each in kept]
    return ChangesShown(
        run=run,
        previous_run=found.previous_run,
        outcome=found.outcome,
        counts={each: sum(it.kind is each for it in lines) for each in ChangeKind},
        lines=tuple(it for it in lines if kind is None or it.kind is kind),
    )


def _change_shown(it: Change) -> ChangeShown:
    line = Change(
        it.person,
        it.request,
        ChangeKind(it.kind),
        ChangeReason(it.reason),
        it.before,
        it.now,
        it.level,
        it.by,
    )
    return ChangeShown(
        line.person,
        line.request,
        line.kind,
        line.reason,
        line.before,
        line.now,
        line.level,
        line.by,
        change_words(line, "zh"),
        change_words(line, "en"),
    )


def _shown(row: RowMapping) -> RunShown:
    levels: Sequence[Mapping[str, Any]] = row["levels"] or ()
    unplaced: Sequence[Mapping[str, Any]] = row["unplaced"] or ()
    return RunShown(
        id=row["id"],
        kind=row["kind"],
        state=RunState(row["state"]),
        seed=row["seed"],
        requested_by=row["requested_by"],
        requested_at=row["requested_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        network_position=row["network_position"],
        policy_version=row["policy_version"],
        snapshot_hash=row["snapshot_hash"],
        status=row["status"],
        levels=tuple(LevelShown(**level) for level in levels),
        unplaced=tuple(
            UnplacedShown(
                request=left["request"],
                by_rule=left["by_rule"],
                expected_free=(
                    datetime.fromisoformat(left["expected_free"]) if left["expected_free"] else None
                ),
            )
            for left in unplaced
        ),
        seconds=row["seconds"] or {},
        failure=row["failure"],
        trigger=RunTrigger(row["trigger"]),
        trigger_position=row["trigger_position"],
        previous_run=row["previous_run"],
        outcome=RunOutcome(row["outcome"]) if row["outcome"] is not None else None,
        explained=WorkState(row["explained"]) if row["explained"] is not None else None,
        worth_state=WorkState(row["worth_state"]) if row["worth_state"] is not None else None,
        version=row["version"],
    )
