"""Rows of people as the solver sees them: papers, need, and whether they may be moved.

A merged record is left out: the record it was merged into lives on. ``until`` beside a person is
the first instant at which a value changes by arithmetic alone: the legal day of a birthday, of a
nursed child's first one, after the end of a doctor's statement or an organ's yes; the instant at
which a word given under intoxication, or a hold that pins them, lapses.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, case, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from service.store.network_needs import UNSEEN, read_needs, weaned_on, with_child
from service.store.network_papers import NO_PAPERS, Papers, decision_of, read_papers, unit_kinds
from service.store.network_places import CLAIM_NOT_OVER, among, earliest, joined
from service.store.tables import core
from service.store.tables.law import ApprovalKind
from service.store.tables.workflow import LIVE_REQUEST_STATES, RequestState, TransferState
from solver.codes import Sex, UnitKind
from solver.domain import Need, Person, Request

_person, _fitness, _stop = core.person.c, core.fitness_statement.c, core.movement_stop.c
_transfer, _request, _decline = core.transfer.c, core.placement_request.c, core.decline.c
_next, _claim = core.bed_next.c, core.bed_claim.c

_STARTED = (TransferState.APPROVED, TransferState.ACCEPTED, TransferState.IN_TRANSIT)

_PERSONS = select(
    _person.id,
    _person.sex,
    _person.birth_date,
    _person.home_east_km,
    _person.home_north_km,
    _person.origin_unit_id,
    _person.identified,
    _person.nursing_child_born_on,
).where(_person.merged_into.is_(None), among(_person.id, "ids"))
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
    .where(_live_request, among(_request.person_id, "ids"), _decline.overruled_at.is_(None))
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
    papers = read_papers(conn, given)
    needs = read_needs(conn, given)
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
        mine = papers.get(row.id, NO_PAPERS)
        last_days, lapses = mine.turns()
        changes += [it for it in lapses if it > now]
        changes += [_midnight(it + timedelta(days=1), zone) for it in last_days if it >= on]
        if statement is not None:
            changes.append(_midnight(statement.ends_on + timedelta(days=1), zone))
        if row.nursing_child_born_on is not None:
            weaned = weaned_on(row.nursing_child_born_on)
            changes += [_midnight(weaned, zone)] if weaned > on else []
        people[row.id] = PersonView(
            person=_person_of(row, on, zone, mine, needs.get(row.id, UNSEEN)),
            may_move_to=unit_kinds(tuple(statement.kinds)) if statement else frozenset(),
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


def _person_of(row: Any, on: date, zone: ZoneInfo, papers: Papers, need: Need) -> Person:
    has_home = row.home_east_km is not None and row.home_north_km is not None
    sex = Sex(row.sex) if row.sex is not None else None
    decision = papers.decision_row
    return Person(
        id=row.id,
        sex=sex,
        age=age_on(row.birth_date, on),
        basis=papers.basis,
        decision=decision_of(decision),
        consents=tuple(papers.consents),
        need=with_child(need, sex, row.nursing_child_born_on, on),
        home=(row.home_east_km, row.home_north_km) if has_home else None,
        origin_unit=row.origin_unit_id,
        identified=row.identified,
        capable=papers.capable,
        police_consent=papers.agreed(ApprovalKind.VOLUNTARY_IN_CENTRE, on),
        psc_since=decision.psc_since if decision is not None else None,
        joint_opinion=papers.joint_opinion,
        out_medical=papers.out_medical(on, zone),
        psychiatric=papers.psychiatric,
    )


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
