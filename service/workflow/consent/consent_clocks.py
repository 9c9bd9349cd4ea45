"""Clocks of consensual treatment: on whose list they stand, and when they stop."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, update

from service.lifecycle import StayState
from service.store import stays
from service.store.claims import rows
from service.store.seats import Seat, seat
from service.store.stays import StayRow
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.watch import due
from solver.codes import COMPULSORY_CENTRES, CONSENSUAL_BASES, TREATMENT_BASES, UnitKind

CLOCK: Final = "consent_withdrawn"
"""The clock of a discharge that is due because nothing carries the stay any more; its detail says
which of the ways that happened."""
OF_CONSENT: Final = ("consent_end", "consent_sober")
"""Clocks whose subject is a consent."""
CENTRE: Final = "centre"
"""Who must act where a volunteer is treated in a compulsory centre."""


def left(conn: Connection, ctx: Context, row: StayRow, now: datetime) -> None:
    """A stay has ended: its clock stops, and with the last stay those of the person's consents."""
    due.settle(conn, ctx, CLOCK, subject=("stay", row.id), now=now)
    if stays.open_stays(conn, row.person):
        return
    signed = conn.execute(
        select(core.consent.c.id)
        .where(core.consent.c.person_id == row.person, core.consent.c.over_at.is_(None))
        .order_by(core.consent.c.id)
    ).scalars()
    for consent in list(signed):
        due.settle(
            conn,
            ctx,
            OF_CONSENT,
            subject=("consent", consent),
            now=now,
            outcome="called_off",
        )


def for_centres(kinds: Collection[str]) -> bool:
    """Whether a consent is to compulsory centres alone, as a volunteer's there is: police agree to
    it themselves, so its clocks are the centre's and no secret from them."""
    return bool(kinds) and set(kinds) <= COMPULSORY_CENTRES


def came(conn: Connection, ctx: Context, row: StayRow, place: Seat, now: datetime) -> None:
    """The person was admitted: the clocks of their consents to this kind of unit stand on its
    facility's list from now on. Of the others, and of somebody who was brought on no consent, the
    clocks stop and nobody at this place hears of them."""
    item, word = core.due_item.c, core.consent.c
    running = conn.execute(
        select(item.subject_id, word.kinds)
        .join(core.consent, word.id == item.subject_id)
        .where(
            item.person_id == row.person,
            item.subject_type == "consent",
            item.kind.in_((*OF_CONSENT, "agreement_report")),
            item.settled_at.is_(None),
        )
        .distinct()
        .order_by(item.subject_id)
    ).all()
    carried = _by_consent(conn, row.basis)
    for it in running:
        if not carried or place.unit_kind not in it.kinds:
            subject = ("consent", it.subject_id)
            due.settle(conn, ctx, OF_CONSENT, subject=subject, now=now, outcome="called_off")
            continue
        conn.execute(
            update(core.due_item)
            .where(
                item.subject_type == "consent",
                item.subject_id == it.subject_id,
                item.settled_at.is_(None),
            )
            .values(facility_id=place.facility, version=item.version + 1)
        )


def place_of(conn: Connection, person: str, kinds: Collection[UnitKind]) -> str | None:
    """The facility where the person is treated now in a unit of these kinds, if anywhere: on
    consent, or by an emergency that waited for no paper."""
    for it in stays.open_stays(conn, person):
        if it.state is StayState.ON_LEAVE:
            continue
        here = seat(conn, rows.segments(conn, it.id)[-1].bed)
        if here.unit_kind in kinds and (it.basis is None or _by_consent(conn, it.basis)):
            return it.facility
    return None


def _by_consent(conn: Connection, basis: str | None) -> bool:
    it = core.legal_basis.c
    kind = conn.execute(select(it.kind).where(it.id == basis)).scalar_one_or_none()
    return kind in TREATMENT_BASES | CONSENSUAL_BASES
