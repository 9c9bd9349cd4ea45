"""The parts of a person's record as their readers see them; which role reads which part stands in
``person_view``."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel

from service.store.opinions import OpinionRow
from service.store.tables.law import OpinionKind
from solver.codes import (
    BedKind,
    ConsentBy,
    Critical,
    DangerCase,
    Grade,
    Ground,
    Isolation,
    LegalBasis,
    NursingLevel,
    Observation,
    Organ,
    Tri,
    Triage,
    UnitKind,
)


class LegalBasisView(BaseModel):
    """Why the law lets the person be in a bed; ``starts_on`` to ``ends_on``, both days included."""

    id: str
    kind: LegalBasis
    body: Organ | None
    ground: Ground | None
    served_at: datetime | None
    starts_on: date
    ends_on: date
    under_16_reasons: bool
    revoked_at: datetime | None
    version: int


class ConsentView(BaseModel):
    """Somebody's word that this treatment may go on until the end of ``ends_on``, or their no.

    ``capacity_by``, ``capacity_at``: which doctor looked whether the person is able to decide, and
    when; what was found stands with the findings. ``lapses_at``: given under intoxication, and over
    then unless ``repeated_at``.
    """

    id: str
    person: str
    by: ConsentBy
    kinds: list[UnitKind]
    agreement: bool
    starts_on: date
    ends_on: date
    given_at: datetime | None
    place: str | None
    takers: list[str]
    capacity_by: str | None
    capacity_at: datetime | None
    told_alternatives: bool
    told_no_adverse_effect: bool
    sober: bool
    lapses_at: datetime | None
    repeated_at: datetime | None
    refused: bool
    withdrawn_at: datetime | None
    version: int


class AssessmentView(BaseModel):
    """A clinician's finding. ``grade`` null: not known."""

    id: str
    dimensions: dict[str, Grade | None]
    grade: Grade | None
    needs: list[BedKind]
    isolation: Isolation
    observation: Observation
    pregnant: Tri
    nursing: Tri
    nursing_level: NursingLevel
    critical: Critical
    triage: Triage
    assessed_at: datetime
    assessed_by: str


class CareFlags(BaseModel):
    """What a bed and its staff must provide, and nothing of why."""

    grade: Grade | None
    needs: list[BedKind]
    isolation: Isolation
    observation: Observation
    nursing_level: NursingLevel


class FitnessView(BaseModel):
    """A doctor's word that the person may move to these kinds of unit until ``ends_on``."""

    id: str
    kinds: list[UnitKind]
    agreed_units: list[str] | None
    ends_on: date
    stated_by: str


class MovementStopView(BaseModel):
    """A clinician's word that the person is not moved for now."""

    id: str
    reason: str
    set_by: str
    set_at: datetime


def consent_view(row: Any) -> ConsentView:
    """A consent's row as its readers see it."""
    members = dict(row)
    members["by"] = members.pop("given_by")
    members["person"] = members.pop("person_id")
    return ConsentView.model_validate(members)


@dataclass(frozen=True, slots=True)
class OpinionView:
    """An opinion as clinicians and auditors read it; answers its kind does not give are null."""

    id: str
    person: str
    kind: OpinionKind
    hospital: str
    doctors: list[str]
    severe: bool | None
    at_risk: bool | None
    danger_case: DangerCase | None
    confirmed: bool | None
    capable: Tri | None
    stated_at: datetime
    review_on: date | None
    revoked_at: datetime | None


def opinion_view(row: OpinionRow) -> OpinionView:
    """An opinion's row as its readers see it."""
    return OpinionView(
        id=row.id,
        person=row.person,
        kind=row.kind,
        hospital=row.hospital,
        doctors=list(row.doctors),
        severe=row.severe,
        at_risk=row.at_risk,
        danger_case=row.danger_case,
        confirmed=row.confirmed,
        capable=row.capable,
        stated_at=row.stated_at,
        review_on=row.review_on,
        revoked_at=row.revoked_at,
    )
