"""Why each person has the bed a plan gives them, or none: kept beside the plan and read by person.

A plan stands without its explanations: they are made after it, by another process, and when that
fails the run says so. ``worth``, what one more bed or staffed place would buy, takes longest and
comes last. Explanations are bound by law (see ``solver.explain``): nothing of another resident,
and nothing that teaches anybody to change a finding, a consent or a legal ground.
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, and_, delete, insert, or_, select, update

from service.errors import Conflict
from service.lifecycle import RunState, RunTrigger, WorkState
from service.store import events
from service.store.engine import now
from service.store.tables.core import plan_explanation, planning_run
from service.workflow.context import Context
from service.workflow.plans import last_plan
from service.workflow.plans.run_views import get_run
from solver.instance import plan_to_json

ABANDONED_AFTER: Final = timedelta(minutes=10)
KINDS: Final = ("placed", "unplaced", "left")
_COUNTS: Final = (RunState.SOLVED, RunState.APPLIED)
_c, _e = planning_run.c, plan_explanation.c


@dataclass(frozen=True, slots=True)
class ToExplain:
    """A solved run in a worker's hands: its snapshot and its plan, as JSON."""

    run: str
    snapshot: bytes
    plan: bytes


@dataclass(frozen=True, slots=True)
class ExplanationShown:
    """Why one person is placed, moved or left as the plan has it.

    ``kind``: ``placed`` (a bed, for a waiting person or a resident), ``unplaced`` (a request
    without one) or ``left`` (a resident whose place is not fit and who stays). ``body``: codes and
    figures. ``zh``, ``en``: the same in words, a line each.
    """

    id: str
    run: str
    person: str
    request: str | None
    kind: str
    body: dict[str, Any]
    zh: tuple[str, ...]
    en: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestExplained:
    """What the newest explained plan says of a request. ``position``: where in the event log the
    plan looked at the network, ``at``: when."""

    run: str
    state: RunState
    position: int
    at: datetime
    explanation: ExplanationShown


@dataclass(frozen=True, slots=True)
class WorthShown:
    """What one more bed of each kind, or one more staffed place in each unit, would buy."""

    run: str
    worth: dict[str, Any]


def take_up(conn: Connection, ctx: Context, run: str) -> ToExplain | None:
    """The plan of a run that still counts and still wants explaining, or None."""
    row = conn.execute(
        select(_c.snapshot).where(
            _c.id == run,
            _c.state.in_(_COUNTS),
            or_(_c.explained == WorkState.PENDING, _c.worth_state == WorkState.PENDING),
        )
    ).one_or_none()
    if row is None:
        return None
    plan = last_plan.plan_of(conn, run).plan
    return ToExplain(run, gzip.decompress(row.snapshot), plan_to_json(plan).encode())


def store_explanations(
    conn: Connection, ctx: Context, run: str, document: Mapping[str, Any]
) -> None:
    """Keep the answers about a plan, as ``solver.explain.explanations_document`` writes them;
    those of an earlier attempt are replaced."""
    if _progress(conn, run, "explained") is not WorkState.PENDING:
        return
    conn.execute(delete(plan_explanation).where(_e.run_id == run))
    answers = [(kind, answer) for kind in KINDS for answer in document[kind]]
    rows = [
        {
            "id": f"{run}.{number:06d}",
            "run_id": run,
            "person_id": answer["person"],
            "request_id": answer["request"],
            "body": {**answer, "kind": kind},
        }
        for number, (kind, answer) in enumerate(answers, start=1)
    ]
    if rows:
        conn.execute(insert(plan_explanation), rows)
    _done(conn, ctx, run, "explained", WorkState.READY)


def store_worth(conn: Connection, ctx: Context, run: str, document: Mapping[str, Any]) -> None:
    """Keep what one more of each would buy."""
    conn.execute(update(planning_run).where(_c.id == run).values(worth=dict(document)))
    _done(conn, ctx, run, "worth_state", WorkState.READY)


def fail_explanations(conn: Connection, ctx: Context, run: str) -> None:
    """Record that the plan could not be explained; the plan itself stands."""
    if _progress(conn, run, "explained") is WorkState.PENDING:
        _done(conn, ctx, run, "explained", WorkState.FAILED)


def fail_worth(conn: Connection, ctx: Context, run: str) -> None:
    """Record that it could not be said what one more would buy; the plan itself stands."""
    if _progress(conn, run, "worth_state") is WorkState.PENDING:
        _done(conn, ctx, run, "worth_state", WorkState.FAILED)


def abandoned_explanations(conn: Connection, ctx: Context) -> list[str]:
    """Runs that count and whose explanations nobody is making: their worker died."""
    at = now(conn)
    pending = or_(_c.explained == WorkState.PENDING, _c.worth_state == WorkState.PENDING)
    query = select(_c.id).where(
        and_(_c.state.in_(_COUNTS), pending, _c.finished_at < at - ABANDONED_AFTER)
    )
    return list(conn.execute(query).scalars())


def list_explanations(
    conn: Connection,
    ctx: Context,
    run: str,
    *,
    limit: int,
    after: str | None = None,
    person: str | None = None,
    request: str | None = None,
) -> list[ExplanationShown]:
    """The answers about a run's plan: whom it places in the order of its moves, whom it does not
    by how long they wait, who is left in a place that is not fit.

    Raises:
        NotFound: no run by that id.
        Conflict: ``not-explained``, there is nothing to read yet, or there will not be.
    """
    _require_ready(conn, ctx, run, "explained")
    query = select(plan_explanation).where(_e.run_id == run).order_by(_e.id).limit(limit)
    if after is not None:
        query = query.where(_e.id > after)
    if person is not None:
        query = query.where(_e.person_id == person)
    if request is not None:
        query = query.where(_e.request_id == request)
    return [_shown(row) for row in conn.execute(query).mappings()]


def get_worth(conn: Connection, ctx: Context, run: str) -> WorthShown:
    """What one more of each would buy on the run's snapshot, checked by planning again.

    Raises:
        NotFound: no run by that id.
        Conflict: ``not-explained``, there is nothing to read yet, or there will not be.
    """
    _require_ready(conn, ctx, run, "worth_state")
    found = conn.execute(select(_c.worth).where(_c.id == run)).scalar_one()
    return WorthShown(run, found)


def of_request(conn: Connection, ctx: Context, request: str) -> RequestExplained | None:
    """What the newest plan that is explained says of this request; None if nothing. Whether the
    caller may know of the request is for the caller to ask first."""
    newest = (
        select(_c.id, _c.state, _c.network_position, _c.started_at)
        .where(_c.explained == WorkState.READY)
        .order_by(_c.network_position.desc(), _c.id.desc())
        .limit(1)
    )
    run = conn.execute(newest).one_or_none()
    if run is None:
        return None
    query = select(plan_explanation).where(_e.run_id == run.id, _e.request_id == request)
    row = conn.execute(query).mappings().one_or_none()
    if row is None:
        return None
    return RequestExplained(
        run=run.id,
        state=RunState(run.state),
        position=run.network_position,
        at=run.started_at,
        explanation=_shown(row),
    )


def _progress(conn: Connection, run: str, column: str) -> WorkState | None:
    found = conn.execute(select(_c[column]).where(_c.id == run).with_for_update()).scalar_one()
    return WorkState(found) if found is not None else None


def _done(conn: Connection, ctx: Context, run: str, column: str, state: WorkState) -> None:
    conn.execute(update(planning_run).where(_c.id == run).values({column: state}))
    events.append(
        conn,
        ctx.actor,
        "planning_run.explained",
        "planning_run",
        run,
        data={"what": "worth" if column == "worth_state" else "plan", "state": state.value},
    )


def _require_ready(conn: Connection, ctx: Context, run: str, column: str) -> None:
    found = get_run(conn, ctx, run)
    state = found.worth_state if column == "worth_state" else found.explained
    if state is WorkState.READY:
        return
    if found.state in (RunState.QUEUED, RunState.RUNNING):
        way_out = "ask again once it is solved"
    elif state is WorkState.PENDING and found.state in _COUNTS:
        way_out = "it is being worked out; ask again in a moment"
    elif found.outcome is not None:
        way_out = f"its plan gave way to that of run {found.previous_run}; read that one's"
    elif column == "worth_state" and found.trigger is not RunTrigger.ASKED:
        way_out = "it is worked out for a plan that somebody asked for; ask for one"
    elif found.state is RunState.SUPERSEDED:
        way_out = "a newer plan took its place before; read the newest run's"
    else:
        way_out = "ask for a new plan"
    raise Conflict(
        "not-explained",
        f"planning run {run} is {found.state} and this of it is not there: {way_out}",
        run=run,
        state=found.state.value,
        progress=state.value if state is not None else None,
    )


def _shown(row: RowMapping) -> ExplanationShown:
    body = dict(row["body"])
    words = body.pop("words")
    return ExplanationShown(
        id=row["id"],
        run=row["run_id"],
        person=row["person_id"],
        request=row["request_id"],
        kind=body.pop("kind"),
        body=body,
        zh=tuple(words["zh"]),
        en=tuple(words["en"]),
    )
