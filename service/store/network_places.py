"""Rows of places and claims as the solver sees them: facilities, units, rooms, beds, who is there.

Retired places are left out; external hospitals and surge places are in. Every value here follows
from rows and one instant; ``until`` beside it is the next instant at which it would change by
arithmetic alone (a hold lapses, a status grows stale), None when time alone changes nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from service.store.tables import core
from solver.codes import (
    BedKind,
    BedState,
    Grade,
    Isolation,
    LegalBasis,
    Licence,
    Observation,
    Owner,
    Security,
    Sex,
    UnitKind,
    Zone,
)
from solver.domain import Bed, Facility, Room, Unit

_facility, _unit, _room, _bed = core.facility.c, core.unit.c, core.room.c, core.bed.c
_claim, _next, _out = core.bed_claim.c, core.bed_next.c, core.out_of_service_period.c
_stay = core.stay.c

_NOW: ColumnElement[datetime] = bindparam("now", type_=DateTime(timezone=True))


_SEPARATOR = "\x1f"


def listed(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """``column`` is one of the ids given under ``name``; one array, so one prepared plan."""
    return column == any_(bindparam(name, type_=ARRAY(Text)))


def among(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """As ``listed``, for thousands of ids, bound under ``name`` by ``joined``."""
    return column == any_(func.string_to_array(bindparam(name, type_=Text), _SEPARATOR))


def joined(ids: Collection[str]) -> str:
    """Ids as one parameter: thousands of them cost the driver one string, not one dump each."""
    return _SEPARATOR.join(sorted(ids))


_FACILITIES = select(
    _facility.id,
    _facility.east_km,
    _facility.north_km,
    _facility.external,
    _facility.status_ttl_minutes,
).where(_facility.retired_at.is_(None))
_UNITS = (
    select(core.unit)
    .join(core.facility, _facility.id == _unit.facility_id)
    .where(_unit.retired_at.is_(None), _facility.retired_at.is_(None))
)
_ROOMS = (
    select(_room.id, _room.unit_id, _room.sex, _room.isolation, _room.cohort)
    .join(core.unit, _unit.id == _room.unit_id)
    .where(_room.retired_at.is_(None))
)
_BEDS = (
    select(
        _bed.id,
        _bed.room_id,
        _bed.facility_id,
        _bed.kind,
        _bed.features,
        _bed.state,
        _bed.expected_end,
        _bed.confirmed_at,
    )
    .join(core.room, _room.id == _bed.room_id)
    .where(_bed.retired_at.is_(None), _room.retired_at.is_(None))
)
_end = func.upper(_claim.during)
CLAIM_NOT_OVER = and_(_claim.voided_at.is_(None), or_(_end.is_(None), _end > _NOW))
"""Claims that stand now or will: not voided, range not over at ``now``."""
_CLAIMS = (
    select(
        _claim.bed_id,
        _claim.person_id,
        _claim.kind,
        func.lower(_claim.during).label("since"),
        case((func.isfinite(_end), _end)).label("end"),
        _claim.stay_id,
        _claim.used_at,
        _claim.accepted_at,
        _stay.admitted_at,
        _stay.expected_end,
    )
    .outerjoin(core.stay, _stay.id == _claim.stay_id)
    .where(CLAIM_NOT_OVER)
)
_NEXTS = select(_next.bed_id, _next.person_id).where(_next.state == "live")
_OUTS = select(_out.bed_id, _out.began_at, _out.expected_end).where(_out.ended_at.is_(None))


@dataclass(frozen=True, slots=True)
class Places:
    """Where people can be, beds apart. ``ttl``: how long each facility's status stays fresh."""

    facilities: dict[str, Facility] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)
    rooms: dict[str, Room] = field(default_factory=dict)
    ttl: dict[str, timedelta] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Occupant:
    """The stay or leave that takes a bed at the instant asked about."""

    stay_id: str
    person: str
    since: datetime
    on_leave: bool
    expected_end: datetime | None


@dataclass(frozen=True, slots=True)
class BedView:
    """A bed, who is in it, and everybody with a hold, stay, leave or promise on it."""

    bed: Bed
    occupant: Occupant | None
    people: frozenset[str]
    until: datetime | None


Statement = Select[*tuple[Any, ...]]


@cache
def _place_statements(scope: str | None) -> tuple[Statement, Statement, Statement]:
    """Facilities, units and rooms of the whole city, or of the ids bound under ``scope``."""
    if scope == "units":
        owners = select(_unit.facility_id).where(among(_unit.id, scope))
        return (
            _FACILITIES.where(_facility.id.in_(owners)),
            _UNITS.where(among(_unit.id, scope)),
            _ROOMS.where(among(_room.unit_id, scope)),
        )
    if scope == "facilities":
        inside = among(_unit.facility_id, scope)
        return (
            _FACILITIES.where(among(_facility.id, scope)),
            _UNITS.where(inside),
            _ROOMS.where(inside),
        )
    return _FACILITIES, _UNITS, _ROOMS


@cache
def _bed_statements(scope: str | None) -> tuple[Statement, Statement, Statement, Statement]:
    """Beds, claims, promises and out-of-service periods, of all beds or of those in ``scope``."""
    if scope is None:
        return _BEDS, _CLAIMS, _NEXTS, _OUTS
    columns = {"beds": _bed.id, "units": _bed.unit_id, "facilities": _bed.facility_id}
    chosen = among(columns[scope], scope)
    inside = select(_bed.id).where(chosen)
    return (
        _BEDS.where(chosen),
        _CLAIMS.where(_claim.bed_id.in_(inside)),
        _NEXTS.where(_next.bed_id.in_(inside)),
        _OUTS.where(_out.bed_id.in_(inside)),
    )


def _scoped(**scopes: Collection[str] | None) -> tuple[str | None, dict[str, Any]]:
    """The first scope that was given, and its ids to bind."""
    for name, ids in scopes.items():
        if ids is not None:
            return name, {name: joined(ids)}
    return None, {}


def earliest(instants: Iterable[datetime | None]) -> datetime | None:
    """The first of the instants that are known."""
    return min((it for it in instants if it is not None), default=None)


def read_places(
    conn: Connection,
    *,
    facilities: Collection[str] | None = None,
    units: Collection[str] | None = None,
) -> Places:
    """Facilities, units and rooms of the whole city, of these facilities, or of these units."""
    scope, given = _scoped(units=units, facilities=facilities)
    of_facility, of_unit, of_room = _place_statements(scope)
    places = Places()
    for row in conn.execute(of_facility, given).all():
        places.facilities[row.id] = Facility(row.id, (row.east_km, row.north_km), row.external)
        places.ttl[row.id] = timedelta(minutes=row.status_ttl_minutes)
    for row in conn.execute(of_unit, given).all():
        places.units[row.id] = _unit_of(row)
    for id_, unit_id, sex, isolation, cohort in conn.execute(of_room, given).all():
        if unit_id in places.units:
            places.rooms[id_] = Room(
                id_, unit_id, Sex(sex) if sex else None, Isolation(isolation), cohort
            )
    return places


def read_beds(
    conn: Connection,
    now: datetime,
    places: Places,
    *,
    facilities: Collection[str] | None = None,
    units: Collection[str] | None = None,
    beds: Collection[str] | None = None,
) -> dict[str, BedView]:
    """Beds with their claims at ``now``: all, of these facilities or units, or exactly these.

    A bed whose room is not in ``places`` (retired, or out of scope) is left out.
    """
    scope, given = _scoped(beds=beds, units=units, facilities=facilities)
    of_bed, of_claim, of_next, of_out = _bed_statements(scope)
    claims: dict[str, list[Any]] = {}
    for row in conn.execute(of_claim, {"now": now, **given}).all():
        claims.setdefault(row.bed_id, []).append(row)
    promised: dict[str, str] = dict(conn.execute(of_next, given).all())
    outs = {row.bed_id: row for row in conn.execute(of_out, given).all()}
    views = {}
    for row in conn.execute(of_bed, given).all():
        if row.room_id in places.rooms:
            views[row.id] = _view(
                row,
                places.ttl[row.facility_id],
                claims.get(row.id, ()),
                promised.get(row.id),
                outs.get(row.id),
                now,
            )
    return views


def _unit_of(row: Any) -> Unit:
    return Unit(
        id=row.id,
        facility=row.facility_id,
        kind=UnitKind(row.kind),
        sex=Sex(row.sex) if row.sex else None,
        min_age=row.min_age,
        max_age=row.max_age,
        zone=Zone(row.zone),
        level_of_care=Grade(row.level_of_care),
        security=Security(row.security),
        observation=Observation(row.observation),
        licences=frozenset(map(Licence, row.licences)),
        bases=frozenset(map(LegalBasis, row.bases)),
        security_owner=Owner(row.security_owner),
        medical_owner=Owner(row.medical_owner),
        staffed_beds=row.staffed_beds,
        reserve=row.reserve,
    )


def _view(
    row: Any,
    ttl: timedelta,
    claims: Collection[Any],
    promised_to: str | None,
    out: Any | None,
    now: datetime,
) -> BedView:
    """One bed from its rows. An open out-of-service period rules over a state of in service."""
    occupant: Occupant | None = None
    held_for: str | None = None
    turns: list[datetime | None] = []
    for claim in claims:
        turns.append(claim.since if claim.since > now else claim.end)
        if claim.since > now:
            continue
        if claim.kind == "hold":
            if claim.used_at is None:
                held_for = claim.person_id
        else:
            occupant = Occupant(
                stay_id=claim.stay_id,
                person=claim.person_id,
                since=claim.admitted_at,
                on_leave=claim.kind == "leave",
                expected_end=claim.expected_end,
            )
    state = BedState(row.state)
    forecasts: list[datetime | None] = []
    if state not in (BedState.IN_SERVICE, BedState.CLOSING):
        forecasts.append(row.expected_end)
    if out is not None:
        if out.began_at > now:
            turns.append(out.began_at)
        else:
            if state is BedState.IN_SERVICE:
                state = BedState.CLOSED if occupant is None else BedState.CLOSING
            forecasts = [out.expected_end if out.expected_end is not None else row.expected_end]
    if occupant is not None:
        forecasts.append(occupant.expected_end)
    expires = row.confirmed_at + ttl
    if expires > now:
        turns.append(expires)
    people = {claim.person_id for claim in claims}
    if promised_to is not None:
        people.add(promised_to)
    return BedView(
        bed=Bed(
            id=row.id,
            room=row.room_id,
            kind=BedKind(row.kind),
            features=_features(tuple(row.features)),
            state=state,
            promised=promised_to is not None,
            held_for=held_for,
            stale=expires <= now,
            expected_free=_last_known(forecasts),
        ),
        occupant=occupant,
        people=frozenset(people),
        until=earliest(turns),
    )


@lru_cache(maxsize=512)
def _features(codes: tuple[str, ...]) -> frozenset[BedKind]:
    return frozenset(map(BedKind, codes))


def _last_known(forecasts: list[datetime | None]) -> datetime | None:
    """When everything in the way is expected to be gone; None if for one of them nobody said."""
    known = [it for it in forecasts if it is not None]
    return max(known) if forecasts and len(known) == len(forecasts) else None


def people_of(views: Mapping[str, BedView]) -> set[str]:
    """Everybody with a claim or a promise on one of these beds."""
    return {person for view in views.values() for person in view.people}
