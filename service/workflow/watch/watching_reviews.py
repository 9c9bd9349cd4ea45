"""Reviews of restrictive stays: a day for each, somebody outside the unit who looks, and what
follows when nobody does (Mental Health Law art. 44, Anti-Drug Law art. 47; safeguard S15)."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from service.errors import Conflict, Forbidden, Invalid
from service.lifecycle import StayState
from service.store import due as clocks
from service.store import events, stays
from service.store.locks import lock
from service.store.network_people import legal_day
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.law.term_dates import over_at
from service.workflow.privacy.visibility import require_stay
from service.workflow.watch import due
from solver.codes import LegalBasis
from solver.eligibility import months_after

KIND = "review"
_c = core.due_item.c


class ReviewOutcome(StrEnum):
    """What a review came to; it moves nobody by itself."""

    GOES_ON = "goes_on"  # the ground is there and no milder place would do
    MILDER_PLACE = "milder_place"  # a less restrictive place would do
    SHOULD_END = "should_end"  # the ground has gone, or the stay no longer serves it


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review on record, and the day by which the next is due; None where none follows."""

    stay: str
    outcome: ReviewOutcome
    reviewed_at: datetime
    next_on: date | None


def record_review(
    conn: Connection,
    ctx: Context,
    stay: str,
    *,
    outcome: ReviewOutcome,
    reviewer: str,
    note: str = "",
    next_on: date | None = None,
) -> Reviewed:
    """Somebody outside the unit has looked at a restrictive stay again; ``reviewer`` is who.

    ``next_on``: the day of the next review, the policy's longest from today unless it is sooner.

    Raises:
        NotFound: no such stay, or none this caller may know of.
        Forbidden: the caller speaks for the place that is looked at.
        Conflict: ``stay-ended``, or ``not-reviewed`` for a stay that rests on consent.
        Invalid: no reviewer, or a next day that is past or too far off.
    """
    require_stay(conn, ctx, stay)
    peeked = stays.stay(conn, stay)
    if ctx.actor.facility is not None and ctx.actor.facility == peeked.facility:
        raise Forbidden(
            "review-from-outside",
            "a review is made by somebody outside the place that is looked at; ask the "
            "coordinator, or a doctor of another hospital",
            facility=peeked.facility,
        )
    if not reviewer.strip():
        raise Invalid.field("/reviewer", "reviewer-missing", "name who looked")
    now = lock(conn, persons=[peeked.person])
    row = stays.stay(conn, stay)
    if row.state is StayState.ENDED:
        raise Conflict(
            "stay-ended", f"stay {stay} has ended; there is nothing to review", stay=stay
        )
    longest = _longest(conn, ctx, row.basis)
    if longest is None:
        raise Conflict(
            "not-reviewed",
            "this stay rests on the person's own word, which they may take back any hour; no "
            "review renews it",
            stay=stay,
        )
    today = legal_day(now, ctx.policy.zone)
    until = today + longest
    following = next_on if next_on is not None else until
    if not today < following <= until:
        raise Invalid.field(
            "/next_on",
            "out-of-range",
            f"the next review lies after {today} and not later than {until}",
            following.isoformat(),
        )
    subject = ("stay", stay)
    opened = due.owe(
        conn, ctx, KIND, subject=subject, now=now, person=row.person, facility=row.facility
    )
    running = opened or _running(conn, stay).id
    due.settle(conn, ctx, KIND, subject=subject, now=now)
    said = json.dumps({"reviewer": reviewer.strip(), "note": note.strip()}, ensure_ascii=False)
    clocks.record_done(
        conn,
        running,
        detail=outcome.value,
        done_at=now,
        note=ctx.vault.seal_text(said, "due.note"),
    )
    stays.rewrite(conn, row, review_on=following)
    events.append(
        conn,
        ctx.actor,
        "stay.reviewed",
        "stay",
        stay,
        person=row.person,
        facility=row.facility,
        data={"due": running},
        occurred_at=now,
    )
    open_falling_due(conn, ctx, now, persons=[row.person])
    return Reviewed(stay, outcome, now, following)


def require_reviewed(conn: Connection, ctx: Context, person: str, now: datetime) -> None:
    """Refuse to renew what a review of the person's stay is overdue for: an extension of a term,
    a new period of an involuntary stay. Raises Conflict ``review-overdue``."""
    late = conn.execute(
        select(core.stay.c.id, core.stay.c.review_on)
        .where(
            core.stay.c.person_id == person,
            core.stay.c.ended_at.is_(None),
            core.stay.c.review_on < legal_day(now, ctx.policy.zone),
        )
        .order_by(core.stay.c.id)
        .limit(1)
    ).one_or_none()
    if late is not None:
        raise Conflict(
            "review-overdue",
            f"the review of stay {late.id} was due on {late.review_on}; nothing is renewed before "
            "somebody outside the unit has looked",
            stay=late.id,
            review_on=late.review_on.isoformat(),
        )


def open_falling_due(
    conn: Connection, ctx: Context, now: datetime, *, persons: Collection[str]
) -> int:
    """Open, for these people, the clocks of the calendar that come near: the review of a stay, the
    end of the months in a police-run centre and the jointly appointed hospital's opinion before
    it. Returns how many were opened. The caller holds the persons."""
    return _reviews(conn, ctx, now, persons) + _months(conn, ctx, now, persons)


def _reviews(conn: Connection, ctx: Context, now: datetime, persons: Collection[str]) -> int:
    stay = core.stay.c
    zone, opened = ctx.policy.zone, 0
    unset = conn.execute(
        select(stay.id)
        .join(core.legal_basis, core.legal_basis.c.id == stay.basis_id)
        .where(
            stay.person_id.in_(sorted(persons)),
            stay.ended_at.is_(None),
            stay.review_on.is_(None),
            core.legal_basis.c.kind.in_([it.value for it in ctx.policy.watching.review_days]),
        )
        .order_by(stay.id)
    ).scalars()
    for id_ in list(unset):
        due.set_review(conn, ctx, id_, now)
    near = legal_day(now, zone) + timedelta(days=ctx.policy.watching.ahead_days[KIND])
    found = conn.execute(
        select(stay.id, stay.person_id, stay.facility_id, stay.review_on)
        .where(
            stay.person_id.in_(sorted(persons)),
            stay.ended_at.is_(None),
            stay.review_on <= near,
        )
        .order_by(stay.id)
    ).all()
    for row in found:
        at = over_at(row.review_on, zone)
        subject = ("stay", row.id)
        if due.owe(
            conn,
            ctx,
            KIND,
            subject=subject,
            now=now,
            person=row.person_id,
            facility=row.facility_id,
            due_at=at,
        ):
            opened += 1
        else:
            clocks.move_item(conn, KIND, subject, at)
    return opened


def _months(conn: Connection, ctx: Context, now: datetime, persons: Collection[str]) -> int:
    term, claim, unit = core.term.c, core.bed_claim.c, core.unit.c
    zone, opened = ctx.policy.zone, 0
    ahead = timedelta(days=ctx.policy.watching.ahead_days["psc_months"])
    found = conn.execute(
        select(term.id, term.person_id, term.psc_since, claim.facility_id)
        .join(core.bed_claim, claim.person_id == term.person_id)
        .join(core.unit, unit.id == claim.unit_id)
        .where(
            term.person_id.in_(sorted(persons)),
            term.closed_at.is_(None),
            term.psc_since.is_not(None),
            claim.kind == "stay",
            claim.voided_at.is_(None),
            claim.during.op("@>")(now),
            unit.kind == "PSC",
        )
        .order_by(term.id)
    ).all()
    for row in found:
        last = months_after(row.psc_since, ctx.policy.solver().psc_max_months)
        if legal_day(now, zone) < last - ahead:
            continue
        about: dict[str, Any] = {"person": row.person_id, "facility": row.facility_id, "now": now}
        subject = ("term", row.id)
        at = over_at(last - timedelta(days=1), zone)
        opened += due.owe(conn, ctx, "psc_months", subject=subject, due_at=at, **about) is not None
        if not _has_joint_opinion(conn, row.person_id):
            opened += (
                due.owe(conn, ctx, "joint_opinion", subject=subject, due_at=at, **about) is not None
            )
    return opened


def _has_joint_opinion(conn: Connection, person: str) -> bool:
    said = core.opinion.c
    return (
        conn.execute(
            select(said.id).where(
                said.person_id == person,
                said.kind == "joint_hospital",
                said.revoked_at.is_(None),
            )
        ).first()
        is not None
    )


def _longest(conn: Connection, ctx: Context, basis: str | None) -> timedelta | None:
    """How long until the next review at most; None for a stay that is not restrictive."""
    if basis is None:
        return None
    kind = conn.execute(
        select(core.legal_basis.c.kind).where(core.legal_basis.c.id == basis)
    ).scalar_one()
    days = ctx.policy.watching.review_days.get(LegalBasis(kind))
    return timedelta(days=days) if days is not None else None


def _running(conn: Connection, stay: str) -> clocks.DueRow:
    return next(it for it in clocks.running(conn, ("stay", stay)) if it.kind == KIND)
