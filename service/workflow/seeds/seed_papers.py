"""Rows of a synthetic network's papers: decisions, terms, consents, findings, opinions, approvals.

Each writes exactly what ``service.store.network_people`` reads back into the same person.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final

from service.store.tables.care import Consciousness, LastUse
from service.store.tables.law import ApprovalKind, OpinionKind
from service.workflow.persons.assessments import Dimension
from solver.codes import (
    Critical,
    LegalBasis,
    NursingLevel,
    Organ,
    OutMedicalPart,
    Screening,
    Tri,
    Triage,
)
from solver.domain import Person

_INVOLUNTARY_DAYS: Final = 90
_SCREENED_AFTER: Final = timedelta(seconds=1)


def basis_rows(it: Person, on: date, now: datetime, by: str) -> Iterator[dict[str, Any]]:
    """The paper the person is here on."""
    if it.basis is None:
        return
    row = {
        "id": f"lb_{it.id}",
        "person_id": it.id,
        "kind": it.basis.value,
        "body": None,
        "ground": None,
        "served_at": None,
        "under_16_reasons": False,
        "recorded_by": by,
        "recorded_at": now,
        "version": 1,
    }
    decision = it.decision
    if decision is not None:
        yield row | {
            "id": f"lb_{it.id}",
            "kind": LegalBasis.COMPULSORY.value,
            "body": decision.body.value if decision.body else None,
            "ground": decision.ground.value if decision.ground else None,
            "served_at": decision.served_at,
            "starts_on": decision.starts_on,
            "ends_on": decision.ends_on,
            "under_16_reasons": decision.under_16_reasons,
        }
        if it.basis is LegalBasis.OUT_MEDICAL:
            yield row | {
                "id": f"lm_{it.id}",
                "starts_on": decision.starts_on,
                "ends_on": decision.ends_on,
                "recorded_at": now + _SCREENED_AFTER,
            }
    elif it.consents:
        yield row | {
            "starts_on": min(consent.starts_on for consent in it.consents),
            "ends_on": max(consent.ends_on for consent in it.consents),
        }
    elif it.psychiatric is not None:
        yield row | {"starts_on": on, "ends_on": on + timedelta(days=_INVOLUNTARY_DAYS)}


def term_rows(it: Person, centre: str | None, now: datetime, by: str) -> Iterator[dict[str, Any]]:
    """The term of a compulsory decision; ``centre`` executes it."""
    if it.decision is None or it.decision.revoked:
        return
    yield {
        "id": f"tm_{it.id}",
        "person_id": it.id,
        "basis_id": f"lb_{it.id}",
        "responsible_facility_id": centre,
        "decided_on": it.decision.starts_on,
        "ends_on": it.decision.ends_on,
        "extension_days": 0,
        "escape_days": 0,
        "psc_since": it.psc_since,
        "recorded_by": by,
        "recorded_at": now,
        "version": 1,
    }


def consent_rows(it: Person, now: datetime, by: str) -> Iterator[dict[str, Any]]:
    """Each signer's word, taken sober, with a doctor's finding of the person's capacity."""
    for number, consent in enumerate(it.consents, 1):
        yield {
            "id": f"cn_{it.id}_{number}",
            "person_id": it.id,
            "given_by": consent.by.value,
            "kinds": sorted(consent.kinds),
            "agreement": consent.agreement,
            "starts_on": consent.starts_on,
            "ends_on": consent.ends_on,
            "given_at": now,
            "takers": [by],
            "capable": it.capable.value,
            "capacity_by": by,
            "capacity_at": now,
            "told_alternatives": True,
            "told_no_adverse_effect": True,
            "sober": consent.lapses_at is None,
            "lapses_at": consent.lapses_at,
            "refused": False,
            "withdrawn_at": now if consent.withdrawn else None,
            "recorded_by": by,
            "recorded_at": now,
            "version": 1,
        }


def assessment_row(it: Person, now: datetime, by: str) -> dict[str, Any]:
    """The grade stands in the dimension that made it; without one, nothing is known yet."""
    need = it.need
    grade = need.grade.value if need.grade is not None else None
    others = 0 if grade is not None else None
    dimensions: dict[str, int | None] = {name.value: others for name in Dimension}
    dimensions[Dimension.SOMATIC.value] = grade
    return {
        "id": f"as_{it.id}",
        "person_id": it.id,
        "dimensions": dimensions,
        "grade": grade,
        "needs": sorted(need.needs),
        "isolation": need.isolation.value,
        "observation": need.observation.value,
        "pregnant": need.pregnant.value,
        "nursing": need.nursing.value,
        "nursing_level": NursingLevel.UNKNOWN.value,
        "critical": Critical.UNKNOWN.value,
        "triage": Triage.UNKNOWN.value,
        "assessed_at": now,
        "assessed_by": by,
        "recorded_at": now,
    }


def screening_rows(it: Person, now: datetime, by: str) -> Iterator[dict[str, Any]]:
    """An officer's screening that no assessment has followed."""
    outcome = it.need.screening
    if outcome is Screening.NONE:
        return
    clear, red = outcome is Screening.CLEAR, outcome is Screening.RED_FLAG
    word = Tri.NO if clear else Tri.UNKNOWN
    yield {
        "id": f"sc_{it.id}",
        "person_id": it.id,
        "consciousness": (
            Consciousness.UNRESPONSIVE
            if red
            else Consciousness.ALERT
            if clear
            else Consciousness.UNKNOWN
        ).value,
        "bleeding": word.value,
        "cough_or_fever": word.value,
        "self_harm": word.value,
        "last_alcohol_or_sedative": (LastUse.NEVER if clear else LastUse.UNKNOWN).value,
        "outcome": outcome.value,
        "screened_at": now + _SCREENED_AFTER,
        "screened_by": by,
        "recorded_at": now,
    }


def opinion_rows(it: Person, now: datetime, by: str) -> Iterator[dict[str, Any]]:
    """What doctors found on questions of law."""
    row = {
        "person_id": it.id,
        "severe": None,
        "at_risk": None,
        "danger_case": None,
        "confirmed": None,
        "capable": None,
        "hospital": "synthetic",
        "doctors": [by],
        "stated_at": now,
        "recorded_by": by,
        "recorded_at": now,
    }
    if it.psychiatric is not None:
        yield row | {
            "id": f"od_{it.id}",
            "kind": OpinionKind.PSYCHIATRIC_DIAGNOSIS.value,
            "severe": it.psychiatric.severe,
            "danger_case": it.psychiatric.case.value if it.psychiatric.case else None,
        }
        if not it.psychiatric.confirmed:
            yield row | {
                "id": f"or_{it.id}",
                "kind": OpinionKind.REDIAGNOSIS.value,
                "confirmed": False,
                "doctors": [f"{by} 2", f"{by} 3"],
            }
    if it.joint_opinion is not Tri.UNKNOWN:
        yield row | {
            "id": f"oj_{it.id}",
            "kind": OpinionKind.JOINT_HOSPITAL.value,
            "at_risk": it.joint_opinion is Tri.YES,
        }
    severe = OutMedicalPart.SEVERE_ILLNESS in it.out_medical
    at_risk = OutMedicalPart.LIFE_AT_RISK in it.out_medical
    if severe or at_risk:
        yield row | {
            "id": f"oo_{it.id}",
            "kind": OpinionKind.OUT_MEDICAL_NEED.value,
            "severe": severe,
            "at_risk": at_risk,
        }


def approval_rows(it: Person, now: datetime, by: str) -> Iterator[dict[str, Any]]:
    """What organs agreed to."""
    body = it.decision.body if it.decision is not None else None
    organ = body or Organ.CITY_POLICE
    asked = {
        ApprovalKind.VOLUNTARY_IN_CENTRE: it.police_consent,
        ApprovalKind.OUT_MEDICAL: OutMedicalPart.APPROVED in it.out_medical,
        ApprovalKind.OUT_MEDICAL_FILING: OutMedicalPart.FILED in it.out_medical,
    }
    for kind, yes in asked.items():
        if yes:
            yield {
                "id": f"ap_{it.id}_{kind.value}",
                "person_id": it.id,
                "kind": kind.value,
                "organ": organ.value,
                "granted": True,
                "decided_on": now.date(),
                "recorded_by": by,
                "recorded_at": now,
            }
