"""Holds 预留(限时): claims that end by themselves at their expiry; the lapse is written once."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, DateTime, bindparam, func, or_, select, update

from service.access.caller import Actor
from service.store.claims.rows import Claim, claim_of, end, span, write
from service.store.tables import core
from service.store.tables.claims import ClaimKind

_TABLE: Final = core.bed_claim
_c = _TABLE.c
_WAITING: Final = select(_TABLE).where(
    _c.kind == ClaimKind.HOLD.value,
    _c.voided_at.is_(None),
    _c.used_at.is_(None),
    _c.lapsed_at.is_(None),
)
_FOR_REQUEST: Final = _WAITING.where(_c.request_id == bindparam("owner"))
_FOR_TRANSFER: Final = _WAITING.where(_c.transfer_id == bindparam("owner"))


def use(conn: Connection, actor: Actor, hold: Claim, at: datetime, *, now: datetime) -> None:
    """The hold's person arrived: it ends where the stay begins and can no longer lapse."""
    write(conn, hold.id, used_at=at)
    end(conn, actor, hold, at, now=now)


def accept(conn: Connection, actor: Actor, hold: Claim, until: datetime, *, now: datetime) -> None:
    """The receiving side accepted: the expiry becomes the expected arrival plus grace."""
    write(
        conn,
        hold.id,
        during=span(hold.since, until),
        accepted_at=now,
        accepted_by=actor.id,
    )


def hold_for(
    conn: Connection, *, request: str | None = None, transfer: str | None = None
) -> Claim | None:
    """The request's or transfer's hold that is neither used, voided nor written off.

    It may be over: then it lapsed by arithmetic and only its event is missing.
    """
    if request is not None:
        row = conn.execute(_FOR_REQUEST, {"owner": request}).one_or_none()
    else:
        row = conn.execute(_FOR_TRANSFER, {"owner": transfer}).one_or_none()
    return claim_of(row) if row is not None else None


def lost_to_emergency(conn: Connection, request: str, now: datetime) -> Claim | None:
    """The accepted hold that an emergency took from this request, while its person may still be
    on the way to it; None once anything else was held for them."""
    newest = conn.execute(
        select(_TABLE)
        .where(_c.request_id == request, _c.kind == ClaimKind.HOLD.value)
        .order_by(_c.recorded_at.desc(), _c.id.desc())
        .limit(1)
    ).one_or_none()
    if newest is None or newest.voided_at is None or newest.void_reason != "emergency":
        return None
    claim = claim_of(newest)
    return claim if claim.accepted_at is not None and not claim.over(now) else None


def holding(conn: Connection, bed: str) -> Claim | None:
    """The live hold of a bed by the database's clock; look before the locks."""
    row = conn.execute(
        select(_TABLE).where(
            _c.bed_id == bed,
            _c.kind == ClaimKind.HOLD.value,
            _c.voided_at.is_(None),
            _c.used_at.is_(None),
            _c.during.op("@>")(func.clock_timestamp(type_=DateTime(timezone=True))),
        )
    ).one_or_none()
    return claim_of(row) if row is not None else None


def lapse(conn: Connection, hold: str, *, now: datetime) -> bool:
    """Mark an unused hold that is over as lapsed; False if somebody has done so before."""
    done = conn.execute(
        update(_TABLE)
        .where(
            _c.id == hold,
            _c.kind == ClaimKind.HOLD.value,
            _c.voided_at.is_(None),
            _c.lapsed_at.is_(None),
            _c.used_at.is_(None),
            func.upper(_c.during) <= now,
        )
        .values(lapsed_at=now)
    )
    return done.rowcount == 1


def lapsing(
    conn: Connection, now: datetime, limit: int, *, skip: Collection[str] = ()
) -> list[Claim]:
    """Unused holds that are over and whose lapse nobody has written, oldest first, those named in
    ``skip`` left out."""
    rows = conn.execute(
        select(_TABLE)
        .where(
            _c.kind == ClaimKind.HOLD.value,
            _c.voided_at.is_(None),
            _c.lapsed_at.is_(None),
            _c.used_at.is_(None),
            func.upper(_c.during) <= now,
            _c.id.not_in(sorted(skip)),
        )
        .order_by(func.upper(_c.during), _c.id)
        .limit(limit)
    )
    return [claim_of(row) for row in rows]


def void_past_holds(
    conn: Connection, actor: Actor, room: str, since: datetime, *, now: datetime, reason: str
) -> None:
    """Void the room's holds that are over and began or ran after ``since``.

    A hold of the past took no place in the end; it must not stand against a record of who was
    really there.
    """
    conn.execute(
        update(_TABLE)
        .where(
            _c.room_id == room,
            _c.kind == ClaimKind.HOLD.value,
            _c.voided_at.is_(None),
            func.upper(_c.during) <= now,
            or_(_c.used_at.is_not(None), _c.lapsed_at.is_not(None)),
            func.upper(_c.during) > since,
        )
        .values(voided_at=now, voided_by=actor.id, void_reason=reason)
    )
