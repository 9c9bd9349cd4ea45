"""Clocks, places that became wrong, differences between record and room, and people's own words."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlmodel import SQLModel

from service.store.tables.columns import code_check, instant, json, text, texts


class DiscrepancyKind(StrEnum):
    """How the record and the ward differ."""

    DECLINED_FREE_BED = "declined_free_bed"  # declined although its status was free and fresh
    MISSING = "missing"  # on record, not found at the roll count
    NOT_ON_RECORD = "not_on_record"  # found, and on no record of the unit
    WRONG_BED = "wrong_bed"


class WordKind(StrEnum):
    """What a person, or somebody for them, says about their case."""

    OBJECTION = "objection"  # 异议
    COMPLAINT = "complaint"  # 投诉
    REVIEW = "review"  # 行政复议: forwarded promptly, suspends nothing by itself
    WISH = "wish"  # 意愿


class WordBy(StrEnum):
    """Whose word it is."""

    PERSON = "person"
    GUARDIAN = "guardian"
    FAMILY = "family"
    LAWYER = "lawyer"


class DueItem(SQLModel, table=True):
    """A clock: what is due, to or from whom, by when. One open of a kind a subject.

    ``owner``: who must act; ``recipient``: whom a notice 告知 goes to. ``alarmed_at``: the event
    that it is overdue was written. ``done_at``: when the thing was done, which may be before it was
    recorded; ``document`` and ``note`` are sealed.
    """

    __tablename__ = "due_item"
    __table_args__ = (
        CheckConstraint("(settled_at IS NULL) = (outcome IS NULL)", name="settled"),
        Index(
            "uq_due_item_open",
            "kind",
            "subject_type",
            "subject_id",
            unique=True,
            postgresql_where="settled_at IS NULL",
        ),
        Index("ix_due_item_open_due", "due_at", postgresql_where="settled_at IS NULL"),
        Index("ix_due_item_open_facility", "facility_id", postgresql_where="settled_at IS NULL"),
        Index("ix_due_item_person_id", "person_id"),
    )

    id: str = text(primary_key=True)
    kind: str = text()
    subject_type: str = text()
    subject_id: str = text()
    person_id: str | None = text(default=None, foreign_key="person.id")
    facility_id: str | None = text(default=None, foreign_key="facility.id")
    owner: str = text()
    recipient: str | None = text(default=None)
    detail: str | None = text(default=None)
    due_at: datetime = instant()
    opened_at: datetime = instant()
    opened_by: str = text()
    alarmed_at: datetime | None = instant(default=None)
    settled_at: datetime | None = instant(default=None)
    settled_by: str | None = text(default=None)
    outcome: str | None = text(default=None)
    done_at: datetime | None = instant(default=None)
    document: bytes | None = None
    note: bytes | None = None
    version: int = 1


class Misplacement(SQLModel, table=True):
    """A resident's present place is not, or no longer, lawful and safe; one open a stay."""

    __tablename__ = "misplacement"
    __table_args__ = (
        Index("uq_misplacement_open", "stay_id", unique=True, postgresql_where="ended_at IS NULL"),
    )

    id: str = text(primary_key=True)
    stay_id: str = text(foreign_key="stay.id")
    person_id: str = text(foreign_key="person.id", index=True)
    facility_id: str = text(foreign_key="facility.id")
    unit_id: str = text(foreign_key="unit.id")
    bed_id: str = text(foreign_key="bed.id")
    rules: list[str] = texts()
    since: datetime = instant()
    ended_at: datetime | None = instant(default=None)
    version: int = 1


class Discrepancy(SQLModel, table=True):
    """The record and the ward differ; somebody must look and say which was wrong."""

    __tablename__ = "discrepancy"
    __table_args__ = (
        code_check("kind", DiscrepancyKind),
        CheckConstraint("(resolved_at IS NULL) = (resolution IS NULL)", name="resolved"),
        Index(
            "ix_discrepancy_open_facility", "facility_id", postgresql_where="resolved_at IS NULL"
        ),
    )

    id: str = text(primary_key=True)
    kind: str = text()
    facility_id: str = text(foreign_key="facility.id")
    unit_id: str = text(foreign_key="unit.id")
    bed_id: str | None = text(default=None, foreign_key="bed.id")
    person_id: str | None = text(default=None, foreign_key="person.id")
    subject_type: str | None = text(default=None)
    subject_id: str | None = text(default=None)
    opened_at: datetime = instant()
    opened_by: str = text()
    resolved_at: datetime | None = instant(default=None)
    resolved_by: str | None = text(default=None)
    resolution: str | None = text(default=None)
    version: int = 1


class RollCount(SQLModel, table=True):
    """Who was found in a unit at a shift's count, against who was on record."""

    __tablename__ = "roll_count"
    __table_args__ = (
        Index("uq_roll_count_unit_id_day_shift", "unit_id", "day", "shift", unique=True),
    )

    id: str = text(primary_key=True)
    unit_id: str = text(foreign_key="unit.id")
    facility_id: str = text(foreign_key="facility.id")
    day: date
    shift: str = text()
    expected: int
    found: int
    counted_at: datetime = instant()
    counted_by: str = text()


class PersonalWord(SQLModel, table=True):
    """An objection, complaint, request for review or wish 异议、意愿, and its answer.

    It stands beside every proposal and decision about the person; no re-run erases it.
    """

    __tablename__ = "personal_word"
    __table_args__ = (
        code_check("kind", WordKind),
        code_check("said_by", WordBy),
        CheckConstraint("(answered_at IS NULL) = (answer IS NULL)", name="answered"),
        Index("ix_personal_word_about", "about_type", "about_id"),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id", index=True)
    kind: str = text()
    said_by: str = text()
    about_type: str | None = text(default=None)
    about_id: str | None = text(default=None)
    units: list[str] = texts()
    words: bytes
    said_at: datetime = instant()
    recorded_by: str = text()
    recorded_at: datetime = instant()
    answer: bytes | None = None
    answered_by: str | None = text(default=None)
    answered_at: datetime | None = instant(default=None)
    withdrawn_at: datetime | None = instant(default=None)
    version: int = 1


class AuditFlag(SQLModel, table=True):
    """Something an auditor should look at: facts edited after a refusal, a hold past others."""

    __tablename__ = "audit_flag"

    id: str = text(primary_key=True)
    kind: str = text()
    person_id: str | None = text(default=None, foreign_key="person.id", index=True)
    request_id: str | None = text(default=None, foreign_key="placement_request.id")
    subject_type: str | None = text(default=None)
    subject_id: str | None = text(default=None)
    data: dict[str, Any] = json(default_factory=dict)
    raised_by: str = text()
    raised_at: datetime = instant()
    seen_by: str | None = text(default=None)
    seen_at: datetime | None = instant(default=None)
    note: str | None = text(default=None)
