"""Consent to treatment: recorded, said again sober, taken back at any hour by anybody's hand."""

from typing import Annotated

from fastapi import Path, status

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.preconditions import tagged
from service.workflow.consent import consents, withdrawals
from service.workflow.consent.consent_forms import NewConsent, Repetition
from service.workflow.consent.withdrawals import (
    Withdrawal,
    WithdrawalNoted,
    Withdrawn,
    WithdrawnWord,
)
from service.workflow.persons.people import PersonId
from service.workflow.persons.person_parts import ConsentView

router = resource("consents")

ConsentTaker = Annotated[Call, calling(Role.CLINICIAN, Role.COORDINATOR)]
ConsentReader = Annotated[Call, calling(Role.CLINICIAN, Role.COORDINATOR, Role.AUDITOR)]
Anybody = Annotated[
    Call,
    calling(
        Role.INTAKE_OFFICER,
        Role.CLINICIAN,
        Role.FACILITY_ADMIN,
        Role.INTEGRATION,
        Role.COORDINATOR,
        Role.AUDITOR,
    ),
]
OfPerson = Annotated[PersonId, Path()]


@router.post("/people/{person_id}/consents", status_code=status.HTTP_201_CREATED)
async def add_consent(person_id: OfPerson, body: NewConsent, call: ConsentTaker) -> ConsentView:
    """Record somebody's consent to treatment, with its scope and its last day; or their no, which
    ends the request and triggers nothing."""
    made = await call.write(consents.record_consent, person_id, body)
    call.created(f"/api/v1/consents/{made.id}")
    tagged(call, made.version)
    return made


@router.get("/people/{person_id}/consents")
async def list_consents(person_id: OfPerson, call: ConsentReader) -> list[ConsentView]:
    """The person's consents, newest first."""
    return await call.read(consents.consents_of, person_id)


@router.get("/consents/{consent_id}")
async def get_consent(consent_id: str, call: ConsentReader) -> ConsentView:
    """One consent: whose word, for what, until when, and whether it still stands."""
    found = await call.read(consents.get_consent, consent_id)
    tagged(call, found.version)
    return found


@router.post("/consents/{consent_id}/repetition")
async def repeat_consent(consent_id: str, body: Repetition, call: ConsentTaker) -> ConsentView:
    """What was said under intoxication is said again sober; it does not lapse any more."""
    done = await call.write(consents.repeat_consent, consent_id, body)
    tagged(call, done.version)
    return done


@router.post("/consents/{consent_id}/withdrawal")
async def withdraw_consent(consent_id: str, body: WithdrawnWord, call: Anybody) -> WithdrawalNoted:
    """A consent is taken back, on the word of the person or the guardian: the stay is due for
    discharge. The answer tells whoever records it nothing of what was there."""
    return await call.write(withdrawals.withdraw_by_id, consent_id, body)


@router.put("/people/{person_id}/consent-withdrawal")
async def withdraw_consents(person_id: OfPerson, body: Withdrawal, call: Anybody) -> Withdrawn:
    """The person takes their consent back: at any hour, by anybody's hand, on their word."""
    return await call.write(withdrawals.withdraw_consent, person_id, body)
