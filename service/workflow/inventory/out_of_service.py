"""Out-of-service periods: a bed that cannot be used, why, and until when by forecast.

A period is bed state, not a claim. It may begin under a person, who is then to be moved; it takes
no new claims; it ends only when somebody records the end, whatever the forecast said.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy import Connection, RowMapping, insert, or_, select, update

from service.access.scope import facility_scope, require_facility
from service.errors import Conflict, Invalid
from service.store import events
from service.store.ids import new_id
from service.store.tables.core import bed, out_of_service_period
from service.store.tables.inventory import OutOfServiceReason
from service.workflow.context import Context
from service.workflow.instants import AwareInstant
from service.workflow.inventory.bed_state import (
    StateRecorded,
    lock_for_state,
    look,
    require_future,
    write_state,
)
from service.workflow.inventory.place_fields import Note, Strict
from service.workflow.inventory.places import check_editable, get_row
from service.workflow.versions import require_version
from solver.codes import BedState

_period = out_of_service_period.c


class NewPeriod(Strict):
    """Why the bed cannot be used, since when (now, or earlier: never ahead), until when by
    forecast. ``note`` says nothing of any person."""

    reason: OutOfServiceReason
    note: Note = ""
    began_at: AwareInstant | None = None
    expected_end: AwareInstant | None = None


class PeriodChange(Strict):
    """A new forecast, or none; another reason or note. Members not given stay."""

    reason: OutOfServiceReason | None = None
    note: Note | None = None
    expected_end: AwareInstant | None = None


class PeriodEnd(Strict):
    """The bed is back: in which state, and when that was (now, or earlier)."""

    state: BedState = Field(
        default=BedState.HOUSEKEEPING,
        description="in_service, housekeeping or contaminated; a bed with somebody in it is "
        "in service",
    )
    ended_at: AwareInstant | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """One period ``[began_at, ended_at)``; ``ended_at`` is null while it is open."""

    id: str
    bed: str
    reason: OutOfServiceReason
    note: str
    began_at: datetime
    expected_end: datetime | None
    ended_at: datetime | None
    opened_by: str
    closed_by: str | None
    recorded_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class PeriodRecorded:
    """The period, and the bed and its claims as they are now."""

    period: Period
    recorded: StateRecorded


def _period_of(row: RowMapping) -> Period:
    members: dict[str, Any] = dict(row)
    members["bed"] = members.pop("bed_id")
    members["reason"] = OutOfServiceReason(members["reason"])
    return Period(**members)


def get_period(conn: Connection, ctx: Context, period_id: str) -> Period:
    """One period. Raises NotFound."""
    return _period_of(get_row(conn, out_of_service_period, period_id))


def list_periods(
    conn: Connection,
    ctx: Context,
    *,
    limit: int,
    after: str | None = None,
    bed_id: str | None = None,
    unit_id: str | None = None,
    open_only: bool = True,
) -> list[Period]:
    """Periods by id, at most ``limit`` of those after the id ``after``; narrowed as asked."""
    query = (
        select(out_of_service_period)
        .join(bed, bed.c.id == _period.bed_id)
        .order_by(_period.id.collate("C"))
        .limit(limit)
    )
    if after is not None:
        query = query.where(_period.id.collate("C") > after)
    if bed_id is not None:
        query = query.where(_period.bed_id == bed_id)
    if unit_id is not None:
        query = query.where(bed.c.unit_id == unit_id)
    if open_only:
        query = query.where(_period.ended_at.is_(None))
    own = facility_scope(ctx.actor)
    if own is not None:
        query = query.where(bed.c.facility_id == own)
    return [_period_of(row) for row in conn.execute(query).mappings()]


def open_period(
    conn: Connection,
    ctx: Context,
    bed_id: str,
    new: NewPeriod,
    *,
    version: int | None = None,
) -> PeriodRecorded:
    """Take a bed out of service. With somebody in it the bed is closing, else it is closed.

    Live holds stay and are listed: each wants another bed.

    Raises:
        NotFound: there is no such bed.
        Forbidden: the caller speaks for another facility.
        PreconditionFailed: ``version`` is not the bed's present one.
        Invalid: it begins in the future, or the forecast does not.
        Conflict: ``retired``, ``overlapping-period``.
    """
    seen = look(conn, [bed_id])
    require_facility(ctx.actor, seen[bed_id]["facility_id"])
    at = lock_for_state(conn, seen, ())
    found = look(conn, [bed_id])[bed_id]
    check_editable("bed", found, version)
    began = new.began_at or at
    if began > at:
        raise Invalid.field(
            "/began_at",
            "in-the-future",
            "a period is recorded when it begins, or later; until then the bed is in use",
            began.isoformat(),
        )
    require_future(new.expected_end, at)
    _refuse_overlap(conn, bed_id, began)
    period_id = new_id("oos")
    conn.execute(
        insert(out_of_service_period).values(
            id=period_id,
            bed_id=bed_id,
            reason=new.reason.value,
            note=new.note,
            began_at=began,
            expected_end=new.expected_end,
            opened_by=ctx.actor.id,
            recorded_at=at,
            version=1,
        )
    )
    _event(conn, ctx, "bed.out_of_service", found, began, reason=new.reason.value)
    state = BedState.CLOSING if found["occupied"] else BedState.CLOSED
    after = look(conn, [bed_id])[bed_id]
    recorded = write_state(conn, ctx, after, state, new.reason, new.expected_end, at)
    return PeriodRecorded(get_period(conn, ctx, period_id), recorded)


def _refuse_overlap(conn: Connection, bed_id: str, began: datetime) -> None:
    other = (
        conn.execute(
            select(out_of_service_period)
            .where(
                _period.bed_id == bed_id, or_(_period.ended_at.is_(None), _period.ended_at > began)
            )
            .order_by(_period.began_at.desc())
            .limit(1)
        )
        .mappings()
        .one_or_none()
    )
    if other is not None:
        ends = other["ended_at"]
        way_out = (
            "change that one, or end it first"
            if ends is None
            else f"begin at {ends.isoformat()} or later"
        )
        raise Conflict(
            "overlapping-period",
            f"bed {bed_id} is out of service from {other['began_at'].isoformat()} to "
            f"{ends.isoformat() if ends is not None else 'an end nobody recorded yet'}; {way_out}",
            period=other["id"],
        )


def change_period(
    conn: Connection,
    ctx: Context,
    period_id: str,
    change: PeriodChange,
    *,
    version: int | None = None,
) -> PeriodRecorded:
    """Change the forecast, the reason or the note of an open period.

    Raises:
        NotFound: there is no such period.
        Forbidden: the caller speaks for another facility.
        PreconditionFailed: ``version`` is not the period's present one.
        Invalid: the forecast does not lie in the future.
        Conflict: ``period-ended``.
    """
    bed_id = get_row(conn, out_of_service_period, period_id)["bed_id"]
    seen = look(conn, [bed_id])
    require_facility(ctx.actor, seen[bed_id]["facility_id"])
    at = lock_for_state(conn, seen, ())
    row = _open_row(conn, period_id, version)
    given = change.model_dump(exclude_unset=True)
    if given.get("expected_end") is not None:
        require_future(given["expected_end"], at)
    for name in ("reason", "note"):
        if name in given and given[name] is None:
            raise Invalid.field(f"/{name}", "missing", f"leave {name} out to keep it", None)
    conn.execute(
        update(out_of_service_period)
        .where(_period.id == period_id)
        .values(version=_period.version + 1, **given)
    )
    found = look(conn, [bed_id])[bed_id]
    reason = OutOfServiceReason(given.get("reason", row["reason"]))
    forecast = given.get("expected_end", row["expected_end"])
    recorded = write_state(conn, ctx, found, BedState(found["state"]), reason, forecast, at)
    return PeriodRecorded(get_period(conn, ctx, period_id), recorded)


def _open_row(conn: Connection, period_id: str, version: int | None) -> RowMapping:
    row = get_row(conn, out_of_service_period, period_id)
    if version is not None:
        require_version(version, row["version"])
    if row["ended_at"] is not None:
        raise Conflict(
            "period-ended",
            f"period {period_id} ended at {row['ended_at'].isoformat()}; open a new one",
        )
    return row


def end_period(
    conn: Connection,
    ctx: Context,
    period_id: str,
    end: PeriodEnd,
    *,
    version: int | None = None,
) -> PeriodRecorded:
    """Record that the bed can be used again, and the state it comes back in.

    Raises:
        NotFound: there is no such period.
        Forbidden: the caller speaks for another facility.
        PreconditionFailed: ``version`` is not the period's present one.
        Invalid: a state a bed does not come back in, or an end outside the period so far.
        Conflict: ``period-ended``.
    """
    if end.state in (BedState.CLOSING, BedState.CLOSED):
        raise Invalid.field(
            "/state",
            "not-for-this-step",
            "a bed comes back in_service, housekeeping or contaminated; keep the period open "
            "while it cannot be used",
            end.state.value,
        )
    bed_id = get_row(conn, out_of_service_period, period_id)["bed_id"]
    seen = look(conn, [bed_id])
    require_facility(ctx.actor, seen[bed_id]["facility_id"])
    at = lock_for_state(conn, seen, [bed_id])
    row = _open_row(conn, period_id, version)
    ended = end.ended_at or at
    if not row["began_at"] <= ended <= at:
        raise Invalid.field(
            "/ended_at",
            "outside-period",
            f"the period began at {row['began_at'].isoformat()} and it is now "
            f"{at.isoformat(timespec='seconds')}; give an instant in between",
            ended.isoformat(),
        )
    conn.execute(
        update(out_of_service_period)
        .where(_period.id == period_id)
        .values(ended_at=ended, closed_by=ctx.actor.id, version=_period.version + 1)
    )
    found = look(conn, [bed_id])[bed_id]
    _event(conn, ctx, "bed.back", found, ended)
    state = BedState.IN_SERVICE if found["occupied"] else end.state
    kept = found["promised_to"] == seen[bed_id]["promised_to"]
    recorded = write_state(conn, ctx, found, state, None, None, at, promote=kept)
    return PeriodRecorded(get_period(conn, ctx, period_id), recorded)


def _event(
    conn: Connection,
    ctx: Context,
    operation: str,
    place: RowMapping,
    occurred: datetime,
    reason: str | None = None,
) -> None:
    events.append(
        conn,
        ctx.actor,
        operation,
        "bed",
        place["id"],
        bed=place["id"],
        unit=place["unit_id"],
        facility=place["facility_id"],
        data={"reason": reason} if reason is not None else None,
        occurred_at=occurred,
    )
