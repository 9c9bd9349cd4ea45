"""Rows of absences from a term, and of what was proposed about it."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, delete, insert, select, update

from service.store.ids import new_id
from service.store.tables import core
from service.store.tables.law import AbsenceKind, ProposalKind
from service.store.terms import TermRow

_absence, _proposal = core.term_absence.c, core.term_proposal.c


@dataclass(frozen=True, slots=True)
class AbsenceRow:
    """Days ``[began_on, ended_on)`` out of the network's custody; open while ``ended_on`` is
    None."""

    id: str
    term: str
    kind: AbsenceKind
    began_on: date
    ended_on: date | None


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """What the centre proposed, and the answer once there is one."""

    id: str
    term: str
    kind: ProposalKind
    days: int | None
    findings: dict[str, str]
    proposed_at: datetime
    answered_at: datetime | None
    granted: bool | None


def absences(conn: Connection, term_id: str) -> list[AbsenceRow]:
    """The absences from a term, the first first."""
    rows = conn.execute(
        select(core.term_absence)
        .where(_absence.term_id == term_id)
        .order_by(_absence.began_on, _absence.id)
    )
    return [
        AbsenceRow(row.id, row.term_id, AbsenceKind(row.kind), row.began_on, row.ended_on)
        for row in rows
    ]


def begin_absence(
    conn: Connection,
    row: TermRow,
    kind: AbsenceKind,
    day: date,
    *,
    by: str,
    now: datetime,
    document: bytes | None = None,
) -> str:
    """The person is gone from ``day`` on; the caller has seen that no absence is open."""
    id_ = new_id("ta")
    conn.execute(
        insert(core.term_absence).values(
            id=id_,
            term_id=row.id,
            person_id=row.person,
            kind=kind.value,
            began_on=day,
            document=document,
            recorded_by=by,
            recorded_at=now,
        )
    )
    return id_


def end_absence(conn: Connection, absence: str, day: date, *, by: str) -> None:
    """The person is back on ``day``, which is the first that is not away."""
    conn.execute(
        update(core.term_absence)
        .where(_absence.id == absence, _absence.ended_on.is_(None))
        .values(ended_on=day, ended_by=by)
    )


def reopen_absence(conn: Connection, absence: str) -> None:
    """What ended the absence was recorded in error: it goes on."""
    conn.execute(
        update(core.term_absence).where(_absence.id == absence).values(ended_on=None, ended_by=None)
    )


def cancel_absence(conn: Connection, absence: str) -> None:
    """The absence never was; the event log alone keeps that it was recorded."""
    conn.execute(delete(core.term_absence).where(_absence.id == absence))


def carry_absences(conn: Connection, old: str, new: str) -> None:
    """Absences go over to the term of the decision that was recorded in another's place."""
    conn.execute(update(core.term_absence).where(_absence.term_id == old).values(term_id=new))


def proposals(conn: Connection, term_id: str) -> list[ProposalRow]:
    """What was proposed of a term, the first first."""
    rows = conn.execute(
        select(core.term_proposal)
        .where(_proposal.term_id == term_id)
        .order_by(_proposal.proposed_at, _proposal.id)
    )
    return [
        ProposalRow(
            row.id,
            row.term_id,
            ProposalKind(row.kind),
            row.days,
            row.findings,
            row.proposed_at,
            row.answered_at,
            row.granted,
        )
        for row in rows
    ]


def add_proposal(
    conn: Connection,
    row: TermRow,
    kind: ProposalKind,
    *,
    days: int | None,
    findings: dict[str, str],
    by: str,
    now: datetime,
) -> str:
    """A new proposal that waits for the deciding organ."""
    id_ = new_id("tp")
    conn.execute(
        insert(core.term_proposal).values(
            id=id_,
            term_id=row.id,
            person_id=row.person,
            kind=kind.value,
            days=days,
            findings=findings,
            proposed_at=now,
            recorded_by=by,
        )
    )
    return id_


def answer_proposals(
    conn: Connection,
    term_id: str,
    *,
    granted: bool,
    now: datetime,
    kind: ProposalKind | None = None,
    approval: str | None = None,
) -> None:
    """Close the open proposals of this kind, or all of them."""
    those = [_proposal.term_id == term_id, _proposal.answered_at.is_(None)]
    if kind is not None:
        those.append(_proposal.kind == kind.value)
    conn.execute(
        update(core.term_proposal)
        .where(*those)
        .values(answered_at=now, granted=granted, approval_id=approval)
    )
