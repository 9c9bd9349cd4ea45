"""Rows of terms 期限; absences from them and proposals about them are in ``term_records``.

Where somebody under a term is follows from the rows in one place, ``STATE``, and is always
exactly one of the six states: closed, else what an open absence says, else what their claims on
beds say, else in the hands of police or a court. A bed of treatment by consent says nothing of it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Date, case, cast, func, insert, or_, select, update

from service.errors import NotFound
from service.lifecycle import TermState
from service.store.ids import new_id
from service.store.tables import core
from service.store.tables.claims import ClaimKind
from service.store.tables.law import AbsenceKind, TermEnd
from service.store.versioned import change
from solver.codes import TREATMENT_BASES, LegalBasis, Organ, Owner

_TABLE: Final = core.term
_c = _TABLE.c
_absence, _claim = core.term_absence.c, core.bed_claim.c
_unit, _basis = core.unit.c, core.legal_basis.c
_stay = core.stay.c

_CUSTODIAL: Final = (Owner.PUBLIC_SECURITY.value, Owner.JUSTICE.value)


@dataclass(frozen=True, slots=True)
class TermRow:
    """A term; ``ends_on`` is its last day, ``body`` the organ that decided."""

    id: str
    person: str
    basis: str
    body: Organ | None
    responsible: str | None
    decided_on: date
    ends_on: date
    extension_days: int
    escape_days: int
    psc_since: date | None
    closed_at: datetime | None
    end: TermEnd | None
    state: TermState
    version: int

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.closed_at is None


_BY_CONSENT: Final = (
    select(_stay.id)
    .join(core.legal_basis, _basis.id == _stay.basis_id)
    .where(
        _stay.id == _claim.stay_id,
        _basis.kind.in_(sorted(it.value for it in TREATMENT_BASES)),
    )
    .correlate(core.bed_claim)
    .exists()
)
"""A claim of a stay that rests on medical grounds. It says nothing of a term: whoever reads the
term may not know that its person is a patient."""


def _has_claim(*kinds: ClaimKind, custodial: bool = False) -> Any:
    found = (
        select(_claim.id)
        .where(
            _claim.person_id == _c.person_id,
            _claim.voided_at.is_(None),
            _claim.kind.in_([kind.value for kind in kinds]),
            func.upper_inf(_claim.during),
            ~_BY_CONSENT,
        )
        .correlate(_TABLE)
    )
    if custodial:
        found = found.join(core.unit, _unit.id == _claim.unit_id).where(
            _unit.security_owner.in_(_CUSTODIAL)
        )
    return found.exists()


def _absent(*kinds: AbsenceKind) -> Any:
    return (
        select(_absence.id)
        .where(
            _absence.term_id == _c.id,
            _absence.ended_on.is_(None),
            _absence.kind.in_([kind.value for kind in kinds]),
        )
        .correlate(_TABLE)
        .exists()
    )


_OUTSIDE_BY_PAPER: Final = (
    select(_basis.id)
    .where(
        _basis.person_id == _c.person_id,
        _basis.kind == LegalBasis.OUT_MEDICAL.value,
        _basis.revoked_at.is_(None),
    )
    .correlate(_TABLE)
    .exists()
)
_IN_A_BED: Final = _has_claim(ClaimKind.STAY, ClaimKind.LEAVE)
STATE: Final = case(
    (_c.closed_at.is_not(None), TermState.CLOSED.value),
    (_absent(AbsenceKind.ESCAPE), TermState.ESCAPED.value),
    (_absent(AbsenceKind.DETENTION, AbsenceKind.ARREST), TermState.IN_DETENTION.value),
    (_absent(AbsenceKind.OUT_MEDICAL), TermState.OUT_MEDICAL.value),
    (_has_claim(ClaimKind.LEAVE, custodial=True), TermState.ON_LEAVE.value),
    (_has_claim(ClaimKind.STAY), TermState.IN_BED.value),
    (_has_claim(ClaimKind.LEAVE), TermState.ON_LEAVE.value),
    (_OUTSIDE_BY_PAPER, TermState.OUT_MEDICAL.value),
    else_=TermState.IN_DETENTION.value,
)
"""Where the person of a term is; the first that is true."""

_SELECT: Final = select(_TABLE, _basis.body.label("body"), STATE.label("state")).join(
    core.legal_basis, _basis.id == _c.basis_id
)


def _row(row: Any) -> TermRow:
    return TermRow(
        id=row.id,
        person=row.person_id,
        basis=row.basis_id,
        body=Organ(row.body) if row.body is not None else None,
        responsible=row.responsible_facility_id,
        decided_on=row.decided_on,
        ends_on=row.ends_on,
        extension_days=row.extension_days,
        escape_days=row.escape_days,
        psc_since=row.psc_since,
        closed_at=row.closed_at,
        end=TermEnd(row.end_code) if row.end_code is not None else None,
        state=TermState(row.state),
        version=row.version,
    )


def term(conn: Connection, id_: str) -> TermRow:
    """One term. Raises NotFound."""
    row = conn.execute(_SELECT.where(_c.id == id_)).one_or_none()
    if row is None:
        raise NotFound("term-not-found", f"there is no term {id_}", term=id_)
    return _row(row)


def term_of(conn: Connection, person: str) -> TermRow | None:
    """The person's term that has not ended."""
    row = conn.execute(_SELECT.where(_c.person_id == person, _c.closed_at.is_(None))).one_or_none()
    return _row(row) if row is not None else None


def ended_terms(conn: Connection, person: str) -> list[TermRow]:
    """The person's terms that have ended, the newest first."""
    rows = conn.execute(
        _SELECT.where(_c.person_id == person, _c.closed_at.is_not(None)).order_by(
            _c.closed_at.desc(), _c.id.desc()
        )
    )
    return [_row(row) for row in rows]


def page(
    conn: Connection,
    *,
    after: str | None,
    limit: int,
    states: Collection[TermState] = (),
    without_bed: bool = False,
    facility: str | None = None,
    person: str | None = None,
) -> Sequence[TermRow]:
    """Terms by id. ``without_bed``: those that run while no bed of the network is their person's,
    neither to be in nor kept for them."""
    query = _SELECT.order_by(_c.id).limit(limit)
    if after is not None:
        query = query.where(_c.id > after)
    if states:
        query = query.where(STATE.in_([state.value for state in states]))
    if without_bed:
        query = query.where(_c.closed_at.is_(None), ~_IN_A_BED)
    if facility is not None:
        query = query.where(_c.responsible_facility_id == facility)
    if person is not None:
        query = query.where(_c.person_id == person)
    return [_row(row) for row in conn.execute(query)]


def add(
    conn: Connection,
    *,
    person: str,
    basis: str,
    decided_on: date,
    ends_on: date,
    by: str,
    now: datetime,
    responsible: str | None = None,
    psc_since: date | None = None,
) -> str:
    """A new open term; the caller holds the person and has seen that none is open."""
    id_ = new_id("tm")
    conn.execute(
        insert(_TABLE).values(
            id=id_,
            person_id=person,
            basis_id=basis,
            responsible_facility_id=responsible,
            decided_on=decided_on,
            ends_on=ends_on,
            extension_days=0,
            escape_days=0,
            psc_since=psc_since,
            recorded_by=by,
            recorded_at=now,
            version=1,
        )
    )
    return id_


def begin_missing(conn: Connection, persons: Collection[str] | None = None) -> int:
    """Give a term to every compulsory decision in force that came without one, by import or seed,
    the newest of a person; returns how many. One whose days are over holds only whoever is still
    in a bed. The caller holds the people or is alone."""
    had = or_(
        select(_c.id).where(_c.basis_id == _basis.id).exists(),
        select(_c.id).where(_c.person_id == _basis.person_id, _c.closed_at.is_(None)).exists(),
    )
    today = cast(func.timezone("Asia/Shanghai", func.clock_timestamp()), Date)
    held = select(_stay.id).where(_stay.person_id == _basis.person_id, _stay.ended_at.is_(None))
    query = (
        select(
            _basis.person_id,
            _basis.id,
            _basis.starts_on,
            _basis.ends_on,
            _basis.recorded_by,
            _basis.recorded_at,
        )
        .where(
            _basis.kind == LegalBasis.COMPULSORY.value,
            _basis.revoked_at.is_(None),
            or_(_basis.ends_on >= today, held.exists()),
            ~had,
        )
        .order_by(_basis.person_id, _basis.recorded_at.desc(), _basis.id.desc())
    )
    if persons is not None:
        query = query.where(_basis.person_id.in_(sorted(set(persons))))
    made: dict[str, dict[str, Any]] = {}
    for row in conn.execute(query):
        made.setdefault(
            row.person_id,
            {
                "id": new_id("tm"),
                "person_id": row.person_id,
                "basis_id": row.id,
                "decided_on": row.starts_on,
                "ends_on": row.ends_on,
                "extension_days": 0,
                "escape_days": 0,
                "recorded_by": row.recorded_by,
                "recorded_at": row.recorded_at,
                "version": 1,
            },
        )
    if made:
        conn.execute(insert(_TABLE), list(made.values()))
    return len(made)


def rewrite(conn: Connection, row: TermRow, **values: Any) -> TermRow:
    """Change columns of a term. A basis for treatment outside lasts as long as the term, so its
    last day follows; the decision's stays as it was decided.

    Raises Conflict ``world-moved`` if it is not as it was read.
    """
    change(conn, _TABLE, row.id, row.version, values, what=("term", "term"))
    if values.get("ends_on", row.ends_on) != row.ends_on:
        conn.execute(
            update(core.legal_basis)
            .where(
                _basis.person_id == row.person,
                _basis.kind == LegalBasis.OUT_MEDICAL.value,
                _basis.revoked_at.is_(None),
            )
            .values(ends_on=values["ends_on"], version=_basis.version + 1)
        )
    return term(conn, row.id)
