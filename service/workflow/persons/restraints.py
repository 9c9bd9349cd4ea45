"""Protective restraint and isolation 保护性约束: against danger only, when nothing else helps,
never a punishment; watched, short, and all of it in the record.

Sources: Mental Health Law arts. 40 and 47, MPS Order 117 art. 45, MOJ Order 127 art. 40, Anti-Drug
Law arts. 37 and 44 (rules T21, X10, V05, M09).
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import StringConstraints
from sqlalchemy import Connection, exists, select

from service.access.caller import Role
from service.access.scope import require_facility
from service.errors import Conflict, Forbidden, Invalid
from service.lifecycle import StayState
from service.store import approvals, events, stays
from service.store import due as clocks
from service.store import restraints as rows
from service.store.approvals import ApprovalRow
from service.store.restraints import RestraintRow
from service.store.stays import StayRow
from service.store.tables import core
from service.store.tables.care import RestraintKind
from service.store.tables.law import ApprovalKind
from service.workflow.context import Context
from service.workflow.instants import AwareInstant
from service.workflow.inventory.place_fields import Line, Strict
from service.workflow.persons.people import legal_today, lock_person
from service.workflow.privacy.visibility import require_stay
from service.workflow.versions import require_version
from service.workflow.watch import due
from solver.codes import COMPULSORY_CENTRES

CHECK: Final = "restraint_check"
APPROVAL: Final = "restraint_approval"
GUARDIAN: Final = "guardian_told"
_READS_REASONS: Final = frozenset({Role.CLINICIAN, Role.AUDITOR})
_WORDS: Final = StringConstraints(strip_whitespace=True, min_length=10, max_length=1000)


class Danger(StrEnum):
    """What the restraint prevents; there is no other reason for one."""

    SELF = "self"  # 自杀自伤
    OTHERS = "others"  # 伤害他人


class NewRestraint(Strict):
    """A restraint as it begins. ``reason``: what was seen. ``tried``: what was tried before, or why
    nothing else could be: it is lawful only where no alternative is left. ``approval``: the yes of
    the head of the centre, where it is there already."""

    kind: RestraintKind
    danger: Danger
    reason: Annotated[str, _WORDS]
    tried: Annotated[str, _WORDS]
    not_a_punishment: Literal[True]
    ordered_by: Line
    began_at: AwareInstant | None = None
    approval: str | None = None


class Check(Strict):
    """Somebody looked at the person. ``still_needed`` false lifts the restraint at once."""

    still_needed: bool


@dataclass(frozen=True, slots=True)
class RestraintView:
    """A restraint. ``reason``, ``tried`` and ``danger`` are for clinicians and auditors; null for
    others. ``check_by``: when somebody must have looked next; null once it ended."""

    id: str
    person: str
    stay: str
    kind: RestraintKind
    ordered_by: str
    approved: bool
    danger: Danger | None
    reason: str | None
    tried: str | None
    began_at: datetime
    checked_at: datetime | None
    checks: int
    check_by: datetime | None
    ended_at: datetime | None
    ended_by: str | None
    version: int


def begin_restraint(
    conn: Connection, ctx: Context, stay_id: str, new: NewRestraint
) -> RestraintView:
    """Record that a restraint began, and start its clocks: the next look, the guardian told and,
    in a compulsory centre, the approval of its head.

    Raises:
        NotFound: there is no such stay, or none this caller may know of.
        Forbidden: a caller of another facility; outside a centre anybody but a clinician.
        Invalid: it began in the future or before the stay; an approval that is not one for this.
        Conflict: ``merged``, ``restraint-open``, ``not-in-bed``: the person is not here.
    """
    stay = _visible(conn, ctx, stay_id)
    centre = _in_centre(conn, stay)
    _require_here(ctx, stay, ordering=True, centre=centre)
    at = lock_person(conn, stay.person)
    stay = stays.stay(conn, stay_id)
    if stay.state not in (StayState.ACTIVE, StayState.DISCHARGE_DUE):
        raise Conflict(
            "not-in-bed",
            f"stay {stay_id} is {stay.state}: whoever is not here is under no restraint here",
            stay=stay_id,
        )
    began = new.began_at or at
    if not stay.admitted_at <= began <= at:
        raise Invalid.field(
            "/began_at",
            "out-of-range",
            "it began after the person came and not in the future",
            began.isoformat(),
        )
    running = rows.open_of(conn, stay.person)
    if running is not None:
        raise Conflict(
            "restraint-open",
            f"restraint {running.id} has no end yet; record that first",
            restraint=running.id,
        )
    approval = _named_approval(conn, ctx, stay.person, new.approval, at)
    id_ = rows.fresh_id()
    sealed = json.dumps(
        {"danger": new.danger.value, "reason": new.reason, "tried": new.tried}, ensure_ascii=False
    )
    row = rows.begin(
        conn,
        id_,
        {
            "person_id": stay.person,
            "stay_id": stay_id,
            "kind": new.kind.value,
            "reason": ctx.vault.seal_text(sealed, _purpose(id_)),
            "ordered_by": new.ordered_by,
            "approval_id": approval.id if approval is not None else None,
            "began_at": began,
            "recorded_at": at,
        },
    )
    _owe(conn, ctx, CHECK, row, stay, at, _check_by(ctx, at))
    _owe(conn, ctx, GUARDIAN, row, stay, at, None)
    if centre and approval is None:
        hours = timedelta(hours=ctx.policy.restraints.approval_hours)
        _owe(conn, ctx, APPROVAL, row, stay, at, began + hours)
    _told(conn, ctx, "restraint.begun", row, stay, began)
    return _view(conn, ctx, row)


def check_restraint(
    conn: Connection,
    ctx: Context,
    restraint_id: str,
    check: Check,
    *,
    version: int | None = None,
) -> RestraintView:
    """Record that somebody looked at the person; the clock of the next look starts again.

    Raises:
        NotFound, Forbidden, PreconditionFailed.
        Conflict: ``merged``, ``restraint-ended``; ``restraint-too-long``: after the policy's hours
            it is lifted, or a doctor orders it anew on what is seen then.
    """
    row, stay, at = _locked(conn, ctx, restraint_id, version)
    if not check.still_needed:
        return _end(conn, ctx, row, stay, at)
    longest = timedelta(hours=ctx.policy.restraints.longest_hours)
    if at - row.began_at >= longest:
        raise Conflict(
            "restraint-too-long",
            f"it has lasted {ctx.policy.restraints.longest_hours} hours: lift it; where the danger "
            "is still there a doctor sees the person and orders it anew",
            restraint=row.id,
        )
    row = rows.rewrite(conn, row, checked_at=at, checks=row.checks + 1)
    clocks.move_item(conn, CHECK, _subject(row), _check_by(ctx, at))
    _told(conn, ctx, "restraint.checked", row, stay, at)
    return _view(conn, ctx, row)


def end_restraint(
    conn: Connection, ctx: Context, restraint_id: str, *, version: int | None = None
) -> RestraintView:
    """Record that the restraint was lifted.

    Raises NotFound, Forbidden, PreconditionFailed, and Conflict (``merged``, ``restraint-ended``).
    """
    row, stay, at = _locked(conn, ctx, restraint_id, version)
    return _end(conn, ctx, row, stay, at)


def end_with_stay(conn: Connection, ctx: Context, stay: StayRow, now: datetime) -> None:
    """Whoever leaves is under no restraint any more; the caller holds the person."""
    row = rows.open_of(conn, stay.person)
    if row is not None and row.stay == stay.id:
        _end(conn, ctx, row, stay, now)


def list_restraints(conn: Connection, ctx: Context, stay_id: str) -> list[RestraintView]:
    """Every restraint of a stay, the newest first.

    Raises NotFound for a stay this caller may not know of, Forbidden for another facility's key.
    """
    stay = _visible(conn, ctx, stay_id)
    require_facility(ctx.actor, stay.facility)
    return [_view(conn, ctx, row) for row in rows.of_stay(conn, stay_id)]


def answered(conn: Connection, ctx: Context, approval: ApprovalRow, now: datetime) -> None:
    """The head of the centre answered: a yes stands beside the restraint; a no brings the next look
    to now, so that it is lifted. The caller holds the person."""
    if approval.kind is not ApprovalKind.PROTECTIVE_RESTRAINT:
        return
    row = rows.open_of(conn, approval.person)
    if row is None or row.approval is not None:
        return
    if approval.subject not in (None, _subject(row), ("stay", row.stay)):
        return
    if approval.granted:
        rows.approve(conn, approval.person, approval.id)
    else:
        clocks.move_item(conn, CHECK, _subject(row), now)
    due.settle(conn, ctx, APPROVAL, subject=_subject(row), now=now)


def _visible(conn: Connection, ctx: Context, stay_id: str) -> StayRow:
    require_stay(conn, ctx, stay_id)
    return stays.stay(conn, stay_id)


def _in_centre(conn: Connection, stay: StayRow) -> bool:
    """Whether the stay's bed is in a compulsory centre."""
    claim, unit = core.bed_claim.c, core.unit.c
    return bool(
        conn.execute(
            select(
                exists().where(
                    claim.stay_id == stay.id,
                    claim.voided_at.is_(None),
                    unit.id == claim.unit_id,
                    unit.kind.in_(sorted(COMPULSORY_CENTRES)),
                )
            )
        ).scalar_one()
    )


def _require_here(ctx: Context, stay: StayRow, *, ordering: bool, centre: bool) -> None:
    require_facility(ctx.actor, stay.facility)
    if ctx.actor.facility is not None and ctx.actor.facility != stay.facility:
        raise Forbidden(
            "other-facility",
            f"this key speaks for {ctx.actor.facility}; the person is at {stay.facility}",
            facility=stay.facility,
        )
    if ordering and not centre and ctx.actor.role is not Role.CLINICIAN:
        raise Forbidden(
            "not-for-this-role", "in a hospital or a ward a doctor orders a protective restraint"
        )


def _named_approval(
    conn: Connection, ctx: Context, person: str, named: str | None, at: datetime
) -> ApprovalRow | None:
    if named is None:
        return None
    row = approvals.find(conn, named)
    today = legal_today(ctx, at)
    fits = (
        row is not None
        and row.person == person
        and row.kind is ApprovalKind.PROTECTIVE_RESTRAINT
        and row.granted
        and row.revoked_at is None
        and row.decided_on <= today
        and (row.valid_until is None or today <= row.valid_until)
    )
    if row is None or not fits:
        raise Invalid.field(
            "/approval",
            "not-approved",
            "name a yes of the head of the centre to a restraint of this person that is in force, "
            "or leave it out: it is due then",
            named,
        )
    return row


def _locked(
    conn: Connection, ctx: Context, restraint_id: str, version: int | None
) -> tuple[RestraintRow, StayRow, datetime]:
    found = rows.restraint(conn, restraint_id)
    stay = _visible(conn, ctx, found.stay)
    _require_here(ctx, stay, ordering=False, centre=False)
    at = lock_person(conn, found.person)
    row = rows.restraint(conn, restraint_id)
    if version is not None:
        require_version(version, row.version)
    if row.ended_at is not None:
        raise Conflict(
            "restraint-ended", "this restraint was lifted already", restraint=restraint_id
        )
    return row, stay, at


def _end(
    conn: Connection, ctx: Context, row: RestraintRow, stay: StayRow, at: datetime
) -> RestraintView:
    row = rows.rewrite(conn, row, ended_at=max(at, row.began_at), ended_by=ctx.actor.id)
    due.settle(conn, ctx, CHECK, subject=_subject(row), now=at)
    _told(conn, ctx, "restraint.ended", row, stay, at)
    return _view(conn, ctx, row)


def _subject(row: RestraintRow) -> tuple[str, str]:
    return "restraint", row.id


def _purpose(restraint_id: str) -> str:
    return f"restraint.reason {restraint_id}"


def _check_by(ctx: Context, at: datetime) -> datetime:
    return at + timedelta(minutes=ctx.policy.restraints.check_minutes)


def _owe(
    conn: Connection,
    ctx: Context,
    kind: str,
    row: RestraintRow,
    stay: StayRow,
    now: datetime,
    due_at: datetime | None,
) -> None:
    due.owe(
        conn,
        ctx,
        kind,
        subject=_subject(row),
        now=now,
        person=row.person,
        facility=stay.facility,
        due_at=due_at,
    )


def _told(
    conn: Connection, ctx: Context, operation: str, row: RestraintRow, stay: StayRow, at: datetime
) -> None:
    events.append(
        conn,
        ctx.actor,
        operation,
        "restraint",
        row.id,
        person=row.person,
        facility=stay.facility,
        occurred_at=at,
    )


def _view(conn: Connection, ctx: Context, row: RestraintRow) -> RestraintView:
    said: dict[str, str] = {}
    if ctx.actor.role in _READS_REASONS:
        said = json.loads(ctx.vault.open_text(row.reason, _purpose(row.id)))
    running = clocks.running(conn, _subject(row)) if row.ended_at is None else []
    return RestraintView(
        id=row.id,
        person=row.person,
        stay=row.stay,
        kind=row.kind,
        ordered_by=row.ordered_by,
        approved=row.approval is not None,
        danger=Danger(said["danger"]) if said else None,
        reason=said.get("reason"),
        tried=said.get("tried"),
        began_at=row.began_at,
        checked_at=row.checked_at,
        checks=row.checks,
        check_by=next((it.due_at for it in running if it.kind == CHECK), None),
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        version=row.version,
    )
