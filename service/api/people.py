"""People under a pseudonym: registered, corrected, seen as the caller's role allows."""

from typing import Annotated

from fastapi import Path, Query, status

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.preconditions import ExpectedVersion, tagged
from service.workflow.law import legal_bases
from service.workflow.law.legal_bases import NewLegalBasis, Service
from service.workflow.persons import identity, people, person_changes, person_view
from service.workflow.persons.identity import Identity
from service.workflow.persons.people import NewPerson, PersonId, PersonRegistered
from service.workflow.persons.person_changes import PersonChange
from service.workflow.persons.person_parts import LegalBasisView
from service.workflow.persons.person_view import PersonView

router = resource("people")

Registrar = Annotated[
    Call,
    calling(
        Role.INTAKE_OFFICER,
        Role.CLINICIAN,
        Role.COORDINATOR,
        Role.FACILITY_ADMIN,
        Role.INTEGRATION,
    ),
]
Corrector = Annotated[Call, calling(Role.INTAKE_OFFICER, Role.CLINICIAN, Role.COORDINATOR)]
LegalClerk = Corrector
Reader = Annotated[
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


@router.post("/people", status_code=status.HTTP_201_CREATED)
async def register_person(body: NewPerson, call: Registrar) -> PersonRegistered:
    """Open a record under a new pseudonym; a document number stands in one record only."""
    made = await call.write(people.register_person, body)
    call.created(f"/api/v1/people/{made.id}")
    tagged(call, made.version)
    return made


@router.get("/people/{person_id}")
async def get_person(person_id: OfPerson, call: Reader) -> PersonView:
    """A person as the caller's role may see them; never a name. Auditors' readings are recorded."""
    found = await call.write(person_view.get_person, person_id)
    tagged(call, found.version)
    return found


@router.patch("/people/{person_id}")
async def change_person(
    person_id: OfPerson, body: PersonChange, version: ExpectedVersion, call: Corrector
) -> PersonRegistered:
    """Correct a person's record; members not given stay."""
    changed = await call.write(person_changes.change_person, person_id, body, version=version)
    tagged(call, changed.version)
    return changed


@router.get("/people/{person_id}/identity")
async def read_identity(
    person_id: OfPerson,
    purpose: Annotated[
        str, Query(min_length=4, max_length=200, description="What you need the name for.")
    ],
    call: Reader,
) -> Identity:
    """Who the person is. Every reading is recorded with its purpose."""
    call.headers["Cache-Control"] = "no-store"
    return await call.write(identity.read_identity, person_id, purpose)


@router.post("/people/{person_id}/legal-bases", status_code=status.HTTP_201_CREATED)
async def add_legal_basis(
    person_id: OfPerson, body: NewLegalBasis, call: LegalClerk
) -> LegalBasisView:
    """Record the decision or agreement that lets this person be in a bed."""
    made = await call.write(legal_bases.add_legal_basis, person_id, body)
    tagged(call, made.version)
    return made


@router.put("/legal-bases/{basis_id}/service")
async def serve_legal_basis(
    basis_id: str, body: Service, version: ExpectedVersion, call: LegalClerk
) -> LegalBasisView:
    """Record when the decision was handed to the person."""
    done = await call.write(legal_bases.serve_legal_basis, basis_id, body, version=version)
    tagged(call, done.version)
    return done


@router.put("/legal-bases/{basis_id}/revocation")
async def revoke_legal_basis(
    basis_id: str, version: ExpectedVersion, call: LegalClerk
) -> LegalBasisView:
    """Record that the basis no longer holds."""
    done = await call.write(legal_bases.revoke_legal_basis, basis_id, version=version)
    tagged(call, done.version)
    return done
