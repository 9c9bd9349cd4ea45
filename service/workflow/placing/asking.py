"""Who may ask for a bed for whom, decide for which bed, and answer for which facility.

The asking side is police, clinicians and the coordinator. A hospital admits a volunteer itself:
its administrator or its doctor asks for somebody who came by their own consent, and decides for a
bed of that hospital, never of another. A centre that took somebody in answers for them.
"""

from typing import Final

from sqlalchemy import Connection, select

from service.access.caller import FACILITY_ROLES, Actor, Role
from service.access.scope import require_facility
from service.errors import Forbidden, Invalid, NotFound
from service.store.network_papers import basis_kinds
from service.store.requests import RequestRow
from service.store.seats import Seat
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.persons.person_view import require_known
from service.workflow.privacy.visibility import hidden
from solver.codes import COMPULSORY_CENTRES, LegalBasis

VOLUNTEERS: Final = frozenset({LegalBasis.VOLUNTARY, LegalBasis.CONSTRAINED})
"""Who comes to a hospital by agreement (Drug Rehabilitation Regulations art. 10)."""


def responsible_for(conn: Connection, ctx: Context, person: str, named: str | None) -> str | None:
    """The facility that answers for the person a bed is asked for.

    Of an officer's request the centre they name, if any; of a hospital's own request the hospital.

    Raises:
        Forbidden: this caller may not ask for this person; whether there is a stay or a request is
            not told. NotFound: nobody the police side may know of.
        Invalid: ``responsible_facility`` is no centre, or not the caller's own.
    """
    require_police_may_know(conn, ctx, person)
    own = ctx.actor.facility
    if own is None:
        return _centre(conn, named) if named is not None else None
    volunteer = basis_kinds(conn, [person]).get(person) in VOLUNTEERS
    if ctx.actor.role in FACILITY_ROLES and (not volunteer or _runs_a_centre(conn, own)):
        raise not_for_you()
    if named not in (None, own):
        if ctx.actor.role in FACILITY_ROLES:
            raise Invalid.field(
                "/responsible_facility",
                "not-your-facility",
                f"this key speaks for {own}; name that one or none",
                named,
            )
        return _centre(conn, named)
    return own if volunteer else named


def require_police_may_know(conn: Connection, ctx: Context, person: str) -> None:
    """Raise NotFound, as for nobody, where the police side asks about somebody they have no case
    of, or who is treated by their own consent. Call it before anything else is said of them."""
    require_known(conn, ctx, person)
    if hidden(conn, ctx, [person]):
        raise NotFound("person-not-found", f"there is no person {person}")


def require_own_request(ctx: Context, row: RequestRow) -> None:
    """Raise Forbidden for a request that is another facility's to go on with."""
    if ctx.actor.role in FACILITY_ROLES and row.responsible != ctx.actor.facility:
        raise Forbidden(
            "not-for-this-role",
            "this request is not your facility's own; the officer who asked, a clinician or the "
            "coordinator goes on with it",
        )


def require_own_bed(conn: Connection, ctx: Context, row: RequestRow, place: Seat) -> None:
    """Raise Forbidden unless this caller may decide for this bed on this request.

    Whoever speaks for a facility decides for its own beds only, and its administrator only for
    somebody who came by their own consent.
    """
    require_own_request(ctx, row)
    own = ctx.actor.facility
    if own is not None and place.facility != own:
        raise Forbidden(
            "other-facility",
            f"this key acts for facility {own} only; the coordinator decides for a bed elsewhere",
            facility=place.facility,
        )
    by_hospital = ctx.actor.role in FACILITY_ROLES
    if by_hospital and basis_kinds(conn, [row.person]).get(row.person) not in VOLUNTEERS:
        raise not_for_you()


def require_answering(actor: Actor, facility: str) -> None:
    """Raise Forbidden unless the caller answers for the facility: its own key, its own doctor, or
    a coordinator."""
    require_facility(actor, facility)
    if actor.role is Role.CLINICIAN and actor.facility != facility:
        raise Forbidden(
            "other-facility",
            "only a doctor of the receiving facility answers for it; ask that facility's own "
            "administrator or doctor, or a coordinator",
            facility=facility,
        )


def _centre(conn: Connection, facility: str | None) -> str:
    if facility is None or not _runs_a_centre(conn, facility):
        raise Invalid.field(
            "/responsible_facility",
            "not-a-centre",
            "name a centre in use (a facility with a PSC or JSC unit) that took the person in, "
            "or leave it out",
            facility,
        )
    return facility


def _runs_a_centre(conn: Connection, facility: str) -> bool:
    unit, place = core.unit.c, core.facility.c
    return (
        conn.execute(
            select(unit.id)
            .join(core.facility, place.id == unit.facility_id)
            .where(
                unit.facility_id == facility,
                unit.kind.in_(sorted(COMPULSORY_CENTRES)),
                unit.retired_at.is_(None),
                place.retired_at.is_(None),
            )
            .limit(1)
        ).first()
        is not None
    )


def not_for_you() -> Forbidden:
    """This caller may not ask for this person; it says nothing of why."""
    return Forbidden(
        "not-for-this-role",
        "this key may not ask for a bed for this person; ask the coordinator. In danger to life "
        "the emergency lane is open to every role that cares for people",
    )
