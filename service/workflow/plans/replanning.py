"""Planning again by itself: the log is followed by position, and what calls for a plan gets one.

No bed, hold or admission transaction writes a job, so nobody waits for a plan to be asked for. A
call is met by any run whose snapshot lies behind its event; so what happens while a run waits or
is made costs one more run, however much it is, and a restart forgets nothing. A run that failed
meets nothing; it is made once more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select, text, update

from service.lifecycle import RunState, RunTrigger
from service.store.engine import now
from service.store.event_reader import LoggedEvent, read_since
from service.store.sequencer import ADVISORY_CLASS
from service.store.tables.core import planning_run
from service.workflow.context import Context
from service.workflow.plans.planning_runs import request_run
from service.workflow.plans.superseding import in_hand

BATCH: Final = 500
"""How many events one look reads."""
RETRIES: Final = 1
"""How often what a failed run was to meet is planned for again."""
LOST_AFTER: Final = timedelta(seconds=30)
"""A run still queued after this long has lost its job or its worker is busy: another is asked."""
LOST_AT_MOST: Final = 3
YIELDED: Final = "planning_run.yielded"
_MADE: Final = (RunState.SOLVED, RunState.APPLIED, RunState.SUPERSEDED)
_TURN: Final = text("SELECT pg_advisory_xact_lock(:class, :lock)")
_REPLANNER: Final = 4
_URGENCY: Final = {trigger: place for place, trigger in enumerate(RunTrigger)}
_c: Final = planning_run.c


Calls = Mapping[RunTrigger, int]
"""What calls for a plan, each with the position of the newest event that does."""


@dataclass(frozen=True, slots=True)
class Looked:
    """How far the log was looked at, and what is still to be met.

    ``fresh``: what happened. ``again``: what called for a plan that gave way to one being decided
    on; it waits until nobody is. ``more``: the log goes on beyond.
    """

    position: int
    fresh: Calls = field(default_factory=dict)
    again: Calls = field(default_factory=dict)
    more: bool = False


def begin(conn: Connection, ctx: Context) -> Looked:
    """Where to look from: behind the newest snapshot that a run came to its end on."""
    return Looked(_met(conn))


def look(conn: Connection, ctx: Context, before: Looked) -> Looked:
    """Read on in the log, and queue a run if one is called for and none that waits will meet it."""
    events = read_since(conn, before.position, BATCH)
    seen = _noted(ctx, before, events)
    if not (seen.fresh or seen.again):
        return seen
    conn.execute(_TURN, {"class": ADVISORY_CLASS, "lock": _REPLANNER})
    met = _met(conn)
    seen = replace(seen, fresh=_unmet(seen.fresh, met), again=_unmet(seen.again, met))
    at = now(conn)
    # What a run in the making will meet waits for its end: it may fail.
    ripe = _unmet(_ripe(conn, ctx, seen, at), _in_the_making(conn))
    if not ripe:
        return seen
    trigger = min(ripe, key=_URGENCY.__getitem__)
    if _waits_already(conn, trigger, ripe[trigger], at):
        return seen
    if trigger in ctx.policy.replanning.urgent or _spaced(conn, ctx, at):
        request_run(conn, ctx, trigger=trigger, position=ripe[trigger])
    return seen


def _noted(ctx: Context, before: Looked, events: Sequence[LoggedEvent]) -> Looked:
    """What these events add to what is called for."""
    position, fresh, again = before.position, dict(before.fresh), dict(before.again)
    for event in events:
        assert event.pos is not None
        position = event.pos
        if event.operation == YIELDED:
            again[RunTrigger(event.data["trigger"])] = position
            continue
        trigger = ctx.policy.replanning.trigger_of(event.operation, event.data)
        if trigger is not None:
            fresh[trigger] = position
    return Looked(position, fresh, again, len(events) == BATCH)


def _unmet(calls: Calls, covered: int) -> Calls:
    """Without what a run on a newer snapshot has met."""
    return {trigger: newest for trigger, newest in calls.items() if newest > covered}


def _ripe(conn: Connection, ctx: Context, seen: Looked, at: datetime) -> Calls:
    """What is to be planned for now: what happened, and what gave way if nobody is deciding."""
    if not seen.again:
        return seen.fresh
    standing = conn.execute(select(_c.id).where(_c.state == RunState.SOLVED)).scalars().all()
    if any(in_hand(conn, ctx, run, at) for run in standing):
        return seen.fresh
    return {**seen.again, **seen.fresh}


def _met(conn: Connection) -> int:
    """The position up to which nothing is to be planned for any more: of the newest snapshot that
    has a plan, whatever became of it, or that failed twice."""
    made = select(func.max(_c.network_position)).where(_c.state.in_(_MADE))
    failed = (
        select(_c.network_position)
        .where(_c.state == RunState.FAILED, _c.network_position.is_not(None))
        .order_by(_c.network_position.desc())
        .offset(RETRIES)
        .limit(1)
    )
    return max(conn.execute(it).scalar_one_or_none() or 0 for it in (made, failed))


def _in_the_making(conn: Connection) -> int:
    """The position of the newest snapshot that a run is being made on."""
    running = select(func.max(_c.network_position)).where(_c.state == RunState.RUNNING)
    return conn.execute(running).scalar_one() or 0


def _waits_already(conn: Connection, trigger: RunTrigger, position: int, at: datetime) -> bool:
    """Whether a run that waits will meet this; a less urgent one is made as urgent, unless a
    worker is just taking it up. One that has waited too long has lost its job and meets nothing;
    ``LOST_AT_MOST`` of them, and nobody is there to take up another."""
    queued = select(_c.id, _c.trigger, _c.requested_at).where(_c.state == RunState.QUEUED)
    waiting = conn.execute(queued.limit(LOST_AT_MOST)).all()
    if len(waiting) < LOST_AT_MOST and all(it.requested_at + LOST_AFTER < at for it in waiting):
        return False
    queued = queued.where(_c.requested_at >= at - LOST_AFTER)
    untaken = conn.execute(queued.with_for_update(skip_locked=True)).all()
    if untaken and all(_URGENCY[RunTrigger(it.trigger)] > _URGENCY[trigger] for it in untaken):
        conn.execute(
            update(planning_run)
            .where(_c.id == untaken[-1].id)
            .values(trigger=trigger, trigger_position=position)
        )
    return True


def _spaced(conn: Connection, ctx: Context, at: datetime) -> bool:
    """Whether the last run that nobody asked for lies far enough back."""
    last = conn.execute(
        select(_c.requested_at)
        .where(_c.trigger != RunTrigger.ASKED)
        .order_by(_c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    return last is None or last + ctx.policy.replanning.spacing <= at
