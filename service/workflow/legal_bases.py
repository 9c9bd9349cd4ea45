"""Legal bases: the decision or agreement that lets somebody be in a bed, its days, its service."""

from datetime import date, timedelta
from typing import Annotated, Any, Final

from pydantic import StringConstraints
from sqlalchemy import Connection, RowMapping, insert, select, update

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid
from service.store import events
from service.store.ids import new_id
from service.store.tables.core import legal_basis
from service.workflow.context import Context
from service.workflow.instants import AwareInstant
from service.workflow.people import lock_person
from service.workflow.person_view import HIDDEN_FROM_POLICE, LegalBasisView
from service.workflow.place_fields import Strict
from service.workflow.places import get_row
from service.workflow.versions import require_version
from solver.codes import CUSTODIAL_BASES, Ground, LegalBasis, Organ

LONGEST_TERM_YEARS: Final = 3
"""A compulsory term is two years, extended once by at most one (Anti-Drug Law art. 47). Both of its
days count, so the last is the day before an anniversary of the first."""


class NewLegalBasis(Strict):
    """A decision or agreement. ``starts_on`` to ``ends_on`` are days in Asia/Shanghai, both
    included. A compulsory decision names its organ and its ground (Anti-Drug Law art. 38)."""

    kind: LegalBasis
    document: Annotated[str, StringConstraints(strip_whitespace=True, max_length=120)] | None = None
    body: Organ | None = None
    ground: Ground | None = None
    served_at: AwareInstant | None = None
    starts_on: date
    ends_on: date
    under_16_reasons: bool = False


class Service(Strict):
    """When the decision was handed to the person: before it is executed (art. 40)."""

    served_at: AwareInstant


def add_legal_basis(
    conn: Connection, ctx: Context, person_id: str, new: NewLegalBasis
) -> LegalBasisView:
    """Record why the law lets this person be in a bed.

    Raises:
        NotFound: there is no such person.
        Forbidden: papers of the other side: police record no consensual basis, clinicians none
            that police order.
        Invalid: reversed days, a missing organ or ground, a service in the future, a term longer
            than the law allows.
        Conflict: ``merged``, ``overlapping-basis``.
    """
    _require_side(ctx, new.kind)
    _check_members(new)
    at = lock_person(conn, person_id)
    if new.served_at is not None and new.served_at > at:
        raise _future_service(new.served_at.isoformat())
    _refuse_overlap(conn, person_id, new.kind, new.starts_on, new.ends_on)
    basis_id = new_id("lb")
    sealed = ctx.vault.seal_text(new.document, "legal_basis.document") if new.document else None
    conn.execute(
        insert(legal_basis).values(
            id=basis_id,
            person_id=person_id,
            kind=new.kind.value,
            document=sealed,
            body=new.body.value if new.body is not None else None,
            ground=new.ground.value if new.ground is not None else None,
            served_at=new.served_at,
            starts_on=new.starts_on,
            ends_on=new.ends_on,
            under_16_reasons=new.under_16_reasons,
            recorded_by=ctx.actor.id,
            recorded_at=at,
            version=1,
        )
    )
    events.append(
        conn,
        ctx.actor,
        "legal_basis.recorded",
        "legal_basis",
        basis_id,
        person=person_id,
        occurred_at=at,
    )
    return _view(conn, basis_id)


def _require_side(ctx: Context, kind: LegalBasis) -> None:
    police, clinical = Role.INTAKE_OFFICER, Role.CLINICIAN
    by_consent = kind in HIDDEN_FROM_POLICE
    if (ctx.actor.role is police and by_consent) or (ctx.actor.role is clinical and not by_consent):
        other = "a clinician of the hospital" if by_consent else "an intake officer"
        raise Forbidden(
            "not-for-this-role", f"a basis of kind {kind} is recorded by {other} or a coordinator"
        )


def _check_members(new: NewLegalBasis) -> None:
    if new.ends_on < new.starts_on:
        raise Invalid.field(
            "/ends_on",
            "reversed-period",
            f"the last day lies before the first ({new.starts_on}); both days are included",
            new.ends_on.isoformat(),
        )
    if new.kind in CUSTODIAL_BASES:
        for name, value in (("body", new.body), ("ground", new.ground)):
            if value is None:
                codes = Organ if name == "body" else Ground
                raise Invalid.field(
                    f"/{name}",
                    "missing",
                    f"a compulsory decision names its {name}: one of {', '.join(codes)}",
                )
        latest = _years_after(new.starts_on, LONGEST_TERM_YEARS) - timedelta(days=1)
        if new.ends_on > latest:
            raise Invalid.field(
                "/ends_on",
                "longer-than-the-law",
                f"a compulsory term from {new.starts_on} ends by {latest} at the latest",
                new.ends_on.isoformat(),
            )


def _years_after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def _future_service(given: str) -> Invalid:
    return Invalid.field(
        "/served_at",
        "in-the-future",
        "service is recorded once it happened; leave served_at out until then",
        given,
    )


def _refuse_overlap(
    conn: Connection, person_id: str, kind: LegalBasis, starts_on: date, ends_on: date
) -> None:
    other = conn.execute(
        select(legal_basis.c.id, legal_basis.c.starts_on, legal_basis.c.ends_on)
        .where(
            legal_basis.c.person_id == person_id,
            legal_basis.c.kind == kind.value,
            legal_basis.c.revoked_at.is_(None),
            legal_basis.c.starts_on <= ends_on,
            legal_basis.c.ends_on >= starts_on,
        )
        .order_by(legal_basis.c.starts_on)
        .limit(1)
    ).one_or_none()
    if other is not None:
        raise Conflict(
            "overlapping-basis",
            f"a basis of kind {kind} from {other.starts_on} to {other.ends_on} is in force; "
            "revoke it first, or let the new one begin after it",
            legal_basis=other.id,
        )


def serve_legal_basis(
    conn: Connection, ctx: Context, basis_id: str, service: Service, *, version: int | None = None
) -> LegalBasisView:
    """Record that the decision was handed to the person.

    Raises NotFound, Forbidden, PreconditionFailed, Invalid (in the future), and Conflict
    (``basis-revoked``, ``already-served``).
    """
    row = _locked(conn, ctx, basis_id, version)
    at = row["at"]
    if row["served_at"] is not None:
        raise Conflict(
            "already-served",
            f"basis {basis_id} was served at {row['served_at'].isoformat()}; "
            "revoke it and record it anew if that is wrong",
        )
    if service.served_at > at:
        raise _future_service(service.served_at.isoformat())
    _write(conn, basis_id, served_at=service.served_at)
    events.append(
        conn,
        ctx.actor,
        "legal_basis.served",
        "legal_basis",
        basis_id,
        person=row["person_id"],
        occurred_at=service.served_at,
    )
    return _view(conn, basis_id)


def revoke_legal_basis(
    conn: Connection, ctx: Context, basis_id: str, *, version: int | None = None
) -> LegalBasisView:
    """Record that the basis no longer holds; nobody is moved by it, plans show who is misplaced.

    Raises NotFound, Forbidden, PreconditionFailed, and Conflict ``basis-revoked``.
    """
    row = _locked(conn, ctx, basis_id, version)
    _write(conn, basis_id, revoked_at=row["at"])
    events.append(
        conn,
        ctx.actor,
        "legal_basis.revoked",
        "legal_basis",
        basis_id,
        person=row["person_id"],
        occurred_at=row["at"],
    )
    return _view(conn, basis_id)


def _locked(conn: Connection, ctx: Context, basis_id: str, version: int | None) -> dict[str, Any]:
    """The basis under its person's lock, with the instant ``at``."""
    found = get_row(conn, legal_basis, basis_id)
    _require_side(ctx, LegalBasis(found["kind"]))
    at = lock_person(conn, found["person_id"])
    row: RowMapping = get_row(conn, legal_basis, basis_id)
    if version is not None:
        require_version(version, row["version"])
    if row["revoked_at"] is not None:
        raise Conflict(
            "basis-revoked",
            f"basis {basis_id} was revoked at {row['revoked_at'].isoformat()}; record a new one",
        )
    return {**row, "at": at}


def _write(conn: Connection, basis_id: str, **values: Any) -> None:
    conn.execute(
        update(legal_basis)
        .where(legal_basis.c.id == basis_id)
        .values(version=legal_basis.c.version + 1, **values)
    )


def _view(conn: Connection, basis_id: str) -> LegalBasisView:
    row = get_row(conn, legal_basis, basis_id)
    return LegalBasisView.model_validate({n: row[n] for n in LegalBasisView.model_fields})
