"""Offers that nobody answers, and people nobody has placed: the next bed, the clock, the alarm.

A hold waits for its facility's answer, a request for a bed; each has its time by grade (policy
``[offers]``), and when that is over the on-call coordinator is alarmed. The emergency lane opens
by itself on a red flag or a finding of G5: it asks and warns, and a named human moves the person.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from service.lifecycle import RequestState, StayState
from service.store import due as due_rows
from service.store import events, requests, stays
from service.store.claims.rows import Claim
from service.store.due import DueRow
from service.store.lane_places import LanePlace, lane_places
from service.store.network_needs import need_of
from service.store.requests import RequestRow
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.placing.request_events import request_told
from service.workflow.watch import due
from solver.codes import Grade, Sex, UnitKind
from solver.eligibility import counted_grade

ANSWER: Final = "offer_answer"
ALARM: Final = "offer_alarm"
PLACES_SHOWN: Final = 30

MEDICAL_KINDS: Final = frozenset(
    {UnitKind.OMW, UnitKind.CTH, UnitKind.DTI, UnitKind.AKH, UnitKind.SEC, UnitKind.EXT}
)
"""Where the emergency lane leads: medical care only, never custody."""


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence in both languages."""

    zh: str
    en: str


LANE_NEXT: Final = Words(
    "立即选一处医疗单元，电话通知，并以本人姓名登记急救收治"
    "（POST /people/{id}/emergency）；手续后补。",
    "Choose a unit of medical care now, ring its duty phone, and record the emergency admission in "
    "your own name (POST /people/{id}/emergency); papers follow.",
)


@dataclass(frozen=True, slots=True)
class Lane:
    """The emergency lane, open for somebody: their request, until when it must be met before the
    on-call coordinator is alarmed, and where they can be taken, best first.

    The lane moves nobody: a named human records the emergency admission.
    """

    person: str
    request: str
    why: str
    alarm_at: datetime
    on_call_phone: str
    places: tuple[LanePlace, ...]
    next: Words


def open_lane(conn: Connection, ctx: Context, person: str, now: datetime, *, why: str) -> Lane:
    """Open the emergency lane for somebody; the caller holds the person.

    Their live request becomes an emergency's, or one is made, for a resident too: the stay goes on
    until somebody records the emergency admission. ``why``: the code of what opened it
    (``screening``, ``assessment``). Said twice it changes nothing.
    """
    live = requests.live_request(conn, person)
    if live is None:
        row = requests.add(
            conn, ctx.actor, person, emergency=True, note=None, now=now, lane=why,
            responsible=_answering(conn, person),
        )  # fmt: skip
        request_told(conn, ctx, row, "request.submitted", now, emergency=row.emergency)
        request_told(conn, ctx, row, "lane.opened", now, emergency=row.emergency)
    elif not live.emergency:
        row = requests.set_emergency(conn, live, why)
        request_told(conn, ctx, row, "lane.opened", now, emergency=row.emergency)
    else:
        row = live
    alarm_at = now + timedelta(minutes=ctx.policy.offers.alarm_minutes[Grade.G5])
    alarm_at = _alarm_by(conn, ctx, row, alarm_at, now)
    sex = conn.execute(select(core.person.c.sex).where(core.person.c.id == person)).scalar_one()
    places = lane_places(conn, MEDICAL_KINDS, Sex(sex) if sex is not None else None, now)
    return Lane(
        person=person,
        request=row.id,
        why=why,
        alarm_at=alarm_at,
        on_call_phone=ctx.policy.offers.on_call_phone,
        places=tuple(places[:PLACES_SHOWN]),
        next=Words(LANE_NEXT.zh.format(id=person), LANE_NEXT.en.format(id=person)),
    )


def stand_down(
    conn: Connection, ctx: Context, person: str, now: datetime, *, opened_by: Collection[str]
) -> RequestRow | None:
    """A clinician found no emergency: shut the lane that one of ``opened_by`` opened by itself.

    The request waits on as any other; that of a resident, made by the lane, is withdrawn. A lane
    that a human asked for stays open. A live request's clocks follow the finding either way.
    Returns the request, None when there was nothing to shut.
    """
    live = requests.live_request(conn, person)
    if live is None:
        return None
    if live.lane is None or live.lane not in opened_by:
        keep_time(conn, ctx, live, now, anew=True)
        return None
    row = requests.set_emergency(conn, live, None)
    request_told(conn, ctx, row, "lane.closed", now, emergency=row.emergency)
    if row.state is RequestState.WAITING and _in_bed(conn, person):
        row = requests.step(conn, row, RequestState.WITHDRAWN, now=now, reason="assessed")
        request_told(conn, ctx, row, "request.withdrawn", now, emergency=row.emergency)
    keep_time(conn, ctx, row, now, anew=True)
    return row


def keep_time(
    conn: Connection,
    ctx: Context,
    row: RequestRow,
    now: datetime,
    *,
    hold: Claim | None = None,
    anew: bool = False,
) -> None:
    """Let the clocks of a request follow its state; call it after every step.

    Waiting: the alarm runs. Held: the facility's answer is due too. Accepted or ended: neither.
    ``anew``: what the grade is based on has changed, so the alarm begins again.
    """
    subject = ("placement_request", row.id)
    if row.state not in (RequestState.WAITING, RequestState.HELD):
        due.settle(conn, ctx, (ANSWER, ALARM), subject=subject, now=now, outcome=_outcome(row))
        return
    minutes = ctx.policy.offers
    grade = counted(conn, ctx, row)
    if anew:
        due.settle(conn, ctx, ALARM, subject=subject, now=now, outcome="called_off")
    if row.state is RequestState.WAITING:
        due.settle(conn, ctx, ANSWER, subject=subject, now=now)
    due.owe(
        conn,
        ctx,
        ALARM,
        subject=subject,
        now=now,
        person=row.person,
        facility=row.responsible,
        due_at=now + timedelta(minutes=minutes.alarm_minutes[grade]),
    )
    if hold is not None and row.state is RequestState.HELD:
        due.owe(
            conn,
            ctx,
            ANSWER,
            subject=subject,
            now=now,
            person=row.person,
            facility=hold.facility,
            due_at=now + timedelta(minutes=minutes.answer_minutes[grade]),
        )


def alarm(conn: Connection, ctx: Context, clock: DueRow) -> None:
    """An offer not answered, or a request not placed, in its time: tell the on-call coordinator,
    once a clock. Any other clock rings without this."""
    if clock.kind not in (ANSWER, ALARM):
        return
    events.append(
        conn,
        ctx.actor,
        "offer.alarmed",
        clock.subject_type,
        clock.subject_id,
        person=clock.person,
        facility=clock.facility,
        data={"kind": clock.kind, "due": clock.id},
        occurred_at=clock.due_at,
    )


def counted(conn: Connection, ctx: Context, row: RequestRow) -> Grade:
    """The grade a request's clocks go by: an emergency's is the gravest."""
    if row.emergency:
        return Grade.G5
    return counted_grade(need_of(conn, row.person), ctx.policy.solver())


def _alarm_by(
    conn: Connection, ctx: Context, row: RequestRow, alarm_at: datetime, now: datetime
) -> datetime:
    """Set the request's alarm to that instant, or leave an earlier one; returns when it rings."""
    subject = ("placement_request", row.id)
    running = [it.due_at for it in due_rows.running(conn, subject) if it.kind == ALARM]
    if not running:
        due.owe(
            conn, ctx, ALARM, subject=subject, now=now, person=row.person,
            facility=row.responsible, due_at=alarm_at,
        )  # fmt: skip
        return alarm_at
    if running[0] > alarm_at:
        due_rows.move_item(conn, ALARM, subject, alarm_at)
        return alarm_at
    return running[0]


def _answering(conn: Connection, person: str) -> str | None:
    """Who answers for a resident: the facility responsible for their stay, else the one they are
    in."""
    found = conn.execute(
        select(core.stay.c.responsible_facility_id, core.stay.c.facility_id)
        .where(core.stay.c.person_id == person, core.stay.c.ended_at.is_(None))
        .order_by(core.stay.c.id.desc())
        .limit(1)
    ).one_or_none()
    return (found[0] or found[1]) if found is not None else None


def _in_bed(conn: Connection, person: str) -> bool:
    return any(it.state is not StayState.ON_LEAVE for it in stays.open_stays(conn, person))


def _outcome(row: RequestRow) -> str:
    placed = row.state in (RequestState.ACCEPTED, RequestState.ADMITTED)
    return "done" if placed else "called_off"
