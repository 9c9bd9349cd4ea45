"""Whoever alone looks after a child or a dependant: the street office arranges care at once when a
compulsory decision is served on them (Shandong Ordinance art. 44, rule P17)."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, select

from service.store.network_papers import NEWEST_BASIS_FIRST
from service.store.tables.core import legal_basis, person, term
from service.workflow.context import Context
from service.workflow.watch import due
from solver.codes import LegalBasis, Tri

CLOCK: Final = "sole_carer_notice"


def keep_clock(conn: Connection, ctx: Context, person_id: str, now: datetime) -> None:
    """Start the notice to the street office, or call it off; the caller holds the person.

    Called when somebody turns out to be, or not to be, a sole carer, and when a compulsory
    decision is served. It starts once for each decision.
    """
    row = conn.execute(
        select(person.c.sole_carer, legal_basis.c.id, term.c.responsible_facility_id)
        .select_from(person)
        .join(legal_basis, legal_basis.c.person_id == person.c.id)
        .outerjoin(term, and_(term.c.basis_id == legal_basis.c.id, term.c.closed_at.is_(None)))
        .where(
            person.c.id == person_id,
            legal_basis.c.kind == LegalBasis.COMPULSORY.value,
            legal_basis.c.revoked_at.is_(None),
            legal_basis.c.served_at.is_not(None),
        )
        .order_by(*NEWEST_BASIS_FIRST)
        .limit(1)
    ).one_or_none()
    if row is None:
        return
    subject = ("legal_basis", row.id)
    if row.sole_carer == Tri.YES:
        due.owe(
            conn,
            ctx,
            CLOCK,
            subject=subject,
            now=now,
            person=person_id,
            facility=row.responsible_facility_id,
        )
    else:
        due.settle(conn, ctx, CLOCK, subject=subject, now=now, outcome="called_off")
