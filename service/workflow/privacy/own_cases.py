"""Whose case somebody is: what a caller may know of at all.

Consensual treatment is invisible to the police side: to intake officers, and to every key of a
facility that runs a compulsory centre. Whoever such a caller may not know of looks exactly like
nobody. A search by identity finds a caller's own cases only, in one statement for both answers.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, exists, false, func, or_, select, true
from sqlalchemy.orm import aliased

from service.access.caller import Role
from service.store.tables import core
from service.workflow.context import Context
from solver.codes import COMPULSORY_CENTRES, TREATMENT_BASES

HIDDEN_FROM_POLICE: Final = TREATMENT_BASES
"""Treatment by the person's own consent, and an involuntary admission: medical matters both (Drug
Rehabilitation Regulations art. 7, Mental Health Law art. 4). A voluntary entry to a compulsory
centre is not hidden: it needs the consent of police itself (Anti-Drug Law art. 38(3))."""

CASE_LASTS: Final = timedelta(days=365)
"""How long after somebody left a facility they are still one of its cases."""

_claim, _transfer, _bed = core.bed_claim.c, core.transfer.c, core.bed.c
_request, _basis, _event = core.placement_request.c, core.legal_basis.c, core.event.c
_stay, _unit = core.stay.c, core.unit.c


def on_police_side(conn: Connection, ctx: Context) -> bool:
    """Whether the caller is an intake officer, or speaks for a facility that runs a centre."""
    actor = ctx.actor
    if actor.role is Role.INTAKE_OFFICER:
        return True
    if actor.facility is None:
        return False
    return bool(
        conn.execute(
            select(
                exists().where(
                    _unit.facility_id == actor.facility,
                    _unit.kind.in_(sorted(COMPULSORY_CENTRES)),
                )
            )
        ).scalar_one()
    )


def own_case(ctx: Context, person: ColumnElement[Any], now: datetime) -> ColumnElement[bool]:
    """The condition that somebody is a case of this caller's.

    Of an auditor and a coordinator: everybody. Of a facility's key: whoever had a bed of it, a
    hold or a transfer there within a year. Of any other: whom this key registered, asked a bed
    for, or recorded papers, consents or findings of.
    """
    actor = ctx.actor
    if actor.role in (Role.AUDITOR, Role.COORDINATOR):
        return true()
    if actor.role is Role.DASHBOARD:
        return false()
    mine: list[ColumnElement[bool]] = [
        exists().where(
            _event.person_id == person,
            _event.operation == "person.registered",
            _event.actor == actor.id,
        ),
        exists().where(_request.person_id == person, _request.requested_by == actor.id),
        exists().where(_basis.person_id == person, _basis.recorded_by == actor.id),
    ]
    if actor.role is Role.CLINICIAN:
        mine += [
            exists().where(
                core.assessment.c.person_id == person, core.assessment.c.assessed_by == actor.id
            ),
            exists().where(
                core.consent.c.person_id == person, core.consent.c.recorded_by == actor.id
            ),
        ]
    if actor.facility is not None:
        mine += _of_facility(actor.facility, person, now)
    return or_(*mine)


def _of_facility(
    facility: str, person: ColumnElement[Any], now: datetime
) -> list[ColumnElement[bool]]:
    since = now - CASE_LASTS
    end = func.upper(_claim.during)
    theirs = select(_bed.id).where(_bed.facility_id == facility).scalar_subquery()
    return [
        exists().where(
            _claim.person_id == person,
            _claim.facility_id == facility,
            _claim.voided_at.is_(None),
            or_(end.is_(None), end > since),
        ),
        exists().where(
            _transfer.person_id == person,
            or_(_transfer.from_bed_id.in_(theirs), _transfer.to_bed_id.in_(theirs)),
            or_(_transfer.ended_at.is_(None), _transfer.ended_at > since),
        ),
        exists().where(
            core.bed_next.c.person_id == person,
            core.bed_next.c.bed_id.in_(theirs),
            core.bed_next.c.state == "live",
        ),
    ]


def police_case(person: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that police know the person by papers of their own: a decision of theirs on
    record, or a registration by an officer."""
    key, made = core.api_key.c, aliased(core.event).c
    return or_(
        exists().where(
            _basis.person_id == person,
            _basis.kind.not_in([it.value for it in HIDDEN_FROM_POLICE]),
        ),
        exists().where(
            made.person_id == person,
            made.operation == "person.registered",
            key.id == made.actor,
            key.role == Role.INTAKE_OFFICER.value,
        ),
    )


def treated(person: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that treatment by consent, or an involuntary admission, is on record."""
    return or_(
        exists().where(
            _basis.person_id == person,
            _basis.kind.in_([it.value for it in HIDDEN_FROM_POLICE]),
        ),
        exists().where(core.consent.c.person_id == person),
    )


def knows(conn: Connection, ctx: Context, person: str, now: datetime) -> bool:
    """Whether a caller of the police side who has the pseudonym may know of the person: their own
    case, police's, or somebody of whom no treatment is on record that police may not know of."""
    who = core.person.c.id
    return _holds(conn, person, or_(own_case(ctx, who, now), police_case(who), ~treated(who)))


def _holds(conn: Connection, person: str, condition: ColumnElement[bool]) -> bool:
    query = select(exists().where(and_(core.person.c.id == person, condition)))
    return bool(conn.execute(query).scalar_one())


def unknown_twin(conn: Connection, ctx: Context, document_index: str, now: datetime) -> str | None:
    """The record that carries this document, if its person is no case of the caller's or police's:
    a name and a number in hand show nobody whom another side has registered."""
    if not on_police_side(conn, ctx):
        return None
    it = core.person.c
    twin: str | None = conn.execute(
        select(it.id).where(it.document_index == document_index, it.merged_into.is_(None))
    ).scalar_one_or_none()
    who = core.person.c.id
    theirs = or_(own_case(ctx, who, now), police_case(who))
    return None if twin is None or _holds(conn, twin, theirs) else twin
