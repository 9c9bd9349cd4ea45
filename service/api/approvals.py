"""Organs' answers 审批 about a person: recorded with their document, listed, taken back."""

from typing import Annotated

from fastapi import Path, status

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.workflow.law import approvals
from service.workflow.law.approvals import ApprovalView, NewApproval
from service.workflow.persons.people import PersonId

router = resource("approvals")

Clerk = Annotated[Call, calling(Role.INTAKE_OFFICER, Role.COORDINATOR, Role.FACILITY_ADMIN)]
Reader = Annotated[
    Call,
    calling(
        Role.INTAKE_OFFICER,
        Role.CLINICIAN,
        Role.COORDINATOR,
        Role.FACILITY_ADMIN,
        Role.AUDITOR,
    ),
]
OfPerson = Annotated[PersonId, Path()]


@router.post("/people/{person_id}/approvals", status_code=status.HTTP_201_CREATED)
async def record_approval(person_id: OfPerson, body: NewApproval, call: Clerk) -> ApprovalView:
    """Record an organ's yes or no; which organ may answer which question is policy."""
    return await call.write(approvals.record_approval, person_id, body)


@router.get("/people/{person_id}/approvals")
async def list_approvals(person_id: OfPerson, call: Reader) -> list[ApprovalView]:
    """Every answer about a person, the newest first."""
    return await call.read(approvals.list_approvals, person_id)


@router.post("/approvals/{approval_id}/revocation")
async def revoke_approval(approval_id: str, call: Clerk) -> ApprovalView:
    """Record that the organ took its answer back."""
    return await call.write(approvals.revoke_approval, approval_id)
