"""Terms as their readers see them, one and in lists."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from service.access.caller import Role
from service.access.scope import facility_scope
from service.lifecycle import ApprovalKind, TermState
from service.store import approvals
from service.store import due as clocks
from service.store import term_records as records
from service.store import terms as rows
from service.store.engine import now as database_time
from service.store.tables.law import AbsenceKind, ProposalKind, TermEnd
from service.store.terms import TermRow
from service.workflow.context import Context
from service.workflow.law.term_beds import require_answering
from service.workflow.law.terms import TERM, over
from service.workflow.persons.people import record_access
from solver.codes import Organ


@dataclass(frozen=True, slots=True)
class TermView:
    """A compulsory term; ``ends_on`` is its last day, which ends at 24:00 in Asia/Shanghai.

    ``over``: that day has passed and the person has not been released.
    """

    id: str
    person: str
    basis: str
    state: TermState
    over: bool
    responsible_facility: str | None
    decided_on: date
    ends_on: date
    extension_days: int
    escape_days: int
    psc_since: date | None
    closed_at: datetime | None
    end: TermEnd | None
    version: int


@dataclass(frozen=True, slots=True)
class AbsenceView:
    """Days ``[began_on, ended_on)`` out of the network's custody; only an escape's do not count."""

    id: str
    kind: AbsenceKind
    began_on: date
    ended_on: date | None
    counts: bool


@dataclass(frozen=True, slots=True)
class ProposalView:
    """What the centre proposed, and what the deciding organ said."""

    id: str
    kind: ProposalKind
    days: int | None
    proposed_at: datetime
    answered_at: datetime | None
    granted: bool | None


@dataclass(frozen=True, slots=True)
class TermApprovalView:
    """An organ's answer about this term."""

    id: str
    kind: ApprovalKind
    organ: Organ
    granted: bool
    decided_on: date
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class TermClockView:
    """A clock that runs about this term."""

    id: str
    kind: str
    owner: str
    recipient: str | None
    due_at: datetime


@dataclass(frozen=True, slots=True)
class TermDetail:
    """A term with everything that happened to it."""

    term: TermView
    absences: list[AbsenceView]
    proposals: list[ProposalView]
    approvals: list[TermApprovalView]
    clocks: list[TermClockView]


_OF_TERMS = frozenset(
    {
        ApprovalKind.OUT_MEDICAL,
        ApprovalKind.OUT_MEDICAL_FILING,
        ApprovalKind.EARLY_RELEASE,
        ApprovalKind.EXTENSION,
        ApprovalKind.CHANGE_TO_COMMUNITY,
    }
)


def term_view(ctx: Context, row: TermRow, now: datetime) -> TermView:
    """A term as it stands at ``now``."""
    return TermView(
        id=row.id,
        person=row.person,
        basis=row.basis,
        state=row.state,
        over=row.open and over(ctx, row, now),
        responsible_facility=row.responsible,
        decided_on=row.decided_on,
        ends_on=row.ends_on,
        extension_days=row.extension_days,
        escape_days=row.escape_days,
        psc_since=row.psc_since,
        closed_at=row.closed_at,
        end=row.end,
        version=row.version,
    )


def term_detail(conn: Connection, ctx: Context, row: TermRow, now: datetime) -> TermDetail:
    """A term with its absences, proposals, approvals and running clocks."""
    return TermDetail(
        term=term_view(ctx, row, now),
        absences=[
            AbsenceView(it.id, it.kind, it.began_on, it.ended_on, it.kind is not AbsenceKind.ESCAPE)
            for it in records.absences(conn, row.id)
        ],
        proposals=[
            ProposalView(it.id, it.kind, it.days, it.proposed_at, it.answered_at, it.granted)
            for it in records.proposals(conn, row.id)
        ],
        approvals=[
            TermApprovalView(
                it.id, it.kind, Organ(it.organ), it.granted, it.decided_on, it.revoked_at
            )
            for it in approvals.of_person(conn, row.person)
            if it.kind in _OF_TERMS
            and it.subject in (None, (TERM, row.id))
            and it.decided_on >= row.decided_on
        ],
        clocks=[
            TermClockView(it.id, it.kind, it.owner, it.recipient, it.due_at)
            for it in clocks.running(conn, (TERM, row.id))
        ],
    )


def get(conn: Connection, ctx: Context, term: str) -> TermDetail:
    """One term. A centre's key sees those its centre answers for; an auditor's reading is
    recorded. Raises NotFound."""
    row = rows.term(conn, term)
    require_answering(ctx, row)
    if ctx.actor.role is Role.AUDITOR:
        record_access(conn, ctx, row.person, "audit")
    return term_detail(conn, ctx, row, database_time(conn))


def listed(
    conn: Connection,
    ctx: Context,
    *,
    after: str | None,
    limit: int,
    states: Collection[TermState] = (),
    without_bed: bool = False,
    facility: str | None = None,
    person: str | None = None,
) -> list[TermView]:
    """Terms by id; a centre's key sees those its centre answers for. ``without_bed``: those that
    run while no bed of the network is their person's."""
    scope = facility_scope(ctx.actor)
    if scope is not None and facility not in (None, scope):
        return []
    found = rows.page(
        conn,
        after=after,
        limit=limit,
        states=states,
        without_bed=without_bed,
        facility=scope if scope is not None else facility,
        person=person,
    )
    now = database_time(conn)
    return [term_view(ctx, row, now) for row in found]
