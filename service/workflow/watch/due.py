"""Clocks: what the law or the policy wants done by when, by whom, and whom it is told to.

A use case that starts a clock calls ``owe``; whoever does what was due calls ``settle``. Kinds,
their length, owner and source stand in the policy; one clock of a kind runs for a subject.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select, update

from service.store import due as rows
from service.store import events
from service.store.network_people import legal_day
from service.store.tables import core
from service.store.tables.claims import ClaimKind
from service.workflow.context import Context
from solver.codes import LegalBasis, Owner, UnitKind

_due = core.due_item.c
_AFTER_INTAKE: Final[Mapping[str, tuple[str, ...]]] = {
    UnitKind.PSC: ("intake_exam", "first_talk", "diagnosis_file"),
    UnitKind.JSC: ("intake_exam", "notify_family_intake", "diagnosis_file"),
}
_IN_CUSTODY: Final = (LegalBasis.COMPULSORY.value, LegalBasis.OUT_MEDICAL.value)
_OWNERS_OF_CUSTODY: Final = (Owner.PUBLIC_SECURITY.value, Owner.JUSTICE.value)
_WHILE_IT_LASTS: Final = (
    "review",
    "intake_exam",
    "first_talk",
    "diagnosis_file",
    "reassessment",
    "leave_end",
)
OF_A_STAY: Final = ("discharge_due", "misplaced", *_WHILE_IT_LASTS)
"""Clocks about a stay that mean nothing once it has ended."""


def owe(
    conn: Connection,
    ctx: Context,
    kind: str,
    *,
    subject: tuple[str, str],
    now: datetime,
    person: str | None = None,
    facility: str | None = None,
    due_at: datetime | None = None,
    detail: str | None = None,
    owner: str | None = None,
) -> str | None:
    """Start a clock of a kind of the policy for a subject ``(type, id)``; the caller holds its
    locks. ``due_at``: when it is not the policy's length from now. ``facility``: on whose list it
    stands. ``detail``: a code, such as the rule a paper is due for. ``owner``: who must act, where
    it is not the policy's.

    Returns its id, or None when one already runs (its hour is left alone).
    Raises KeyError for a kind the policy does not have.
    """
    clock = ctx.policy.due[kind]
    due = due_at if due_at is not None else now + timedelta(minutes=clock.minutes)
    opened = rows.open_item(
        conn,
        {
            "kind": kind,
            "subject_type": subject[0],
            "subject_id": subject[1],
            "person_id": person,
            "facility_id": facility,
            "owner": owner if owner is not None else clock.owner,
            "recipient": clock.recipient,
            "detail": detail,
            "due_at": due,
            "opened_at": now,
            "opened_by": ctx.actor.id,
            "version": 1,
        },
    )
    if opened is not None:
        events.append(
            conn,
            ctx.actor,
            "due.opened",
            "due_item",
            opened,
            person=person,
            facility=facility,
            data={"kind": kind},
            occurred_at=now,
        )
    return opened


def settle(
    conn: Connection,
    ctx: Context,
    kinds: str | tuple[str, ...],
    *,
    subject: tuple[str, str],
    now: datetime,
    outcome: str = "done",
) -> int:
    """Stop the running clocks of these kinds for the subject; returns how many ran.

    ``outcome``: ``done``, or ``called_off`` when its reason is gone.
    """
    wanted = (kinds,) if isinstance(kinds, str) else kinds
    stopped = rows.settle_items(conn, subject, wanted, by=ctx.actor.id, now=now, outcome=outcome)
    for row in stopped:
        events.append(
            conn,
            ctx.actor,
            "due.settled",
            "due_item",
            row.id,
            person=row.person,
            facility=row.facility,
            data={"kind": row.kind},
            occurred_at=now,
        )
    return len(stopped)


def on_admission(conn: Connection, ctx: Context, stay: str, now: datetime) -> None:
    """Somebody was admitted: start what the law wants done after an intake, and set the day by
    which somebody outside the unit looks at a restrictive stay again (S15).

    A centre: examination, first talk and written rights (police-run), written notice to the family
    (justice-run), the assessment file. So too for somebody whom a centre sent straight into a
    custodial ward: that centre goes on answering for it. The caller holds the person.
    """
    at = _place_of(conn, stay)
    if at is None:
        return
    _set_review(conn, ctx, at, now)
    for kind, facility in _of_intake(conn, at):
        _owe_intake(conn, ctx, at, kind, facility, now)


def set_review(conn: Connection, ctx: Context, stay: str, now: datetime) -> None:
    """Set the day of a restrictive stay's first review, where it has none."""
    at = _place_of(conn, stay)
    if at is not None:
        _set_review(conn, ctx, at, now)


def on_arrival(conn: Connection, ctx: Context, stay: str, now: datetime) -> None:
    """Somebody arrived from another place: what this centre's intake has not begun or finished
    under their term begins with them, and the family of somebody in custody is told where they are
    (Mandela Rule 68).

    A review that was due before the move stays due on the same day.
    """
    at = _place_of(conn, stay)
    if at is None:
        return
    _set_review(conn, ctx, at, now)
    for kind, facility in _of_intake(conn, at):
        if _still_owed(conn, at, kind, facility):
            _owe_intake(conn, ctx, at, kind, facility, now)
    if at.basis in _IN_CUSTODY:
        _owe_family(conn, ctx, at, now)


def on_grave_illness(conn: Connection, ctx: Context, stay: str, now: datetime) -> None:
    """Somebody in custody fell gravely ill, or an emergency took them: their family is told
    (Mandela Rule 69). The family of somebody treated by consent hears it from them."""
    at = _place_of(conn, stay)
    if at is not None and at.basis in _IN_CUSTODY:
        _owe_family(conn, ctx, at, now)


def on_death(conn: Connection, ctx: Context, stay: str, now: datetime) -> None:
    """Somebody died: supervising organ, family, deciding organ and procuratorate are told at once
    (MOJ Order 127). One clock a stay, where none about the person's term runs already."""
    row = conn.execute(
        select(core.stay.c.person_id, core.stay.c.facility_id).where(core.stay.c.id == stay)
    ).one()
    told = conn.execute(
        select(_due.id).where(_due.person_id == row.person_id, _due.kind == "death_notices")
    ).first()
    if told is None:
        owe(
            conn,
            ctx,
            "death_notices",
            subject=("stay", stay),
            now=now,
            person=row.person_id,
            facility=row.facility_id,
        )


def on_stay_end(conn: Connection, ctx: Context, stay: str, now: datetime) -> None:
    """A stay has ended: what could only be done while it lasted is called off, what it was due
    for has happened. Notices and papers are owed all the same."""
    subject = ("stay", stay)
    settle(conn, ctx, ("discharge_due", "misplaced"), subject=subject, now=now)
    settle(conn, ctx, _WHILE_IT_LASTS, subject=subject, now=now, outcome="called_off")
    _no_rediagnosis(conn, ctx, stay, now)


def _no_rediagnosis(conn: Connection, ctx: Context, stay: str, now: datetime) -> None:
    """Whoever is out of the hospital that was asked for a re-diagnosis waits for none; somebody
    taken on to another hospital does."""
    row = core.stay.c
    asked = conn.execute(
        select(_due.subject_type, _due.subject_id)
        .join(core.stay, (row.person_id == _due.person_id) & (row.facility_id == _due.facility_id))
        .where(
            row.id == stay,
            row.end_code.is_distinct_from("transferred"),
            _due.kind == "rediagnosis",
            _due.settled_at.is_(None),
        )
    ).all()
    for kind, id_ in asked:
        about = (kind, id_)
        settle(conn, ctx, "rediagnosis", subject=about, now=now, outcome="called_off")


@dataclass(frozen=True, slots=True)
class _Where:
    """A stay and where its person is; ``responsible``: the centre that answers for them, by the
    stay or else by their term."""

    stay: str
    person: str
    facility: str
    kind: str
    custodial: bool
    responsible: str | None
    basis: str | None
    admitted_at: datetime
    review_on: date | None


def _place_of(conn: Connection, stay: str) -> _Where | None:
    claim, unit, row, basis = core.bed_claim.c, core.unit.c, core.stay.c, core.legal_basis.c
    term = core.term.c
    found = conn.execute(
        select(
            row.person_id,
            claim.facility_id,
            unit.kind,
            basis.kind.label("basis"),
            unit.security_owner.in_(_OWNERS_OF_CUSTODY).label("custodial"),
            func.coalesce(row.responsible_facility_id, term.responsible_facility_id).label(
                "responsible"
            ),
            row.admitted_at,
            row.review_on,
        )
        .join(core.bed_claim, claim.stay_id == row.id)
        .join(core.unit, unit.id == claim.unit_id)
        .outerjoin(core.legal_basis, basis.id == row.basis_id)
        .outerjoin(core.term, (term.person_id == row.person_id) & term.closed_at.is_(None))
        .where(row.id == stay, claim.voided_at.is_(None), claim.kind == ClaimKind.STAY.value)
        .order_by(func.lower(claim.during).desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return None
    return _Where(
        stay=stay,
        person=found.person_id,
        facility=found.facility_id,
        kind=found.kind,
        custodial=found.custodial,
        responsible=found.responsible,
        basis=found.basis,
        admitted_at=found.admitted_at,
        review_on=found.review_on,
    )


def _of_intake(conn: Connection, at: _Where) -> list[tuple[str, str]]:
    """What an intake begins, and which centre owes it: the one the person is in, or the one that
    answers for them while they lie in a custodial ward."""
    kind, facility = at.kind, at.facility
    if kind not in _AFTER_INTAKE and at.custodial and at.responsible is not None:
        kind, facility = _kind_of_centre(conn, at.responsible), at.responsible
    if kind not in _AFTER_INTAKE or at.basis is None:
        return []
    kinds = _AFTER_INTAKE[kind]
    if at.basis != LegalBasis.COMPULSORY:
        # Who came by their own will has rights and health to look after, and no term to assess.
        kinds = tuple(it for it in kinds if it in ("first_talk", "intake_exam"))
    return [(it, facility) for it in kinds]


def _owe_intake(
    conn: Connection, ctx: Context, at: _Where, kind: str, facility: str, now: datetime
) -> None:
    length = timedelta(minutes=ctx.policy.due[kind].minutes)
    owe(
        conn,
        ctx,
        kind,
        subject=("stay", at.stay),
        now=now,
        person=at.person,
        facility=facility,
        due_at=max(at.admitted_at + length, now),
    )


def _kind_of_centre(conn: Connection, facility: str) -> str:
    """The kind of centre a facility is, by its units in use; empty for none."""
    unit = core.unit.c
    found: str | None = conn.execute(
        select(unit.kind)
        .where(
            unit.facility_id == facility,
            unit.kind.in_(sorted(_AFTER_INTAKE)),
            unit.retired_at.is_(None),
        )
        .order_by(unit.kind.desc())
        .limit(1)
    ).scalar_one_or_none()
    return found or ""


def _still_owed(conn: Connection, at: _Where, kind: str, facility: str) -> bool:
    """Whether this centre owes this to somebody under their present term: it never began it, or
    could not finish because the person was taken elsewhere."""
    since = select(core.term.c.decided_on).where(
        core.term.c.person_id == at.person, core.term.c.closed_at.is_(None)
    )
    last = conn.execute(
        select(_due.outcome, _due.settled_at)
        .where(
            _due.person_id == at.person,
            _due.facility_id == facility,
            _due.kind == kind,
            _due.opened_at >= func.coalesce(since.scalar_subquery(), _due.opened_at),
        )
        .order_by(_due.opened_at.desc(), _due.id.desc())
        .limit(1)
    ).one_or_none()
    if last is not None:
        return bool(last.outcome == "called_off")
    claim = core.bed_claim.c
    before = conn.execute(
        select(claim.id)
        .where(
            claim.person_id == at.person,
            claim.facility_id == facility,
            claim.kind == ClaimKind.STAY.value,
            claim.voided_at.is_(None),
            claim.stay_id != at.stay,
            func.lower(claim.during) >= func.coalesce(since.scalar_subquery(), at.admitted_at),
        )
        .limit(1)
    ).first()
    return before is None


def _owe_family(conn: Connection, ctx: Context, at: _Where, now: datetime) -> None:
    """The centre that answers for the person tells their family, wherever they lie."""
    owe(
        conn,
        ctx,
        "family_told_of_move",
        subject=("stay", at.stay),
        now=now,
        person=at.person,
        facility=at.facility if at.kind in _AFTER_INTAKE else at.responsible or at.facility,
    )


def _set_review(conn: Connection, ctx: Context, at: _Where, now: datetime) -> None:
    days = ctx.policy.watching.review_days
    if at.review_on is not None or at.basis is None or LegalBasis(at.basis) not in days:
        return
    first = legal_day(at.admitted_at, ctx.policy.zone) + timedelta(days=days[LegalBasis(at.basis)])
    row = core.stay.c
    carried = conn.execute(
        select(row.review_on)
        .where(row.person_id == at.person, row.id != at.stay, row.end_code == "transferred")
        .order_by(row.ended_at.desc(), row.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    conn.execute(
        update(core.stay)
        .where(row.id == at.stay)
        .values(review_on=min(first, carried) if carried is not None else first)
    )
