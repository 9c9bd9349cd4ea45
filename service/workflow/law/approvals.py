"""Approvals 审批: an organ's written yes or no, recorded with its document, name and day.

Which organ may answer which question is the policy's approver table (rule L10: Anti-Drug Law
art. 47, Regulations arts. 31 and 33, MOJ Order 127 art. 40). A bed's approval by the coordinator
stands in for none of these, and nothing here moves anybody.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Final

from pydantic import StringConstraints
from sqlalchemy import Connection, select

from service.access.caller import FACILITY_ROLES, Role
from service.errors import Conflict, Forbidden, Invalid, NotFound
from service.store import approvals as rows
from service.store import events
from service.store.approvals import ApprovalRow, Subject, granted
from service.store.engine import now as database_time
from service.store.network_papers import NEWEST_BASIS_FIRST
from service.store.tables import core
from service.store.tables.law import ApprovalKind
from service.workflow.context import Context
from service.workflow.inventory.place_fields import Line, Strict
from service.workflow.inventory.places import get_row
from service.workflow.persons import restraints
from service.workflow.persons.people import legal_today, lock_person
from service.workflow.persons.person_view import require_visible
from service.workflow.privacy.audit_flags import flag_if_refused
from service.workflow.watch import due, watching
from solver.codes import LegalBasis, Organ, Owner

_SUBJECTS: Final = {
    "transfer": core.transfer,
    "term": core.term,
    "stay": core.stay,
    "restraint": core.restraint,
    "placement_request": core.placement_request,
}
_OF_A_CENTRE: Final = frozenset({Organ.CENTRE})
_SETTLES: Final = {
    ApprovalKind.EARLY_RELEASE: "early_release_answer",
    ApprovalKind.EXTENSION: "extension_answer",
    ApprovalKind.CHANGE_TO_COMMUNITY: "change_answer",
}
"""The clock that an organ's answer about a term stops, whatever the answer is."""


class ApprovalSubject(Strict):
    """What the answer is about, where it is about one thing: a transfer, a term, a stay."""

    type: Annotated[str, StringConstraints(pattern=f"^({'|'.join(_SUBJECTS)})$")]
    id: Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[!-~]+$")]


class NewApproval(Strict):
    """An organ's answer. ``approver``: who signed it. ``document``: its number. ``decided_on`` and
    ``valid_until`` are days in Asia/Shanghai, both included; without the latter it holds until it
    is revoked or answered anew."""

    kind: ApprovalKind
    organ: Organ
    granted: bool
    approver: Line
    document: Line
    decided_on: date | None = None
    valid_until: date | None = None
    subject: ApprovalSubject | None = None


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """An organ's answer. ``approver`` and ``document`` are null for those who need only the yes.
    ``in_force``: it is a yes, not revoked, and today lies within its days."""

    id: str
    person: str
    kind: ApprovalKind
    organ: Organ
    granted: bool
    in_force: bool
    subject_type: str | None
    subject_id: str | None
    approver: str | None
    document: str | None
    decided_on: date
    valid_until: date | None
    revoked_at: datetime | None
    recorded_at: datetime


def record_approval(
    conn: Connection, ctx: Context, person_id: str, new: NewApproval
) -> ApprovalView:
    """Record an organ's answer; the newest to a question counts, a no as much as a yes.

    Raises:
        NotFound: there is no such person, or none this caller may know of; no such subject.
        Forbidden: a centre's own key gives the answer of another organ.
        Invalid: an organ that may not answer this (``wrong-organ`` names the right one), reversed
            days, an answer of the future, a subject that is somebody else's.
        Conflict: ``merged``.
    """
    require_visible(conn, ctx, person_id)
    _require_voice(ctx, new.organ)
    at = lock_person(conn, person_id)
    today = legal_today(ctx, at)
    decided = new.decided_on or today
    if decided > today:
        raise Invalid.field(
            "/decided_on",
            "in-the-future",
            f"today is {today}: record the answer once it is given",
            decided.isoformat(),
        )
    if new.valid_until is not None and new.valid_until < decided:
        raise Invalid.field(
            "/valid_until",
            "reversed-period",
            f"the last day lies before the day of the answer ({decided}); both are included",
            new.valid_until.isoformat(),
        )
    require_organ(conn, ctx, person_id, new.kind, new.organ)
    subject = _checked_subject(conn, person_id, new.subject)
    row = rows.write(
        conn,
        {
            "person_id": person_id,
            "kind": new.kind.value,
            "subject_type": subject[0] if subject is not None else None,
            "subject_id": subject[1] if subject is not None else None,
            "organ": new.organ.value,
            "approver": ctx.vault.seal_text(new.approver, "approval.approver"),
            "document": ctx.vault.seal_text(new.document, "approval.document"),
            "granted": new.granted,
            "decided_on": decided,
            "valid_until": new.valid_until,
            "recorded_by": ctx.actor.id,
            "recorded_at": at,
        },
    )
    _event(conn, ctx, "approval.recorded", row, at)
    if subject is not None and new.kind in _SETTLES:
        due.settle(conn, ctx, _SETTLES[new.kind], subject=subject, now=at)
    restraints.answered(conn, ctx, row, at)
    flag_if_refused(conn, ctx, person_id, "approval", at)
    watching.rejudge(conn, ctx, at, persons=[person_id])
    return _view(ctx, row, today)


def revoke_approval(conn: Connection, ctx: Context, approval_id: str) -> ApprovalView:
    """Record that the organ took its answer back, or that it was recorded in error.

    Raises NotFound, Forbidden (a centre's key about another organ's answer), and Conflict
    (``merged``, ``approval-revoked``).
    """
    row = _require(conn, approval_id)
    require_visible(conn, ctx, row.person)
    _require_voice(ctx, Organ(row.organ))
    at = lock_person(conn, row.person)
    if not rows.revoke(conn, approval_id, at):
        raise Conflict(
            "approval-revoked",
            f"approval {approval_id} was revoked already; record a new answer if there is one",
            approval=approval_id,
        )
    _event(conn, ctx, "approval.revoked", row, at)
    watching.rejudge(conn, ctx, at, persons=[row.person])
    return _view(ctx, _require(conn, approval_id), legal_today(ctx, at))


def list_approvals(conn: Connection, ctx: Context, person_id: str) -> list[ApprovalView]:
    """Every answer about a person, the newest first.

    Raises NotFound for somebody who does not exist, or whom the caller may not know of.
    """
    get_row(conn, core.person, person_id)
    require_visible(conn, ctx, person_id)
    today = legal_today(ctx, database_time(conn))
    return [_view(ctx, row, today) for row in rows.of_person(conn, person_id)]


def require_granted(
    conn: Connection,
    ctx: Context,
    person: str,
    kind: ApprovalKind,
    *,
    subject: Subject | None = None,
    on: date,
) -> ApprovalRow:
    """The organ's yes in force on a legal day.

    Raises Conflict ``approvals-missing`` naming the kind and who may give it.
    """
    found = granted(conn, person, kind, subject=subject, on=on)
    if found is None:
        organs = sorted(answering(conn, ctx, person, kind))
        raise Conflict(
            "approvals-missing",
            f"{kind} is not approved by its organ ({' or '.join(organs)}); record the approval "
            "with its document first. An emergency does not wait: use the emergency lane",
            missing=[kind.value],
            organs=organs,
        )
    return found


def answering(conn: Connection, ctx: Context, person: str, kind: ApprovalKind) -> frozenset[Organ]:
    """The organs that may answer this question about this person, by the approver table."""
    table = ctx.policy.approvals[kind]
    if table.deciding:
        body = _deciding_organ(conn, person)
        if body is not None and body in table.organs:
            return frozenset({body})
    return table.for_operator(_operator(conn, person))


def require_organ(
    conn: Connection, ctx: Context, person: str, kind: ApprovalKind, organ: Organ
) -> None:
    """Raise Invalid ``wrong-organ`` unless this organ may answer the question (rule L10)."""
    allowed = answering(conn, ctx, person, kind)
    if organ not in allowed:
        raise Invalid.field(
            "/organ",
            "wrong-organ",
            f"{kind} is answered by {' or '.join(sorted(allowed))}, not by {organ}; "
            "ask that organ for its answer",
            organ.value,
        )


def _deciding_organ(conn: Connection, person: str) -> Organ | None:
    """The organ whose compulsory decision counts; None without one."""
    basis = core.legal_basis.c
    body = conn.execute(
        select(basis.body)
        .where(
            basis.person_id == person,
            basis.kind == LegalBasis.COMPULSORY.value,
            basis.revoked_at.is_(None),
        )
        .order_by(*NEWEST_BASIS_FIRST)
        .limit(1)
    ).scalar_one_or_none()
    return Organ(body) if body is not None else None


def _operator(conn: Connection, person: str) -> Owner | None:
    """Which side runs the centre that executes the person's open term."""
    term, facility = core.term.c, core.facility.c
    side = conn.execute(
        select(facility.operator)
        .join(core.term, term.responsible_facility_id == facility.id)
        .where(term.person_id == person, term.closed_at.is_(None))
    ).scalar_one_or_none()
    return Owner(side) if side is not None else None


def _require_voice(ctx: Context, organ: Organ) -> None:
    """A facility's own key records what its own head says, and no other organ's word."""
    if ctx.actor.role in FACILITY_ROLES and organ not in _OF_A_CENTRE:
        raise Forbidden(
            "not-for-this-role",
            f"a facility records its own head's answers; an answer of {organ} is recorded by an "
            "intake officer or a coordinator",
        )


def _checked_subject(
    conn: Connection, person: str, subject: ApprovalSubject | None
) -> Subject | None:
    if subject is None:
        return None
    row = get_row(conn, _SUBJECTS[subject.type], subject.id)
    if row["person_id"] != person:
        raise Invalid.field(
            "/subject/id",
            "other-person",
            f"this {subject.type} is not this person's; name one of theirs, or leave it out",
            subject.id,
        )
    return subject.type, subject.id


def _require(conn: Connection, approval_id: str) -> ApprovalRow:
    row = rows.find(conn, approval_id)
    if row is None:
        raise NotFound("approval-not-found", f"there is no approval {approval_id}")
    return row


def _event(conn: Connection, ctx: Context, operation: str, row: ApprovalRow, at: datetime) -> None:
    events.append(conn, ctx.actor, operation, "approval", row.id, person=row.person, occurred_at=at)


def _view(ctx: Context, row: ApprovalRow, today: date) -> ApprovalView:
    plain = ctx.actor.role in FACILITY_ROLES or ctx.actor.role is Role.CLINICIAN
    return ApprovalView(
        id=row.id,
        person=row.person,
        kind=row.kind,
        organ=Organ(row.organ),
        granted=row.granted,
        in_force=row.granted
        and row.revoked_at is None
        and row.decided_on <= today
        and (row.valid_until is None or today <= row.valid_until),
        subject_type=row.subject[0] if row.subject is not None else None,
        subject_id=row.subject[1] if row.subject is not None else None,
        approver=None if plain else _opened(ctx, row.approver, "approval.approver"),
        document=None if plain else _opened(ctx, row.document, "approval.document"),
        decided_on=row.decided_on,
        valid_until=row.valid_until,
        revoked_at=row.revoked_at,
        recorded_at=row.recorded_at,
    )


def _opened(ctx: Context, sealed: bytes | None, purpose: str) -> str | None:
    return ctx.vault.open_text(sealed, purpose) if sealed is not None else None
