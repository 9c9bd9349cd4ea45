"""Consent to treatment: whose word, for which kinds of unit, until when. Withdrawn at any hour."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, insert, update

from service.errors import Invalid
from service.store import events
from service.store.ids import new_id
from service.store.tables.core import consent
from service.workflow.context import Context
from service.workflow.instants import AwareInstant
from service.workflow.people import legal_today, lock_person
from service.workflow.person_view import ConsentView, consent_view
from service.workflow.place_fields import Strict
from service.workflow.places import get_row
from solver.codes import ConsentBy, UnitKind


class NewConsent(Strict):
    """Consent with its scope and its last day, which is included; it is never renewed by itself.

    ``agreement``: the written agreement on method, term and confidentiality is signed
    (Drug Rehabilitation Regulations art. 10). The family's word never replaces the person's.
    """

    by: ConsentBy
    kinds: Annotated[frozenset[UnitKind], Field(min_length=1)]
    agreement: bool = False
    starts_on: date
    ends_on: date


class Withdrawal(Strict):
    """When the person said so (now, if left out); whoever they said it to records it."""

    said_at: AwareInstant | None = None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """From when on no consent of the person holds. It does not say whether there was one."""

    person: str
    since: datetime


def record_consent(conn: Connection, ctx: Context, person_id: str, new: NewConsent) -> ConsentView:
    """Record somebody's consent.

    Raises:
        NotFound: there is no such person.
        Invalid: reversed days, or a consent that is over already.
        Conflict: ``merged``.
    """
    if new.ends_on < new.starts_on:
        raise Invalid.field(
            "/ends_on",
            "reversed-period",
            f"the last day lies before the first ({new.starts_on}); both days are included",
            new.ends_on.isoformat(),
        )
    at = lock_person(conn, person_id)
    today = legal_today(ctx, at)
    if new.ends_on < today:
        raise Invalid.field(
            "/ends_on",
            "over-already",
            f"today is {today}: a consent that is over supports no bed; ask for a new one",
            new.ends_on.isoformat(),
        )
    consent_id = new_id("cn")
    conn.execute(
        insert(consent).values(
            id=consent_id,
            person_id=person_id,
            given_by=new.by.value,
            kinds=sorted(kind.value for kind in new.kinds),
            agreement=new.agreement,
            starts_on=new.starts_on,
            ends_on=new.ends_on,
            recorded_by=ctx.actor.id,
            recorded_at=at,
            version=1,
        )
    )
    events.append(
        conn, ctx.actor, "consent.recorded", "consent", consent_id, person=person_id, occurred_at=at
    )
    return consent_view(get_row(conn, consent, consent_id))


def withdraw_consent(
    conn: Connection, ctx: Context, person_id: str, withdrawal: Withdrawal
) -> Withdrawn:
    """The person takes their consent back; every consent to their treatment ends with it.

    Anybody who hears it records it, at any hour, on the person's word alone. It leads to the
    planning of a discharge and to nothing else. Saying it twice changes nothing.

    Raises NotFound, Invalid (said in the future), and Conflict ``merged``.
    """
    at = lock_person(conn, person_id)
    said = withdrawal.said_at or at
    if said > at:
        raise Invalid.field(
            "/said_at", "in-the-future", "record it when it was said, or later", said.isoformat()
        )
    ended = conn.execute(
        update(consent)
        .where(consent.c.person_id == person_id, consent.c.withdrawn_at.is_(None))
        .values(withdrawn_at=said, version=consent.c.version + 1)
        .returning(consent.c.id)
    ).scalars()
    for consent_id in sorted(ended):
        events.append(
            conn,
            ctx.actor,
            "consent.withdrawn",
            "consent",
            consent_id,
            person=person_id,
            occurred_at=said,
        )
    return Withdrawn(person_id, said)
