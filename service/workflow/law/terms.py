"""Terms 期限: how one begins with its decision, runs on whatever bed its person is in, is
interrupted, and ends.

What every use case shares that touches a term: its days are computed anew, its clocks follow, the
place its person is in is judged again. The use cases themselves are in ``absences``,
``term_changes`` and ``releases``. The caller holds the person.
"""

from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, update

from service.errors import Conflict, Invalid
from service.lifecycle import TermState
from service.store import due as clocks
from service.store import events
from service.store import term_records as records
from service.store import terms as rows
from service.store.seats import Seat
from service.store.tables import core
from service.store.tables.law import AbsenceKind, TermEnd
from service.store.term_records import AbsenceRow
from service.store.terms import TermRow
from service.workflow.context import Context
from service.workflow.law import term_dates
from service.workflow.persons.people import legal_today
from service.workflow.watch import due
from solver.codes import COMPULSORY_CENTRES, LegalBasis, UnitKind

TERM: Final = "term"
"""What a term's clocks are about."""
BEFORE_RELEASE: Final = timedelta(days=3)
"""The deciding organ is told so long before a release (Regulations art. 34)."""
ANSWERS: Final = ("early_release_answer", "extension_answer", "change_answer")
_CALENDAR: Final = ("extension_proposal", "release_notice", "term_end")
_basis, _due, _unit = core.legal_basis.c, core.due_item.c, core.unit.c


def term_of(conn: Connection, person: str) -> TermRow | None:
    """The person's term that has not ended; a decision that came by import or seed gets its term
    now. The caller holds the person."""
    found = rows.term_of(conn, person)
    if found is None and rows.begin_missing(conn, [person]):
        found = rows.term_of(conn, person)
    return found


def begin_term(
    conn: Connection,
    ctx: Context,
    *,
    person: str,
    basis: str,
    decided_on: date,
    ends_on: date,
    now: datetime,
) -> TermRow:
    """A compulsory decision was recorded: its term runs from the day it was taken (Regulations
    art. 27), whenever the person is admitted.

    A decision that was revoked while its term ran has that term's place taken: its absences go
    over, for the custody is the same.
    """
    before = rows.term_of(conn, person)
    carried: dict[str, Any] = {}
    if before is not None:
        write_end(conn, ctx, before, TermEnd.REVOKED, now, goes_over=True)
        carried = {"responsible": before.responsible, "psc_since": before.psc_since}
    made = rows.add(
        conn,
        person=person,
        basis=basis,
        decided_on=decided_on,
        ends_on=ends_on,
        by=ctx.actor.id,
        now=now,
        **carried,
    )
    row = rows.term(conn, made)
    told(conn, ctx, row, "term.opened", now)
    if before is not None:
        records.carry_absences(conn, before.id, made)
        due.settle(
            conn,
            ctx,
            (*_CALENDAR, *ANSWERS, "out_medical_review", "psc_months"),
            subject=(TERM, before.id),
            now=now,
            outcome="called_off",
        )
        return recomputed(conn, ctx, rows.term(conn, made), now)
    set_clocks(conn, ctx, row, now)
    return row


def recomputed(
    conn: Connection,
    ctx: Context,
    row: TermRow,
    now: datetime,
    *,
    extension_days: int | None = None,
) -> TermRow:
    """The term with its last day computed anew from its extension and its escapes, written if it
    differs, and its clocks set by it."""
    decided_last = row.ends_on - timedelta(days=row.extension_days + row.escape_days)
    longer = extension_days if extension_days is not None else row.extension_days
    escapes = [
        (it.began_on, it.ended_on)
        for it in records.absences(conn, row.id)
        if it.kind is AbsenceKind.ESCAPE
    ]
    values: dict[str, Any] = {
        "extension_days": longer,
        "escape_days": term_dates.days_away(escapes),
        "ends_on": term_dates.ends_on(decided_last, longer, escapes),
    }
    if any(getattr(row, name) != value for name, value in values.items()):
        row = rows.rewrite(conn, row, **values)
    set_clocks(conn, ctx, row, now)
    return row


def set_clocks(conn: Connection, ctx: Context, row: TermRow, now: datetime) -> None:
    """Let the calendar clocks of a term run to its last day. While its person has escaped the
    days do not count (Regulations art. 32), so none runs."""
    if row.state is TermState.ESCAPED:
        due.settle(conn, ctx, _CALENDAR, subject=(TERM, row.id), now=now, outcome="called_off")
        return
    end = term_dates.over_at(row.ends_on, ctx.policy.zone)
    ahead = timedelta(minutes=ctx.policy.due["extension_proposal"].minutes)
    for kind, at in (
        ("term_end", end),
        ("release_notice", max(end - BEFORE_RELEASE, now)),
        ("extension_proposal", max(end - ahead, now)),
    ):
        if owe(conn, ctx, row, kind, now, due_at=at) is None:
            clocks.move_item(conn, kind, (TERM, row.id), at)


def owe(
    conn: Connection, ctx: Context, row: TermRow, kind: str, now: datetime, **more: Any
) -> str | None:
    """Start a clock about a term, on the list of the centre that answers for its person."""
    return due.owe(
        conn,
        ctx,
        kind,
        subject=(TERM, row.id),
        now=now,
        person=row.person,
        facility=row.responsible,
        **more,
    )


def over(ctx: Context, row: TermRow, now: datetime) -> bool:
    """Whether the term's last day has passed: 24:00 there. Never while its person has escaped."""
    if row.state is TermState.ESCAPED:
        return False
    return now >= term_dates.over_at(row.ends_on, ctx.policy.zone)


def require_open(row: TermRow) -> None:
    """Refuse whatever changes a term that has ended. Raises Conflict ``term-closed``."""
    if not row.open:
        raise Conflict(
            "term-closed",
            f"term {row.id} has ended; nothing more is recorded of it. A new decision begins a "
            "new term",
            term=row.id,
        )


def require_running(ctx: Context, row: TermRow, now: datetime) -> None:
    """Refuse a change of a term that has ended or whose last day has passed.

    Raises Conflict ``term-closed``, ``term-over``.
    """
    require_open(row)
    if over(ctx, row, now):
        raise Conflict(
            "term-over",
            f"the last day of term {row.id} was {row.ends_on}: release the person, nothing else "
            "can be done under it",
            term=row.id,
            ends_on=row.ends_on.isoformat(),
        )


def open_absence(conn: Connection, row: TermRow) -> AbsenceRow | None:
    """The absence that has not ended."""
    return next((it for it in records.absences(conn, row.id) if it.ended_on is None), None)


def absence_began(
    conn: Connection,
    ctx: Context,
    row: TermRow,
    kind: AbsenceKind,
    day: date,
    now: datetime,
    *,
    document: bytes | None = None,
) -> TermRow:
    """The person is out of the network's custody from ``day`` on; the caller judges their place.

    Raises Conflict ``absent-already``; Invalid for a day before the decision or the last return.
    """
    past = records.absences(conn, row.id)
    going = next((it for it in past if it.ended_on is None), None)
    if going is not None:
        raise Conflict(
            "absent-already",
            f"this person is away since {going.began_on}; record the return first",
            term=row.id,
        )
    earliest = max([row.decided_on, *(it.ended_on for it in past if it.ended_on is not None)])
    if day < earliest:
        raise Invalid.field(
            "/occurred_at",
            "before-the-last-change",
            f"the last change of this term was on {earliest}; give a later time",
            day.isoformat(),
        )
    records.begin_absence(conn, row, kind, day, by=ctx.actor.id, now=now, document=document)
    row = rows.term(conn, row.id)
    told(conn, ctx, row, "term_absence.begun", now)
    set_clocks(conn, ctx, row, now)
    return row


def absence_ended(
    conn: Connection, ctx: Context, row: TermRow, away: AbsenceRow, day: date, now: datetime
) -> TermRow:
    """The person is back on ``day``: what does not count is added to the term's end, what was
    granted for the time outside is taken back. The caller judges their place.

    Raises Invalid for a day before the absence.
    """
    if day < away.began_on:
        raise Invalid.field(
            "/occurred_at",
            "before-the-last-change",
            f"the absence began on {away.began_on}; give a later time",
            day.isoformat(),
        )
    records.end_absence(conn, away.id, day, by=ctx.actor.id)
    if away.kind is AbsenceKind.OUT_MEDICAL:
        revoke(conn, row.person, LegalBasis.OUT_MEDICAL, now)
        due.settle(conn, ctx, "out_medical_review", subject=(TERM, row.id), now=now)
    row = rows.term(conn, row.id)
    told(conn, ctx, row, "term_absence.ended", now)
    return recomputed(conn, ctx, row, now)


def escape_began(
    conn: Connection, ctx: Context, person: str, day: date, now: datetime
) -> TermRow | None:
    """Somebody escaped 脱逃: the days away do not count, no early release afterwards, and the
    local county police are told at once (Regulations art. 32). None without a term that runs."""
    row = term_of(conn, person)
    if row is None:
        return None
    going = open_absence(conn, row)
    if going is not None and going.kind is AbsenceKind.ESCAPE:
        return row
    if going is not None:
        row = absence_ended(conn, ctx, row, going, max(day, going.began_on), now)
    row = absence_began(conn, ctx, row, AbsenceKind.ESCAPE, day, now)
    owe(conn, ctx, row, "escape_notice", now)
    return row


def came_into(
    conn: Connection, ctx: Context, person: str, place: Seat, at: datetime, now: datetime
) -> None:
    """Somebody was admitted to, or has arrived in, a place. Under a term that means: a centre
    that takes them answers for them from now on, the first day in a police-run centre begins
    its months (Regulations art. 27), and in custody no absence goes on."""
    row = term_of(conn, person)
    if row is None:
        return
    day = legal_today(ctx, at)
    away = open_absence(conn, row)
    if away is not None and place.custodial:
        row = absence_ended(conn, ctx, row, away, max(day, away.began_on), now)
    if place.unit_kind in COMPULSORY_CENTRES and row.responsible != place.facility:
        row = answers_for(conn, row, place.facility)
    if place.unit_kind is UnitKind.PSC:
        psc_began(conn, person, day)
    elif place.unit_kind is UnitKind.JSC:
        due.settle(conn, ctx, "psc_months", subject=(TERM, row.id), now=now)


def answers_for(conn: Connection, row: TermRow, facility: str) -> TermRow:
    """A centre answers for the person from now on; the term's running clocks are on its list."""
    row = rows.rewrite(conn, row, responsible_facility_id=facility)
    conn.execute(
        update(core.due_item)
        .where(_due.subject_type == TERM, _due.subject_id == row.id, _due.settled_at.is_(None))
        .values(facility_id=facility, version=_due.version + 1)
    )
    return row


def psc_began(conn: Connection, person: str, day: date) -> None:
    """The person was in a police-run centre under their term on this day; the first counts."""
    row = term_of(conn, person)
    if row is not None and (row.psc_since is None or day < row.psc_since):
        rows.rewrite(conn, row, psc_since=max(day, row.decided_on))


def write_end(
    conn: Connection,
    ctx: Context,
    row: TermRow,
    end: TermEnd,
    now: datetime,
    *,
    goes_over: bool = False,
) -> TermRow:
    """Write a term's end; the caller judged it, and settles what follows. ``goes_over``: its
    absences go on under another term."""
    going = open_absence(conn, row)
    if going is not None and not goes_over:
        day = max(legal_today(ctx, now), going.began_on)
        records.end_absence(conn, going.id, day, by=ctx.actor.id)
    row = rows.rewrite(conn, row, closed_at=now, closed_by=ctx.actor.id, end_code=end.value)
    told(conn, ctx, row, "term.closed", now)
    return row


def revoke(conn: Connection, person: str, kind: LegalBasis, now: datetime) -> None:
    """Bases of this kind hold nobody any more; the caller holds the person."""
    conn.execute(
        update(core.legal_basis)
        .where(_basis.person_id == person, _basis.kind == kind.value, _basis.revoked_at.is_(None))
        .values(revoked_at=now, version=_basis.version + 1)
    )


def told(conn: Connection, ctx: Context, row: TermRow, operation: str, at: datetime) -> None:
    """Write a term's event: whose it is and which centre answers, nothing of what it says."""
    events.append(
        conn,
        ctx.actor,
        operation,
        TERM,
        row.id,
        person=row.person,
        facility=row.responsible,
        occurred_at=at,
    )
