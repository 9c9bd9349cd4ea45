"""Involuntary psychiatric stays: the second look that may be asked for, the periodic one that must
come, and the end of the right to hold (Mental Health Law arts. 32, 35, 44)."""

from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection

from service.access.caller import Role
from service.errors import Conflict
from service.store import opinions as rows
from service.store import stays
from service.store.network_papers import LATER_WORDS, basis_kinds
from service.store.opinions import OpinionRow
from service.store.stays import StayRow
from service.store.tables.law import OpinionKind
from service.workflow.context import Context
from service.workflow.law.term_dates import over_at
from service.workflow.persons.people import lock_person
from service.workflow.persons.person_clocks import settle_of_person
from service.workflow.persons.person_view import require_known
from service.workflow.watch import due
from solver.codes import LegalBasis

PSYCHIATRIC: Final = frozenset({OpinionKind.PSYCHIATRIC_DIAGNOSIS, *LATER_WORDS})
"""Opinions on whether somebody may be in a hospital against their will."""

_SETTLES: Final = {
    OpinionKind.JOINT_HOSPITAL: ("joint_opinion",),
    OpinionKind.OUT_MEDICAL_NEED: ("out_medical_review",),
    OpinionKind.REDIAGNOSIS: ("rediagnosis",),
    OpinionKind.REASSESSMENT: ("reassessment",),
}
"""Clocks that an opinion of this kind stops."""
_CLINICAL: Final = frozenset({Role.CLINICIAN, Role.INTEGRATION})


def ask_rediagnosis(conn: Connection, ctx: Context, person_id: str) -> None:
    """The person or their guardian asks that two other psychiatrists look (Mental Health Law
    art. 32); treatment goes on meanwhile. Asking twice changes nothing, and whoever is no clinician
    does not learn from the answer whether there is a diagnosis.

    Raises NotFound, and Conflict (``merged``; to clinicians ``no-diagnosis``).
    """
    require_known(conn, ctx, person_id)
    at = lock_person(conn, person_id)
    diagnosis = rows.newest(conn, person_id, OpinionKind.PSYCHIATRIC_DIAGNOSIS)
    if diagnosis is None and ctx.actor.role not in _CLINICAL:
        return
    diagnosis = require_diagnosis(conn, person_id)
    stay = _involuntary_stay(conn, person_id)
    due.owe(
        conn,
        ctx,
        "rediagnosis",
        subject=("opinion", diagnosis.id),
        now=at,
        person=person_id,
        facility=stay.facility if stay is not None else None,
    )


def require_diagnosis(conn: Connection, person: str) -> OpinionRow:
    """The psychiatric diagnosis that counts. Raises Conflict ``no-diagnosis``."""
    found = rows.newest(conn, person, OpinionKind.PSYCHIATRIC_DIAGNOSIS)
    if found is None:
        raise Conflict(
            "no-diagnosis",
            "no psychiatric diagnosis of this person is on record; record that first",
            person=person,
        )
    return found


def keep_clocks(conn: Connection, ctx: Context, row: OpinionRow, at: datetime) -> None:
    """Stop the clocks this opinion answers; start the next look, or the notice that it is over."""
    ended = settle_of_person(conn, ctx, _SETTLES.get(row.kind, ()), row.person, at)
    if row.kind is OpinionKind.OUT_MEDICAL_NEED and row.severe and row.at_risk:
        for subject in ended:
            due.owe(
                conn,
                ctx,
                "out_medical_review",
                subject=subject,
                now=at,
                person=row.person,
                due_at=over_at(row.review_on, ctx.policy.zone)
                if row.review_on is not None
                else None,
            )
    if row.kind not in PSYCHIATRIC:
        return
    stay = _involuntary_stay(conn, row.person)
    if stay is None:
        return
    diagnosed = row.kind is OpinionKind.PSYCHIATRIC_DIAGNOSIS
    if row.confirmed is False or (diagnosed and not (row.severe and row.danger_case)):
        settle_of_person(conn, ctx, ("reassessment",), row.person, at, outcome="called_off")
        due.owe(
            conn,
            ctx,
            "involuntary_over",
            subject=("stay", stay.id),
            now=at,
            person=row.person,
            facility=stay.facility,
        )
        return
    begin_reassessment(conn, ctx, stay, at, review_on=row.review_on)


def begin_reassessment(
    conn: Connection,
    ctx: Context,
    stay: StayRow,
    now: datetime,
    *,
    review_on: date | None = None,
) -> None:
    """Start the clock of the next periodic assessment of an involuntary stay (Mental Health Law
    art. 44), on ``review_on`` or after the policy's days; a running one is left alone."""
    due.owe(
        conn,
        ctx,
        "reassessment",
        subject=("stay", stay.id),
        now=now,
        person=stay.person,
        facility=stay.facility,
        due_at=over_at(review_on, ctx.policy.zone) if review_on is not None else None,
    )


def _involuntary_stay(conn: Connection, person: str) -> StayRow | None:
    """The open stay of somebody who is in hospital against their will."""
    if basis_kinds(conn, [person]).get(person) is not LegalBasis.INVOLUNTARY_PSYCHIATRIC:
        return None
    return next(reversed(stays.open_stays(conn, person)), None)
