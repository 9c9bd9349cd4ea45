"""Consent taken back, and consent that ran out: both lead to a discharge and to nothing else.

Anybody who hears it writes it down, at any hour, on the word of the person or the guardian. Whoever
writes it learns nothing of what was there.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, func, or_, select, update

from service.access.caller import Role
from service.errors import Forbidden, Invalid, NotFound
from service.lifecycle import StayState
from service.store import events
from service.store.engine import now as clock
from service.store.locks import lock
from service.store.network_people import legal_day
from service.store.tables import core
from service.workflow.consent import treatment
from service.workflow.consent.consent_clocks import OF_CONSENT
from service.workflow.context import Context
from service.workflow.instants import AwareInstant
from service.workflow.inventory.place_fields import Strict
from service.workflow.persons.people import lock_person
from service.workflow.watch import due
from service.workflow.watch.clocks import BATCH, Lapsed, alone
from solver.codes import ConsentBy, UnitKind

_c: Final = core.consent.c
_stay: Final = core.stay.c
_STANDING: Final = and_(~_c.refused, _c.withdrawn_at.is_(None))


class Withdrawal(Strict):
    """When the person said so (now, if left out); whoever they said it to records it."""

    said_at: AwareInstant | None = None


class WithdrawnWord(Strict):
    """Who took it back, and when (now, if left out). The person's and the guardian's word ends
    every consent to the treatment; the family's ends the family's."""

    said_by: ConsentBy
    said_at: AwareInstant | None = None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """From when on no consent of the person holds. It does not say whether there was one."""

    person: str
    since: datetime


@dataclass(frozen=True, slots=True)
class WithdrawalNoted:
    """The withdrawal is on record. It says nothing of a stay, of other consents or of before."""

    consent: str
    since: datetime


def withdraw_consent(
    conn: Connection, ctx: Context, person_id: str, withdrawal: Withdrawal
) -> Withdrawn:
    """The person takes their consent back; every consent to their treatment ends with it.

    Anybody who hears it records it, at any hour, on the person's word alone. It leads to the
    planning of a discharge and to nothing else. Saying it twice changes nothing.

    Raises NotFound, Invalid (said in the future), and Conflict ``merged``.
    """
    at = lock_person(conn, person_id)
    said = _said(withdrawal.said_at, at)
    take_back(conn, ctx, person_id, ConsentBy.PERSON, said, at)
    return Withdrawn(person_id, said)


def withdraw_by_id(
    conn: Connection, ctx: Context, consent_id: str, word: WithdrawnWord
) -> WithdrawalNoted:
    """A consent is taken back on the word of the person, the guardian or, their own, the family.

    The stay that rested on it is due for discharge on a clock, and the request for treatment ends.
    Nobody has absconded. Saying it twice changes nothing and answers the same.

    Raises:
        NotFound: there is no such consent.
        Forbidden: a key that only reads aggregates.
        Invalid: said in the future.
    """
    if ctx.actor.role is Role.DASHBOARD:
        raise Forbidden("not-for-this-role", "a dashboard's key records nothing")
    person = conn.execute(select(_c.person_id).where(_c.id == consent_id)).scalar_one_or_none()
    if person is None:
        raise NotFound("consent-not-found", f"there is no consent {consent_id}")
    at = lock(conn, persons=[person])
    said = _said(word.said_at, at)
    take_back(conn, ctx, person, word.said_by, said, at)
    return WithdrawalNoted(consent_id, said)


def expire_consents(conn: Connection, ctx: Context, *, limit: int = BATCH) -> Lapsed:
    """Write every consent that is over, once: by the end of its last day, or lapsed because it was
    not said again sober. Stays that nothing carries any more are due for discharge."""
    seen = _over(conn, ctx, clock(conn), limit)
    marked = _unmarked(conn, limit)
    if not seen and not marked:
        return Lapsed()
    now = lock(conn, persons={it.person_id for it in (*seen, *marked)})
    done = [alone(conn, it.id, _expire, ctx, it, now) for it in seen]
    done += [alone(conn, it.id, _mark_again, ctx, it, now) for it in marked]
    written = [it for it in done if it is not None]
    return Lapsed(more=bool(written) and limit in (len(seen), len(marked)))


def _said(given: datetime | None, at: datetime) -> datetime:
    said = given or at
    if said > at:
        raise Invalid.field(
            "/said_at", "in-the-future", "record it when it was said, or later", said.isoformat()
        )
    return said


def take_back(
    conn: Connection,
    ctx: Context,
    person: str,
    by: ConsentBy,
    said: datetime,
    at: datetime,
    *,
    kinds: Collection[UnitKind] | None = None,
) -> None:
    """End the consents this word ends; one that was given after the word stands. The caller holds
    the person.

    The family's word ends the family's; the person's every one, but of an involuntary admission in
    force not the guardian's (Mental Health Law arts. 30, 31, 36); the guardian's every one.
    ``kinds``: only consents to one of these kinds of unit, after a no to just these.
    """
    given = func.coalesce(_c.given_at, _c.recorded_at)
    ends = [by] if by is ConsentBy.FAMILY else list(ConsentBy)
    if by is ConsentBy.PERSON and treatment.involuntary_basis(conn, ctx, person, at) is not None:
        ends = [ConsentBy.PERSON, ConsentBy.FAMILY]
    theirs = [_c.given_by.in_([it.value for it in ends])]
    if kinds is not None:
        theirs.append(_c.kinds.overlap(sorted(it.value for it in kinds)))
    ended = sorted(
        conn.execute(
            update(core.consent)
            .where(_c.person_id == person, _STANDING, given <= said, *theirs)
            .values(
                withdrawn_at=said,
                withdrawn_by=by.value,
                withdrawal_recorded_by=ctx.actor.id,
                version=_c.version + 1,
            )
            .returning(_c.id)
        ).scalars()
    )
    for consent_id in ended:
        _stop_clocks(conn, ctx, consent_id, at)
        _told(conn, ctx, "consent.withdrawn", consent_id, person, said)
    if ended or by is not ConsentBy.FAMILY:
        treatment.withdrawn(conn, ctx, person, at)


def _over(conn: Connection, ctx: Context, now: datetime, limit: int) -> list[Any]:
    """Consents over by their last day or lapsed, whose end nobody has written."""
    today = legal_day(now, ctx.policy.zone)
    lapsed = and_(_c.lapses_at <= now, _c.repeated_at.is_(None))
    return list(
        conn.execute(
            select(_c.id, _c.person_id)
            .where(_STANDING, _c.over_at.is_(None), or_(_c.ends_on < today, lapsed))
            .order_by(_c.id)
            .limit(limit)
        )
    )


def _unmarked(conn: Connection, limit: int) -> list[Any]:
    """Stays that nothing carries and that were made active again, by a return or a correction."""
    return list(
        conn.execute(
            select(_stay.id, _stay.person_id)
            .where(
                _stay.state == StayState.ACTIVE.value,
                _stay.discharge_due_code.in_(sorted(treatment.CODES)),
            )
            .order_by(_stay.id)
            .limit(limit)
        )
    )


def _expire(conn: Connection, ctx: Context, it: Any, now: datetime) -> Lapsed:
    row = conn.execute(
        update(core.consent)
        .where(_c.id == it.id, _STANDING, _c.over_at.is_(None))
        .values(over_at=now, version=_c.version + 1)
        .returning(_c.person_id, _c.ends_on)
    ).one_or_none()
    if row is None:
        return Lapsed()
    _stop_clocks(conn, ctx, it.id, now)
    _told(conn, ctx, "consent.expired", it.id, row.person_id, now)
    by_day = row.ends_on < legal_day(now, ctx.policy.zone)
    code = treatment.EXPIRED if by_day else treatment.LAPSED
    treatment.ran_out(conn, ctx, row.person_id, code, now)
    return Lapsed()


def _mark_again(conn: Connection, ctx: Context, it: Any, now: datetime) -> Lapsed:
    treatment.mark_again(conn, ctx, it.person_id, now)
    return Lapsed()


def _stop_clocks(conn: Connection, ctx: Context, consent_id: str, now: datetime) -> None:
    due.settle(
        conn, ctx, OF_CONSENT, subject=("consent", consent_id), now=now, outcome="called_off"
    )


def _told(
    conn: Connection, ctx: Context, operation: str, consent_id: str, person: str, at: datetime
) -> None:
    events.append(conn, ctx.actor, operation, "consent", consent_id, person=person, occurred_at=at)
