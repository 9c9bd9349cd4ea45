"""A departure is taken back: what it did to the term is taken back with it.

A death, a release on the last day and an escape end a stay and change its term at once. When the
stay goes on after all the term runs again, with its decision, its absence and its clocks; an end
that an organ decided stands, and nobody is put back into custody by a correction.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, update

from service.errors import Conflict
from service.lifecycle import RequestState, StayState
from service.store import requests, stays
from service.store import term_records as records
from service.store import terms as rows
from service.store.seats import Seat
from service.store.stays import StayRow
from service.store.tables import core
from service.store.tables.claims import StayEnd
from service.store.tables.law import AbsenceKind, TermEnd
from service.store.terms import TermRow
from service.workflow.context import Context
from service.workflow.law import terms
from service.workflow.law.terms import TERM
from service.workflow.persons.people import legal_today
from service.workflow.placing.request_ends import end_live_request
from service.workflow.privacy.visibility import basis_kind_of
from service.workflow.watch import due
from solver.codes import LegalBasis

_UNDONE: Final[Mapping[StayEnd, TermEnd]] = {
    StayEnd.DIED: TermEnd.DIED,
    StayEnd.RELEASED: TermEnd.EXPIRED,
}
"""How a discharge ends a term."""
_NOTICES: Final = ("death_notices", "release_notice", "release_papers", "notify_family")
_OF_TERM: Final = (LegalBasis.COMPULSORY, LegalBasis.OUT_MEDICAL, None)
_basis = core.legal_basis.c


def stay_goes_on(conn: Connection, ctx: Context, was: StayRow, place: Seat, now: datetime) -> None:
    """Let the term follow a stay that goes on in ``place`` after its discharge was taken back;
    ``was`` is the stay as it stood ended. The caller holds the person and has written the stay.

    Raises Conflict ``term-ended`` where the term's end stands, ``absent-already`` where it says
    that the person is out of custody: the sentence says what to do. A bed asked for since is not
    needed.
    """
    row = rows.term_of(conn, was.person)
    if row is None:
        row = _ended_with(conn, ctx, was, place)
        if row is None:
            return
        row = _reopened(conn, ctx, row, now)
    if was.end_code is StayEnd.ESCAPED:
        row = _never_escaped(conn, ctx, row, was, now)
    away = terms.open_absence(conn, row)
    if away is not None and place.custodial:
        raise Conflict(
            "absent-already",
            f"by their term this person is out of custody since {away.began_on}; record the return "
            "first (POST /terms/{id}/return), then cancel the discharge",
            term=row.id,
        )
    live = requests.live_request(conn, was.person)
    here = stays.stay(conn, was.id).state is not StayState.ON_LEAVE
    if live is not None and not live.emergency and here and place.custodial:
        reason = "discharge_cancelled"
        end_live_request(conn, ctx, was.person, RequestState.WITHDRAWN, reason, now)


def _ended_with(conn: Connection, ctx: Context, was: StayRow, place: Seat) -> TermRow | None:
    """The term that ended with the stay and may run again; None where none has to do with it."""
    ended = rows.ended_terms(conn, was.person)
    last = ended[0] if ended else None
    if last is None or last.closed_at is None or last.closed_at < was.recorded_at:
        return None
    if was.end_code is not None and _UNDONE.get(was.end_code) is last.end:
        return last
    if place.custodial and basis_kind_of(conn, was) in _OF_TERM:
        raise Conflict(
            "term-ended",
            f"term {last.id} has ended ({last.end}), and nobody is held past that: this discharge "
            "stands. If its hour is wrong correct the times of the stay; if the person is still "
            "there let them go now. Only a new decision begins a new term",
            term=last.id,
            rule="V03",
        )
    return None


def _reopened(conn: Connection, ctx: Context, row: TermRow, now: datetime) -> TermRow:
    """The term runs again, with what it closed: its decision, treatment outside, its calendar."""
    closed = row.closed_at
    restored = conn.execute(
        update(core.legal_basis)
        .where(_basis.person_id == row.person, _basis.revoked_at == closed)
        .values(revoked_at=None, version=_basis.version + 1)
        .returning(_basis.kind)
    ).scalars()
    outside = LegalBasis.OUT_MEDICAL.value in set(restored)
    row = rows.rewrite(conn, row, closed_at=None, closed_by=None, end_code=None)
    if outside and closed is not None:
        past = [it for it in records.absences(conn, row.id) if it.kind is AbsenceKind.OUT_MEDICAL]
        if past and past[-1].ended_on == max(legal_today(ctx, closed), past[-1].began_on):
            records.reopen_absence(conn, past[-1].id)
            terms.owe(conn, ctx, row, "out_medical_review", now)
    due.settle(conn, ctx, _NOTICES, subject=(TERM, row.id), now=now, outcome="called_off")
    row = rows.term(conn, row.id)
    terms.told(conn, ctx, row, "term.reopened", now)
    terms.set_clocks(conn, ctx, row, now)
    return row


def _never_escaped(
    conn: Connection, ctx: Context, row: TermRow, was: StayRow, now: datetime
) -> TermRow:
    """The escape that ended the stay is no absence: its days count, and it bars no early release.
    The log keeps that it was recorded and taken back."""
    since = legal_today(ctx, was.admitted_at)
    found = [
        it
        for it in records.absences(conn, row.id)
        if it.kind is AbsenceKind.ESCAPE and it.began_on >= since
    ]
    if not found:
        return row
    records.cancel_absence(conn, found[-1].id)
    due.settle(conn, ctx, "escape_notice", subject=(TERM, row.id), now=now, outcome="called_off")
    row = rows.term(conn, row.id)
    terms.told(conn, ctx, row, "term_absence.cancelled", now)
    return terms.recomputed(conn, ctx, row, now)
