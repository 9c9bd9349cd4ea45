"""The daily round: everybody's place and stay judged anew, and the calendar's clocks opened.

Days change what is lawful without anybody doing anything: a term ends at 24:00, a birthday makes a
minor an adult, months in a police-run centre are over. One unit is one short transaction.
"""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, Engine, select

from service.lifecycle import StayState
from service.store import misplacements
from service.store.engine import now as clock
from service.store.engine import run
from service.store.locks import lock
from service.store.network import load_network
from service.store.postgres_errors import ServerGone
from service.store.tables import core
from service.workflow.consent import treatment
from service.workflow.context import Context
from service.workflow.law.term_calendar import open_calendars
from service.workflow.stays.departures import people_behind
from service.workflow.watch import due
from service.workflow.watch.watching import rejudge
from service.workflow.watch.watching_basis import DueCode, basis_lost_by
from service.workflow.watch.watching_reviews import open_falling_due

DAILY_AT: Final = time(0, 1)
"""When the round begins, in the policy's time zone: a minute into the new legal day."""

_log = structlog.get_logger(__name__)


def next_round(now: datetime, zone: ZoneInfo) -> datetime:
    """The first instant after ``now`` at which a daily round begins, aware UTC."""
    day = now.astimezone(zone).date()
    at = datetime.combine(day, DAILY_AT, zone)
    if at <= now:
        at = datetime.combine(day + timedelta(days=1), DAILY_AT, zone)
    return at.astimezone(UTC)


def judge_everybody(
    engine: Engine, ctx: Context, stopped: Callable[[], bool] = lambda: False
) -> tuple[str, ...]:
    """Judge every unit in which somebody is or was found misplaced, each in a transaction of its
    own. Returns the units that could not be judged, which the log names; the others were.

    ``stopped``: asked between transactions; true ends the round, which the next start does again.
    """
    failed: list[str] = []
    for unit in run(engine, units_to_judge):
        if stopped():
            return tuple(failed)
        try:
            run(engine, judge_unit, ctx, unit)
        except ServerGone:
            raise
        except Exception as error:
            # One unit's fault must not leave everybody else unwatched.
            _log.error("unit_not_judged", unit=unit, error=type(error).__name__)
            failed.append(unit)
    run(engine, call_off_ended, ctx)
    while not stopped() and run(engine, open_calendars, ctx):
        pass
    return tuple(failed)


def units_to_judge(conn: Connection) -> list[str]:
    """The units with somebody in a bed, or with a misplacement that is still open."""
    claim, wrong = core.bed_claim.c, core.misplacement.c
    query = (
        select(claim.unit_id)
        .where(
            claim.kind.in_(("stay", "leave")),
            claim.voided_at.is_(None),
            claim.during.op("@>")(datetime.now(UTC)),
        )
        .union(select(wrong.unit_id).where(wrong.ended_at.is_(None)))
    )
    return sorted(conn.execute(query).scalars())


def judge_unit(conn: Connection, ctx: Context, unit: str) -> frozenset[str]:
    """Judge everybody in a unit and open the clocks that fall due for them; returns the stays
    that are misplaced. Whoever comes while the locks are taken is judged by their own arrival."""
    seen = misplacements.residents_of_units(conn, [unit])
    people = {it.person for it in seen}
    behind = set[str]().union(*(people_behind(conn, it.stay) for it in seen))
    now = lock(conn, persons=people | behind)
    _end_treatment(conn, ctx, unit, people, now)
    open_falling_due(conn, ctx, now, persons=people)
    return rejudge(conn, ctx, now, persons=people, units=[unit], behind=True)


def _end_treatment(
    conn: Connection, ctx: Context, unit: str, people: set[str], now: datetime
) -> None:
    """Let an involuntary stay whose grounds are gone be due for discharge, whatever was missed;
    consents that ran out have a clock of their own."""
    network = load_network(conn, ctx.policy, units=(), persons=people, now=now)
    for it in misplacements.residents_of_units(conn, [unit]):
        if it.person not in network.persons or it.state is not StayState.ACTIVE:
            continue
        code = basis_lost_by(network, ctx, it.person, now, papers_to_come=it.emergency)
        if code is DueCode.BASIS_ENDED:
            treatment.reconsider(conn, ctx, it.person, now)


def call_off_ended(conn: Connection, ctx: Context) -> int:
    """Stop whatever clock still runs about a stay that has ended and could only be met while it
    lasted; returns how many stays had one."""
    item, stay = core.due_item.c, core.stay.c
    ended = conn.execute(
        select(item.subject_id)
        .join(core.stay, stay.id == item.subject_id)
        .where(
            item.subject_type == "stay",
            item.settled_at.is_(None),
            item.kind.in_(due.OF_A_STAY),
            stay.ended_at.is_not(None),
        )
        .distinct()
        .order_by(item.subject_id)
        .limit(500)
    ).scalars()
    found = list(ended)
    now = clock(conn)
    for id_ in found:
        due.on_stay_end(conn, ctx, id_, now)
    return len(found)
