"""Rows of placement requests, their decisions and the answers to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, or_, select, update

from service.access.caller import Actor
from service.errors import NotFound
from service.lifecycle import LIVE_REQUEST_STATES, RequestState, advance
from service.store.ids import new_id
from service.store.tables import core
from service.store.tables.workflow import RequestKind
from service.store.versioned import change

_TABLE: Final = core.placement_request
_c = _TABLE.c
_LIVE: Final = [state.value for state in LIVE_REQUEST_STATES]


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One placement request; ``note`` is sealed. ``fallbacks``: the beds to hold next, in order.
    ``lane``: what opened the emergency lane by itself. ``responsible``: the facility that took the
    person in and answers for them."""

    id: str
    person: str
    state: RequestState
    kind: RequestKind
    emergency: bool
    lane: str | None
    responsible: str | None
    fallbacks: tuple[str, ...]
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
        kind=RequestKind(row.kind),
        emergency=row.emergency,
        lane=row.lane,
        responsible=row.responsible_facility_id,
        fallbacks=tuple(row.fallbacks),
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
    facility: str | None = None,
) -> list[RequestRow]:
    """Requests in the order they were made, from the one after ``after``.

    ``facility``: only those a bed of it is held for, or for whose people it answers.
    """
    query = select(_TABLE).order_by(_c.id).limit(limit)
    if after is not None:
        query = query.where(_c.id > after)
    if states:
        query = query.where(_c.state.in_([state.value for state in states]))
    if person is not None:
        query = query.where(_c.person_id == person)
    if facility is not None:
        claim = core.bed_claim.c
        held_there = (
            select(claim.id)
            .where(
                claim.request_id == _c.id,
                claim.facility_id == facility,
                claim.kind == "hold",
                claim.voided_at.is_(None),
                claim.used_at.is_(None),
                claim.lapsed_at.is_(None),
            )
            .exists()
        )
        query = query.where(or_(_c.responsible_facility_id == facility, held_there))
    return [_row(row) for row in conn.execute(query)]


def add(
    conn: Connection,
    actor: Actor,
    person: str,
    *,
    emergency: bool,
    note: bytes | None,
    now: datetime,
    lane: str | None = None,
    responsible: str | None = None,
    kind: RequestKind = RequestKind.ADMISSION,
) -> RequestRow:
    """A new waiting request; the caller holds the person and has seen that none is live."""
    return _row(
        conn.execute(
            insert(_TABLE)
            .values(
                id=new_id("rq"),
                person_id=person,
                state=RequestState.WAITING.value,
                kind=kind.value,
                emergency=emergency,
                lane=lane,
                responsible_facility_id=responsible,
                fallbacks=[],
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
    return _changed(conn, row, values)


def set_emergency(conn: Connection, row: RequestRow, lane: str | None) -> RequestRow:
    """Open the emergency lane for a request by itself (``lane`` says why), or shut it again."""
    return _changed(conn, row, {"emergency": lane is not None, "lane": lane})


def set_fallbacks(conn: Connection, row: RequestRow, beds: Sequence[str]) -> RequestRow:
    """Name the beds to hold next when the one held is declined or not answered for."""
    if row.fallbacks == tuple(beds):
        return row
    return _changed(conn, row, {"fallbacks": list(beds)})


def _changed(conn: Connection, row: RequestRow, values: Mapping[str, Any]) -> RequestRow:
    what = ("placement request", "request")
    return _row(change(conn, _TABLE, row.id, row.version, values, what=what))


def by_ids(conn: Connection, ids: Sequence[str]) -> list[RequestRow]:
    """These requests in the order given; those that do not exist are left out."""
    found = {row.id: _row(row) for row in conn.execute(select(_TABLE).where(_c.id.in_(ids)))}
    return [found[id_] for id_ in ids if id_ in found]


def add_decision(conn: Connection, **values: Any) -> str:
    """Keep a decision as it was taken; nothing ever changes it."""
    id_ = new_id("de")
    conn.execute(insert(core.placement_decision).values(id=id_, **values))
    return id_


def repeat_decision(
    conn: Connection,
    request: str,
    *,
    bed: str,
    claim: str,
    fallbacks: Sequence[str],
    now: datetime,
) -> str:
    """Keep that the newest decision's officer has, by naming it then, decided for this bed now."""
    decided = core.placement_decision
    earlier = conn.execute(
        select(decided)
        .where(decided.c.request_id == request)
        .order_by(decided.c.id.desc())
        .limit(1)
    ).one()
    return add_decision(
        conn,
        request_id=request,
        bed_id=bed,
        claim_id=claim,
        decided_by=earlier.decided_by,
        officer=earlier.officer,
        reason=earlier.reason,
        decided_at=now,
        policy_version=earlier.policy_version,
        network_position=earlier.network_position,
        rank=None,
        alternatives=earlier.alternatives,
        overrides=[],
        fallbacks=list(fallbacks),
        passed_over=earlier.passed_over,
        passed_over_reason=earlier.passed_over_reason,
        proposal_id=None,
    )


def fallbacks_of(conn: Connection, ids: Sequence[str]) -> set[str]:
    """The beds named next by these requests."""
    if not ids:
        return set()
    found = conn.execute(select(_c.fallbacks).where(_c.id.in_(sorted(ids)))).scalars()
    return {bed for beds in found for bed in beds}


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


@dataclass(frozen=True, slots=True)
class DeclineRow:
    """A unit's coded no to a request; ``overruled`` once a coordinator set it aside."""

    id: str
    unit: str
    code: str
    overruled: bool


def declines(conn: Connection, request: str) -> list[DeclineRow]:
    """The answers no to this request, oldest first."""
    declined = core.decline.c
    found = conn.execute(
        select(declined.id, declined.unit_id, declined.code, declined.overruled_at)
        .where(declined.request_id == request)
        .order_by(declined.id)
    )
    return [
        DeclineRow(row.id, row.unit_id, row.code, row.overruled_at is not None) for row in found
    ]


def declined_units(conn: Connection, request: str) -> frozenset[str]:
    """The units whose no to this request stands."""
    return frozenset(it.unit for it in declines(conn, request) if not it.overruled)


def overrule(
    conn: Connection, actor: Actor, ids: Sequence[str], *, reason: str, now: datetime
) -> None:
    """Set declines aside; they stay on record with who overruled them and why."""
    declined = core.decline.c
    conn.execute(
        update(core.decline)
        .where(declined.id.in_(sorted(ids)), declined.overruled_at.is_(None))
        .values(overruled_by=actor.id, overruled_at=now, overrule_reason=reason)
    )
