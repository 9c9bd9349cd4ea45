"""Consent to treatment: whose word, for which kinds of unit, until when; and the answer no.

How it is taken back, and how it runs out, stands in ``withdrawals``.
"""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from service.errors import Conflict, NotFound
from service.store import events
from service.store.ids import new_id
from service.store.tables.core import consent
from service.workflow.consent import consent_forms, treatment
from service.workflow.consent.consent_clocks import CENTRE, OF_CONSENT, for_centres, place_of
from service.workflow.consent.consent_forms import NewConsent, Repetition
from service.workflow.consent.withdrawals import take_back
from service.workflow.context import Context
from service.workflow.inventory.places import get_row
from service.workflow.law.term_dates import over_at
from service.workflow.persons.people import legal_today, lock_person
from service.workflow.persons.person_parts import ConsentView, consent_view
from service.workflow.persons.person_view import require_visible
from service.workflow.privacy.audit_flags import flag_if_refused
from service.workflow.watch import due
from service.workflow.watch.watching import rejudge
from solver.codes import ConsentBy

WITNESS = "consent.witness"
"""What the witness's name is sealed for."""


def record_consent(conn: Connection, ctx: Context, person_id: str, new: NewConsent) -> ConsentView:
    """Record somebody's consent, or their no.

    A no ends the person's request for treatment, and takes back what was agreed before it for the
    same kinds of unit, as a withdrawal does; it triggers nothing else. A word given under
    intoxication is provisional, with a clock. A consent signed afresh, sober, takes back a
    discharge that was due because the one before was taken back or ran out.

    Raises:
        NotFound: there is no such person.
        Forbidden: ``not-for-this-role`` (police), ``other-hospital``.
        Invalid: naming what a valid consent still needs; reversed days, or over already.
        Conflict: ``merged``.
    """
    consent_forms.require_taker(conn, ctx, new.kinds)
    at = lock_person(conn, person_id)
    first, last = consent_forms.check_form(ctx, new, at, legal_today(ctx, at))
    provisional = not new.refused and new.sober is False
    lapses = new.given_at + timedelta(hours=ctx.policy.consents.sober_hours)
    if provisional and lapses <= at:
        raise _lapsed(ctx)
    consent_id = new_id("cn")
    conn.execute(
        insert(consent).values(
            id=consent_id,
            person_id=person_id,
            given_by=new.by.value,
            kinds=sorted(kind.value for kind in new.kinds),
            agreement=new.agreement and not new.refused,
            starts_on=first,
            ends_on=last,
            given_at=new.given_at,
            place=new.place,
            takers=list(dict.fromkeys(new.takers)),
            witness=(
                ctx.vault.seal_text(new.witness, f"{WITNESS} {consent_id}")
                if new.witness is not None
                else None
            ),
            **_capacity(ctx, new.capacity, new.given_at),
            told_alternatives=new.told_alternatives,
            told_no_adverse_effect=new.told_no_adverse_effect,
            sober=new.sober is not False,
            lapses_at=lapses if provisional else None,
            refused=new.refused,
            recorded_by=ctx.actor.id,
            recorded_at=at,
            version=1,
        )
    )
    _told(conn, ctx, "consent.recorded", consent_id, person_id, new.given_at)
    if new.refused:
        if new.by is not ConsentBy.FAMILY:
            treatment.refused(conn, ctx, person_id, at)
        take_back(conn, ctx, person_id, new.by, new.given_at, at, kinds=new.kinds)
        rejudge(conn, ctx, at, persons=[person_id])
        return consent_view(get_row(conn, consent, consent_id))
    _signed_afresh(conn, ctx, person_id, new.by, consent_id, at)
    _start_clocks(conn, ctx, person_id, consent_id, new, last, lapses, at)
    flag_if_refused(conn, ctx, person_id, "consent", at)
    treatment.reconsider(conn, ctx, person_id, at)
    rejudge(conn, ctx, at, persons=[person_id])
    return consent_view(get_row(conn, consent, consent_id))


def repeat_consent(
    conn: Connection, ctx: Context, consent_id: str, said: Repetition
) -> ConsentView:
    """The person says it again sober: the consent no longer lapses.

    Raises:
        NotFound: there is no such consent.
        Forbidden: as ``record_consent``.
        Invalid: said before it was given or in the future, too few takers, no capacity.
        Conflict: ``not-provisional``, ``consent-over`` (withdrawn, or lapsed: record a new one).
    """
    row = get_row(conn, consent, consent_id)
    consent_forms.require_taker(conn, ctx, frozenset(consent_view(row).kinds))
    at = lock_person(conn, row["person_id"])
    row = get_row(conn, consent, consent_id)
    if row["lapses_at"] is None or row["repeated_at"] is not None:
        raise Conflict("not-provisional", "this consent does not lapse; there is nothing to repeat")
    spoken = said.said_at or at
    if row["withdrawn_at"] is not None or row["over_at"] is not None or row["lapses_at"] <= spoken:
        raise _lapsed(ctx)
    consent_forms.check_repetition(ctx, said, row["given_at"], spoken, at)
    found = _capacity(ctx, said.capacity, spoken) if said.capacity is not None else {}
    conn.execute(
        update(consent)
        .where(consent.c.id == consent_id)
        .values(
            repeated_at=spoken,
            takers=list(dict.fromkeys([*row["takers"], *said.takers])),
            version=consent.c.version + 1,
            **found,
        )
    )
    due.settle(conn, ctx, "consent_sober", subject=("consent", consent_id), now=at)
    _told(conn, ctx, "consent.repeated", consent_id, row["person_id"], spoken)
    flag_if_refused(conn, ctx, row["person_id"], "consent", at)
    treatment.reconsider(conn, ctx, row["person_id"], at)
    rejudge(conn, ctx, at, persons=[row["person_id"]])
    return consent_view(get_row(conn, consent, consent_id))


def get_consent(conn: Connection, ctx: Context, consent_id: str) -> ConsentView:
    """One consent. Raises NotFound, also for one this caller may not read."""
    row = get_row(conn, consent, consent_id)
    if not consent_forms.readable(conn, ctx, row["kinds"]):
        raise NotFound("consent-not-found", f"there is no consent {consent_id}")
    return consent_view(row)


def consents_of(conn: Connection, ctx: Context, person_id: str) -> list[ConsentView]:
    """The person's consents that this caller may read, newest first. Raises NotFound."""
    require_visible(conn, ctx, person_id)
    rows = conn.execute(
        select(consent).where(consent.c.person_id == person_id).order_by(consent.c.id.desc())
    ).mappings()
    return [consent_view(it) for it in rows if consent_forms.readable(conn, ctx, it["kinds"])]


def _capacity(
    ctx: Context, found: consent_forms.Capacity | None, given_at: datetime
) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        "capable": found.capable.value,
        "capacity_by": consent_forms.doctor(ctx, found),
        "capacity_at": found.found_at or given_at,
    }


def _signed_afresh(
    conn: Connection, ctx: Context, person: str, by: ConsentBy, consent_id: str, at: datetime
) -> None:
    """The clocks of what the same signer signed before stop: the new consent has its own."""
    earlier = conn.execute(
        select(consent.c.id)
        .where(
            consent.c.person_id == person,
            consent.c.given_by == by.value,
            consent.c.id != consent_id,
        )
        .order_by(consent.c.id)
    ).scalars()
    for old in list(earlier):
        due.settle(conn, ctx, OF_CONSENT, subject=("consent", old), now=at, outcome="signed_again")


def _start_clocks(
    conn: Connection,
    ctx: Context,
    person: str,
    consent_id: str,
    new: NewConsent,
    last: date,
    lapses: datetime,
    at: datetime,
) -> None:
    subject = ("consent", consent_id)
    facility = place_of(conn, person, new.kinds) or ctx.actor.facility
    over = over_at(last, ctx.policy.zone)
    ahead = timedelta(minutes=ctx.policy.due["consent_end"].minutes)
    where: dict[str, Any] = {
        "person": person,
        "facility": facility,
        "owner": CENTRE if for_centres(new.kinds) else None,
    }
    ask = max(at, over - ahead)
    due.owe(conn, ctx, "consent_end", subject=subject, now=at, due_at=ask, **where)
    if new.sober is False:
        due.owe(conn, ctx, "consent_sober", subject=subject, now=at, due_at=lapses, **where)
    if ctx.policy.consents.report_agreement and new.agreement:
        due.owe(conn, ctx, "agreement_report", subject=subject, now=at, **where)


def _lapsed(ctx: Context) -> Conflict:
    return Conflict(
        "consent-over",
        f"a word given under intoxication is repeated within {ctx.policy.consents.sober_hours} "
        "hours, while it stands; ask again and record the answer as a new consent",
    )


def _told(
    conn: Connection, ctx: Context, operation: str, consent_id: str, person: str, at: datetime
) -> None:
    events.append(conn, ctx.actor, operation, "consent", consent_id, person=person, occurred_at=at)
