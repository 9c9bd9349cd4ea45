"""What each role sees of a person: clinical values for clinicians, care flags for those who only
prepare a bed, legal papers for those who answer for them.

Consensual treatment is invisible to the police side: an intake officer sees only papers that police
had a hand in, and care flags and identity only of people who have such papers. Somebody treated by
consent looks to them exactly like somebody without papers. A facility sees the
people who have a claim on one of its beds, nobody else, and of them what their care needs. Parts
that a role does not get are named in ``withheld``. Every reading by an auditor is recorded.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import Connection, exists, or_, select

from service.access.caller import FACILITY_ROLES, Role
from service.errors import NotFound
from service.store import opinions
from service.store.engine import now as database_time
from service.store.network_needs import NEWEST_ASSESSMENT_FIRST
from service.store.network_people import age_on
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
from service.workflow.consent.consent_forms import readable
from service.workflow.context import Context
from service.workflow.inventory.places import LIVE_CLAIM, get_row
from service.workflow.persons.people import Guardian, legal_today, opened_guardian, record_access
from service.workflow.persons.person_parts import (
    AssessmentView,
    CareFlags,
    ConsentView,
    FitnessView,
    LegalBasisView,
    MovementStopView,
    OpinionView,
    consent_view,
    opinion_view,
)
from service.workflow.privacy.own_cases import HIDDEN_FROM_POLICE, knows, on_police_side
from solver.codes import Sex, Tri

_WHO: Final = frozenset({"birth_date", "home", "guardian", "dependants", "legal_bases", "care"})
_CONSENT: Final = frozenset({"consents", "fitness", "movement_stop"})
_CLINICAL: Final = _WHO | _CONSENT | {"assessment", "opinions"}

PARTS: Final[Mapping[Role, frozenset[str]]] = {
    Role.INTAKE_OFFICER: _WHO,
    Role.CLINICIAN: _CLINICAL,
    Role.FACILITY_ADMIN: frozenset({"care"}),
    Role.INTEGRATION: frozenset({"care"}),
    Role.COORDINATOR: _WHO | _CONSENT,
    Role.AUDITOR: _CLINICAL,
    Role.DASHBOARD: frozenset(),
}
"""Which parts of a person's record each role gets."""

_CARE_PARTS: Final = frozenset(
    {"care", "assessment", "fitness", "movement_stop", "guardian", "dependants"}
)
"""What the police side gets of people under papers of police alone."""


class Dependants(BaseModel):
    """Who needs the person: a nursed child, by its birth date; somebody who has nobody else."""

    nursing_child_born_on: date | None
    sole_carer: Tri


class PersonView(BaseModel):
    """A person as the caller may see them; ``withheld`` names the parts that are not for them.

    ``identified`` false: nobody knows yet who it is, and ``age`` is an estimate. ``opinions``: what
    doctors found on questions of law, taken back ones left out.
    """

    id: str
    identified: bool
    sex: Sex | None
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
    guardian: Guardian | None = None
    dependants: Dependants | None = None
    opinions: list[OpinionView] | None = None
    withheld: list[str]
    version: int


def require_visible(conn: Connection, ctx: Context, person_id: str) -> None:
    """Raise NotFound unless the caller may know of this person, as for somebody not there.

    A facility's key knows the people who have a claim on, or a promise of, one of its beds. The
    police side knows its own cases and whoever police have papers of.
    """
    require_known(conn, ctx, person_id)
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
        raise NotFound("person-not-found", f"there is no person {person_id}")


def require_known(conn: Connection, ctx: Context, person_id: str) -> None:
    """Raise NotFound for somebody the police side has no case of, as for somebody not there. What
    a facility's own key may know is ``require_visible``'s matter."""
    get_row(conn, person, person_id)
    if ctx.actor.role in FACILITY_ROLES or not on_police_side(conn, ctx):
        return
    if not knows(conn, ctx, person_id, database_time(conn)):
        raise NotFound("person-not-found", f"there is no person {person_id}")


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
    police = on_police_side(conn, ctx) and ctx.actor.role not in FACILITY_ROLES
    if police and not known_to_police(conn, person_id):
        parts -= _CARE_PARTS
    record_access(conn, ctx, person_id, "audit" if ctx.actor.role is Role.AUDITOR else "file")
    view = PersonView(
        id=row["id"],
        identified=row["identified"],
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
        signed = _rows(conn, consent, person_id)
        view.consents = [consent_view(it) for it in signed if readable(conn, ctx, it["kinds"])]
    newest = _newest_assessment(conn, person_id)
    if "care" in parts and newest is not None:
        view.care = CareFlags.model_validate({n: newest[n] for n in CareFlags.model_fields})
    if "assessment" in parts and newest is not None:
        view.assessment = AssessmentView.model_validate(dict(newest))
    if "fitness" in parts:
        view.fitness = _fitness(conn, person_id)
    if "movement_stop" in parts:
        view.movement_stop = _movement_stop(conn, person_id)
    if "guardian" in parts:
        view.guardian = opened_guardian(ctx.vault, row)
    if "dependants" in parts:
        view.dependants = Dependants(
            nursing_child_born_on=row["nursing_child_born_on"], sole_carer=row["sole_carer"]
        )
    if "opinions" in parts:
        found = opinions.of_person(conn, person_id)
        view.opinions = [opinion_view(it) for it in found if it.revoked_at is None]
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
