"""Legal bases: the decision or agreement that lets somebody be in a bed, its days, its service."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import StringConstraints
from sqlalchemy import Connection, RowMapping, insert, select, update

from service.access.caller import Role
from service.errors import Conflict, Forbidden, Invalid
from service.lifecycle import ApprovalKind
from service.store import events
from service.store.ids import new_id
from service.store.tables.core import legal_basis
from service.workflow.consent import treatment
from service.workflow.context import Context
from service.workflow.instants import AwareInstant
from service.workflow.inventory.place_fields import Strict
from service.workflow.inventory.places import get_row
from service.workflow.law import community, statuses, term_dates, term_ends, terms
from service.workflow.law.approvals import require_granted
from service.workflow.law.involuntary import require_admission_papers
from service.workflow.persons import sole_carers
from service.workflow.persons.people import legal_today, lock_person, require_alive
from service.workflow.persons.person_parts import LegalBasisView
from service.workflow.persons.person_view import require_known
from service.workflow.privacy.audit_flags import flag_if_refused
from service.workflow.privacy.own_cases import HIDDEN_FROM_POLICE
from service.workflow.versions import require_version
from service.workflow.watch import due
from service.workflow.watch.watching import rejudge
from solver.codes import CONSENSUAL_BASES, CUSTODIAL_BASES, Ground, LegalBasis, Organ

_RENEWED: Final = CONSENSUAL_BASES | {LegalBasis.INVOLUNTARY_PSYCHIATRIC}
"""Bases that another of the same kind may follow: an agreement is signed anew before it ends."""


class NewLegalBasis(Strict):
    """A decision or agreement. ``starts_on`` to ``ends_on`` are days in Asia/Shanghai, both
    included. A compulsory decision names its organ and its ground (Anti-Drug Law art. 38); it was
    taken on ``starts_on``, and its last day follows from that unless an earlier one was decided
    (Regulations art. 27)."""

    kind: LegalBasis
    document: Annotated[str, StringConstraints(strip_whitespace=True, max_length=120)] | None = None
    body: Organ | None = None
    ground: Ground | None = None
    served_at: AwareInstant | None = None
    starts_on: date
    ends_on: date | None = None
    under_16_reasons: bool = False


class Service(Strict):
    """When the decision was handed to the person: before it is executed (art. 40)."""

    served_at: AwareInstant


def add_legal_basis(
    conn: Connection, ctx: Context, person_id: str, new: NewLegalBasis
) -> LegalBasisView:
    """Record why the law lets this person be in a bed. A compulsory decision begins its term.

    Raises:
        NotFound: there is no such person, or none that police may know of.
        Forbidden: papers of the other side: police record no consensual basis, clinicians none
            that police order.
        Invalid: reversed days, a missing organ or ground, a service in the future, a term longer
            than the law allows.
        Conflict: ``merged``, ``person-died``, ``overlapping-basis``, ``no-such-transition`` naming
            the rule and the lawful ways; what the change needs and is not on record:
            ``approvals-missing`` (police consent to a voluntary entry), ``findings-missing``,
            ``guardian-consent-missing``.
    """
    _require_side(ctx, new.kind)
    ends_on = _last_day(new)
    require_known(conn, ctx, person_id)
    at = lock_person(conn, person_id)
    if new.kind is LegalBasis.COMPULSORY:
        require_alive(conn, person_id)
    if new.served_at is not None and new.served_at > at:
        raise _future_service(new.served_at.isoformat())
    _refuse_overlap(conn, person_id, new.kind, new.starts_on, ends_on)
    today = legal_today(ctx, at)
    _require_lawful(conn, ctx, person_id, new, today)
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
            ends_on=ends_on,
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
    if new.kind is LegalBasis.COMPULSORY:
        community.replaced_by_decision(conn, ctx, person_id, at)
        terms.begin_term(
            conn,
            ctx,
            person=person_id,
            basis=basis_id,
            decided_on=new.starts_on,
            ends_on=ends_on,
            now=at,
        )
        if new.served_at is not None:
            _owe_notice(conn, ctx, person_id, basis_id, new.served_at, at)
    flag_if_refused(conn, ctx, person_id, "legal_basis", at)
    treatment.rest_on_newest(conn, ctx, person_id, at)
    treatment.reconsider(conn, ctx, person_id, at)
    rejudge(conn, ctx, at, persons=[person_id])
    return _view(conn, basis_id)


def _require_side(ctx: Context, kind: LegalBasis) -> None:
    police, clinical = Role.INTAKE_OFFICER, Role.CLINICIAN
    medical = kind in HIDDEN_FROM_POLICE
    if (ctx.actor.role is police and medical) or (ctx.actor.role is clinical and not medical):
        other = "a clinician of the hospital" if medical else "an intake officer"
        raise Forbidden(
            "not-for-this-role", f"a basis of kind {kind} is recorded by {other} or a coordinator"
        )


def _last_day(new: NewLegalBasis) -> date:
    """The basis's last day, its members checked."""
    if new.ends_on is not None and new.ends_on < new.starts_on:
        raise Invalid.field(
            "/ends_on",
            "reversed-period",
            f"the last day lies before the first ({new.starts_on}); both days are included",
            new.ends_on.isoformat(),
        )
    if new.kind not in CUSTODIAL_BASES:
        if new.ends_on is None:
            raise Invalid.field("/ends_on", "missing", "an agreement names its last day")
        return new.ends_on
    if new.body is None:
        codes = ", ".join(Organ)
        raise Invalid.field(
            "/body", "missing", f"a compulsory decision names its body: one of {codes}"
        )
    latest = term_dates.last_day(new.starts_on, term_dates.TERM_YEARS)
    if new.ends_on is not None and new.ends_on > latest:
        raise Invalid.field(
            "/ends_on",
            "longer-than-the-law",
            f"a compulsory term is two years from the day of the decision: it ends by {latest} at "
            "the latest. An extension is a decision of its own",
            new.ends_on.isoformat(),
        )
    return new.ends_on or latest


def _require_lawful(
    conn: Connection, ctx: Context, person_id: str, new: NewLegalBasis, today: date
) -> None:
    """Refuse a basis that this person's status, or its missing papers, do not allow."""
    terms.term_of(conn, person_id)
    target = statuses.TARGETS[new.kind]
    medical = ctx.actor.role is not Role.INTAKE_OFFICER
    source = statuses.status_of(conn, person_id, today, medical=medical)
    if new.kind is LegalBasis.OUT_MEDICAL:
        raise statuses.refused(
            "X01",
            "Treatment outside begins with its term, on its whole set of papers: record it at "
            "the term.",
            source,
            target,
        )
    if source is not target or new.kind not in _RENEWED:
        needs = statuses.require_transition(conn, ctx, person_id, target, today)
        by_consent = needs.source in statuses.CONSENSUAL
        if new.kind is LegalBasis.COMPULSORY and new.ground is None and by_consent:
            raise statuses.refused(
                "0.5",
                "Treatment by agreement that failed or ended is no ground of a compulsory "
                "decision: it names the item of article 38 it rests on.",
                source,
                target,
            )
    if new.kind is LegalBasis.COMPULSORY and new.ground is None:
        codes = ", ".join(Ground)
        raise Invalid.field(
            "/ground", "missing", f"a compulsory decision names its ground: one of {codes}"
        )
    if new.kind is LegalBasis.VOLUNTARY_IN_CENTRE:
        require_granted(conn, ctx, person_id, ApprovalKind.VOLUNTARY_IN_CENTRE, on=today)
    if new.kind is LegalBasis.INVOLUNTARY_PSYCHIATRIC:
        require_admission_papers(conn, person_id, today)


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
    if row["kind"] == LegalBasis.COMPULSORY:
        _owe_notice(conn, ctx, row["person_id"], basis_id, service.served_at, at)
    events.append(
        conn,
        ctx.actor,
        "legal_basis.served",
        "legal_basis",
        basis_id,
        person=row["person_id"],
        occurred_at=service.served_at,
    )
    rejudge(conn, ctx, at, persons=[row["person_id"]])
    return _view(conn, basis_id)


def _owe_notice(
    conn: Connection, ctx: Context, person: str, basis_id: str, served_at: datetime, at: datetime
) -> None:
    """Family, employer and home police station are told within a day of the service (art. 40)."""
    term = terms.term_of(conn, person)
    due.owe(
        conn,
        ctx,
        "notify_family",
        subject=("legal_basis", basis_id),
        now=at,
        person=person,
        facility=term.responsible if term is not None else None,
        due_at=served_at + timedelta(minutes=ctx.policy.due["notify_family"].minutes),
    )
    sole_carers.keep_clock(conn, ctx, person, at)


def revoke_legal_basis(
    conn: Connection, ctx: Context, basis_id: str, *, version: int | None = None
) -> LegalBasisView:
    """Record that the basis no longer holds. Nobody is moved by it: who is in a bed on it is due
    for release at once, and a term whose person is in none ends.

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
    if row["kind"] == LegalBasis.COMPULSORY:
        term_ends.basis_revoked(conn, ctx, row["person_id"], basis_id, row["at"])
    treatment.reconsider(conn, ctx, row["person_id"], row["at"])
    rejudge(conn, ctx, row["at"], persons=[row["person_id"]])
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
