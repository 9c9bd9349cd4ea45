"""Involuntary admission 非自愿住院: what must be on record before it (Mental Health Law arts. 30
to 32, 44).

A severe mental disorder that a licensed psychiatrist diagnosed, with harm done or at risk: to the
person (case a: then the guardian consents) or to others (case b). Drug use is not itself one.
"""

from datetime import date

from sqlalchemy import Connection, select

from service.errors import Conflict
from service.store import opinions
from service.store.network_papers import LATER_WORDS
from service.store.tables.core import consent
from service.store.tables.law import OpinionKind
from solver.codes import ConsentBy, DangerCase


def require_admission_papers(conn: Connection, person: str, on: date) -> None:
    """Refuse an involuntary admission whose papers are not whole. What a doctor found is not said.

    Raises Conflict ``findings-missing`` (rule M02 or M06), ``guardian-consent-missing`` (M03).
    """
    found = opinions.newest(conn, person, OpinionKind.PSYCHIATRIC_DIAGNOSIS)
    if found is None or not found.severe or found.danger_case is None:
        raise Conflict(
            "findings-missing",
            "a licensed psychiatrist's diagnosis that carries an involuntary admission is not on "
            "record. Admission is voluntary by default: offer that",
            rule="M02",
        )
    later = [opinions.newest(conn, person, kind) for kind in LATER_WORDS]
    newest = max(
        (it for it in later if it is not None and it.stated_at >= found.stated_at),
        key=lambda it: (it.stated_at, it.recorded_at, it.id),
        default=None,
    )
    if newest is not None and not newest.confirmed:
        raise Conflict(
            "findings-missing",
            "the newest opinion on record does not carry an involuntary admission",
            rule="M06",
        )
    if found.danger_case is DangerCase.SELF and not _guardian_agrees(conn, person, on):
        raise Conflict(
            "guardian-consent-missing",
            "in this case the guardian consents first, and without that nobody is admitted",
            rule="M03",
        )


def _guardian_agrees(conn: Connection, person: str, on: date) -> bool:
    word = consent.c
    return (
        conn.execute(
            select(word.id)
            .where(
                word.person_id == person,
                word.given_by == ConsentBy.GUARDIAN.value,
                word.withdrawn_at.is_(None),
                ~word.refused,
                word.starts_on <= on,
                word.ends_on >= on,
            )
            .limit(1)
        ).first()
        is not None
    )
