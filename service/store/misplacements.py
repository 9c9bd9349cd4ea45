"""Rows of misplacements: whose present place is not, or no longer, lawful and safe."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, and_, exists, func, insert, or_, select, text, update

from service.lifecycle import StayState
from service.store import papers
from service.store.ids import new_id
from service.store.network_places import among, joined
from service.store.sequencer import ADVISORY_CLASS
from service.store.tables import core
from service.store.tables.claims import ClaimKind

_TABLE: Final = core.misplacement
_c, _claim, _stay = _TABLE.c, core.bed_claim.c, core.stay.c
_request = core.placement_request.c

_TURN: Final = text(
    "SELECT pg_advisory_xact_lock(:class, turn) FROM (SELECT DISTINCT hashtext(unit) AS turn"
    " FROM unnest(CAST(:units AS text[])) AS unit ORDER BY 1) AS turns"
)
_TURN_CLASS: Final = ADVISORY_CLASS + 1
"""Advisory locks of this class, one a unit, are the last in the order of locks."""

_RESIDENTS: Final = (
    select(
        _claim.person_id,
        _claim.bed_id,
        _claim.room_id,
        _claim.unit_id,
        _claim.facility_id,
        or_(
            _stay.admission_officer.is_not(None),
            and_(_request.emergency.is_(True), _claim.transfer_id.is_(None)),
        ).label("emergency"),
        _stay.id.label("stay_id"),
        _stay.request_id,
        _stay.state,
        _stay.discharge_due_code,
        _stay.admitted_at,
    )
    .join(core.stay, _stay.id == _claim.stay_id)
    .outerjoin(core.placement_request, _request.id == _stay.request_id)
    .where(
        _claim.kind == ClaimKind.STAY.value,
        _claim.voided_at.is_(None),
        func.upper_inf(_claim.during),
        _stay.ended_at.is_(None),
    )
    .order_by(_stay.id)
)
_OF_PERSONS: Final = _RESIDENTS.where(among(_claim.person_id, "people"))
_OF_UNITS: Final = _RESIDENTS.where(among(_claim.unit_id, "units"))
_OPEN_UNITS: Final = select(_c.unit_id).where(_c.ended_at.is_(None), among(_c.person_id, "people"))
_OPEN_HERE: Final = select(_c.id).where(_c.ended_at.is_(None), among(_c.unit_id, "units"))
_OPEN: Final = (
    select(_TABLE)
    .where(_c.ended_at.is_(None), or_(among(_c.unit_id, "units"), among(_c.stay_id, "stays")))
    .order_by(_c.stay_id)
)


@dataclass(frozen=True, slots=True)
class Resident:
    """Somebody in a bed, and the open episode they are in.

    ``emergency``: they came by the emergency lane; ``due_code``: why their discharge is due.
    """

    person: str
    stay: str
    bed: str
    room: str
    unit: str
    facility: str
    emergency: bool
    request: str | None
    state: StayState
    due_code: str | None
    admitted_at: datetime


@dataclass(frozen=True, slots=True)
class MisplacementRow:
    """A present place that is wrong: by which rules and relations, since when."""

    id: str
    stay: str
    person: str
    facility: str
    unit: str
    bed: str
    rules: tuple[str, ...]
    since: datetime
    version: int


def misplacement_row(row: Any) -> MisplacementRow:
    """A misplacement as its row says."""
    return MisplacementRow(
        id=row.id,
        stay=row.stay_id,
        person=row.person_id,
        facility=row.facility_id,
        unit=row.unit_id,
        bed=row.bed_id,
        rules=tuple(row.rules),
        since=row.since,
        version=row.version,
    )


def take_turn(conn: Connection, units: Collection[str]) -> None:
    """Wait until nobody else judges these units, and keep others waiting until commit.

    What a judgement reads was then committed before, or will be judged after. Last in the order
    of locks: take no row lock after it.
    """
    conn.execute(_TURN, {"class": _TURN_CLASS, "units": sorted(units)}).all()


def residents_of_persons(conn: Connection, persons: Collection[str]) -> list[Resident]:
    """Where these people are, by stay; a bed kept during leave is not where they are."""
    return [_resident(row) for row in conn.execute(_OF_PERSONS, {"people": joined(persons)})]


def residents_of_units(conn: Connection, units: Collection[str]) -> list[Resident]:
    """Everybody who is in a bed of these units, by stay."""
    return [_resident(row) for row in conn.execute(_OF_UNITS, {"units": joined(units)})]


def anybody(conn: Connection, units: Collection[str]) -> bool:
    """Whether somebody is in a bed of these units, or a misplacement there is still open."""
    there = exists(_OF_UNITS.order_by(None)), exists(_OPEN_HERE)
    return bool(conn.execute(select(or_(*there)), {"units": joined(units)}).scalar_one())


def units_where_misplaced(conn: Connection, persons: Collection[str]) -> set[str]:
    """The units of the open misplacements of these people, where they no longer need be."""
    return set(conn.execute(_OPEN_UNITS, {"people": joined(persons)}).scalars())


def open_in(
    conn: Connection, units: Collection[str], stays: Collection[str]
) -> dict[str, MisplacementRow]:
    """The open misplacements in these units and of these stays, by stay."""
    rows = conn.execute(_OPEN, {"units": joined(units), "stays": joined(stays)})
    return {row.stay_id: misplacement_row(row) for row in rows}


def begin(
    conn: Connection, who: Resident, rules: Collection[str], now: datetime
) -> MisplacementRow:
    """Write that a place is wrong from now."""
    row = conn.execute(
        insert(_TABLE)
        .values(
            id=new_id("mp"),
            stay_id=who.stay,
            person_id=who.person,
            facility_id=who.facility,
            unit_id=who.unit,
            bed_id=who.bed,
            rules=sorted(rules),
            since=now,
            version=1,
        )
        .returning(_TABLE)
    ).one()
    return misplacement_row(row)


def refresh(conn: Connection, row: MisplacementRow, rules: Collection[str]) -> None:
    """Write which rules make the place wrong by now."""
    conn.execute(
        update(_TABLE).where(_c.id == row.id).values(rules=sorted(rules), version=_c.version + 1)
    )


def end(conn: Connection, row: MisplacementRow, now: datetime) -> None:
    """Write that the place is right again, or that nobody is in it any more."""
    conn.execute(update(_TABLE).where(_c.id == row.id).values(ended_at=now, version=_c.version + 1))


def page(
    conn: Connection, *, after: str | None, limit: int, facility: str | None
) -> list[RowMapping]:
    """Open misplacements in the order they were found, from the one after ``after``, each with
    the kind of its unit, why a discharge is due if one is, and the hour of its clock."""
    item, unit = core.due_item.c, core.unit.c
    query = (
        select(_TABLE, unit.kind, _stay.discharge_due_code, item.due_at)
        .join(core.unit, unit.id == _c.unit_id)
        .join(core.stay, _stay.id == _c.stay_id)
        .outerjoin(
            core.due_item,
            and_(
                item.kind == "misplaced",
                item.subject_type == "stay",
                item.subject_id == _c.stay_id,
                item.settled_at.is_(None),
            ),
        )
        .where(_c.ended_at.is_(None))
        .order_by(_c.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(_c.id > after)
    if facility is not None:
        query = query.where(_c.facility_id == facility)
    return list(conn.execute(query).mappings())


def _resident(row: Any) -> Resident:
    return Resident(
        person=row.person_id,
        stay=row.stay_id,
        bed=row.bed_id,
        room=row.room_id,
        unit=row.unit_id,
        facility=row.facility_id,
        emergency=bool(row.emergency),
        request=row.request_id,
        state=StayState(row.state),
        due_code=row.discharge_due_code,
        admitted_at=row.admitted_at,
    )


def papers_owed(conn: Connection, stays: Collection[str]) -> dict[str, frozenset[str]]:
    """The codes of the emergency papers that are still owed for these stays, by stay."""
    item = core.due_item.c
    rows = conn.execute(
        select(func.split_part(item.subject_id, ":", 1).label("stay"), item.detail).where(
            item.kind == papers.KIND,
            item.settled_at.is_(None),
            among(func.split_part(item.subject_id, ":", 1), "stays"),
        ),
        {"stays": joined(stays)},
    )
    owed: dict[str, set[str]] = {}
    for row in rows:
        owed.setdefault(row.stay, set()).add(row.detail)
    return {stay: frozenset(codes) for stay, codes in owed.items()}


def papers_due(conn: Connection, who: Resident, now: datetime, within: timedelta) -> bool:
    """Whether the papers of somebody who came by the emergency lane are still to come: a clock
    for them runs, or none was opened since they came and that is not yet so long ago."""
    item = core.due_item.c
    settled = conn.execute(
        select(item.settled_at.is_not(None)).where(
            item.kind == papers.KIND,
            item.person_id == who.person,
            item.opened_at >= who.admitted_at,
        )
    ).scalars()
    found = list(settled)
    return not all(found) if found else now < who.admitted_at + within


def end_of_term(conn: Connection, person: str) -> str | None:
    """How the person's last compulsory term ended, if one did and none is open."""
    term = core.term.c
    row = conn.execute(
        select(term.end_code)
        .where(term.person_id == person)
        .order_by(term.closed_at.desc().nulls_first(), term.id.desc())
        .limit(1)
    ).one_or_none()
    return row.end_code if row is not None else None
