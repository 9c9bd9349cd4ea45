"""Screening 初筛: five questions an officer can ask at night, when no assessor is there.

It never is a grade. A red flag opens the emergency lane by itself; anything positive, and anything
not answered, asks for the cautious place and starts a doctor's clock; all clear leads to the
new-arrivals unit until the exam. What counts as which is the policy's (``[screening]``). The
newest screening counts; a clinician's later assessment takes its place.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, select

from service.access.caller import FACILITY_ROLES
from service.policy_intake import ScreeningRules
from service.store import due as due_rows
from service.store import events, requests
from service.store.claims import rekey
from service.store.ids import new_id
from service.store.locks import lock
from service.store.network_needs import NEWEST_ASSESSMENT_FIRST
from service.store.requests import RequestRow
from service.store.tables import core
from service.store.tables.care import Consciousness, LastUse
from service.workflow.context import Context
from service.workflow.judgement import past_instant, require_current
from service.workflow.persons.person_view import require_visible
from service.workflow.placing.asking import require_police_may_know
from service.workflow.placing.offers import Lane, Words, keep_time, open_lane
from service.workflow.watch import due, watching
from solver.codes import Screening, Tri

SCREENING: Final = "screening"
"""What opened the lane by itself, and the type of the record."""
_CLOCK: Final = "doctor_sees"


@dataclass(frozen=True, slots=True)
class Answers:
    """The five answers; ``unknown`` is an honest one and never counts as no."""

    consciousness: Consciousness
    bleeding: Tri
    cough_or_fever: Tri
    self_harm: Tri
    last_alcohol_or_sedative: LastUse

    def codes(self) -> dict[str, str]:
        """Each question with the code of its answer."""
        return {
            "consciousness": self.consciousness.value,
            "bleeding": self.bleeding.value,
            "cough_or_fever": self.cough_or_fever.value,
            "self_harm": self.self_harm.value,
            "last_alcohol_or_sedative": self.last_alcohol_or_sedative.value,
        }


@dataclass(frozen=True, slots=True)
class Screened:
    """A screening, what follows from it and what to do next.

    ``superseded``: something newer counts. ``doctor_by``: until when a doctor sees the person.
    ``request``: the person's live request, ``candidates`` where its ranked beds are. ``lane``: the
    emergency lane, where it opened.
    """

    id: str
    person: str
    outcome: Screening
    superseded: bool
    screened_at: datetime
    follows: Words
    next: Words
    doctor_by: datetime | None
    request: str | None
    candidates: str | None
    lane: Lane | None


_FOLLOWS: Final = {
    Screening.RED_FLAG: Words(
        "出现危险征象：急救通道已自动打开，医疗先行，手续后补。",
        "A red flag: the emergency lane is open. Care comes first, papers follow.",
    ),
    Screening.CAUTION: Words(
        "有阳性或者未答项目：按较重情形安置，并由医生限时诊视。",
        "Something is positive or not answered: the cautious place counts, and a doctor sees the "
        "person in time.",
    ),
    Screening.CLEAR: Words(
        "未见异常：可先安置于入所队（新收治单元），直至入所健康检查。",
        "All clear: the new-arrivals unit takes the person until the health examination.",
    ),
}
_OVERTAKEN: Final = Words(
    "此后已有医生评估或者新的初筛，以其为准；本次初筛仅作记录。",
    "A clinician's finding or a later screening counts; this one is only kept.",
)
_ASK_FIRST: Final = Words(
    "请先提交收治申请（POST /placement-requests），再查看候选床位。",
    "Submit a placement request (POST /placement-requests), then read its candidates.",
)
_READ_BEDS: Final = Words(
    "查看候选床位并决定；有变化随时重新初筛。",
    "Read the candidates and decide; screen again whenever something changes.",
)


def outcome_of(rules: ScreeningRules, answers: Answers) -> Screening:
    """What the answers come to under the policy: a red flag, caution, or all clear."""
    said = answers.codes()
    for flag in rules.red_flags:
        if all(said[question] in codes for question, codes in flag.named().items()):
            return Screening.RED_FLAG
    careful = rules.caution.named()
    if any(said[question] in codes for question, codes in careful.items()):
        return Screening.CAUTION
    return Screening.CLEAR


def screen(
    conn: Connection,
    ctx: Context,
    person: str,
    answers: Answers,
    *,
    screened_at: datetime | None = None,
) -> Screened:
    """Keep an officer's screening and let follow what follows.

    Raises:
        NotFound: no such person, or one this facility or the police side may not know of.
        Conflict: ``person-merged``.
        Invalid: an instant in the future or without an offset.
    """
    require_police_may_know(conn, ctx, person)
    now = lock(conn, persons=[person])
    require_current(conn, person)
    live = requests.live_request(conn, person)
    theirs = live is not None and live.responsible == ctx.actor.facility
    if ctx.actor.role in FACILITY_ROLES and not theirs:
        require_visible(conn, ctx, person)
    at = past_instant("screened_at", screened_at, now)
    outcome = outcome_of(ctx.policy.screening, answers)
    id_ = _keep(conn, ctx, person, answers, outcome, live, at, now)
    if _overtaken(conn, person, id_, at):
        return _answer(id_, person, outcome, at, live, superseded=True)
    rekey(conn, person)
    lane, doctor_by = _follow(conn, ctx, person, outcome, live, now)
    watching.rejudge(conn, ctx, now, persons=[person])
    live = requests.live_request(conn, person)
    return _answer(id_, person, outcome, at, live, lane=lane, doctor_by=doctor_by)


def _keep(
    conn: Connection,
    ctx: Context,
    person: str,
    answers: Answers,
    outcome: Screening,
    live: RequestRow | None,
    at: datetime,
    now: datetime,
) -> str:
    id_ = new_id("sc")
    conn.execute(
        insert(core.screening).values(
            id=id_,
            person_id=person,
            request_id=live.id if live is not None else None,
            **answers.codes(),
            outcome=outcome.value,
            screened_at=at,
            screened_by=ctx.actor.id,
            recorded_at=now,
        )
    )
    events.append(
        conn, ctx.actor, "screening.recorded", SCREENING, id_, person=person, occurred_at=at
    )
    return id_


def _follow(
    conn: Connection,
    ctx: Context,
    person: str,
    outcome: Screening,
    live: RequestRow | None,
    now: datetime,
) -> tuple[Lane | None, datetime | None]:
    """Open the lane, start the doctor's clock; a milder screening later calls neither off."""
    lane = None
    if outcome is Screening.RED_FLAG:
        lane = open_lane(conn, ctx, person, now, why=SCREENING)
    elif live is not None and not live.emergency:
        keep_time(conn, ctx, live, now, anew=True)
    if outcome is not Screening.CLEAR:
        due.owe(
            conn,
            ctx,
            _CLOCK,
            subject=("person", person),
            now=now,
            person=person,
            facility=live.responsible if live is not None else ctx.actor.facility,
        )
    running = [it for it in due_rows.running(conn, ("person", person)) if it.kind == _CLOCK]
    return lane, running[0].due_at if running else None


def _overtaken(conn: Connection, person: str, screening: str, at: datetime) -> bool:
    """Whether something newer counts: a clinician's finding, or a later screening."""
    found = core.assessment.c
    assessed_at = conn.execute(
        select(found.assessed_at)
        .where(found.person_id == person)
        .order_by(*NEWEST_ASSESSMENT_FIRST)
        .limit(1)
    ).scalar_one_or_none()
    if assessed_at is not None and assessed_at >= at:
        return True
    asked = core.screening.c
    later = select(asked.id).where(
        asked.person_id == person, asked.screened_at > at, asked.id != screening
    )
    return conn.execute(later.limit(1)).first() is not None


def _answer(
    id_: str,
    person: str,
    outcome: Screening,
    at: datetime,
    live: RequestRow | None,
    *,
    superseded: bool = False,
    lane: Lane | None = None,
    doctor_by: datetime | None = None,
) -> Screened:
    what_next = _READ_BEDS if live is not None else _ASK_FIRST
    return Screened(
        id=id_,
        person=person,
        outcome=outcome,
        superseded=superseded,
        screened_at=at,
        follows=_OVERTAKEN if superseded else _FOLLOWS[outcome],
        next=lane.next if lane is not None else what_next,
        doctor_by=doctor_by,
        request=live.id if live is not None else None,
        candidates=(
            f"/api/v1/placement-requests/{live.id}/candidates" if live is not None else None
        ),
        lane=lane,
    )
