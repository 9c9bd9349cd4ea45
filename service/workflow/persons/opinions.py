"""Doctors' opinions on questions of law: recorded by clinicians, never by officers or coordinators.

Jointly appointed hospital before a justice centre (Shanghai Ordinance art. 33), need of treatment
outside (Regulations art. 31), psychiatric diagnosis, re-diagnosis by two other psychiatrists,
independent expert opinion and periodic reassessment (Mental Health Law arts. 30, 32, 35, 44), and
capacity to decide on treatment. Drug use is no severe mental disorder (art. 83): a diagnosis says
which danger there is, or supports nothing.
"""

from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import Field
from sqlalchemy import Connection, exists, select

from service.errors import Conflict, Forbidden, Invalid, NotFound
from service.store import events
from service.store import opinions as rows
from service.store.network_papers import LATER_WORDS
from service.store.opinions import OpinionRow
from service.store.tables import core
from service.store.tables.law import OpinionKind
from service.workflow.consent import treatment
from service.workflow.context import Context
from service.workflow.instants import AwareInstant
from service.workflow.inventory.place_fields import Line, Strict
from service.workflow.inventory.places import get_row
from service.workflow.persons.people import legal_today, lock_person
from service.workflow.persons.person_parts import OpinionView, opinion_view
from service.workflow.persons.person_view import require_visible
from service.workflow.persons.psychiatric_reviews import PSYCHIATRIC, keep_clocks, require_diagnosis
from service.workflow.privacy.audit_flags import flag_if_refused
from service.workflow.watch import watching
from solver.codes import DangerCase, Licence, Tri

_K = OpinionKind
_SAYS: Final = {
    _K.JOINT_HOSPITAL: ("at_risk",),
    _K.OUT_MEDICAL_NEED: ("severe", "at_risk"),
    _K.PSYCHIATRIC_DIAGNOSIS: ("severe",),
    _K.REDIAGNOSIS: ("confirmed",),
    _K.EXPERT_OPINION: ("confirmed",),
    _K.REASSESSMENT: ("confirmed",),
    _K.CAPACITY: ("capable",),
}
"""What each kind of opinion must answer."""
_MAY_SAY: Final = {_K.PSYCHIATRIC_DIAGNOSIS: ("danger_case",)}
_ANSWERS: Final = ("severe", "at_risk", "danger_case", "confirmed", "capable")
_TWO_DOCTORS: Final = 2


class NewOpinion(Strict):
    """An opinion; it answers what its kind asks, and nothing else.

    ``severe``: the illness, or the mental disorder, is severe. ``at_risk``: life is in danger
    without treatment outside. ``danger_case``: whom the disorder endangers, (a) the person or (b)
    others, done or at risk. ``confirmed``: the need of an involuntary stay was found again.
    ``review_on``: the day on which its ground is looked at again.
    """

    kind: OpinionKind
    hospital: Line
    doctors: Annotated[list[Line], Field(min_length=1, max_length=6)]
    severe: bool | None = None
    at_risk: bool | None = None
    danger_case: DangerCase | None = None
    confirmed: bool | None = None
    capable: Tri | None = None
    stated_at: AwareInstant | None = None
    review_on: date | None = None


def record_opinion(conn: Connection, ctx: Context, person_id: str, new: NewOpinion) -> OpinionView:
    """Record what doctors found; the newest of its kind counts from now on.

    A re-diagnosis, an expert opinion or a reassessment that does not find the need again ends the
    hospital's right to hold at once: the stay is due for discharge, and the person and their
    guardian are told.

    Raises:
        NotFound: there is no such person, or none this caller may know of.
        Forbidden: the caller speaks for another hospital.
        Invalid: an answer its kind does not give, or one that is missing; one doctor where the law
            wants two others; a hospital without psychiatry; an opinion of the future.
        Conflict: ``merged``, ``no-diagnosis``: there is nothing to be looked at again.
    """
    require_visible(conn, ctx, person_id)
    if ctx.actor.facility is not None and new.hospital != ctx.actor.facility:
        raise Forbidden(
            "other-facility",
            f"this key speaks for {ctx.actor.facility}; the hospital of the opinion records it",
            facility=new.hospital,
        )
    _check_answers(new)
    at = lock_person(conn, person_id)
    stated = new.stated_at or at
    today = legal_today(ctx, at)
    if stated > at:
        raise Invalid.field(
            "/stated_at", "in-the-future", "record an opinion once it is given", stated.isoformat()
        )
    if new.review_on is not None and new.review_on < today:
        raise Invalid.field(
            "/review_on",
            "over-already",
            f"today is {today}: name the day of the next review",
            new.review_on.isoformat(),
        )
    if new.kind in PSYCHIATRIC:
        _require_psychiatry(conn, new.hospital)
    if new.kind in LATER_WORDS:
        _check_second_look(conn, person_id, new)
    row = rows.write(conn, _values(ctx, person_id, new, stated, at))
    _event(conn, ctx, "opinion.recorded", row, at)
    keep_clocks(conn, ctx, row, at)
    flag_if_refused(conn, ctx, person_id, "opinion", at)
    flag_if_refused(conn, ctx, person_id, "opinion", at)
    treatment.reconsider(conn, ctx, person_id, at)
    watching.rejudge(conn, ctx, at, persons=[person_id])
    return opinion_view(row)


def revoke_opinion(conn: Connection, ctx: Context, opinion_id: str) -> OpinionView:
    """Take an opinion back that was recorded in error; the one before it counts again.

    Raises NotFound, Forbidden (of another hospital), and Conflict (``merged``,
    ``opinion-revoked``).
    """
    row = _require(conn, opinion_id)
    require_visible(conn, ctx, row.person)
    if ctx.actor.facility is not None and row.hospital != ctx.actor.facility:
        raise Forbidden(
            "other-facility",
            f"this key speaks for {ctx.actor.facility}; {row.hospital} takes its opinion back",
            facility=row.hospital,
        )
    at = lock_person(conn, row.person)
    if not rows.revoke(conn, opinion_id, at):
        raise Conflict(
            "opinion-revoked",
            f"opinion {opinion_id} was taken back already; record a new one",
            opinion=opinion_id,
        )
    _event(conn, ctx, "opinion.revoked", row, at)
    treatment.reconsider(conn, ctx, row.person, at)
    watching.rejudge(conn, ctx, at, persons=[row.person])
    return opinion_view(_require(conn, opinion_id))


def list_opinions(conn: Connection, ctx: Context, person_id: str) -> list[OpinionView]:
    """Every opinion about a person, the newest first.

    Raises NotFound for somebody who does not exist, or whom the caller may not know of.
    """
    get_row(conn, core.person, person_id)
    require_visible(conn, ctx, person_id)
    return [opinion_view(row) for row in rows.of_person(conn, person_id)]


def _check_answers(new: NewOpinion) -> None:
    must, may = _SAYS[new.kind], _MAY_SAY.get(new.kind, ())
    for name in _ANSWERS:
        given = getattr(new, name)
        if given is None and name in must:
            raise Invalid.field(
                f"/{name}", "missing", f"an opinion of kind {new.kind} answers {', '.join(must)}"
            )
        if given is not None and name not in must and name not in may:
            raise Invalid.field(
                f"/{name}",
                "not-asked",
                f"an opinion of kind {new.kind} answers {', '.join((*must, *may))} only; leave "
                f"{name} out",
                given,
            )
    if len({_plain(it) for it in new.doctors}) < len(new.doctors):
        raise Invalid.field("/doctors", "named-twice", "name each doctor once", new.doctors)


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()


def _require_psychiatry(conn: Connection, hospital: str) -> None:
    """A hospital of the network that has no psychiatric licence gives no psychiatric diagnosis."""
    unit = core.unit.c
    known = conn.execute(
        select(exists().where(core.facility.c.id == hospital, ~core.facility.c.external))
    ).scalar_one()
    licensed = conn.execute(
        select(
            exists().where(
                unit.facility_id == hospital, unit.licences.contains([Licence.PSYCHIATRIC.value])
            )
        )
    ).scalar_one()
    if known and not licensed:
        raise Invalid.field(
            "/hospital",
            "not-licensed",
            f"{hospital} has no psychiatric licence: a psychiatrist of a hospital that has one "
            "diagnoses (Mental Health Law arts. 25, 30)",
            hospital,
        )


def _check_second_look(conn: Connection, person: str, new: NewOpinion) -> None:
    """A re-diagnosis is by two psychiatrists who did not diagnose; an expert opinion is by others
    than both (Mental Health Law arts. 32, 33)."""
    diagnosis = require_diagnosis(conn, person)
    if new.kind is OpinionKind.REASSESSMENT:
        return
    involved = {_plain(it) for it in diagnosis.doctors}
    if new.kind is OpinionKind.EXPERT_OPINION:
        again = rows.newest(conn, person, OpinionKind.REDIAGNOSIS)
        involved |= {_plain(it) for it in again.doctors} if again is not None else set()
    elif len(new.doctors) < _TWO_DOCTORS:
        raise Invalid.field(
            "/doctors",
            "two-others",
            "a re-diagnosis is by two psychiatrists who did not make the diagnosis; name both",
            new.doctors,
        )
    same = [it for it in new.doctors if _plain(it) in involved]
    if same:
        raise Invalid.field(
            "/doctors",
            "two-others",
            f"{same[0]} gave the opinion that is to be looked at again; others must see the person",
            new.doctors,
        )


def _values(
    ctx: Context, person: str, new: NewOpinion, stated: datetime, at: datetime
) -> dict[str, Any]:
    return {
        "person_id": person,
        "kind": new.kind.value,
        "severe": new.severe,
        "at_risk": new.at_risk,
        "danger_case": new.danger_case.value if new.danger_case is not None else None,
        "confirmed": new.confirmed,
        "capable": new.capable.value if new.capable is not None else None,
        "hospital": new.hospital,
        "doctors": new.doctors,
        "stated_at": stated,
        "review_on": new.review_on,
        "recorded_by": ctx.actor.id,
        "recorded_at": at,
    }


def _require(conn: Connection, opinion_id: str) -> OpinionRow:
    row = rows.find(conn, opinion_id)
    if row is None:
        raise NotFound("opinion-not-found", f"there is no opinion {opinion_id}")
    return row


def _event(conn: Connection, ctx: Context, operation: str, row: OpinionRow, at: datetime) -> None:
    events.append(conn, ctx.actor, operation, "opinion", row.id, person=row.person, occurred_at=at)
