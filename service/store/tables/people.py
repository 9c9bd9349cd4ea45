"""People under a pseudonym, and what decides where they may be: basis, consent, assessment.

Names, document numbers and phones are encrypted by the service before they reach a column; a
keyed blind index on the document number stops a second record of the same person.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlmodel import SQLModel

from service.store.tables.columns import (
    code_check,
    instant,
    json,
    number_check,
    subset_check,
    text,
    texts,
)
from solver.codes import (
    BedKind,
    ConsentBy,
    Critical,
    Grade,
    Ground,
    Isolation,
    LegalBasis,
    NursingLevel,
    Observation,
    Organ,
    Sex,
    Tri,
    Triage,
    UnitKind,
)


class Person(SQLModel, table=True):
    """A person; ``id`` is the pseudonym. ``merged_into`` names the record that lives on.

    ``identified``: false for somebody an emergency brought in unnamed; only then may ``sex`` be
    missing and ``birth_date`` be an estimate.
    """

    __tablename__ = "person"
    __table_args__ = (
        code_check("sex", Sex),
        code_check("sole_carer", Tri),
        CheckConstraint("sex IS NOT NULL OR NOT identified", name="sex_known"),
        Index(
            "uq_person_document_index",
            "document_index",
            unique=True,
            postgresql_where="merged_into IS NULL",
        ),
    )

    id: str = text(primary_key=True)
    sex: str | None = text(default=None)
    birth_date: date
    identified: bool = True
    identity: bytes | None = None
    document_index: str | None = text(default=None)
    home_east_km: float | None = None
    home_north_km: float | None = None
    origin_unit_id: str | None = text(default=None, foreign_key="unit.id")
    guardian: bytes | None = None
    nursing_child_born_on: date | None = None
    sole_carer: str = text(default=Tri.UNKNOWN.value)
    merged_into: str | None = text(default=None, foreign_key="person.id")
    created_at: datetime = instant()
    version: int = 1


class LegalBasisRecord(SQLModel, table=True):
    """Why the law lets this person be in a bed: a decision or an agreement, with its days.

    ``starts_on`` to ``ends_on`` are days in Asia/Shanghai, both inclusive (the term ends at
    24:00 of ``ends_on``).
    """

    __tablename__ = "legal_basis"
    __table_args__ = (
        code_check("kind", LegalBasis),
        code_check("body", Organ),
        code_check("ground", Ground),
        CheckConstraint("starts_on <= ends_on", name="days"),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id", index=True)
    kind: str = text()
    document: bytes | None = None
    body: str | None = text(default=None)
    ground: str | None = text(default=None)
    served_at: datetime | None = instant(default=None)
    starts_on: date
    ends_on: date
    under_16_reasons: bool = False
    revoked_at: datetime | None = instant(default=None)
    recorded_by: str = text()
    recorded_at: datetime = instant()
    version: int = 1


class ConsentRecord(SQLModel, table=True):
    """Consent to treatment in these kinds of unit, until the end of ``ends_on``; revocable.

    ``capable``: what a doctor of the hospital found of the person's capacity, by ``capacity_by``
    at ``capacity_at``. ``sober`` false: given under intoxication, so it lapses at ``lapses_at``
    unless it is said again sober (``repeated_at``). ``refused``: the answer was no; it closes a
    request and triggers nothing. ``told_no_adverse_effect``: told that a no costs nothing.
    ``over_at``: that it is over, by its last day or lapsed, was written.
    """

    __tablename__ = "consent"
    __table_args__ = (
        code_check("given_by", ConsentBy),
        subset_check("kinds", UnitKind),
        code_check("capable", Tri),
        CheckConstraint("starts_on <= ends_on", name="days"),
        Index(
            "ix_consent_running",
            "ends_on",
            postgresql_where="NOT refused AND withdrawn_at IS NULL AND over_at IS NULL",
        ),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id", index=True)
    given_by: str = text()
    kinds: list[str] = texts()
    agreement: bool = False
    starts_on: date
    ends_on: date
    given_at: datetime | None = instant(default=None)
    place: str | None = text(default=None)
    takers: list[str] = texts()
    witness: bytes | None = None
    capable: str | None = text(default=None)
    capacity_by: str | None = text(default=None)
    capacity_at: datetime | None = instant(default=None)
    told_alternatives: bool = False
    told_no_adverse_effect: bool = False
    sober: bool = True
    lapses_at: datetime | None = instant(default=None)
    repeated_at: datetime | None = instant(default=None)
    refused: bool = False
    withdrawn_at: datetime | None = instant(default=None)
    withdrawn_by: str | None = text(default=None)
    withdrawal_recorded_by: str | None = text(default=None)
    over_at: datetime | None = instant(default=None)
    recorded_by: str = text()
    recorded_at: datetime = instant()
    version: int = 1


class Assessment(SQLModel, table=True):
    """A clinician's finding; the newest counts. ``grade`` is the maximum of ``dimensions``."""

    __tablename__ = "assessment"
    __table_args__ = (
        number_check("grade", Grade),
        subset_check("needs", BedKind),
        code_check("isolation", Isolation),
        code_check("observation", Observation),
        code_check("pregnant", Tri),
        code_check("nursing", Tri),
        code_check("nursing_level", NursingLevel),
        code_check("critical", Critical),
        code_check("triage", Triage),
        Index("ix_assessment_person_id_assessed_at", "person_id", "assessed_at"),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id")
    dimensions: dict[str, Any] = json()
    grade: int | None = None
    needs: list[str] = texts()
    isolation: str = text()
    observation: str = text()
    pregnant: str = text()
    nursing: str = text()
    nursing_level: str = text(default=NursingLevel.UNKNOWN.value)
    critical: str = text(default=Critical.UNKNOWN.value)
    triage: str = text(default=Triage.UNKNOWN.value)
    assessed_at: datetime = instant()
    assessed_by: str = text()
    recorded_at: datetime = instant()


class FitnessStatement(SQLModel, table=True):
    """A doctor's statement that the person may move to these kinds of unit, until ``ends_on``.

    ``agreed_units``: for a consensual stay, the units the patient agreed to; NULL where
    agreement is not what binds.
    """

    __tablename__ = "fitness_statement"
    __table_args__ = (subset_check("kinds", UnitKind),)

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id", index=True)
    kinds: list[str] = texts()
    agreed_units: list[str] | None = texts(nullable=True)
    ends_on: date
    revoked_at: datetime | None = instant(default=None)
    stated_by: str = text()
    recorded_at: datetime = instant()


class MovementStop(SQLModel, table=True):
    """A clinician's word that this person is not moved for now; only a clinician lifts it."""

    __tablename__ = "movement_stop"
    __table_args__ = (
        Index(
            "uq_movement_stop_live",
            "person_id",
            unique=True,
            postgresql_where="lifted_at IS NULL",
        ),
    )

    id: str = text(primary_key=True)
    person_id: str = text(foreign_key="person.id", index=True)
    reason: str = text()
    set_by: str = text()
    set_at: datetime = instant()
    lifted_at: datetime | None = instant(default=None)
    lifted_by: str | None = text(default=None)
