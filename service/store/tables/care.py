"""Screening at night, protective restraint, and refusals shown to an officer."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index
from sqlmodel import SQLModel

from service.store.tables.columns import code_check, instant, text, texts
from solver.codes import Screening, Tri


class Consciousness(StrEnum):
    """How awake somebody is, as an officer can tell."""

    ALERT = "alert"
    DROWSY = "drowsy"
    CONFUSED = "confused"
    UNRESPONSIVE = "unresponsive"
    UNKNOWN = "unknown"


class LastUse(StrEnum):
    """When somebody last took alcohol or a sedative: their withdrawal is the lethal one."""

    NEVER = "never"
    OVER_72H = "over_72h"
    WITHIN_72H = "within_72h"
    WITHIN_24H = "within_24h"
    UNKNOWN = "unknown"


class RestraintKind(StrEnum):
    """What was done to prevent harm; never a punishment (Mental Health Law art. 40)."""

    RESTRAINT = "restraint"  # 保护性约束
    ISOLATION = "isolation"  # 隔离


class ScreeningRecord(SQLModel, table=True):
    """An officer's short questions at intake; never a grade, and an assessment ends its effect."""

    __tablename__ = "screening"
    __table_args__ = (
        code_check("consciousness", Consciousness),
        code_check("bleeding", Tri),
        code_check("cough_or_fever", Tri),
        code_check("self_harm", Tri),
        code_check("last_alcohol_or_sedative", LastUse),
        code_check("outcome", Screening),
        Index("ix_screening_person_id_screened_at", "person_id", "screened_at"),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id")
    request_id: str | None = text(default=None, foreign_key="placement_request.id")
    consciousness: str = text()
    bleeding: str = text()
    cough_or_fever: str = text()
    self_harm: str = text()
    last_alcohol_or_sedative: str = text()
    outcome: str = text()
    screened_at: datetime = instant()
    screened_by: str = text()
    recorded_at: datetime = instant()


class Restraint(SQLModel, table=True):
    """A protective restraint: begun, watched, lifted when the risk ends; all of it logged."""

    __tablename__ = "restraint"
    __table_args__ = (
        code_check("kind", RestraintKind),
        CheckConstraint("ended_at >= began_at", name="order"),
        Index("uq_restraint_open", "person_id", unique=True, postgresql_where="ended_at IS NULL"),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id", index=True)
    stay_id: str = text(foreign_key="stay.id")
    kind: str = text()
    reason: bytes
    ordered_by: str = text()
    approval_id: str | None = text(default=None, foreign_key="approval.id")
    began_at: datetime = instant()
    checked_at: datetime | None = instant(default=None)
    checks: int = 0
    ended_at: datetime | None = instant(default=None)
    ended_by: str | None = text(default=None)
    recorded_at: datetime = instant()
    version: int = 1


class RefusalRecord(SQLModel, table=True):
    """That a caller was refused a bed for a person, by which rules; facts edited after it are
    flagged to the auditor."""

    __tablename__ = "refusal_record"
    __table_args__ = (Index("ix_refusal_record_person_id_refused_at", "person_id", "refused_at"),)

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id")
    request_id: str | None = text(default=None, foreign_key="placement_request.id")
    rules: list[str] = texts()
    refused_at: datetime = instant()
    refused_to: str = text()
