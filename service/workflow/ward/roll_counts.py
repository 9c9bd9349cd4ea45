"""The roll count 点名: who is really in the unit at each shift, against who is on record.

What differs is opened as a discrepancy on a clock; the count itself moves nobody and corrects
nothing. A person who is right again at a later count closes their own discrepancy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from service.access.scope import require_facility
from service.errors import Conflict, Invalid
from service.store.ids import new_id
from service.store.locks import lock
from service.store.network_people import legal_day
from service.store.tables import core
from service.store.tables.claims import ClaimKind
from service.store.tables.watch import DiscrepancyKind
from service.workflow.context import Context
from service.workflow.inventory.bed_rounds import confirm_seen
from service.workflow.inventory.place_fields import PlaceId, Strict
from service.workflow.inventory.places import beds_of_unit, check_editable, get_row
from service.workflow.persons.people import PersonId
from service.workflow.ward.discrepancies import close_discrepancy, open_discrepancy

_claim: Final = core.bed_claim.c
_roll: Final = core.roll_count.c


class Found(Strict):
    """Somebody who was found, and in which bed; the bed may be left out."""

    person: PersonId
    bed: PlaceId | None = None


class NewRollCount(Strict):
    """What a shift found. ``as_recorded``: exactly those on record, in their beds; then nobody is
    named. ``strangers``: people found whom nobody could name. ``confirm_beds``: every bed was seen
    and is as recorded."""

    shift: str
    as_recorded: bool = False
    found: Annotated[tuple[Found, ...], Field(max_length=500)] = ()
    strangers: Annotated[int, Field(ge=0, le=100)] = 0
    confirm_beds: bool = False


@dataclass(frozen=True, slots=True)
class OnRoll:
    """Somebody on record in the unit, and their bed; ``away`` while on leave."""

    person: str
    stay: str
    bed: str
    room: str
    away: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs, for whom and where."""

    discrepancy: str
    kind: Literal["missing", "not_on_record", "wrong_bed"]
    person: str | None
    bed: str | None


@dataclass(frozen=True, slots=True)
class RollCounted:
    """The count: how many were expected and found, and every difference."""

    id: str
    unit: str
    day: date
    shift: str
    expected: int
    found: int
    counted_at: datetime
    counted_by: str
    differences: tuple[Difference, ...]


def roll(conn: Connection, ctx: Context, unit: str) -> list[OnRoll]:
    """Who is on record in the unit now, by bed: the sheet a shift counts from.

    Raises NotFound, Forbidden.
    """
    require_facility(ctx.actor, get_row(conn, core.unit, unit)["facility_id"])
    return list(_on_record(conn, unit).values())


def record_roll_count(conn: Connection, ctx: Context, unit: str, new: NewRollCount) -> RollCounted:
    """Write a shift's count down and open what differs.

    Raises:
        NotFound: no such unit. Forbidden: another facility's key.
        Invalid: an unknown shift, a person named twice, people named although all is as recorded.
        Conflict: ``counted-already`` (this shift of this day), ``retired``.
    """
    row = get_row(conn, core.unit, unit)
    require_facility(ctx.actor, row["facility_id"])
    check_editable("unit", row, None)
    _check(ctx, new)
    now = lock(conn, facilities=[row["facility_id"]], units=[unit])
    record = _on_record(conn, unit)
    present = {it.person: it for it in record.values() if not it.away}
    found = (
        {person: it.bed for person, it in present.items()}
        if new.as_recorded
        else {it.person: it.bed for it in new.found}
    )
    day = legal_day(now, ctx.policy.zone)
    made = conn.execute(
        insert(core.roll_count)
        .values(
            id=new_id("rc"),
            unit_id=unit,
            facility_id=row["facility_id"],
            day=day,
            shift=new.shift,
            expected=len(present),
            found=len(found) + new.strangers,
            counted_at=now,
            counted_by=ctx.actor.id,
        )
        .on_conflict_do_nothing(index_elements=[_roll.unit_id, _roll.day, _roll.shift])
        .returning(core.roll_count)
    ).one_or_none()
    if made is None:
        raise Conflict(
            "counted-already",
            f"the {new.shift} count of {day} is written; what changed since is a discrepancy to "
            "resolve or a movement to record",
            unit=unit,
        )
    differences = _differences(conn, ctx, row, made.id, present, found, new.strangers, now)
    _right_again(conn, ctx, unit, present, found, now)
    if new.confirm_beds:
        confirm_seen(conn, ctx, beds_of_unit(conn, unit))
    return _counted(made, differences)


def listed(
    conn: Connection, ctx: Context, unit: str, *, after: str | None, limit: int
) -> list[RollCounted]:
    """The unit's counts in the order they were made. Raises NotFound, Forbidden."""
    require_facility(ctx.actor, get_row(conn, core.unit, unit)["facility_id"])
    query = select(core.roll_count).where(_roll.unit_id == unit).order_by(_roll.id).limit(limit)
    if after is not None:
        query = query.where(_roll.id > after)
    return [_counted(row, _opened_by(conn, row.id)) for row in conn.execute(query)]


def _check(ctx: Context, new: NewRollCount) -> None:
    shifts = ctx.policy.ward.shifts
    if new.shift not in shifts:
        raise Invalid.field(
            "/shift", "unknown-shift", f"use one of: {', '.join(shifts)}", new.shift
        )
    if new.as_recorded and (new.found or new.strangers):
        raise Invalid.field(
            "/as_recorded",
            "both-said",
            "either everything is as recorded, or name who was found: not both",
            True,
        )
    seen: set[str] = set()
    for number, it in enumerate(new.found):
        if it.person in seen:
            raise Invalid.field(
                f"/found/{number}/person", "named-twice", "name each person once", it.person
            )
        seen.add(it.person)


def _on_record(conn: Connection, unit: str) -> dict[str, OnRoll]:
    rows = conn.execute(
        select(_claim.person_id, _claim.stay_id, _claim.bed_id, _claim.room_id, _claim.kind)
        .where(
            _claim.unit_id == unit,
            _claim.kind.in_([ClaimKind.STAY.value, ClaimKind.LEAVE.value]),
            _claim.voided_at.is_(None),
            func.upper_inf(_claim.during),
        )
        .order_by(_claim.bed_id)
    )
    return {
        row.person_id: OnRoll(
            row.person_id,
            row.stay_id,
            row.bed_id,
            row.room_id,
            away=row.kind == ClaimKind.LEAVE.value,
        )
        for row in rows
    }


def _differences(
    conn: Connection,
    ctx: Context,
    unit: Any,
    count: str,
    present: Mapping[str, OnRoll],
    found: Mapping[str, str | None],
    strangers: int,
    now: datetime,
) -> tuple[Difference, ...]:
    facts: list[tuple[DiscrepancyKind, str | None, str | None]] = []
    for person, it in present.items():
        if person not in found:
            facts.append((DiscrepancyKind.MISSING, person, it.bed))
        elif found[person] not in (None, it.bed):
            facts.append((DiscrepancyKind.WRONG_BED, person, found[person]))
    known = _known(conn, [it for it in found if it not in present])
    facts += [(DiscrepancyKind.NOT_ON_RECORD, person, None) for person in known]
    if strangers:
        facts.append((DiscrepancyKind.NOT_ON_RECORD, None, None))
    return tuple(
        Difference(
            open_discrepancy(
                conn,
                ctx,
                kind,
                facility=unit["facility_id"],
                unit=unit["id"],
                now=now,
                bed=bed,
                person=person,
                subject=("roll_count", count),
            ),
            kind.value,  # type: ignore[arg-type]
            person,
            bed,
        )
        for kind, person, bed in facts
    )


def _known(conn: Connection, persons: list[str]) -> list[str]:
    """The named people, each of whom must have a record. Raises Invalid."""
    if not persons:
        return []
    there = set(
        conn.execute(
            select(core.person.c.id).where(core.person.c.id.in_(sorted(persons)))
        ).scalars()
    )
    for person in persons:
        if person not in there:
            raise Invalid.field(
                "/found",
                "person-not-found",
                "nobody is recorded under this pseudonym; count them among the strangers",
                person,
            )
    return persons


def _right_again(
    conn: Connection,
    ctx: Context,
    unit: str,
    present: Mapping[str, OnRoll],
    found: Mapping[str, str | None],
    now: datetime,
) -> None:
    """Close what an earlier count had opened about people who are where they should be."""
    right = sorted(
        person for person, it in present.items() if found.get(person, "") in (None, it.bed)
    )
    if not right:
        return
    c = core.discrepancy.c
    open_ones = conn.execute(
        select(c.id).where(
            c.unit_id == unit,
            c.person_id.in_(right),
            c.resolved_at.is_(None),
            c.kind.in_([DiscrepancyKind.MISSING.value, DiscrepancyKind.WRONG_BED.value]),
        )
    ).scalars()
    for id_ in sorted(open_ones):
        close_discrepancy(conn, ctx, id_, "found in place at a later count", now)


def _opened_by(conn: Connection, count: str) -> tuple[Difference, ...]:
    c = core.discrepancy.c
    rows = conn.execute(
        select(c.id, c.kind, c.person_id, c.bed_id)
        .where(c.subject_type == "roll_count", c.subject_id == count)
        .order_by(c.id)
    )
    return tuple(Difference(row.id, row.kind, row.person_id, row.bed_id) for row in rows)


def _counted(row: Any, differences: tuple[Difference, ...]) -> RollCounted:
    return RollCounted(
        id=row.id,
        unit=row.unit_id,
        day=row.day,
        shift=row.shift,
        expected=row.expected,
        found=row.found,
        counted_at=row.counted_at,
        counted_by=row.counted_by,
        differences=differences,
    )
