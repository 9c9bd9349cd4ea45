"""What an auditor is shown unasked: facts of a person edited soon after a bed was refused for them.

A flag names the kind of fact that was written and never what it says. It accuses nobody: a finding
may well change overnight. It only makes sure that somebody outside looks.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, StringConstraints
from sqlalchemy import Connection, insert, select, update

from service.access.caller import Role
from service.errors import Conflict, NotFound
from service.store import events
from service.store.engine import now as database_time
from service.store.ids import new_id
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.inventory.place_fields import Strict

EDITED_AFTER_REFUSAL: Final = "facts_edited_after_refusal"
POSSIBLE_DUPLICATE: Final = "possible_duplicate"

_c: Final = core.audit_flag.c
_refusal: Final = core.refusal_record.c


class FlagView(BaseModel):
    """Something to look at: of whom, about which request, which kind of fact, by which key."""

    id: str
    kind: str
    person: str | None
    request: str | None
    subject_type: str | None
    subject_id: str | None
    data: dict[str, Any]
    raised_by: str
    raised_at: datetime
    seen_by: str | None
    seen_at: datetime | None
    note: str | None


class FlagSeen(Strict):
    """What the auditor made of it."""

    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] | None = None


def flag_if_refused(
    conn: Connection, ctx: Context, person: str, what: str, now: datetime
) -> str | None:
    """Show the auditor that a fact of this kind was written soon after a refusal.

    ``what``: the kind of fact (``assessment``, ``consent``, ``legal_basis``, ``person``,
    ``opinion``, ``fitness``, ``approval``), never its content. One flag a refusal and kind.
    Returns the flag's id, None when there is nothing to show.
    """
    since = now - timedelta(days=ctx.policy.audit.edited_after_refusal_days)
    last = conn.execute(
        select(_refusal.id, _refusal.request_id)
        .where(
            _refusal.person_id == person, _refusal.refused_at > since, _refusal.refused_at <= now
        )
        .order_by(_refusal.refused_at.desc(), _refusal.id.desc())
        .limit(1)
    ).one_or_none()
    if last is None:
        return None
    shown = conn.execute(
        select(_c.id).where(
            _c.kind == EDITED_AFTER_REFUSAL,
            _c.subject_type == "refusal_record",
            _c.subject_id == last.id,
            _c.data["fact"].as_string() == what,
        )
    ).first()
    if shown is not None:
        return None
    return raise_flag(
        conn,
        ctx,
        EDITED_AFTER_REFUSAL,
        now,
        person=person,
        request=last.request_id,
        subject=("refusal_record", last.id),
        data={"fact": what},
    )


def raise_flag(
    conn: Connection,
    ctx: Context,
    kind: str,
    now: datetime,
    *,
    person: str | None = None,
    request: str | None = None,
    subject: tuple[str, str] | None = None,
    data: dict[str, Any] | None = None,
) -> str:
    """Put something on the auditor's list; ``data`` holds codes and ids only."""
    flag_id = new_id("af")
    conn.execute(
        insert(core.audit_flag).values(
            id=flag_id,
            kind=kind,
            person_id=person,
            request_id=request,
            subject_type=subject[0] if subject is not None else None,
            subject_id=subject[1] if subject is not None else None,
            data=data or {},
            raised_by=ctx.actor.id,
            raised_at=now,
        )
    )
    return flag_id


def show_twins(conn: Connection, ctx: Context, made: str, twin: str, now: datetime) -> None:
    """Two records may be one person: whoever made the second may not know of the first."""
    raise_flag(conn, ctx, POSSIBLE_DUPLICATE, now, person=made, subject=("person", twin))


def listed(
    conn: Connection,
    ctx: Context,
    *,
    after: str | None,
    limit: int,
    unseen: bool = False,
    person: str | None = None,
) -> list[FlagView]:
    """Flags in the order they were raised; a coordinator sees the records to be merged."""
    query = select(core.audit_flag).order_by(_c.id).limit(limit)
    if ctx.actor.role is not Role.AUDITOR:
        query = query.where(_c.kind == POSSIBLE_DUPLICATE)
    if after is not None:
        query = query.where(_c.id > after)
    if unseen:
        query = query.where(_c.seen_at.is_(None))
    if person is not None:
        query = query.where(_c.person_id == person)
    return [_view(row) for row in conn.execute(query)]


def seen(conn: Connection, ctx: Context, flag_id: str, word: FlagSeen) -> FlagView:
    """The auditor has looked. Raises NotFound, and Conflict ``seen-already``."""
    row = conn.execute(
        update(core.audit_flag)
        .where(_c.id == flag_id, _c.seen_at.is_(None))
        .values(seen_by=ctx.actor.id, seen_at=database_time(conn), note=word.note)
        .returning(core.audit_flag)
    ).one_or_none()
    if row is None:
        if conn.execute(select(_c.id).where(_c.id == flag_id)).first() is None:
            raise NotFound("audit-flag-not-found", f"there is no audit flag {flag_id}")
        raise Conflict("seen-already", "somebody has looked at this; read it again")
    events.append(
        conn, ctx.actor, "audit_flag.seen", "audit_flag", flag_id, occurred_at=row.seen_at
    )
    return _view(row)


def _view(row: Any) -> FlagView:
    return FlagView(
        id=row.id,
        kind=row.kind,
        person=row.person_id,
        request=row.request_id,
        subject_type=row.subject_type,
        subject_id=row.subject_id,
        data=row.data,
        raised_by=row.raised_by,
        raised_at=row.raised_at,
        seen_by=row.seen_by,
        seen_at=row.seen_at,
        note=row.note,
    )
