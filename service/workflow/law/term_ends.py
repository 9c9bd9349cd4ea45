"""How a term ends, and what the law wants told of it. The caller holds the person."""

from datetime import datetime

from sqlalchemy import Connection, select

from service.lifecycle import RequestState, TermState
from service.store import due as clocks
from service.store import stays
from service.store import term_records as records
from service.store.tables import core
from service.store.tables.claims import StayEnd
from service.store.tables.law import TermEnd
from service.store.terms import TermRow
from service.workflow.context import Context
from service.workflow.law import term_dates
from service.workflow.law.terms import (
    ANSWERS,
    TERM,
    escape_began,
    owe,
    require_open,
    revoke,
    term_of,
    write_end,
)
from service.workflow.persons.people import legal_today
from service.workflow.placing.request_ends import end_live_request
from service.workflow.watch import due
from service.workflow.watch.watching import rejudge
from service.workflow.watch.watching_basis import DueCode
from solver.codes import LegalBasis

_due = core.due_item.c
_basis = core.legal_basis.c


def stay_ended(
    conn: Connection,
    ctx: Context,
    person: str,
    code: StayEnd,
    at: datetime,
    now: datetime,
    *,
    due_code: str | None,
) -> None:
    """What the end of a stay means for the term: an escape begins an absence, a death ends the
    term, and so does a release that the law owed: on the last day, after the decision was set
    aside, or where isolation does not apply (``due_code``: why the stay's discharge was due). Any
    other end leaves it running."""
    row = term_of(conn, person)
    if row is None:
        return
    if code is StayEnd.ESCAPED:
        escape_began(conn, ctx, person, legal_today(ctx, at), now)
    elif code is StayEnd.DIED:
        close_term(conn, ctx, row, TermEnd.DIED, now)
    elif code is StayEnd.RELEASED or (
        code is StayEnd.DISCHARGED and not stays.open_stays(conn, person)
    ):
        end = owed_end(conn, ctx, row, now, due_code=due_code)
        on_its_day = end is TermEnd.EXPIRED and code is not StayEnd.RELEASED
        if end is not None and not on_its_day:
            close_term(conn, ctx, row, end, now)


def owed_end(
    conn: Connection, ctx: Context, row: TermRow, now: datetime, *, due_code: str | None
) -> TermEnd | None:
    """The end that the law has given a term already, and only a release is missing; None while it
    runs. ``due_code``: why a discharge of its person is due."""
    revoked = conn.execute(select(_basis.revoked_at).where(_basis.id == row.basis)).scalar_one()
    if revoked is not None or due_code == DueCode.DECISION_REVOKED:
        return TermEnd.REVOKED
    if due_code == DueCode.NOT_APPLICABLE:
        return TermEnd.NOT_APPLICABLE
    if legal_today(ctx, now) >= row.ends_on or due_code == DueCode.TERM_END:
        return TermEnd.EXPIRED
    return None


def basis_revoked(conn: Connection, ctx: Context, person: str, basis: str, now: datetime) -> None:
    """A decision no longer holds. Somebody in a bed on it is owed a release at once; anybody
    else's term ends with it, and so does what they asked for, unless something else carries it."""
    row = term_of(conn, person)
    if row is None or row.basis != basis:
        return
    if row.state in (TermState.IN_BED, TermState.ON_LEAVE):
        if owe(conn, ctx, row, "term_end", now, due_at=now) is None:
            clocks.move_item(conn, "term_end", (TERM, row.id), now)
        return
    if not _another_basis(conn, person):
        end_live_request(conn, ctx, person, RequestState.WITHDRAWN, "decision_revoked", now)
    close_term(conn, ctx, row, TermEnd.REVOKED, now)


def _another_basis(conn: Connection, person: str) -> bool:
    """Whether something else that was not taken back lets the person ask for a bed."""
    query = select(_basis.id).where(
        _basis.person_id == person,
        _basis.revoked_at.is_(None),
        _basis.kind.not_in((LegalBasis.COMPULSORY.value, LegalBasis.OUT_MEDICAL.value)),
    )
    return conn.execute(query.limit(1)).first() is not None


def close_term(
    conn: Connection, ctx: Context, row: TermRow, end: TermEnd, now: datetime
) -> TermRow:
    """End a term: its decision holds nobody any more, and what the law wants told is owed.

    The deciding organ is told (Regulations art. 34), the street office gets the papers within
    three working days (Shanghai Ordinance art. 36), the family is told where a decision was
    served; a death is told to four organs at once (MOJ Order 127). Nothing of it is waited for.
    """
    require_open(row)
    row = write_end(conn, ctx, row, end, now)
    subject = (TERM, row.id)
    records.answer_proposals(conn, row.id, granted=False, now=now)
    revoke(conn, row.person, LegalBasis.COMPULSORY, now)
    revoke(conn, row.person, LegalBasis.OUT_MEDICAL, now)
    due.settle(conn, ctx, "term_end", subject=subject, now=now)
    gone = [*ANSWERS, "extension_proposal", "out_medical_review", "psc_months"]
    if end is TermEnd.DIED:
        gone.append("release_notice")
    due.settle(conn, ctx, tuple(gone), subject=subject, now=now, outcome="called_off")
    if end is TermEnd.DIED:
        owe(conn, ctx, row, "death_notices", now)
    else:
        _owe_notices(conn, ctx, row, end, now)
    rejudge(conn, ctx, now, persons=[row.person])
    return row


def _owe_notices(conn: Connection, ctx: Context, row: TermRow, end: TermEnd, now: datetime) -> None:
    _owe_release_notice(conn, ctx, row, now)
    last = term_dates.working_days_after(legal_today(ctx, now), 3)
    owe(
        conn,
        ctx,
        row,
        "release_papers",
        now,
        due_at=term_dates.over_at(last, ctx.policy.zone),
    )
    if end in (TermEnd.RELEASED_EARLY, TermEnd.CHANGED_TO_COMMUNITY):
        owe(conn, ctx, row, "notify_family", now)


def _owe_release_notice(conn: Connection, ctx: Context, row: TermRow, now: datetime) -> None:
    """The deciding organ is told at the latest now; nothing more where it was told before."""
    for it in clocks.running(conn, (TERM, row.id)):
        if it.kind == "release_notice":
            if it.due_at > now:
                clocks.move_item(conn, "release_notice", (TERM, row.id), now)
            return
    told = select(_due.id).where(
        _due.subject_type == TERM,
        _due.subject_id == row.id,
        _due.kind == "release_notice",
        _due.outcome == "done",
    )
    if conn.execute(told.limit(1)).first() is None:
        owe(conn, ctx, row, "release_notice", now, due_at=now)
