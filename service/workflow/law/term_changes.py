"""What a centre proposes of a term and what the deciding organ answers: an early release, an
extension, a change to the community.

Only the organ that decided may agree (Anti-Drug Law art. 47, Regulations arts. 31, 33), and it
answers within seven days. Its answer is an approval on record; it takes effect here.
"""

from datetime import date
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, select

from service.errors import Conflict, Invalid
from service.lifecycle import ApprovalKind
from service.store import approvals
from service.store import term_records as records
from service.store import terms as rows
from service.store.approvals import ApprovalRow
from service.store.tables.core import community_measure
from service.store.tables.law import (
    AbsenceKind,
    CommunityEnd,
    CommunityKind,
    ProposalKind,
    TermEnd,
)
from service.store.term_records import ProposalRow
from service.store.terms import TermRow
from service.workflow.context import Context
from service.workflow.judgement import reasoned
from service.workflow.law import community, term_dates
from service.workflow.law.approvals import answering
from service.workflow.law.releases import let_go
from service.workflow.law.term_beds import lock_term, lock_term_and_beds
from service.workflow.law.term_view import TermDetail, term_detail
from service.workflow.law.terms import TERM, owe, recomputed, require_running, told
from service.workflow.persons.people import legal_today
from service.workflow.watch import due
from service.workflow.watch.watching import rejudge
from service.workflow.watch.watching_reviews import require_reviewed

CLOCKS: Final = {
    ProposalKind.EARLY_RELEASE: "early_release_answer",
    ProposalKind.EXTENSION: "extension_answer",
    ProposalKind.CHANGE_TO_COMMUNITY: "change_answer",
}


class Part(StrEnum):
    """The parts of a diagnosis assessment 诊断评估 (rule X12)."""

    DETOX = "detox"  # 生理脱毒
    RECOVERY = "recovery"  # 身心康复
    CONDUCT = "conduct"  # 行为表现
    ENVIRONMENT = "environment"  # 社会环境与适应能力


class Result(StrEnum):
    """What a part came to: passed or not; for the environment good or fair."""

    PASSED = "passed"  # 合格
    NOT_PASSED = "not_passed"  # 不合格
    GOOD = "good"  # 良好
    FAIR = "fair"  # 一般


_PASSED_PARTS: Final = (Part.DETOX, Part.RECOVERY, Part.CONDUCT)
_RESULTS: Final = {
    **dict.fromkeys(_PASSED_PARTS, (Result.PASSED, Result.NOT_PASSED)),
    Part.ENVIRONMENT: (Result.GOOD, Result.FAIR),
}


def propose(
    conn: Connection,
    ctx: Context,
    term: str,
    kind: ProposalKind,
    *,
    findings: dict[Part, Result] | None = None,
    days: int | None = None,
) -> TermDetail:
    """Put a proposal before the organ that decided; it has seven days to answer.

    An early release rests on a diagnosis assessment whose parts were passed, not before a year
    of the term is over, never after an escape (Regulations art. 32) and never for somebody who
    had refused or gravely broken a community rehabilitation and used again (art. 38). An
    extension is proposed before the term's last day is over, and all extensions together add a
    year at most (Anti-Drug Law art. 47). A change to the community is for those unfit to go back.

    Raises:
        Invalid: an assessment that is not whole, days missing or beyond what the law allows.
        NotFound: no such term.
        Conflict: ``term-closed``, ``term-over``, ``proposal-open``, ``early-release-barred``
            naming the rule.
    """
    now, row = lock_term(conn, ctx, term)
    require_running(ctx, row, now)
    if any(it.kind is kind and it.answered_at is None for it in records.proposals(conn, row.id)):
        raise Conflict(
            "proposal-open",
            "this was proposed already and waits for the deciding organ; record its answer",
            term=row.id,
        )
    given = findings or {}
    if kind is not ProposalKind.CHANGE_TO_COMMUNITY:
        _require_assessment(given)
    if kind is ProposalKind.EARLY_RELEASE:
        _may_leave_early(conn, row, legal_today(ctx, now))
        _require_passed(given)
    if kind is ProposalKind.EXTENSION:
        require_reviewed(conn, ctx, row.person, now)
        _require_days(row, days)
    elif days is not None:
        raise Invalid.field("/days", "not-an-extension", "only an extension has days", days)
    records.add_proposal(
        conn,
        row,
        kind,
        days=days,
        findings={part.value: result.value for part, result in given.items()},
        by=ctx.actor.id,
        now=now,
    )
    owe(conn, ctx, row, CLOCKS[kind], now)
    if kind is ProposalKind.EXTENSION:
        due.settle(conn, ctx, "extension_proposal", subject=(TERM, row.id), now=now)
    told(conn, ctx, row, "term.change_proposed", now)
    return term_detail(conn, ctx, rows.term(conn, row.id), now)


def answer(
    conn: Connection, ctx: Context, term: str, kind: ProposalKind, *, reason: str
) -> TermDetail:
    """Let the deciding organ's answer on record take effect: a no closes the proposal, a yes
    extends the term, releases the person early, or changes the term to community detoxification,
    with the days served set off (Regulations art. 31).

    Raises:
        NotFound: no such term. Invalid: no reason.
        Conflict: ``term-closed``, ``term-over`` (an answer that comes later extends nothing),
            ``no-proposal``, ``answer-missing`` naming the organ, ``early-release-barred``.
    """
    why = reasoned(reason)
    now, row = lock_term_and_beds(conn, ctx, term)
    require_running(ctx, row, now)
    asked = _open_proposal(conn, row, kind)
    said = _answer(conn, ctx, row, kind, asked)
    if said.granted and kind is ProposalKind.EARLY_RELEASE:
        _may_leave_early(conn, row, legal_today(ctx, now))
    records.answer_proposals(
        conn, row.id, kind=kind, granted=said.granted, now=now, approval=said.id
    )
    due.settle(conn, ctx, CLOCKS[kind], subject=(TERM, row.id), now=now)
    told(conn, ctx, row, "term.change_answered", now)
    if not said.granted:
        return term_detail(conn, ctx, row, now)
    if kind is ProposalKind.EARLY_RELEASE:
        return let_go(conn, ctx, row, TermEnd.RELEASED_EARLY, why, now)
    if kind is ProposalKind.CHANGE_TO_COMMUNITY:
        community.change_term(conn, ctx, row, now)
        return let_go(conn, ctx, row, TermEnd.CHANGED_TO_COMMUNITY, why, now)
    row = recomputed(conn, ctx, row, now, extension_days=row.extension_days + (asked.days or 0))
    owe(conn, ctx, row, "notify_family", now)
    told(conn, ctx, row, "term.extended", now)
    rejudge(conn, ctx, now, persons=[row.person])
    return term_detail(conn, ctx, row, now)


def _require_assessment(given: dict[Part, Result]) -> None:
    missing = [part.value for part in Part if part not in given]
    if missing:
        raise Invalid.field(
            "/findings",
            "assessment-missing",
            f"a diagnosis assessment comes first; its parts not given: {', '.join(missing)}",
        )
    for part, result in given.items():
        if result not in _RESULTS[part]:
            raise Invalid.field(
                f"/findings/{part.value}",
                "not-a-result",
                f"this part is one of: {', '.join(_RESULTS[part])}",
                result.value,
            )


def _require_passed(given: dict[Part, Result]) -> None:
    if any(given[part] is not Result.PASSED for part in _PASSED_PARTS):
        raise Conflict(
            "early-release-barred",
            "an early release is proposed for those who recovered well: detoxification, recovery "
            "and conduct are each passed in the assessment",
            rule="X12",
        )


def _require_days(row: TermRow, days: int | None) -> None:
    left = term_dates.longest_extension(row.decided_on) - row.extension_days
    if days is None:
        raise Invalid.field("/days", "missing", "say by how many days the term is extended")
    if not 1 <= days <= left:
        raise Invalid.field(
            "/days",
            "longer-than-the-law",
            f"all extensions together add at most one year; {left} days of it are left",
            days,
        )


def _may_leave_early(conn: Connection, row: TermRow, today: date) -> None:
    first = term_dates.early_release_from(row.decided_on)
    if today < first:
        raise _barred(row, "T04", f"one year is executed first, until {first}")
    if any(it.kind is AbsenceKind.ESCAPE for it in records.absences(conn, row.id)):
        raise _barred(row, "X13", "there was an escape under this term")
    if _broke_rehab(conn, row):
        raise _barred(row, "X13", "a community rehabilitation was refused or gravely broken before")


def _barred(row: TermRow, rule: str, why: str) -> Conflict:
    return Conflict(
        "early-release-barred",
        f"no early release can be proposed: {why}. The term ends on {row.ends_on}",
        term=row.id,
        rule=rule,
        ends_on=row.ends_on.isoformat(),
    )


def _broke_rehab(conn: Connection, row: TermRow) -> bool:
    measure = community_measure.c
    return (
        conn.execute(
            select(measure.id)
            .where(
                measure.person_id == row.person,
                measure.kind == CommunityKind.COMMUNITY_REHAB.value,
                measure.end_code.in_([CommunityEnd.REFUSED.value, CommunityEnd.BREACHED.value]),
                measure.received_on <= row.decided_on,
            )
            .limit(1)
        ).first()
        is not None
    )


def _open_proposal(conn: Connection, row: TermRow, kind: ProposalKind) -> ProposalRow:
    for it in records.proposals(conn, row.id):
        if it.kind is kind and it.answered_at is None:
            return it
    raise Conflict(
        "no-proposal",
        "nothing of this kind waits for an answer; propose it first",
        term=row.id,
        kind=kind.value,
    )


def _answer(
    conn: Connection, ctx: Context, row: TermRow, kind: ProposalKind, asked: ProposalRow
) -> ApprovalRow:
    """The newest answer of the organ that decided, given since the proposal."""
    since = legal_today(ctx, asked.proposed_at)
    organs = answering(conn, ctx, row.person, ApprovalKind(kind.value))
    for it in approvals.of_person(conn, row.person):
        if (
            it.kind is ApprovalKind(kind.value)
            and it.organ in organs
            and it.revoked_at is None
            and it.subject in (None, (TERM, row.id))
            and it.decided_on >= since
            and it.recorded_at >= asked.proposed_at
        ):
            return it
    raise Conflict(
        "answer-missing",
        f"the organ that decided ({' or '.join(sorted(organs))}) has not answered on record "
        f"since {since}: record its approval or refusal first",
        term=row.id,
        kind=kind.value,
        organs=sorted(organs),
    )
