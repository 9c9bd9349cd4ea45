"""What each role sees of a person: clinical values for clinicians, care flags for those who only
prepare a bed, legal papers for those who answer for them.

Consensual treatment is invisible to the police side: an intake officer sees only papers that police
had a hand in, and care flags and identity only of people who have such papers. Somebody treated by
consent looks to them exactly like somebody without papers. A facility sees the
people who have a claim on one of its beds, nobody else, and of them what their care needs. Parts
that a role does not get are named in ``withheld``. Every reading by an auditor is recorded.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import Connection, exists, or_, select

from service.access.caller import FACILITY_ROLES, Role
from service.errors import NotFound
from service.store.engine import now as database_time
from service.store.network_people import NEWEST_ASSESSMENT_FIRST, age_on
from service.store.tables.claims import NextState
from service.store.tables.core import (
    assessment,
    bed,
    bed_claim,
    bed_next,
    consent,
    fitness_statement,
    legal_basis,
    movement_stop,
    person,
)
from service.workflow.context import Context
from service.workflow.people import legal_today, record_access
from service.workflow.places import LIVE_CLAIM, get_row
from solver.codes import (
    CONSENSUAL_BASES,
    BedKind,
    ConsentBy,
    Grade,
    Ground,
    Isolation,
    LegalBasis,
    Observation,
    Organ,
    Sex,
    Tri,
    UnitKind,
)

PARTS: Final[Mapping[Role, frozenset[str]]] = {
    Role.INTAKE_OFFICER: frozenset({"birth_date", "home", "legal_bases", "care"}),
    Role.CLINICIAN: frozenset(
        {
            "birth_date",
            "home",
            "legal_bases",
            "consents",
            "care",
            "assessment",
            "fitness",
            "movement_stop",
        }
    ),
    Role.FACILITY_ADMIN: frozenset({"care"}),
    Role.INTEGRATION: frozenset({"care"}),
    Role.COORDINATOR: frozenset(
        {"birth_date", "home", "legal_bases", "consents", "care", "fitness", "movement_stop"}
    ),
    Role.AUDITOR: frozenset(
        {
            "birth_date",
            "home",
            "legal_bases",
            "consents",
            "care",
            "assessment",
            "fitness",
            "movement_stop",
        }
    ),
    Role.DASHBOARD: frozenset(),
}
"""Which parts of a person's record each role gets."""

HIDDEN_FROM_POLICE: Final = CONSENSUAL_BASES - {LegalBasis.VOLUNTARY_IN_CENTRE}
"""Treatment by the person's own consent. A voluntary entry to a compulsory centre is not hidden:
it needs the consent of police itself (Anti-Drug Law art. 38(3))."""


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
    """Somebody's word that this treatment may go on until the end of ``ends_on``."""

    id: str
    by: ConsentBy
    kinds: list[UnitKind]
    agreement: bool
    starts_on: date
    ends_on: date
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
    assessed_at: datetime
    assessed_by: str


class CareFlags(BaseModel):
    """What a bed and its staff must provide, and nothing of why."""

    grade: Grade | None
    needs: list[BedKind]
    isolation: Isolation
    observation: Observation


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


class PersonView(BaseModel):
    """A person as the caller may see them; ``withheld`` names the parts that are not for them."""

    id: str
    sex: Sex
    age: int
    birth_date: date | None = None
    home: tuple[float, float] | None = None
    origin_unit: str | None = None
    merged_into: str | None = None
    legal_bases: list[LegalBasisView] | None = None
    consents: list[ConsentView] | None = None
    care: CareFlags | None = None
    assessment: AssessmentView | None = None
    fitness: FitnessView | None = None
    movement_stop: MovementStopView | None = None
    withheld: list[str]
    version: int


def require_visible(conn: Connection, ctx: Context, person_id: str) -> None:
    """Raise NotFound unless the caller may know of this person.

    A facility's key knows the people who have a claim on, or a promise of, one of its beds.
    """
    if ctx.actor.role not in FACILITY_ROLES:
        return
    known = conn.execute(
        select(
            or_(
                exists().where(
                    bed_claim.c.person_id == person_id,
                    bed_claim.c.facility_id == ctx.actor.facility,
                    LIVE_CLAIM,
                ),
                exists().where(
                    bed_next.c.person_id == person_id,
                    bed_next.c.state == NextState.LIVE.value,
                    bed.c.id == bed_next.c.bed_id,
                    bed.c.facility_id == ctx.actor.facility,
                ),
            )
        )
    ).scalar_one()
    if not known:
        raise NotFound("person-not-found", f"there is no person {person_id} here")


def known_to_police(conn: Connection, person_id: str) -> bool:
    """Whether papers are in force that police ordered or agreed to."""
    return bool(
        conn.execute(
            select(
                exists().where(
                    legal_basis.c.person_id == person_id,
                    legal_basis.c.revoked_at.is_(None),
                    legal_basis.c.kind.not_in([basis.value for basis in HIDDEN_FROM_POLICE]),
                )
            )
        ).scalar_one()
    )


def get_person(conn: Connection, ctx: Context, person_id: str) -> PersonView:
    """A person as the caller's role may see them; never a name.

    Raises NotFound for somebody who does not exist, or whom the caller may not know of.
    """
    row = get_row(conn, person, person_id)
    require_visible(conn, ctx, person_id)
    parts = set(PARTS[ctx.actor.role])
    police = ctx.actor.role is Role.INTAKE_OFFICER
    if police and not known_to_police(conn, person_id):
        parts.discard("care")
    if ctx.actor.role is Role.AUDITOR:
        record_access(conn, ctx, person_id, "audit")
    view = PersonView(
        id=row["id"],
        sex=row["sex"],
        age=age_on(row["birth_date"], legal_today(ctx, database_time(conn))),
        origin_unit=row["origin_unit_id"],
        merged_into=row["merged_into"],
        withheld=sorted(PARTS[Role.AUDITOR] - PARTS[ctx.actor.role]),
        version=row["version"],
    )
    if "birth_date" in parts:
        view.birth_date = row["birth_date"]
    if "home" in parts and row["home_east_km"] is not None:
        view.home = (row["home_east_km"], row["home_north_km"])
    if "legal_bases" in parts:
        view.legal_bases = _legal_bases(conn, person_id, custodial_only=police)
    if "consents" in parts:
        view.consents = [consent_view(it) for it in _rows(conn, consent, person_id)]
    newest = _newest_assessment(conn, person_id)
    if "care" in parts and newest is not None:
        view.care = CareFlags.model_validate({n: newest[n] for n in CareFlags.model_fields})
    if "assessment" in parts and newest is not None:
        view.assessment = AssessmentView.model_validate(dict(newest))
    if "fitness" in parts:
        view.fitness = _fitness(conn, person_id)
    if "movement_stop" in parts:
        view.movement_stop = _movement_stop(conn, person_id)
    return view


def _rows(conn: Connection, table: Any, person_id: str) -> list[Any]:
    query = select(table).where(table.c.person_id == person_id).order_by(table.c.id.desc())
    return list(conn.execute(query).mappings())


def _legal_bases(conn: Connection, person_id: str, *, custodial_only: bool) -> list[LegalBasisView]:
    hidden = {basis.value for basis in HIDDEN_FROM_POLICE} if custodial_only else set()
    return [
        LegalBasisView.model_validate({name: row[name] for name in LegalBasisView.model_fields})
        for row in _rows(conn, legal_basis, person_id)
        if row["kind"] not in hidden
    ]


def consent_view(row: Any) -> ConsentView:
    """A consent's row as its readers see it."""
    members = dict(row)
    members["by"] = members.pop("given_by")
    return ConsentView.model_validate(members)


def _newest_assessment(conn: Connection, person_id: str) -> Any | None:
    return (
        conn.execute(
            select(assessment)
            .where(assessment.c.person_id == person_id)
            .order_by(*NEWEST_ASSESSMENT_FIRST)
            .limit(1)
        )
        .mappings()
        .one_or_none()
    )


def _fitness(conn: Connection, person_id: str) -> FitnessView | None:
    live = [row for row in _rows(conn, fitness_statement, person_id) if row["revoked_at"] is None]
    return FitnessView.model_validate(dict(live[0])) if live else None


def _movement_stop(conn: Connection, person_id: str) -> MovementStopView | None:
    live = [row for row in _rows(conn, movement_stop, person_id) if row["lifted_at"] is None]
    return MovementStopView.model_validate(dict(live[0])) if live else None
