"""Rows of stays: a person's episodes at facilities. Their segments are claims."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from service.access.caller import Actor
from service.errors import NotFound
from service.lifecycle import StayState, advance
from service.store.ids import new_id
from service.store.tables import core
from service.store.tables.claims import ClaimKind, StayEnd
from service.store.versioned import change

_TABLE: Final = core.stay
_c = _TABLE.c


@dataclass(frozen=True, slots=True)
class StayRow:
    """One episode; ``ended_at`` and ``end_code`` are None while it is open.

    ``responsible``: the centre that answers for the person when it is not this facility.
    ``emergency``: it began by the emergency lane.
    """

    id: str
    person: str
    facility: str
    request: str | None
    basis: str | None
    responsible: str | None
    emergency: bool
    state: StayState
    discharge_due_code: str | None
    review_on: date | None
    admitted_at: datetime
    expected_end: datetime | None
    ended_at: datetime | None
    end_code: StayEnd | None
    recorded_at: datetime
    version: int


def _row(row: Any) -> StayRow:
    return StayRow(
        id=row.id,
        person=row.person_id,
        facility=row.facility_id,
        request=row.request_id,
        basis=row.basis_id,
        responsible=row.responsible_facility_id,
        emergency=row.admission_officer is not None,
        state=StayState(row.state),
        discharge_due_code=row.discharge_due_code,
        review_on=row.review_on,
        admitted_at=row.admitted_at.astimezone(UTC),
        expected_end=row.expected_end,
        ended_at=row.ended_at.astimezone(UTC) if row.ended_at is not None else None,
        end_code=StayEnd(row.end_code) if row.end_code is not None else None,
        recorded_at=row.recorded_at,
        version=row.version,
    )


def stay(conn: Connection, id_: str) -> StayRow:
    """One stay. Raises NotFound."""
    row = conn.execute(select(_TABLE).where(_c.id == id_)).one_or_none()
    if row is None:
        raise NotFound("stay-not-found", f"there is no stay {id_}", stay=id_)
    return _row(row)


def of_ids(conn: Connection, ids: Collection[str]) -> list[StayRow]:
    """These stays, those that there are, by id."""
    rows = conn.execute(select(_TABLE).where(_c.id.in_(sorted(ids))).order_by(_c.id))
    return [_row(row) for row in rows]


def open_stays(conn: Connection, person: str) -> list[StayRow]:
    """The person's stays that have not ended, oldest first."""
    rows = conn.execute(
        select(_TABLE).where(_c.person_id == person, _c.ended_at.is_(None)).order_by(_c.id)
    )
    return [_row(row) for row in rows]


def died(conn: Connection, person: str) -> bool:
    """Whether the person's death is on record; a later admission says that it was a mistake."""
    term = core.term.c
    at = conn.execute(
        select(func.max(_c.ended_at)).where(
            _c.person_id == person, _c.end_code == StayEnd.DIED.value
        )
    ).scalar()
    closed = conn.execute(
        select(func.max(term.closed_at)).where(
            term.person_id == person, term.end_code == StayEnd.DIED.value
        )
    ).scalar()
    last = max((it for it in (at, closed) if it is not None), default=None)
    if last is None:
        return False
    later = select(_c.id).where(_c.person_id == person, _c.admitted_at > last).limit(1)
    return conn.execute(later).first() is None


def page(
    conn: Connection,
    *,
    after: str | None,
    limit: int,
    facility: str | None = None,
    person: str | None = None,
    open_only: bool = False,
) -> Sequence[StayRow]:
    """Stays in the order they were recorded, from the one after ``after``."""
    query = select(_TABLE).order_by(_c.id).limit(limit)
    if after is not None:
        query = query.where(_c.id > after)
    if facility is not None:
        query = query.where(_c.facility_id == facility)
    if person is not None:
        query = query.where(_c.person_id == person)
    if open_only:
        query = query.where(_c.ended_at.is_(None))
    return [_row(row) for row in conn.execute(query)]


def add(
    conn: Connection,
    actor: Actor,
    person: str,
    facility: str,
    admitted_at: datetime,
    *,
    now: datetime,
    request: str | None = None,
    basis: str | None = None,
    expected_end: datetime | None = None,
    officer: str | None = None,
    reason: str | None = None,
    responsible: str | None = None,
) -> StayRow:
    """A new open episode; ``basis`` is the person's newest one in force unless given.

    ``responsible``: the centre that goes on answering for the person.
    ``officer`` and ``reason``: who called an emergency, and why; any other admission has them in
    the decision it rests on.
    """
    return _row(
        conn.execute(
            insert(_TABLE)
            .values(
                id=new_id("st"),
                person_id=person,
                facility_id=facility,
                request_id=request,
                basis_id=basis if basis is not None else _basis_in_force(conn, person),
                responsible_facility_id=responsible,
                state=StayState.ACTIVE.value,
                admitted_at=admitted_at,
                admission_officer=officer,
                admission_reason=reason,
                expected_end=expected_end,
                recorded_at=now,
                recorded_by=actor.id,
                version=1,
            )
            .returning(_TABLE)
        ).one()
    )


def _basis_in_force(conn: Connection, person: str) -> str | None:
    basis = core.legal_basis.c
    return conn.execute(
        select(basis.id)
        .where(basis.person_id == person, basis.revoked_at.is_(None))
        .order_by(basis.recorded_at.desc(), basis.id.desc())
        .limit(1)
    ).scalar_one_or_none()


def leaves_over(conn: Connection, before: datetime, limit: int) -> list[StayRow]:
    """Stays on a leave whose forecast end lies at or before an instant, the longest over first."""
    claim = core.bed_claim.c
    rows = conn.execute(
        select(_TABLE)
        .join(core.bed_claim, claim.stay_id == _c.id)
        .where(
            _c.state == StayState.ON_LEAVE.value,
            claim.kind == ClaimKind.LEAVE.value,
            claim.voided_at.is_(None),
            func.upper_inf(claim.during),
            claim.expected_end <= before,
        )
        .order_by(claim.expected_end, _c.id)
        .limit(limit)
    )
    return [_row(row) for row in rows]


def step(
    conn: Connection,
    row: StayRow,
    to: StayState,
    *,
    at: datetime | None = None,
    code: StayEnd | None = None,
    correcting: bool = False,
    **changes: Any,
) -> StayRow:
    """Move a stay on; an end has its instant and its code.

    Raises:
        Conflict: ``illegal-step``, or ``world-moved`` if it is no longer as it was read.
    """
    advance("stay", row.state, to, correcting=correcting)
    ended = to is StayState.ENDED
    return rewrite(
        conn,
        row,
        state=to.value,
        ended_at=at if ended else None,
        end_code=code.value if ended and code is not None else None,
        **changes,
    )


def rewrite(conn: Connection, row: StayRow, **values: Any) -> StayRow:
    """Change columns of a stay. Raises Conflict ``world-moved`` if it is not as it was read."""
    return _row(change(conn, _TABLE, row.id, row.version, values, what=("stay", "stay")))


def remember_origin(conn: Connection, person: str, unit: str) -> None:
    """Keep the unit a person returns to after a ward or a hospital; the caller holds them."""
    conn.execute(update(core.person).where(core.person.c.id == person).values(origin_unit_id=unit))
