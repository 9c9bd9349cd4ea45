"""Terms, absences from them, approvals, doctors' opinions on law's questions, community measures.

A term 期限 runs from the day of the decision to release, whatever bed its person is in. Its state
is never stored: it follows from its end, its open absence and the person's stays
(``service.store.terms``), so it is always exactly one.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlmodel import SQLModel

from service.lifecycle import ApprovalKind as ApprovalKind
from service.store.tables.columns import code_check, instant, json, text, texts
from solver.codes import DangerCase, Organ, Tri


class TermEnd(StrEnum):
    """How a compulsory term ended."""

    EXPIRED = "expired"  # 期满解除
    RELEASED_EARLY = "released_early"  # 提前解除
    CHANGED_TO_COMMUNITY = "changed_to_community"  # 变更社区戒毒
    REVOKED = "revoked"  # the decision was set aside
    NOT_APPLICABLE = "not_applicable"  # 不适用: pregnant, nursing, under 16
    DIED = "died"


class AbsenceKind(StrEnum):
    """Why somebody under a term is in none of the network's custodial beds."""

    ESCAPE = "escape"  # 脱逃: does not count (Regulations art. 32)
    DETENTION = "detention"  # 行政拘留: counts
    ARREST = "arrest"  # 逮捕、服刑: counts (Regulations art. 36)
    OUT_MEDICAL = "out_medical"  # 所外就医: counts (Regulations art. 31)


class OpinionKind(StrEnum):
    """What doctors were asked, beyond the grade of care."""

    JOINT_HOSPITAL = "joint_hospital"  # jointly appointed hospital, before a justice centre
    OUT_MEDICAL_NEED = "out_medical_need"  # severe illness, life at risk
    PSYCHIATRIC_DIAGNOSIS = "psychiatric_diagnosis"  # licensed psychiatrist
    REDIAGNOSIS = "rediagnosis"  # two other psychiatrists
    EXPERT_OPINION = "expert_opinion"  # 医学鉴定
    REASSESSMENT = "reassessment"  # periodic, of an involuntary stay
    CAPACITY = "capacity"  # able to decide on treatment


class ProposalKind(StrEnum):
    """What a centre proposes to the organ that decided; it answers within seven days."""

    EARLY_RELEASE = "early_release"  # 提前解除
    EXTENSION = "extension"  # 延长期限
    CHANGE_TO_COMMUNITY = "change_to_community"  # 变更社区戒毒


class CommunityKind(StrEnum):
    """Measures outside any bed, known here only because they border on one."""

    COMMUNITY_DETOX = "community_detox"  # 社区戒毒: three years, fixed
    COMMUNITY_REHAB = "community_rehab"  # 社区康复: up to three, after release only


class CommunityEnd(StrEnum):
    """How a community measure ended."""

    EXPIRED = "expired"  # 期满解除
    REFUSED = "refused"  # did not report in time: a fact, which triggers nothing
    BREACHED = "breached"  # 严重违反协议
    IMPRISONED = "imprisoned"  # Regulations art. 24
    COMPULSORY = "compulsory"  # a compulsory decision took its place
    REVOKED = "revoked"
    DIED = "died"


class Term(SQLModel, table=True):
    """A compulsory term; ``ends_on`` is its last day with extension and escape days added.

    ``psc_since``: first day in a police-run centre under it. ``responsible_facility_id``: the
    centre that executes it, wherever its person is treated.
    """

    __tablename__ = "term"
    __table_args__ = (
        code_check("end_code", TermEnd),
        CheckConstraint("decided_on <= ends_on", name="days"),
        CheckConstraint("extension_days BETWEEN 0 AND 366", name="extension_days"),
        CheckConstraint("escape_days >= 0", name="escape_days"),
        CheckConstraint("(closed_at IS NULL) = (end_code IS NULL)", name="closed"),
        Index(
            "uq_term_open_person", "person_id", unique=True, postgresql_where="closed_at IS NULL"
        ),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id", index=True)
    basis_id: str = text(foreign_key="legal_basis.id", unique=True)
    responsible_facility_id: str | None = text(default=None, foreign_key="facility.id")
    decided_on: date
    ends_on: date
    extension_days: int = 0
    escape_days: int = 0
    psc_since: date | None = None
    closed_at: datetime | None = instant(default=None)
    closed_by: str | None = text(default=None)
    end_code: str | None = text(default=None)
    recorded_by: str = text()
    recorded_at: datetime = instant()
    version: int = 1


class TermAbsence(SQLModel, table=True):
    """Days ``[began_on, ended_on)`` of a term spent out of the network's custody; one open."""

    __tablename__ = "term_absence"
    __table_args__ = (
        code_check("kind", AbsenceKind),
        CheckConstraint("began_on <= ended_on", name="days"),
        Index("uq_term_absence_open", "term_id", unique=True, postgresql_where="ended_on IS NULL"),
    )

    id: str = text(primary_key=True)
    term_id: str = text(foreign_key="term.id", index=True)
    person_id: str = text(foreign_key="person.id", index=True)
    kind: str = text()
    began_on: date
    ended_on: date | None = None
    document: bytes | None = None
    recorded_by: str = text()
    recorded_at: datetime = instant()
    ended_by: str | None = text(default=None)


class TermProposal(SQLModel, table=True):
    """What the centre proposed of a term, and whether the deciding organ agreed.

    ``days``: how much longer, for an extension. ``findings``: the parts of the diagnosis
    assessment 诊断评估 with their results, as codes.
    """

    __tablename__ = "term_proposal"
    __table_args__ = (
        code_check("kind", ProposalKind),
        CheckConstraint("(kind = 'extension') = (days IS NOT NULL)", name="days"),
        CheckConstraint("(answered_at IS NULL) = (granted IS NULL)", name="answered"),
        Index(
            "uq_term_proposal_open",
            "term_id",
            "kind",
            unique=True,
            postgresql_where="answered_at IS NULL",
        ),
    )

    id: str = text(primary_key=True)
    term_id: str = text(foreign_key="term.id", index=True)
    person_id: str = text(foreign_key="person.id", index=True)
    kind: str = text()
    days: int | None = None
    findings: dict[str, Any] = json(default_factory=dict)
    proposed_at: datetime = instant()
    recorded_by: str = text()
    answered_at: datetime | None = instant(default=None)
    granted: bool | None = None
    approval_id: str | None = text(default=None, foreign_key="approval.id")


class Approval(SQLModel, table=True):
    """An organ's written yes or no 审批. ``subject``: the transfer, term or stay it is about."""

    __tablename__ = "approval"
    __table_args__ = (
        code_check("kind", ApprovalKind),
        code_check("organ", Organ),
        CheckConstraint("(subject_type IS NULL) = (subject_id IS NULL)", name="subject"),
        Index("ix_approval_subject", "subject_type", "subject_id"),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id", index=True)
    kind: str = text()
    subject_type: str | None = text(default=None)
    subject_id: str | None = text(default=None)
    organ: str = text()
    approver: bytes | None = None
    document: bytes | None = None
    granted: bool
    decided_on: date
    valid_until: date | None = None
    revoked_at: datetime | None = instant(default=None)
    recorded_by: str = text()
    recorded_at: datetime = instant()


class Opinion(SQLModel, table=True):
    """What doctors found on a question of law; the newest of a kind that is not revoked counts.

    ``severe``: a severe mental disorder, or a severe illness. ``at_risk``: life in danger unless
    treated outside. ``confirmed``: a re-diagnosis, opinion or reassessment found the need.
    """

    __tablename__ = "opinion"
    __table_args__ = (
        code_check("kind", OpinionKind),
        code_check("danger_case", DangerCase),
        code_check("capable", Tri),
        Index("ix_opinion_person_id_kind", "person_id", "kind"),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id")
    kind: str = text()
    severe: bool | None = None
    at_risk: bool | None = None
    danger_case: str | None = text(default=None)
    confirmed: bool | None = None
    capable: str | None = text(default=None)
    hospital: str = text()
    doctors: list[str] = texts()
    stated_at: datetime = instant()
    review_on: date | None = None
    revoked_at: datetime | None = instant(default=None)
    recorded_by: str = text()
    recorded_at: datetime = instant()


class CommunityMeasure(SQLModel, table=True):
    """Community detoxification or rehabilitation; ``ends_on`` is its last day.

    ``ordered_months``: how long a rehabilitation was ordered for, when not for three years.
    ``paused_on``: detained since that day, so the days do not count; ``paused_days`` were.
    ``set_off_days``: days of a compulsory term changed to this, which count.
    """

    __tablename__ = "community_measure"
    __table_args__ = (
        code_check("kind", CommunityKind),
        code_check("organ", Organ),
        code_check("end_code", CommunityEnd),
        CheckConstraint("(ended_at IS NULL) = (end_code IS NULL)", name="ended"),
        Index(
            "uq_community_measure_open",
            "person_id",
            unique=True,
            postgresql_where="ended_at IS NULL",
        ),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id", index=True)
    kind: str = text()
    organ: str = text()
    document: bytes | None = None
    term_id: str | None = text(default=None, foreign_key="term.id")
    received_on: date
    reported_on: date | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    ordered_months: int | None = None
    set_off_days: int = 0
    paused_on: date | None = None
    paused_days: int = 0
    ended_at: datetime | None = instant(default=None)
    end_code: str | None = text(default=None)
    recorded_by: str = text()
    recorded_at: datetime = instant()
    version: int = 1
