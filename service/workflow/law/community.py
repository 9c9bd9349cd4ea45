"""Community measures: detoxification 社区戒毒 and rehabilitation 社区康复, outside any bed.

Known here only because they border on one. Detoxification is three years, fixed, from the day of
reporting (Anti-Drug Law art. 33); rehabilitation is up to three years and only after release from
a compulsory term (art. 48, Regulations art. 37). Reporting is due within fifteen days; later is a
refusal in law (Regulations arts. 14, 38), which is kept here as a fact and triggers nothing.
"""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import StringConstraints
from sqlalchemy import Connection, RowMapping, insert, select, update

from service.access.caller import Role
from service.errors import Conflict, Invalid
from service.store import events
from service.store.ids import new_id
from service.store.tables.core import community_measure
from service.store.tables.law import CommunityEnd, CommunityKind
from service.store.terms import TermRow
from service.workflow.context import Context
from service.workflow.inventory.place_fields import Strict
from service.workflow.inventory.places import get_row
from service.workflow.law import statuses, term_dates
from service.workflow.law.community_view import REPORTING_DAYS, MeasureView, view
from service.workflow.persons.people import legal_today, lock_person
from service.workflow.persons.person_view import require_known
from service.workflow.watch import due
from service.workflow.watch.watching import rejudge
from solver.codes import Organ
from solver.eligibility import Status, months_after, no_transition

MEASURE: Final = "community_measure"
POLICE: Final = (Organ.COUNTY_POLICE, Organ.CITY_POLICE)
"""Who orders a community measure (Anti-Drug Law arts. 33, 48)."""
_TARGET: Final = {
    CommunityKind.COMMUNITY_DETOX: Status.COMMUNITY_DETOX,
    CommunityKind.COMMUNITY_REHAB: Status.COMMUNITY_REHAB,
}
_PURPOSE: Final = "community_measure.document"
_m = community_measure.c


class NewMeasure(Strict):
    """An order 责令决定书; ``received_on``: the day it was handed to the person. ``months``: how
    long a rehabilitation is ordered for; a detoxification has a length of its own."""

    kind: CommunityKind
    organ: Organ
    document: Annotated[str, StringConstraints(strip_whitespace=True, max_length=120)] | None = None
    received_on: date
    months: int | None = None


def order(conn: Connection, ctx: Context, person: str, new: NewMeasure) -> MeasureView:
    """Record that police ordered a community measure.

    Raises:
        NotFound: no such person.
        Invalid: another organ, a day of the future, a length that is not the law's.
        Conflict: ``merged``, ``measure-open``, ``no-such-transition`` naming the rule: a
            rehabilitation without a released compulsory term before it, anything while a term
            runs.
    """
    require_known(conn, ctx, person)
    now = lock_person(conn, person)
    today = legal_today(ctx, now)
    _check(new, today)
    going = conn.execute(
        select(_m.id, _m.kind).where(_m.person_id == person, _m.ended_at.is_(None))
    ).one_or_none()
    if going is not None:
        raise Conflict(
            "measure-open",
            f"{going.kind} {going.id} of this person goes on; end it first",
            measure=going.id,
        )
    _require_lawful(conn, ctx, person, new.kind, today)
    sealed = ctx.vault.seal_text(new.document, _PURPOSE) if new.document else None
    id_ = _add(
        conn,
        ctx,
        person,
        new.kind,
        new.organ,
        now,
        received_on=new.received_on,
        document=sealed,
        ordered_months=new.months,
    )
    return view(ctx, get_row(conn, community_measure, id_), now)


def change_term(conn: Connection, ctx: Context, row: TermRow, now: datetime) -> str:
    """A compulsory term was changed to community detoxification: the change is the order, and the
    days served are set off (Regulations art. 31). The caller holds the person."""
    today = legal_today(ctx, now)
    served = max((today - row.decided_on).days - row.escape_days, 0)
    return _add(
        conn,
        ctx,
        row.person,
        CommunityKind.COMMUNITY_DETOX,
        row.body if row.body is not None else Organ.COUNTY_POLICE,
        now,
        received_on=today,
        term_id=row.id,
        set_off_days=served,
    )


def report(conn: Connection, ctx: Context, measure: str, *, reported_on: date) -> MeasureView:
    """The person reported: the measure runs from that day.

    Raises NotFound, Invalid (before the order or in the future), Conflict (``measure-ended``,
    ``reported-already``).
    """
    now, row = _lock(conn, measure)
    if row["reported_on"] is not None:
        raise Conflict("reported-already", f"they reported on {row['reported_on']}")
    if not row["received_on"] <= reported_on <= legal_today(ctx, now):
        raise Invalid.field(
            "/reported_on",
            "out-of-range",
            f"between the day of the order, {row['received_on']}, and today",
            reported_on.isoformat(),
        )
    _write(
        conn,
        measure,
        reported_on=reported_on,
        starts_on=reported_on,
        ends_on=_last_day(row, reported_on),
    )
    due.settle(conn, ctx, "community_report", subject=(MEASURE, measure), now=now)
    _told(conn, ctx, row, "community_measure.reported", now)
    return view(ctx, get_row(conn, community_measure, measure), now)


def pause(conn: Connection, ctx: Context, measure: str, *, on: date) -> MeasureView:
    """The person was detained or arrested: the days until they are free do not count (Regulations
    art. 24). Raises NotFound, Invalid, Conflict (``measure-ended``, ``not-reported``,
    ``paused-already``)."""
    now, row = _lock(conn, measure)
    if row["starts_on"] is None:
        raise Conflict("not-reported", "they have not reported: no days run that could pause")
    if row["paused_on"] is not None:
        raise Conflict("paused-already", f"it pauses since {row['paused_on']}")
    _require_day("/on", on, row["starts_on"], legal_today(ctx, now))
    _write(conn, measure, paused_on=on)
    _told(conn, ctx, row, "community_measure.paused", now)
    return view(ctx, get_row(conn, community_measure, measure), now)


def resume(conn: Connection, ctx: Context, measure: str, *, on: date) -> MeasureView:
    """The person is free again and the measure goes on; the days of the pause are added to its
    end. Raises NotFound, Invalid, Conflict (``measure-ended``, ``not-paused``)."""
    now, row = _lock(conn, measure)
    if row["paused_on"] is None:
        raise Conflict("not-paused", "it is not paused; nothing is to be resumed")
    _require_day("/on", on, row["paused_on"], legal_today(ctx, now))
    paused = row["paused_days"] + (on - row["paused_on"]).days
    last = _last_day({**row, "paused_days": paused}, row["starts_on"])
    _write(conn, measure, paused_on=None, paused_days=paused, ends_on=last)
    _told(conn, ctx, row, "community_measure.resumed", now)
    return view(ctx, get_row(conn, community_measure, measure), now)


def end(conn: Connection, ctx: Context, measure: str, *, code: CommunityEnd) -> MeasureView:
    """The measure ends: its days are over, prison took its place (Regulations art. 24), it was
    set aside, or it was refused or gravely broken. None of it leads to a bed by itself.

    Raises NotFound, Conflict (``measure-ended``, ``measure-runs`` before the last day,
    ``not-late`` for a refusal while reporting is still in time).
    """
    now, row = _lock(conn, measure)
    today = legal_today(ctx, now)
    if code is CommunityEnd.EXPIRED and (
        row["ends_on"] is None or row["paused_on"] is not None or today < row["ends_on"]
    ):
        raise Conflict(
            "measure-runs",
            f"its last day is {row['ends_on'] or 'not known before the person reports'}",
            measure=measure,
        )
    in_time = row["received_on"] + timedelta(days=REPORTING_DAYS)
    if code is CommunityEnd.REFUSED and (row["reported_on"] is not None or today <= in_time):
        raise Conflict(
            "not-late",
            f"reporting is a refusal in law only when it did not come by {in_time}",
            measure=measure,
            rule="T12",
        )
    close(conn, ctx, row, code, now)
    return view(ctx, get_row(conn, community_measure, measure), now)


def close(
    conn: Connection, ctx: Context, row: RowMapping, code: CommunityEnd, now: datetime
) -> None:
    """End a measure; the caller holds the person and has judged the end."""
    _write(conn, row["id"], ended_at=now, end_code=code.value)
    subject = (MEASURE, row["id"])
    due.settle(conn, ctx, "community_report", subject=subject, now=now, outcome="called_off")
    if code is CommunityEnd.EXPIRED:
        due.owe(
            conn, ctx, "community_end_notice", subject=subject, now=now, person=row["person_id"]
        )
    _told(conn, ctx, row, "community_measure.ended", now)
    rejudge(conn, ctx, now, persons=[row["person_id"]])


def replaced_by_decision(conn: Connection, ctx: Context, person: str, now: datetime) -> None:
    """A compulsory decision takes the place of the community measure that goes on."""
    row = (
        conn.execute(select(community_measure).where(_m.person_id == person, _m.ended_at.is_(None)))
        .mappings()
        .one_or_none()
    )
    if row is not None:
        close(conn, ctx, row, CommunityEnd.COMPULSORY, now)


def _check(new: NewMeasure, today: date) -> None:
    if new.organ not in POLICE:
        raise Invalid.field(
            "/organ", "wrong-organ", f"ordered by: {', '.join(POLICE)}", new.organ.value
        )
    if new.received_on > today:
        raise Invalid.field(
            "/received_on",
            "in-the-future",
            "record the order once it was handed over",
            new.received_on.isoformat(),
        )
    longest = 12 * term_dates.COMMUNITY_YEARS
    if new.kind is CommunityKind.COMMUNITY_DETOX and new.months not in (None, longest):
        raise Invalid.field(
            "/months",
            "not-the-law",
            "community detoxification is three years, fixed, from the day of reporting",
            new.months,
        )
    if new.months is not None and not 1 <= new.months <= longest:
        raise Invalid.field(
            "/months",
            "longer-than-the-law",
            "community rehabilitation is up to three years",
            new.months,
        )


def _require_lawful(
    conn: Connection, ctx: Context, person: str, kind: CommunityKind, on: date
) -> None:
    police = ctx.actor.role is Role.INTAKE_OFFICER
    target = _TARGET[kind]
    if kind is CommunityKind.COMMUNITY_REHAB:
        source = statuses.status_of(conn, person, on, medical=not police)
        if not statuses.released_before(conn, person):
            why = no_transition(source, target)
            raise statuses.refused("0.3", why.en, source, target, zh=why.zh)
        if source not in statuses.UNDER_TERM:
            return
    statuses.require_transition(conn, ctx, person, target, on)


def _add(
    conn: Connection,
    ctx: Context,
    person: str,
    kind: CommunityKind,
    organ: Organ,
    now: datetime,
    *,
    received_on: date,
    **values: Any,
) -> str:
    id_ = new_id("cm")
    conn.execute(
        insert(community_measure).values(
            **{
                "id": id_,
                "person_id": person,
                "kind": kind.value,
                "organ": organ.value,
                "received_on": received_on,
                "set_off_days": 0,
                "paused_days": 0,
                "recorded_by": ctx.actor.id,
                "recorded_at": now,
                "version": 1,
                **values,
            }
        )
    )
    by = term_dates.over_at(received_on + timedelta(days=REPORTING_DAYS), ctx.policy.zone)
    due.owe(
        conn, ctx, "community_report", subject=(MEASURE, id_), now=now, person=person, due_at=by
    )
    _told(conn, ctx, get_row(conn, community_measure, id_), "community_measure.ordered", now)
    rejudge(conn, ctx, now, persons=[person])
    return id_


def _last_day(row: Any, first: date) -> date:
    """The last day of a measure that runs from ``first``: what was ordered, less what a term's
    days set off, and with the days of its pauses; never before it began."""
    months = row["ordered_months"]
    if months is None:
        last = term_dates.last_day(first, term_dates.COMMUNITY_YEARS)
    else:
        last = months_after(first, months) - timedelta(days=1)
    last += timedelta(days=row["paused_days"] - row["set_off_days"])
    return max(last, first)


def _require_day(pointer: str, day: date, first: date, today: date) -> None:
    if not first <= day <= today:
        raise Invalid.field(pointer, "out-of-range", f"between {first} and today", day.isoformat())


def _lock(conn: Connection, measure: str) -> tuple[datetime, RowMapping]:
    found = get_row(conn, community_measure, measure)
    now = lock_person(conn, found["person_id"])
    row = get_row(conn, community_measure, measure)
    if row["ended_at"] is not None:
        raise Conflict("measure-ended", f"measure {measure} has ended", measure=measure)
    return now, row


def _write(conn: Connection, measure: str, **values: Any) -> None:
    conn.execute(
        update(community_measure).where(_m.id == measure).values(version=_m.version + 1, **values)
    )


def _told(conn: Connection, ctx: Context, row: RowMapping, operation: str, at: datetime) -> None:
    events.append(
        conn,
        ctx.actor,
        operation,
        MEASURE,
        row["id"],
        person=row["person_id"],
        occurred_at=at,
    )
