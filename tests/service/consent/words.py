"""What is written down of a consent, ready to be spoilt one member at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from service.access.caller import Role
from service.workflow.consent.consent_forms import NewConsent
from service.workflow.consent.consents import record_consent
from service.workflow.persons.person_parts import ConsentView
from tests.service.workflow.world import World

SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Agreed:
    """A patient, their stay, and the two consents it rests on."""

    person: str
    stay: str
    own: str
    family: str


def form(**more: Any) -> NewConsent:
    """A consent that is valid as it stands."""
    now = datetime.now(UTC)
    day = now.astimezone(SHANGHAI).date()
    given: dict[str, Any] = {
        "by": "person",
        "kinds": ["CTH"],
        "given_at": now - timedelta(minutes=1),
        "place": "the doctor's room",
        "takers": ["Dr Chen"],
        "witness": "nurse Wu",
        "capacity": {"capable": "yes", "found_by": "Dr Chen"},
        "told_alternatives": True,
        "told_no_adverse_effect": True,
        "sober": True,
        "agreement": True,
        "starts_on": given_day(now),
        "ends_on": day + timedelta(days=30),
    }
    return NewConsent.model_validate(given | more)


def given_day(now: datetime) -> Any:
    return (now - timedelta(minutes=1)).astimezone(SHANGHAI).date()


def signed(world: World, person: str, **more: Any) -> ConsentView:
    """Recorded by a doctor."""
    return world.as_(Role.CLINICIAN).do(record_consent, person, form(**more))


def due_of(world: World, kind: str, subject: str) -> list[Any]:
    """When clocks of a kind are due for a subject, what each is for, and what came of it."""
    return world.sql(
        "SELECT due_at, detail, outcome, facility_id FROM due_item"
        " WHERE kind = :kind AND subject_id = :subject ORDER BY id",
        kind=kind,
        subject=subject,
    )


def code_of(world: World, stay: str) -> tuple[str, str | None]:
    """A stay's state, and why a discharge is due."""
    state, code = world.sql("SELECT state, discharge_due_code FROM stay WHERE id = :id", id=stay)[0]
    return state, code
