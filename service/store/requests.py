"""Rows of placement requests, their decisions and the answers to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from service.access.caller import Actor
from service.errors import NotFound
from service.lifecycle import LIVE_REQUEST_STATES, RequestState, advance
from service.store.ids import new_id
from service.store.tables import core
from service.store.versioned import change

_TABLE: Final = core.placement_request
_c = _TABLE.c
_LIVE: Final = [state.value for state in LIVE_REQUEST_STATES]


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One placement request; ``note`` is sealed."""

    id: str
    person: str
    state: RequestState
    emergency: bool
    waiting_since: datetime
    requested_by: str
    note: bytes | None
    ended_at: datetime | None
    end_reason: str | None
    version: int


def _row(row: Any) -> RequestRow:
    return RequestRow(
        id=row.id,
        person=row.person_id,
        state=RequestState(row.state),
        emergency=row.emergency,
        waiting_since=row.waiting_since.astimezone(UTC),
        requested_by=row.requested_by,
        note=row.note,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        version=row.version,
    )


def request(conn: Connection, id_: str) -> RequestRow:
    """One request. Raises NotFound."""
    row = conn.execute(select(_TABLE).where(_c.id == id_)).one_or_none()
    if row is None:
        raise NotFound("request-not-found", f"there is no placement request {id_}", request=id_)
    return _row(row)


def live_request(conn: Connection, person: str) -> RequestRow | None:
    """The person's request that is waiting, held or accepted."""
    row = conn.execute(
        select(_TABLE).where(_c.person_id == person, _c.state.in_(_LIVE))
    ).one_or_none()
    return _row(row) if row is not None else None


def page(
    conn: Connection,
    *,
    after: str | None,
    limit: int,
    states: Sequence[RequestState] = (),
    person: str | None = None,
    held_at: str | None = None,
) -> list[RequestRow]:
    """Requests in the order they were made, from the one after ``after``.

    ``held_at``: only those for which a bed of that facility is held.
    """
    query = select(_TABLE).order_by(_c.id).limit(limit)
    if after is not None:
        query = query.where(_c.id > after)
    if states:
        query = query.where(_c.state.in_([state.value for state in states]))
    if person is not None:
        query = query.where(_c.person_id == person)
    if held_at is not None:
        claim = core.bed_claim.c
        query = query.where(
            select(claim.id)
            .where(
                claim.request_id == _c.id,
                claim.facility_id == held_at,
                claim.kind == "hold",
                claim.voided_at.is_(None),
                claim.used_at.is_(None),
                claim.lapsed_at.is_(None),
            )
            .exists()
        )
    return [_row(row) for row in conn.execute(query)]


def add(
    conn: Connection,
    actor: Actor,
    person: str,
    *,
    emergency: bool,
    note: bytes | None,
    now: datetime,
) -> RequestRow:
    """A new waiting request; the caller holds the person and has seen that none is live."""
    return _row(
        conn.execute(
            insert(_TABLE)
            .values(
                id=new_id("rq"),
                person_id=person,
                state=RequestState.WAITING.value,
                emergency=emergency,
                waiting_since=now,
                requested_by=actor.id,
                note=note,
                recorded_at=now,
                version=1,
            )
            .returning(_TABLE)
        ).one()
    )


def step(
    conn: Connection,
    row: RequestRow,
    to: RequestState,
    *,
    now: datetime,
    reason: str | None = None,
    correcting: bool = False,
) -> RequestRow:
    """Move a request on. ``reason`` is the code of an end.

    Raises:
        Conflict: ``illegal-step``, or ``world-moved`` if it is no longer as it was read.
    """
    advance("request", row.state, to, correcting=correcting)
    live = to in LIVE_REQUEST_STATES
    values = {
        "state": to.value,
        "ended_at": None if live else now,
        "end_reason": None if live else reason,
    }
    what = ("placement request", "request")
    return _row(change(conn, _TABLE, row.id, row.version, values, what=what))


def add_decision(conn: Connection, **values: Any) -> str:
    """Keep a decision as it was taken; nothing ever changes it."""
    id_ = new_id("de")
    conn.execute(insert(core.placement_decision).values(id=id_, **values))
    return id_


def overrides_of(conn: Connection, request: str, bed: str) -> frozenset[str]:
    """The rules set aside in the newest decision for this bed."""
    decided = core.placement_decision.c
    found = conn.execute(
        select(decided.overrides)
        .where(decided.request_id == request, decided.bed_id == bed)
        .order_by(decided.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    items: Sequence[Mapping[str, Any]] = found or ()
    return frozenset(str(item["rule"]) for item in items)


def add_decline(
    conn: Connection,
    actor: Actor,
    *,
    unit: str,
    claim: str | None,
    code: str,
    reason: str,
    now: datetime,
    request: str | None = None,
    transfer: str | None = None,
) -> str:
    """Keep a unit's coded answer that it does not take this person."""
    id_ = new_id("dc")
    conn.execute(
        insert(core.decline).values(
            id=id_,
            request_id=request,
            transfer_id=transfer,
            unit_id=unit,
            claim_id=claim,
            code=code,
            reason=reason,
            declined_by=actor.id,
            declined_at=now,
        )
    )
    return id_
