"""Release 解除(出所): a term ends, and with it every bed its person was kept in.

A release never waits: not for anybody's acceptance, not for papers, a destination or a clock.
What the law wants told of it is owed afterwards (Regulations art. 34).
"""

from datetime import datetime

from sqlalchemy import Connection

from service.access.caller import FACILITY_ROLES
from service.errors import Conflict, Invalid
from service.lifecycle import TermState
from service.store import stays
from service.store import terms as rows
from service.store.tables.claims import StayEnd
from service.store.tables.core import legal_basis
from service.store.tables.law import TermEnd
from service.store.terms import TermRow
from service.workflow.context import Context
from service.workflow.inventory.places import get_row
from service.workflow.judgement import past_instant, reasoned
from service.workflow.law.term_beds import leave_beds, lock_term_and_beds
from service.workflow.law.term_ends import close_term, owed_end
from service.workflow.law.term_view import TermDetail, term_detail
from service.workflow.law.terms import require_open
from service.workflow.persons.people import legal_today

WITHOUT_ANSWER = (TermEnd.EXPIRED, TermEnd.REVOKED, TermEnd.NOT_APPLICABLE)
"""Ends of a term that no organ's answer is needed for."""


def release(conn: Connection, ctx: Context, term: str, *, end: TermEnd, reason: str) -> TermDetail:
    """Let somebody go: their term expires 期满解除 on its last day, its decision was set aside, or
    the law never let it be applied to them (Anti-Drug Law art. 39).

    Beds of custody are free at once; a hospital bed that nobody holds them in stays theirs.

    Raises:
        Invalid: another end, no reason.
        NotFound: no such term.
        Conflict: ``term-closed``; ``term-runs`` for an expiry before the last day, naming the
            lawful ways out, and for a centre's own word that the law has not given.
    """
    if end not in WITHOUT_ANSWER:
        raise Invalid.field(
            "/end",
            "not-a-release",
            f"use one of: {', '.join(WITHOUT_ANSWER)}; an early release and a change to the "
            "community take effect with the deciding organ's answer",
            end.value,
        )
    why = reasoned(reason)
    now, row = lock_term_and_beds(conn, ctx, term)
    require_open(row)
    if ctx.actor.role in FACILITY_ROLES:
        _require_owed(conn, ctx, row, end, now)
    if end is TermEnd.EXPIRED:
        _require_last_day(conn, ctx, row, now)
    return let_go(conn, ctx, row, end, why, now)


def let_go(
    conn: Connection, ctx: Context, row: TermRow, end: TermEnd, why: str, now: datetime
) -> TermDetail:
    """End the custody and the term; the caller holds the person and has judged the end."""
    leave_beds(conn, ctx, row, StayEnd.RELEASED, why, now, now, custody_only=True)
    row = close_term(conn, ctx, rows.term(conn, row.id), end, now)
    return term_detail(conn, ctx, row, now)


def died(
    conn: Connection,
    ctx: Context,
    term: str,
    *,
    reason: str,
    occurred_at: datetime | None = None,
) -> TermDetail:
    """Somebody under a term died, wherever they were: every stay, request and transfer ends, and
    four organs are told at once (MOJ Order 127).

    Raises NotFound, Conflict ``term-closed``, Invalid.
    """
    why = reasoned(reason)
    now, row = lock_term_and_beds(conn, ctx, term)
    require_open(row)
    at = past_instant("occurred_at", occurred_at, now)
    leave_beds(conn, ctx, row, StayEnd.DIED, why, at, now)
    row = close_term(conn, ctx, rows.term(conn, row.id), TermEnd.DIED, now)
    return term_detail(conn, ctx, row, now)


def _require_owed(
    conn: Connection, ctx: Context, row: TermRow, end: TermEnd, now: datetime
) -> None:
    """A centre lets go whoever the law has let go; it sets no decision aside by itself."""
    due_codes = {it.discharge_due_code for it in stays.open_stays(conn, row.person)}
    owed = {owed_end(conn, ctx, row, now, due_code=code) for code in due_codes | {None}}
    if end not in owed and end is not TermEnd.EXPIRED:
        raise Conflict(
            "term-runs",
            f"nothing on record ends term {row.id} as {end.value}; its last day is {row.ends_on}. "
            "Ask the deciding organ or a coordinator to record what ends it, then release",
            term=row.id,
            ends_on=row.ends_on.isoformat(),
            rule="T02",
        )


def _require_last_day(conn: Connection, ctx: Context, row: TermRow, now: datetime) -> None:
    if row.state is TermState.ESCAPED:
        raise Conflict(
            "term-runs",
            f"the days of term {row.id} do not count while its person has escaped; record the "
            "return first",
            term=row.id,
            rule="T09",
        )
    if get_row(conn, legal_basis, row.basis)["revoked_at"] is not None:
        return
    if legal_today(ctx, now) < row.ends_on:
        raise Conflict(
            "term-runs",
            f"the last day of term {row.id} is {row.ends_on}. Before that: propose an early "
            "release or a change to the community, or record that the decision was set aside or "
            "may not be applied to this person",
            term=row.id,
            ends_on=row.ends_on.isoformat(),
            rule="T02",
        )
