"""Whether consensual treatment goes on: a stay that no consent carries is due for discharge.

A word taken back, run out or lapsed has one effect, a discharge on a clock; nobody is held, nobody
has absconded, and no paper of police changes it. Two things end it: the person's own free word,
given sober, and the whole set for an involuntary admission on papers of its own (Mental Health Law
arts. 30, 31).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, func, or_, select

from service.lifecycle import RequestState, StayState, TransferState
from service.store import stays, transfers
from service.store.claims import rows
from service.store.locks import lock
from service.store.network import load_network
from service.store.network_people import legal_day
from service.store.seats import seat
from service.store.stays import StayRow
from service.store.tables import core
from service.workflow.consent.consent_clocks import CENTRE, CLOCK
from service.workflow.context import Context
from service.workflow.moves.transfer_ends import end_transfer
from service.workflow.persons.psychiatric_reviews import begin_reassessment
from service.workflow.placing.request_ends import end_live_request
from service.workflow.stays.departures import call_off, people_behind
from service.workflow.stays.discharge import told
from service.workflow.watch import due
from service.workflow.watch.watching import rejudge
from solver.codes import CONSENSUAL_BASES, LegalBasis
from solver.eligibility import facts, misplaced, place

WITHDRAWN: Final = "consent_withdrawn"
EXPIRED: Final = "consent_expired"
LAPSED: Final = "consent_lapsed"
ENDED: Final = "basis_ended"
CODES: Final = frozenset({WITHDRAWN, EXPIRED, LAPSED, ENDED})
"""Why a discharge is due that only a new consent or an involuntary admission takes back."""

_INVOLUNTARY_RULES: Final = frozenset({"M01", "M02", "M03", "M06"})
_IN_FORCE: Final = frozenset({"V03"})
_CONSENT_RULES: Final = _IN_FORCE | {"V01", "V02", "V02-capacity"}
_RESTS_ON: Final = CONSENSUAL_BASES | {LegalBasis.INVOLUNTARY_PSYCHIATRIC}

_stay, _basis, _term = core.stay.c, core.legal_basis.c, core.term.c


@dataclass(frozen=True, slots=True)
class _Treated:
    """An open stay that rests on consent or on an involuntary admission."""

    row: StayRow
    kind: LegalBasis
    code: str | None


def rest_on_newest(conn: Connection, ctx: Context, person: str, now: datetime) -> None:
    """Somebody whom an emergency brought in, or whose paper is over, is treated on the newest paper
    from now on, where that is treatment by consent or an involuntary admission in force.

    A stay on leave, one in custody, and one whose own paper is in force are left alone. The caller
    holds the person.
    """
    day = legal_day(now, ctx.policy.zone)
    paper = conn.execute(
        select(_basis.id, _basis.kind, _basis.starts_on, _basis.ends_on)
        .where(_basis.person_id == person, _basis.revoked_at.is_(None))
        .order_by(_basis.recorded_at.desc(), _basis.id.desc())
        .limit(1)
    ).one_or_none()
    if paper is None or paper.kind not in _RESTS_ON:
        return
    forced = paper.kind == LegalBasis.INVOLUNTARY_PSYCHIATRIC.value
    if forced and not paper.starts_on <= day <= paper.ends_on:
        return
    over = conn.execute(
        select(_stay.id)
        .outerjoin(core.legal_basis, _basis.id == _stay.basis_id)
        .outerjoin(core.term, _term.basis_id == _basis.id)
        .where(
            _stay.person_id == person,
            _stay.ended_at.is_(None),
            _stay.state != StayState.ON_LEAVE.value,
            or_(
                _stay.basis_id.is_(None),
                _basis.revoked_at.is_not(None),
                _term.closed_at.is_not(None),
                func.coalesce(_term.ends_on, _basis.ends_on) < day,
            ),
        )
        .order_by(_stay.id)
    ).scalars()
    for id_ in list(over):
        row = stays.stay(conn, id_)
        if row.basis == paper.id or seat(conn, rows.segments(conn, id_)[-1].bed).custodial:
            continue
        stays.rewrite(conn, row, basis_id=paper.id)
        due.set_review(conn, ctx, id_, now)


def withdrawn(conn: Connection, ctx: Context, person: str, now: datetime) -> None:
    """A word was taken back: the consensual request ends, stays it carried are due for discharge.

    The caller holds the person and has written the withdrawal.
    """
    rest_on_newest(conn, ctx, person, now)
    if not _ordered_by_police(conn, person):
        end_live_request(conn, ctx, person, RequestState.WITHDRAWN, WITHDRAWN, now)
    _review(conn, ctx, person, now, code=WITHDRAWN, rules=_CONSENT_RULES)


def ran_out(conn: Connection, ctx: Context, person: str, code: str, now: datetime) -> None:
    """A consent is over by its last day or lapsed. The caller holds the person."""
    _review(conn, ctx, person, now, code=code, rules=_IN_FORCE)


def reconsider(conn: Connection, ctx: Context, person: str, now: datetime) -> None:
    """Papers changed: a discharge that was due because nothing carried the stay is called off when
    something does now, and an involuntary stay that nothing carries is due for discharge.

    Call it after a consent, a legal basis or a doctor's opinion is recorded or revoked, the person
    being locked.
    """
    for it in _treated(conn, person):
        if it.code in CODES:
            _call_off(conn, ctx, it, now)
            continue
        involuntary = it.kind is LegalBasis.INVOLUNTARY_PSYCHIATRIC
        if involuntary and not _carried(conn, ctx, it, now, _CONSENT_RULES)[0]:
            _due(conn, ctx, it, ENDED, now)


def mark_again(conn: Connection, ctx: Context, person: str, now: datetime) -> None:
    """A stay whose discharge was due is active again, by a return or a correction: the discharge is
    due all the same, unless something carries the stay now. The caller holds the person."""
    for it in _treated(conn, person):
        if it.code is None or it.code not in CODES or it.row.state is not StayState.ACTIVE:
            continue
        _call_off(conn, ctx, it, now)
        if not _carried(conn, ctx, it, now, _CONSENT_RULES, sober=True)[0]:
            _due(conn, ctx, replace(it, code=None), it.code, now)


def _review(
    conn: Connection,
    ctx: Context,
    person: str,
    now: datetime,
    *,
    code: str,
    rules: frozenset[str],
) -> None:
    for it in _treated(conn, person):
        if not _carried(conn, ctx, it, now, rules)[0]:
            _due(conn, ctx, it, code, now)
    rejudge(conn, ctx, now, persons=[person])


def _treated(conn: Connection, person: str) -> list[_Treated]:
    """The person's open stays that rest on consent or an involuntary admission, oldest first."""
    found = conn.execute(
        select(_stay.id, _basis.kind, _stay.discharge_due_code)
        .join(core.legal_basis, _basis.id == _stay.basis_id)
        .where(
            _stay.person_id == person,
            _stay.ended_at.is_(None),
            _basis.kind.in_([it.value for it in _RESTS_ON]),
        )
        .order_by(_stay.id)
    ).all()
    return [
        _Treated(stays.stay(conn, row.id), LegalBasis(row.kind), row.discharge_due_code)
        for row in found
    ]


def _carried(
    conn: Connection,
    ctx: Context,
    it: _Treated,
    now: datetime,
    rules: frozenset[str],
    *,
    sober: bool = False,
) -> tuple[bool, str | None]:
    """Whether something carries the stay now, and the involuntary basis if that is what does.

    ``rules``: which rules of consent must hold. ``sober``: a provisional word does not count.
    """
    here = rows.segments(conn, it.row.id)[-1]
    network = load_network(conn, ctx.policy, units=[here.unit], persons=[it.row.person], now=now)
    person = network.persons[it.row.person]
    where = place(network, here.bed)
    involuntary = involuntary_basis(conn, ctx, it.row.person, now)
    if involuntary is not None:
        patient = replace(person, basis=LegalBasis.INVOLUNTARY_PSYCHIATRIC)
        asked = _INVOLUNTARY_RULES
    elif it.kind is LegalBasis.INVOLUNTARY_PSYCHIATRIC:
        return False, None
    else:
        consents = tuple(word for word in person.consents if not sober or word.lapses_at is None)
        patient = replace(person, basis=it.kind, consents=consents)
        asked = rules
    day = legal_day(now, ctx.policy.zone)
    said = misplaced(facts(patient, day, now, network.policy), where)
    return not any(no.rule in asked for no in said), involuntary


def involuntary_basis(conn: Connection, ctx: Context, person: str, now: datetime) -> str | None:
    """The involuntary admission in force, if it is the newest paper that is."""
    day = legal_day(now, ctx.policy.zone)
    row = conn.execute(
        select(_basis.id, _basis.kind)
        .where(
            _basis.person_id == person,
            _basis.revoked_at.is_(None),
            _basis.starts_on <= day,
            _basis.ends_on >= day,
        )
        .order_by(_basis.recorded_at.desc(), _basis.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None or row.kind != LegalBasis.INVOLUNTARY_PSYCHIATRIC.value:
        return None
    found: str = row.id
    return found


def _ordered_by_police(conn: Connection, person: str) -> bool:
    """Whether what counts for the person now is a decision of police: their request is not the
    person's own to end."""
    kind = conn.execute(
        select(_basis.kind)
        .where(_basis.person_id == person, _basis.revoked_at.is_(None))
        .order_by(_basis.recorded_at.desc(), _basis.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    return kind in (LegalBasis.COMPULSORY.value, LegalBasis.OUT_MEDICAL.value)


def refused(conn: Connection, ctx: Context, person: str, now: datetime) -> None:
    """The person says no to treatment: it ends a request for it and triggers nothing else."""
    if not _ordered_by_police(conn, person):
        end_live_request(conn, ctx, person, RequestState.REFUSED, "refused", now)


def _due(conn: Connection, ctx: Context, it: _Treated, code: str, now: datetime) -> None:
    """Mark the discharge; what was under way for the stay ends. A bed kept for somebody who is
    treated elsewhere is only marked: nobody has to be let out of it."""
    if it.code == code or (it.code in CODES and code != WITHDRAWN):
        return
    if it.row.state is StayState.ACTIVE:
        soon = now + timedelta(minutes=ctx.policy.due[CLOCK].minutes)
        row = stays.step(
            conn, it.row, StayState.DISCHARGE_DUE, discharge_due_code=code, expected_end=soon
        )
        told(conn, ctx, row, rows.segments(conn, row.id)[-1], "stay.discharge_due", now)
    else:
        row = stays.rewrite(conn, it.row, discharge_due_code=code)
    due.owe(
        conn,
        ctx,
        CLOCK,
        subject=("stay", row.id),
        now=now,
        person=row.person,
        facility=row.facility,
        detail=code,
        owner=CENTRE if it.kind is LegalBasis.VOLUNTARY_IN_CENTRE else None,
    )
    move = transfers.live_transfer(conn, row.person)
    on_the_way = move is not None and move.state is TransferState.IN_TRANSIT
    if move is not None and move.stay == row.id and not on_the_way:
        # Whoever waits for this bed goes on waiting for the same departure.
        end_transfer(conn, ctx, move, TransferState.CANCELLED, code, now, left=True)


def _call_off(conn: Connection, ctx: Context, it: _Treated, now: datetime) -> None:
    carried, involuntary = _carried(conn, ctx, it, now, _CONSENT_RULES, sober=True)
    if not carried:
        return
    changes: dict[str, Any] = {"discharge_due_code": None, "expected_end": None}
    if involuntary is not None:
        changes["basis_id"] = involuntary
    if it.row.state is StayState.DISCHARGE_DUE:
        lock(conn, persons=people_behind(conn, it.row.id))
        call_off(conn, ctx, it.row.id, "departure_cancelled", now)
        row = stays.step(conn, it.row, StayState.ACTIVE, **changes)
        told(conn, ctx, row, rows.segments(conn, row.id)[-1], "stay.discharge_called_off", now)
    else:
        row = stays.rewrite(conn, it.row, **changes)
    if involuntary is not None:
        begin_reassessment(conn, ctx, row, now)
    gone = (CLOCK, "discharge_due")
    due.settle(conn, ctx, gone, subject=("stay", row.id), now=now, outcome="called_off")
    rejudge(conn, ctx, now, persons=[row.person])
