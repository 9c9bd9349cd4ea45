"""One caller of each role, and somebody to speak of."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from service.access.caller import Actor, Role
from service.policy import default_policy
from service.store.engine import now
from service.workflow.consent.consent_forms import NewConsent
from service.workflow.context import Context
from service.workflow.law.legal_bases import NewLegalBasis
from service.workflow.persons.assessments import Dimension, NewAssessment
from service.workflow.persons.people import NewPerson, register_person
from tests.service.inventory.places import VAULT


def as_(role: Role, facility: str | None = None) -> Context:
    return Context(Actor(f"k-{role}", role.value, role, facility), default_policy(), VAULT)


OFFICER = as_(Role.INTAKE_OFFICER)
DOCTOR = as_(Role.CLINICIAN)
COORDINATOR = as_(Role.COORDINATOR)
AUDITOR = as_(Role.AUDITOR)
PSC = as_(Role.FACILITY_ADMIN, "psc-1")
CTH = as_(Role.FACILITY_ADMIN, "cth-1")


def newcomer(**more: Any) -> NewPerson:
    given: dict[str, Any] = {
        "sex": "male",
        "birth_date": "1990-01-01",
        "name": "虚构甲",
        "document": {"kind": "other", "number": "SYN 0001"},
    }
    return NewPerson.model_validate(given | more)


def registered(conn: Connection, **more: Any) -> str:
    return register_person(conn, OFFICER, newcomer(**more)).id


def today(conn: Connection) -> date:
    return now(conn).astimezone(default_policy().zone).date()


def decision(conn: Connection, **more: Any) -> NewLegalBasis:
    day = today(conn)
    given: dict[str, Any] = {
        "kind": "compulsory",
        "body": "city_police",
        "ground": "relapse_after",
        "starts_on": day,
        "ends_on": day + timedelta(days=729),
    }
    return NewLegalBasis.model_validate(given | more)


def agreement(conn: Connection, **more: Any) -> NewLegalBasis:
    day = today(conn)
    given = {"kind": "constrained", "starts_on": day, "ends_on": day + timedelta(days=30)}
    return NewLegalBasis.model_validate(given | more)


def consent(conn: Connection, **more: Any) -> NewConsent:
    day = today(conn)
    given: dict[str, Any] = {
        "by": "person",
        "kinds": ["CTH"],
        "given_at": now(conn),
        "place": "the doctor's room",
        "takers": ["Dr Chen"],
        "witness": "nurse Wu",
        "capacity": {"capable": "yes", "found_by": "Dr Chen"},
        "told_alternatives": True,
        "told_no_adverse_effect": True,
        "sober": True,
        "agreement": True,
        "starts_on": day,
        "ends_on": day + timedelta(days=30),
    }
    return NewConsent.model_validate(given | more)


def finding(grade: Any = "G1", **more: Any) -> NewAssessment:
    """Every dimension at this grade, nothing else the matter."""
    given: dict[str, Any] = {
        "dimensions": dict.fromkeys(Dimension, grade),
        "isolation": "none",
        "observation": "none",
        "pregnant": "no",
        "nursing": "no",
    }
    return NewAssessment.model_validate(given | more)
