"""Absences from a term: escape, detention and arrest, treatment outside 所外就医, and the return.

The term's days run on through all of them but an escape (Regulations arts. 31, 32, 36); the file
stays open and the bed is free.
"""

from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, insert

from service.errors import Conflict, Invalid
from service.lifecycle import ApprovalKind, StayState
from service.store import opinions, requests, stays
from service.store import terms as rows
from service.store.approvals import granted
from service.store.ids import new_id
from service.store.tables import core
from service.store.tables.claims import StayEnd
from service.store.tables.law import AbsenceKind, OpinionKind, TermEnd
from service.store.terms import TermRow
from service.workflow.context import Context
from service.workflow.judgement import past_instant, reasoned
from service.workflow.law import term_dates
from service.workflow.law.approvals import answering
from service.workflow.law.releases import let_go
from service.workflow.law.term_beds import leave_beds, lock_term, lock_term_and_beds
from service.workflow.law.term_view import TermDetail, term_detail
from service.workflow.law.terms import (
    TERM,
    absence_began,
    absence_ended,
    escape_began,
    open_absence,
    over,
    owe,
    require_open,
    require_running,
)
from service.workflow.persons.people import legal_today
from service.workflow.placing import placement
from service.workflow.watch import due
from service.workflow.watch.watching import rejudge
from solver.codes import LegalBasis, OutMedicalPart

_APPROVED_PARTS: Final = {
    ApprovalKind.OUT_MEDICAL: OutMedicalPart.APPROVED,
    ApprovalKind.OUT_MEDICAL_FILING: OutMedicalPart.FILED,
}
"""The centre's supervising organ approves, the organ that decided is informed (rule L10)."""


def escaped(
    conn: Connection,
    ctx: Context,
    term: str,
    *,
    reason: str,
    occurred_at: datetime | None = None,
) -> TermDetail:
    """Somebody under a term escaped 脱逃: their stays, transfers and requests end, the local county
    police are told at once, and the days away will be added to the term (Regulations art. 32).

    Raises NotFound, Conflict (``term-closed``, ``absent-already``), Invalid.
    """
    why = reasoned(reason)
    now, row = lock_term_and_beds(conn, ctx, term)
    require_open(row)
    at = past_instant("occurred_at", occurred_at, now)
    going = open_absence(conn, row)
    if going is not None and going.kind is AbsenceKind.ESCAPE:
        raise Conflict(
            "absent-already",
            f"the escape of {going.began_on} is on record; record the return first",
            term=row.id,
        )
    leave_beds(conn, ctx, row, StayEnd.ESCAPED, why, at, now)
    escape_began(conn, ctx, row.person, legal_today(ctx, at), now)
    rejudge(conn, ctx, now, persons=[row.person])
    return term_detail(conn, ctx, rows.term(conn, row.id), now)


def detained(
    conn: Connection,
    ctx: Context,
    term: str,
    kind: AbsenceKind,
    *,
    reason: str,
    document: str | None = None,
    occurred_at: datetime | None = None,
) -> TermDetail:
    """Somebody under a term went into administrative detention 行政拘留 elsewhere, or was arrested
    or imprisoned: the term runs, the file stays open, the bed is free (Regulations art. 36).
    Detention that is served in the police-run centre itself is no absence.

    Raises NotFound, Conflict (``term-closed``, ``absent-already``), Invalid.
    """
    if kind not in (AbsenceKind.DETENTION, AbsenceKind.ARREST):
        raise Invalid.field("/kind", "not-a-detention", "use detention or arrest", kind.value)
    why = reasoned(reason)
    now, row = lock_term_and_beds(conn, ctx, term)
    require_open(row)
    at = past_instant("occurred_at", occurred_at, now)
    sealed = ctx.vault.seal_text(document, "term_absence.document") if document else None
    row = absence_began(conn, ctx, row, kind, legal_today(ctx, at), now, document=sealed)
    leave_beds(conn, ctx, row, StayEnd.DISCHARGED, why, at, now)
    rejudge(conn, ctx, now, persons=[row.person])
    return term_detail(conn, ctx, rows.term(conn, row.id), now)


def treated_outside(
    conn: Connection, ctx: Context, term: str, *, review_on: date, reason: str
) -> TermDetail:
    """Treatment outside the centre 所外就医 begins: custody ends lawfully, the term runs on, its
    ground is looked at again on ``review_on``.

    Four parts are on record first: a doctor found a severe illness, found that life is in danger
    unless it is treated outside, the centre's supervising organ approved, and the deciding organ
    was informed (Regulations art. 31, MPS Order 117 art. 46).

    Raises:
        NotFound: no such term. Invalid: no reason, a review that is past or after the last day.
        Conflict: ``term-closed``, ``term-over``, ``absent-already``, ``out-medical-incomplete``
            naming the parts that are missing.
    """
    why = reasoned(reason)
    now, row = lock_term_and_beds(conn, ctx, term)
    require_running(ctx, row, now)
    today = legal_today(ctx, now)
    _require_review(row, review_on, today)
    missing = set(OutMedicalPart) - _parts(conn, ctx, row, today)
    if missing:
        raise Conflict(
            "out-medical-incomplete",
            "treatment outside needs its whole set of papers; not on record: "
            f"{', '.join(sorted(missing))}. In an emergency use the emergency lane",
            term=row.id,
            rule="X01",
            missing=sorted(missing),
        )
    row = absence_began(conn, ctx, row, AbsenceKind.OUT_MEDICAL, today, now)
    conn.execute(
        insert(core.legal_basis).values(
            id=new_id("lb"),
            person_id=row.person,
            kind=LegalBasis.OUT_MEDICAL.value,
            body=row.body.value if row.body is not None else None,
            starts_on=today,
            ends_on=row.ends_on,
            under_16_reasons=False,
            recorded_by=ctx.actor.id,
            recorded_at=now,
            version=1,
        )
    )
    leave_beds(conn, ctx, row, StayEnd.DISCHARGED, why, now, now, custody_only=True)
    owe(conn, ctx, row, "out_medical_review", now, due_at=_end_of(ctx, review_on))
    rejudge(conn, ctx, now, persons=[row.person])
    return term_detail(conn, ctx, rows.term(conn, row.id), now)


def reviewed_outside(conn: Connection, ctx: Context, term: str, *, review_on: date) -> TermDetail:
    """The ground of the treatment outside was looked at again and stands; the next look is on
    ``review_on``. Where it is gone the person comes back, or a change is proposed (Shanghai
    Ordinance art. 35).

    Raises NotFound, Invalid, Conflict (``term-closed``, ``term-over``, ``not-outside``,
    ``ground-not-confirmed``).
    """
    now, row = lock_term(conn, ctx, term)
    require_running(ctx, row, now)
    away = open_absence(conn, row)
    if away is None or away.kind is not AbsenceKind.OUT_MEDICAL:
        raise Conflict("not-outside", "this person is not treated outside", term=row.id)
    today = legal_today(ctx, now)
    _require_review(row, review_on, today)
    if not _need_found(conn, row):
        raise Conflict(
            "ground-not-confirmed",
            "no doctor's opinion on record carries the treatment outside on; record the return, "
            "or propose a change to the community if the person is unfit to go back",
            term=row.id,
            rule="T08",
        )
    due.settle(conn, ctx, "out_medical_review", subject=(TERM, row.id), now=now)
    owe(conn, ctx, row, "out_medical_review", now, due_at=_end_of(ctx, review_on))
    return term_detail(conn, ctx, rows.term(conn, row.id), now)


def came_back(
    conn: Connection,
    ctx: Context,
    term: str,
    *,
    reason: str,
    occurred_at: datetime | None = None,
) -> TermDetail:
    """The absence is over: recaptured, set free by court or police, or fit again. With term left
    the person waits for a bed (Regulations art. 36, Shanghai Ordinance art. 35); without, they
    are released at once.

    Raises NotFound, Conflict (``term-closed``, ``not-away``), Invalid.
    """
    why = reasoned(reason)
    now, row = lock_term_and_beds(conn, ctx, term)
    require_open(row)
    at = past_instant("occurred_at", occurred_at, now)
    away = open_absence(conn, row)
    if away is None:
        raise Conflict(
            "not-away", "no absence from this term is open; there is no return", term=row.id
        )
    row = absence_ended(conn, ctx, row, away, legal_today(ctx, at), now)
    if over(ctx, row, now):
        return let_go(conn, ctx, row, TermEnd.EXPIRED, why, now)
    rejudge(conn, ctx, now, persons=[row.person])
    in_a_bed = any(it.state is not StayState.ON_LEAVE for it in stays.open_stays(conn, row.person))
    if not in_a_bed and requests.live_request(conn, row.person) is None:
        placement.submit(conn, ctx, row.person)
    return term_detail(conn, ctx, rows.term(conn, row.id), now)


def _require_review(row: TermRow, review_on: date, today: date) -> None:
    if not today < review_on <= row.ends_on:
        raise Invalid.field(
            "/review_on",
            "out-of-range",
            f"the ground is looked at again after today and by the term's last day, {row.ends_on}",
            review_on.isoformat(),
        )


def _end_of(ctx: Context, day: date) -> datetime:
    return term_dates.over_at(day, ctx.policy.zone)


def _need_found(conn: Connection, row: TermRow) -> bool:
    """Whether the newest opinion finds a severe illness that endangers life unless treated
    outside."""
    newest = opinions.newest(conn, row.person, OpinionKind.OUT_MEDICAL_NEED)
    return newest is not None and bool(newest.severe) and bool(newest.at_risk)


def _parts(conn: Connection, ctx: Context, row: TermRow, on: date) -> set[OutMedicalPart]:
    newest = opinions.newest(conn, row.person, OpinionKind.OUT_MEDICAL_NEED)
    found: set[OutMedicalPart] = set()
    if newest is not None and newest.severe:
        found.add(OutMedicalPart.SEVERE_ILLNESS)
    if newest is not None and newest.at_risk:
        found.add(OutMedicalPart.LIFE_AT_RISK)
    for kind, part in _APPROVED_PARTS.items():
        said = granted(conn, row.person, kind, subject=(TERM, row.id), on=on)
        if said is not None and said.organ in answering(conn, ctx, row.person, kind):
            found.add(part)
    return found
