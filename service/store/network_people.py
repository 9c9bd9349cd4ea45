"""Rows of people as the solver sees them: basis, consents, need, and whether they may be moved.

A merged record is left out: the record it was merged into lives on. ``until`` beside a person is
the first instant of the legal day on which a value changes by arithmetic alone (a birthday, the
end of a doctor's statement) or at which a hold that pins them lapses.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, case, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from service.store.network_places import CLAIM_NOT_OVER, among, earliest, joined, listed
from service.store.tables import core
from service.store.tables.workflow import LIVE_REQUEST_STATES, RequestState, TransferState
from solver.codes import (
    BedKind,
    ConsentBy,
    Grade,
    Ground,
    Isolation,
    LegalBasis,
    Observation,
    Organ,
    Sex,
    Tri,
    UnitKind,
)
from solver.domain import Consent, Decision, Need, Person, Request

_person, _basis, _consent = core.person.c, core.legal_basis.c, core.consent.c
_assessment, _fitness, _stop = core.assessment.c, core.fitness_statement.c, core.movement_stop.c
_transfer, _request, _decline = core.transfer.c, core.placement_request.c, core.decline.c
_next, _claim = core.bed_next.c, core.bed_claim.c

_STARTED = (TransferState.APPROVED, TransferState.ACCEPTED, TransferState.IN_TRANSIT)

NEWEST_BASIS_FIRST = (
    _basis.revoked_at.is_not(None),
    _basis.recorded_at.desc(),
    _basis.id.desc(),
)
"""Which legal basis counts: the newest that was not revoked, else the newest."""
NEWEST_ASSESSMENT_FIRST = (
    _assessment.assessed_at.desc(),
    _assessment.recorded_at.desc(),
    _assessment.id.desc(),
)
"""Which assessment counts: the newest finding."""
_NEWEST_BASES = (
    select(_basis.person_id, _basis.kind)
    .ext(distinct_on(_basis.person_id))
    .where(listed(_basis.person_id, "people"))
    .order_by(_basis.person_id, *NEWEST_BASIS_FIRST)
)

_PERSONS = select(
    _person.id,
    _person.sex,
    _person.birth_date,
    _person.home_east_km,
    _person.home_north_km,
    _person.origin_unit_id,
).where(_person.merged_into.is_(None), among(_person.id, "ids"))
_BASES = (
    select(
        _basis.person_id,
        _basis.kind,
        _basis.body,
        _basis.ground,
        _basis.served_at,
        _basis.starts_on,
        _basis.ends_on,
        _basis.under_16_reasons,
        _basis.revoked_at,
    )
    .where(among(_basis.person_id, "ids"))
    .order_by(*NEWEST_BASIS_FIRST)
)
_CONSENTS = (
    select(
        _consent.person_id,
        _consent.given_by,
        _consent.kinds,
        _consent.agreement,
        _consent.starts_on,
        _consent.ends_on,
        _consent.withdrawn_at,
    )
    .where(among(_consent.person_id, "ids"))
    .order_by(_consent.starts_on, _consent.id)
)
_ASSESSMENTS = (
    select(
        _assessment.person_id,
        _assessment.grade,
        func.array_to_string(_assessment.needs, ",").label("needs"),
        _assessment.isolation,
        _assessment.observation,
        _assessment.pregnant,
        _assessment.nursing,
    )
    .ext(distinct_on(_assessment.person_id))
    .where(among(_assessment.person_id, "ids"))
    .order_by(_assessment.person_id, *NEWEST_ASSESSMENT_FIRST)
)
_FITNESS = (
    select(_fitness.person_id, _fitness.kinds, _fitness.agreed_units, _fitness.ends_on)
    .ext(distinct_on(_fitness.person_id))
    .where(among(_fitness.person_id, "ids"), _fitness.revoked_at.is_(None))
    .order_by(_fitness.person_id, _fitness.recorded_at.desc(), _fitness.id.desc())
)
_PINNED = (
    select(_stop.person_id)
    .where(among(_stop.person_id, "ids"), _stop.lifted_at.is_(None))
    .union(
        select(_transfer.person_id).where(
            among(_transfer.person_id, "ids"),
            _transfer.state.in_([state.value for state in _STARTED]),
        ),
        select(_next.person_id).where(among(_next.person_id, "ids"), _next.state == "live"),
    )
)
_HOLDS = select(
    _claim.person_id,
    func.lower(_claim.during).label("since"),
    case((func.isfinite(func.upper(_claim.during)), func.upper(_claim.during))).label("end"),
).where(
    among(_claim.person_id, "ids"),
    _claim.kind == "hold",
    _claim.used_at.is_(None),
    CLAIM_NOT_OVER,
)
_live_request = _request.state.in_([state.value for state in LIVE_REQUEST_STATES])
_REQUESTS = (
    select(
        _request.id,
        _request.person_id,
        _request.state,
        _request.waiting_since,
        _request.emergency,
        _next.id.label("next_id"),
    )
    .outerjoin(core.bed_next, and_(_next.request_id == _request.id, _next.state == "live"))
    .where(_live_request, among(_request.person_id, "ids"))
)
_DECLINES = (
    select(_decline.request_id, func.array_agg(_decline.unit_id.distinct()).label("units"))
    .join(core.placement_request, _request.id == _decline.request_id)
    .where(_live_request, among(_request.person_id, "ids"))
    .group_by(_decline.request_id)
)
_LIVE_PERSONS = select(_request.person_id).where(_live_request)
_MERGED = select(_person.id, _person.merged_into).where(
    among(_person.id, "ids"), _person.merged_into.is_not(None)
)


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person, what binds their movement, and their live request.

    ``may_move_to`` and ``agreed_units`` are the newest unrevoked, unexpired doctor's statement;
    ``pinned``: a movement stop, a transfer approved or under way, a live hold or a promised bed.
    ``request`` is set while the request waits for a decision; ``has_request`` while it is live.
    """

    person: Person
    may_move_to: frozenset[UnitKind]
    agreed_units: frozenset[str] | None
    pinned: bool
    request: Request | None
    has_request: bool
    until: datetime | None


def legal_day(now: datetime, zone: ZoneInfo) -> date:
    """The legal day an instant falls on."""
    return now.astimezone(zone).date()


def age_on(birth: date, on: date) -> int:
    """Full years 周岁 on a day; somebody born on 29 February ages on 1 March in common years."""
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def basis_kinds(conn: Connection, persons: Collection[str]) -> dict[str, LegalBasis]:
    """What each of these people is here on: the kind of the legal basis that counts."""
    rows = conn.execute(_NEWEST_BASES, {"people": sorted(set(persons))})
    return {row.person_id: LegalBasis(row.kind) for row in rows}


def persons_with_live_requests(conn: Connection) -> set[str]:
    """Everybody whose placement request is waiting, held or accepted."""
    return set(conn.execute(_LIVE_PERSONS).scalars())


def read_people(
    conn: Connection, now: datetime, zone: ZoneInfo, ids: Collection[str]
) -> dict[str, PersonView]:
    """These people at ``now``; ids that are unknown or merged away are left out."""
    if not ids:
        return {}
    on = legal_day(now, zone)
    given = {"ids": joined(ids)}
    timed = {**given, "now": now}
    bases: dict[str, list[Any]] = {}
    for basis in conn.execute(_BASES, given).all():
        bases.setdefault(basis.person_id, []).append(basis)
    consents: dict[str, list[Consent]] = {}
    for consent in conn.execute(_CONSENTS, given).all():
        consents.setdefault(consent.person_id, []).append(_consent_of(consent))
    needs = {id_: _need_of(*rest) for id_, *rest in conn.execute(_ASSESSMENTS, given).all()}
    fitness = {row.person_id: row for row in conn.execute(_FITNESS, given).all()}
    pinned = set(conn.execute(_PINNED, given).scalars())
    turns: dict[str, list[datetime | None]] = {}
    for person_id, since, end in conn.execute(_HOLDS, timed).all():
        turns.setdefault(person_id, []).append(since if since > now else end)
        if since <= now:
            pinned.add(person_id)
    declined: dict[str, list[str]] = dict(conn.execute(_DECLINES, given).all())
    requests = {row.person_id: row for row in conn.execute(_REQUESTS, given).all()}
    people = {}
    for row in conn.execute(_PERSONS, given).all():
        statement = fitness.get(row.id)
        if statement is not None and statement.ends_on < on:
            statement = None
        live = requests.get(row.id)
        waiting = live is not None and live.state == RequestState.WAITING and live.next_id is None
        changes = turns.get(row.id, [])
        changes.append(_midnight(_next_birthday(row.birth_date, on), zone))
        if statement is not None:
            changes.append(_midnight(statement.ends_on + timedelta(days=1), zone))
        people[row.id] = PersonView(
            person=_person_of(row, on, bases.get(row.id, ()), consents, needs.get(row.id, Need())),
            may_move_to=_kinds(tuple(statement.kinds)) if statement else frozenset(),
            agreed_units=(
                frozenset(statement.agreed_units)
                if statement is not None and statement.agreed_units is not None
                else None
            ),
            pinned=row.id in pinned,
            request=_request_of(live, declined) if waiting else None,
            has_request=live is not None,
            until=earliest(changes),
        )
    return people


def merged_into(conn: Connection, ids: Collection[str]) -> set[str]:
    """The records that these merged ones live on in."""
    if not ids:
        return set()
    return {row.merged_into for row in conn.execute(_MERGED, {"ids": joined(ids)})}


def _person_of(
    row: Any, on: date, bases: Collection[Any], consents: dict[str, list[Consent]], need: Need
) -> Person:
    newest = next(iter(bases), None)
    basis = LegalBasis(newest.kind) if newest is not None else None
    decision = None
    if basis in (LegalBasis.COMPULSORY, LegalBasis.OUT_MEDICAL):
        ordered = (it for it in bases if it.kind == LegalBasis.COMPULSORY)
        decision = _decision_of(next(ordered, None))
    has_home = row.home_east_km is not None and row.home_north_km is not None
    return Person(
        id=row.id,
        sex=Sex(row.sex),
        age=age_on(row.birth_date, on),
        basis=basis,
        decision=decision,
        consents=tuple(consents.get(row.id, ())),
        need=need,
        home=(row.home_east_km, row.home_north_km) if has_home else None,
        origin_unit=row.origin_unit_id,
    )


def _decision_of(row: Any | None) -> Decision | None:
    if row is None:
        return None
    return Decision(
        body=Organ(row.body) if row.body else None,
        ground=Ground(row.ground) if row.ground else None,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        served_at=row.served_at,
        revoked=row.revoked_at is not None,
        under_16_reasons=row.under_16_reasons,
    )


def _consent_of(row: Any) -> Consent:
    return Consent(
        by=ConsentBy(row.given_by),
        kinds=_kinds(tuple(row.kinds)),
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        agreement=row.agreement,
        withdrawn=row.withdrawn_at is not None,
    )


@lru_cache(maxsize=4096)
def _need_of(
    grade: int | None, needs: str, isolation: str, observation: str, pregnant: str, nursing: str
) -> Need:
    """A finding; a city has few distinct ones."""
    return Need(
        grade=Grade(grade) if grade is not None else None,
        needs=frozenset(map(BedKind, needs.split(","))) if needs else frozenset(),
        isolation=Isolation(isolation),
        observation=Observation(observation),
        pregnant=Tri(pregnant),
        nursing=Tri(nursing),
    )


@lru_cache(maxsize=512)
def _kinds(codes: tuple[str, ...]) -> frozenset[UnitKind]:
    return frozenset(map(UnitKind, codes))


def _request_of(row: Any, declined: dict[str, list[str]]) -> Request:
    return Request(
        id=row.id,
        person=row.person_id,
        since=row.waiting_since,
        emergency=row.emergency,
        declined_units=frozenset(declined.get(row.id, ())),
    )


def _next_birthday(birth: date, on: date) -> date:
    for year in (on.year, on.year + 1):
        try:
            day = birth.replace(year=year)
        except ValueError:
            day = date(year, 3, 1)
        if day > on:
            return day
    raise AssertionError("a birthday falls within a year")


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a legal day."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
