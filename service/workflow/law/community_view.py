"""Community measures as their readers see them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, RowMapping, select

from service.access.caller import Role
from service.store.engine import now as database_time
from service.store.tables.core import community_measure
from service.store.tables.law import CommunityEnd, CommunityKind
from service.workflow.context import Context
from service.workflow.persons.people import legal_today, record_access, require_person
from solver.codes import Organ

REPORTING_DAYS: Final = 15
"""From the day the order was handed over (Regulations arts. 14, 38)."""

_m = community_measure.c


@dataclass(frozen=True, slots=True)
class MeasureView:
    """A community measure; ``ends_on`` is its last day, known once the person reported.

    ``report_by``: the last day to report. ``late``: it was passed without a report; a refusal in
    law, kept as a fact."""

    id: str
    person: str
    kind: CommunityKind
    organ: Organ
    received_on: date
    report_by: date
    reported_on: date | None
    late: bool
    starts_on: date | None
    ends_on: date | None
    set_off_days: int
    paused_on: date | None
    paused_days: int
    ended_at: datetime | None
    end: CommunityEnd | None
    version: int


def listed(conn: Connection, ctx: Context, person: str) -> list[MeasureView]:
    """The person's community measures, the newest first; an auditor's reading is recorded."""
    require_person(conn, person)
    if ctx.actor.role is Role.AUDITOR:
        record_access(conn, ctx, person, "audit")
    now = database_time(conn)
    rows = conn.execute(
        select(community_measure).where(_m.person_id == person).order_by(_m.id.desc())
    ).mappings()
    return [view(ctx, row, now) for row in rows]


def view(ctx: Context, row: RowMapping, now: datetime) -> MeasureView:
    """A measure as its readers see it."""
    by = row["received_on"] + timedelta(days=REPORTING_DAYS)
    seen = row["reported_on"] or legal_today(ctx, row["ended_at"] or now)
    return MeasureView(
        id=row["id"],
        person=row["person_id"],
        kind=CommunityKind(row["kind"]),
        organ=Organ(row["organ"]),
        received_on=row["received_on"],
        report_by=by,
        reported_on=row["reported_on"],
        late=seen > by,
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        set_off_days=row["set_off_days"],
        paused_on=row["paused_on"],
        paused_days=row["paused_days"],
        ended_at=row["ended_at"],
        end=CommunityEnd(row["end_code"]) if row["end_code"] is not None else None,
        version=row["version"],
    )
