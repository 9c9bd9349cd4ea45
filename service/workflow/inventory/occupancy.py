"""Occupancy 床位使用情况: how many beds there are, how many can be used, who waits. Never counters.

One aggregate over beds, bed state and claims gives a row for each unit, sex, kind and condition;
everything shown anywhere is a sum of those rows. The ladder, each rung at most the one above:

``licensed``    beds that are not retired and not surge places
``in_service``  of these, in state ``in_service`` and in no open out-of-service period
``staffed``     ``in_service``, at most the unit's ``staffed_beds`` where it names a number
``unclaimed``   how many more people the unit can take now: its in-service beds without a claim,
                at most ``staffed_beds`` less every claimed bed of the unit, never below 0
``fresh``       ``unclaimed``, at most the in-service beds without a claim whose status is not stale

A bed is claimed while a stay, a leave or an unused hold stands on it or a live ``next`` promises
it; it counts once, surge places and beds out of service too, for their people need the same staff.
A bed is stale once its last confirmation is as old as the facility's time to live. Where every
occupied bed is an in-service one, ``unclaimed`` is ``staffed`` less the claimed beds. The ladder of
a facility or the city is the sum over its units; of a sex or a kind there are only beds (``open``),
since staff is a unit's and not divided.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, DateTime, Select, case, func, literal, select, text

from service.store.event_reader import last_position
from service.store.network_needs import NEWEST_ASSESSMENT_FIRST
from service.store.network_papers import NEWEST_BASIS_FIRST
from service.store.network_places import earliest
from service.store.tables import core
from service.store.tables.workflow import RequestState
from solver.codes import CONSENSUAL_BASES, CUSTODIAL_BASES, BedKind, LegalBasis, Owner

IN_SERVICE: Final = "in_service"
ANY_SEX: Final = "any"
UNKNOWN: Final = "unknown"
CUSTODIAL: Final = "custodial"
CONSENSUAL: Final = "consensual"
CUSTODIAL_OWNERS: Final = frozenset({Owner.PUBLIC_SECURITY.value, Owner.JUSTICE.value})

_BEDS: Final = text(
    """
    WITH standing AS (
        SELECT bed_id,
               bool_or(kind = 'stay' AND lower(during) <= :now) AS occupied,
               bool_or(kind = 'leave' AND lower(during) <= :now) AS on_leave,
               bool_or(kind = 'hold' AND used_at IS NULL AND lower(during) <= :now) AS held,
               min(CASE WHEN lower(during) > :now THEN lower(during)
                        WHEN isfinite(upper(during)) THEN upper(during) END) AS turns_at
          FROM bed_claim
         WHERE voided_at IS NULL AND (upper(during) IS NULL OR upper(during) > :now)
         GROUP BY bed_id
    ), looked AS (
        SELECT f.id AS facility_id, f.name AS facility_name, u.id AS unit_id, u.name AS unit_name,
               u.security_owner, u.staffed_beds, b.id AS bed_id, b.kind,
               coalesce(r.sex, u.sex, 'any') AS sex,
               CASE WHEN o.began_at <= :now THEN o.reason ELSE b.state END AS condition,
               coalesce(c.occupied, false) AS occupied,
               coalesce(c.on_leave, false) AS on_leave,
               coalesce(c.held, false) AS held,
               n.bed_id IS NOT NULL AS promised,
               b.confirmed_at,
               b.confirmed_at + f.status_ttl_minutes * interval '1 minute' AS stale_at,
               o.began_at AS out_at, c.turns_at
          FROM facility f
          LEFT JOIN unit u ON u.facility_id = f.id AND u.retired_at IS NULL
          LEFT JOIN (bed b JOIN room r ON r.id = b.room_id AND r.retired_at IS NULL)
                 ON b.unit_id = u.id AND b.retired_at IS NULL
          LEFT JOIN standing c ON c.bed_id = b.id
          LEFT JOIN bed_next n ON n.bed_id = b.id AND n.state = 'live'
          LEFT JOIN out_of_service_period o ON o.bed_id = b.id AND o.ended_at IS NULL
         WHERE f.retired_at IS NULL
    ), judged AS (
        SELECT *, occupied OR on_leave OR held OR promised AS claimed FROM looked
    )
    SELECT facility_id, facility_name, unit_id, unit_name, security_owner, staffed_beds,
           sex, kind, condition,
           count(bed_id) AS beds,
           count(*) FILTER (WHERE occupied) AS occupied,
           count(*) FILTER (WHERE on_leave) AS on_leave,
           count(*) FILTER (WHERE held) AS held,
           count(*) FILTER (WHERE promised) AS promised,
           count(*) FILTER (WHERE claimed) AS claimed,
           count(*) FILTER (WHERE bed_id IS NOT NULL AND NOT claimed AND stale_at > :now)
               AS unclaimed_fresh,
           min(confirmed_at) AS confirmed_oldest,
           max(confirmed_at) AS confirmed_newest,
           least(min(turns_at), min(stale_at) FILTER (WHERE stale_at > :now),
                 min(out_at) FILTER (WHERE out_at > :now)) AS turns_at
      FROM judged
     GROUP BY facility_id, facility_name, unit_id, unit_name, security_owner, staffed_beds,
              sex, kind, condition
     ORDER BY facility_id, unit_id, sex, kind, condition
    """
)
_WHOLE_TABLES: Final = text("SET LOCAL enable_nestloop = off")
"""The aggregate reads every bed. Before the first ANALYZE of a new city the planner takes the
tables for tiny and loops over them, which takes seconds instead of milliseconds."""
_CLOCK: Final = select(func.clock_timestamp(type_=DateTime(timezone=True)))


def _waiting() -> Select[Any]:
    """Who waits, by grade of the newest assessment and by what the newest basis is."""
    request, basis, found = core.placement_request.c, core.legal_basis.c, core.assessment.c
    newest_basis = (
        select(basis.kind)
        .where(basis.person_id == request.person_id)
        .order_by(*NEWEST_BASIS_FIRST)
        .limit(1)
        .scalar_subquery()
    )
    newest_grade = (
        select(found.grade)
        .where(found.person_id == request.person_id)
        .order_by(*NEWEST_ASSESSMENT_FIRST)
        .limit(1)
        .scalar_subquery()
    )
    each = (
        select(
            newest_grade.label("grade"),
            newest_basis.label("basis"),
            request.emergency,
            request.waiting_since,
        )
        .where(request.state == RequestState.WAITING.value)
        .subquery()
    )
    custodial = [basis.value for basis in CUSTODIAL_BASES | {LegalBasis.OUT_MEDICAL}]
    consensual = [basis.value for basis in CONSENSUAL_BASES]
    side = case(
        (each.c.basis.in_(custodial), literal(CUSTODIAL)),
        (each.c.basis.in_(consensual), literal(CONSENSUAL)),
        else_=literal(UNKNOWN),
    ).label("side")
    return (
        select(
            each.c.grade,
            side,
            func.count().label("people"),
            func.count().filter(each.c.emergency).label("emergencies"),
            func.min(each.c.waiting_since).label("oldest"),
        )
        .group_by(each.c.grade, side)
        .order_by(each.c.grade, side)
    )


_WAITING: Final = _waiting()


@dataclass(frozen=True, slots=True)
class Ladder:
    """The five rungs; see the module's text. A rung is null where it would give people away."""

    licensed: int
    in_service: int
    staffed: int
    unclaimed: int | None
    fresh: int | None


@dataclass(frozen=True, slots=True)
class BedGroup:
    """Beds of one sex or one kind. ``open``: in service and without a claim, before the unit's
    staff is counted; ``open_fresh``: of these, with a status that is not stale."""

    code: str
    licensed: int
    in_service: int
    claimed: int | None
    open: int | None
    open_fresh: int | None


@dataclass(frozen=True, slots=True)
class Occupancy:
    """One unit, one facility or the city.

    ``occupied``: beds with a stay, surge places included; ``on_leave``: kept for somebody treated
    elsewhere; ``held``; ``promised`` by a live ``next``, perhaps still occupied; ``surge_in_use``:
    surge places with any claim. ``out_of_service``: beds not in service, by the reason of the open
    period, else by the bed's state. ``confirmed_oldest`` and ``confirmed_newest``: the instants
    between which every status shown here was last confirmed.
    """

    id: str
    name: str
    ladder: Ladder
    occupied: int | None
    on_leave: int | None
    held: int | None
    promised: int | None
    surge_in_use: int | None
    out_of_service: dict[str, int]
    by_sex: list[BedGroup]
    by_kind: list[BedGroup]
    confirmed_oldest: datetime | None
    confirmed_newest: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """People whose request waits, of one grade (``G0`` to ``G5``, ``unknown``) and one side:
    ``custodial``, ``consensual``, or ``unknown`` where no legal basis is recorded yet."""

    grade: str
    side: str
    people: int | None
    emergencies: int | None
    oldest: datetime | None


class Count(NamedTuple):
    """One row of the aggregate: the beds of one unit, sex, kind and condition."""

    facility_id: str
    facility_name: str
    unit_id: str | None
    unit_name: str | None
    security_owner: str | None
    staffed_beds: int | None
    sex: str | None
    kind: str | None
    condition: str | None
    beds: int
    occupied: int
    on_leave: int
    held: int
    promised: int
    claimed: int
    unclaimed_fresh: int
    confirmed_oldest: datetime | None
    confirmed_newest: datetime | None
    turns_at: datetime | None


@dataclass(frozen=True, slots=True)
class UnitRows:
    """The aggregate's rows of one unit, and what binds the unit."""

    id: str
    name: str
    facility: str
    custodial: bool
    staffed_beds: int | None
    rows: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """One reading. ``next_change_at``: when time alone would change it. Sums are made from it."""

    position: int
    at: datetime
    next_change_at: datetime | None
    facilities: Mapping[str, str]
    units: Mapping[str, UnitRows] = field(default_factory=dict)
    waiting: tuple[Waiting, ...] = ()


def measure(conn: Connection, *, now: datetime | None = None) -> Measured:
    """Count every bed as the connection's snapshot shows it; ``now`` is the database's clock."""
    position = last_position(conn)
    at = now if now is not None else conn.execute(_CLOCK).scalar_one()
    conn.execute(_WHOLE_TABLES)
    facilities: dict[str, str] = {}
    rows: dict[str, list[Any]] = {}
    for found in conn.execute(_BEDS, {"now": at}).all():
        row = Count(*found)
        facilities[row.facility_id] = row.facility_name
        if row.unit_id is not None:
            rows.setdefault(row.unit_id, []).append(row)
    units = {
        unit: UnitRows(
            id=unit,
            name=of_unit[0].unit_name,
            facility=of_unit[0].facility_id,
            custodial=of_unit[0].security_owner in CUSTODIAL_OWNERS,
            staffed_beds=of_unit[0].staffed_beds,
            rows=tuple(row for row in of_unit if row.beds),
        )
        for unit, of_unit in rows.items()
    }
    waiting = tuple(
        Waiting(
            grade=f"G{row.grade}" if row.grade is not None else UNKNOWN,
            side=row.side,
            people=row.people,
            emergencies=row.emergencies,
            oldest=row.oldest.astimezone(UTC),
        )
        for row in conn.execute(_WAITING).all()
    )
    turns = earliest(row.turns_at for unit in units.values() for row in unit.rows)
    return Measured(position, at, turns, facilities, units, waiting)


def occupancy_of(id_: str, name: str, units: Iterable[UnitRows]) -> Occupancy:
    """The sum over these units, under one id and name."""
    chosen = tuple(units)
    rungs = [ladder_of(unit) for unit in chosen]
    rows = [row for unit in chosen for row in unit.rows]
    out: dict[str, int] = {}
    for row in rows:
        if row.condition != IN_SERVICE:
            out[row.condition] = out.get(row.condition, 0) + row.beds
    return Occupancy(
        id=id_,
        name=name,
        ladder=Ladder(
            licensed=sum(it.licensed for it in rungs),
            in_service=sum(it.in_service for it in rungs),
            staffed=sum(it.staffed for it in rungs),
            unclaimed=sum(it.unclaimed or 0 for it in rungs),
            fresh=sum(it.fresh or 0 for it in rungs),
        ),
        occupied=sum(row.occupied for row in rows),
        on_leave=sum(row.on_leave for row in rows),
        held=sum(row.held for row in rows),
        promised=sum(row.promised for row in rows),
        surge_in_use=sum(row.claimed for row in rows if row.kind == BedKind.SURGE),
        out_of_service=dict(sorted(out.items())),
        by_sex=_groups(rows, "sex"),
        by_kind=_groups(rows, "kind"),
        confirmed_oldest=_utc(earliest(row.confirmed_oldest for row in rows)),
        confirmed_newest=_utc(max((row.confirmed_newest for row in rows), default=None)),
    )


def ladder_of(unit: UnitRows) -> Ladder:
    """The ladder of one unit, as the module's text defines it."""
    licensed = [row for row in unit.rows if row.kind != BedKind.SURGE]
    usable = [row for row in licensed if row.condition == IN_SERVICE]
    in_service = sum(row.beds for row in usable)
    staffed = unclaimed = in_service
    unclaimed -= sum(row.claimed for row in usable)
    if unit.staffed_beds is not None:
        staffed = min(in_service, unit.staffed_beds)
        claimed = sum(row.claimed for row in unit.rows)
        unclaimed = min(unclaimed, max(0, unit.staffed_beds - claimed))
    return Ladder(
        licensed=sum(row.beds for row in licensed),
        in_service=in_service,
        staffed=staffed,
        unclaimed=unclaimed,
        fresh=min(unclaimed, sum(row.unclaimed_fresh for row in usable)),
    )


def _groups(rows: Sequence[Any], attribute: str) -> list[BedGroup]:
    codes = sorted({getattr(row, attribute) for row in rows})
    return [
        _group(code, [row for row in rows if getattr(row, attribute) == code]) for code in codes
    ]


def _group(code: str, rows: Sequence[Any]) -> BedGroup:
    licensed = [row for row in rows if row.kind != BedKind.SURGE]
    usable = [row for row in licensed if row.condition == IN_SERVICE]
    return BedGroup(
        code=code,
        licensed=sum(row.beds for row in licensed),
        in_service=sum(row.beds for row in usable),
        claimed=sum(row.claimed for row in rows),
        open=sum(row.beds - row.claimed for row in usable),
        open_fresh=sum(row.unclaimed_fresh for row in usable),
    )


def _utc(instant: datetime | None) -> datetime | None:
    return instant.astimezone(UTC) if instant is not None else None
