"""Promises: all SQL on ``bed_next``, a bed still occupied or not yet fit that is somebody's next.

A promise stands outside the exclusion constraint; at most one is live a bed and one a person. It
becomes a hold in the transaction that records the bed fit.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from service.access.caller import Actor
from service.lifecycle import RequestState, TransferState
from service.policy import Policy
from service.store import events, requests, transfers
from service.store.claims.keys import key_of
from service.store.claims.rows import Claim, add, blockers, on_beds
from service.store.ids import new_id
from service.store.seats import Seat, seat
from service.store.tables import core
from service.store.tables.claims import ClaimKind, NextState
from solver.codes import BedState

_TABLE: Final = core.bed_next
_c = _TABLE.c
_LIVE: Final = _c.state == NextState.LIVE.value
_OF_BED: Final = select(_TABLE).where(_c.bed_id == bindparam("bed"), _LIVE)
_OF_PERSON: Final = select(_TABLE).where(_c.person_id == bindparam("person"), _LIVE)


@dataclass(frozen=True, slots=True)
class Promise:
    """One live promise; it is for a request or for a transfer, never both."""

    id: str
    bed: str
    person: str
    request: str | None
    transfer: str | None
    waits_for_stay: str | None


def _promise(row: Any) -> Promise:
    return Promise(
        id=row.id,
        bed=row.bed_id,
        person=row.person_id,
        request=row.request_id,
        transfer=row.transfer_id,
        waits_for_stay=row.waits_for_stay_id,
    )


def promise(
    conn: Connection,
    actor: Actor,
    bed: str,
    person: str,
    *,
    now: datetime,
    request: str | None = None,
    transfer: str | None = None,
    waits_for_stay: str | None,
) -> Promise:
    """Promise the bed; the caller holds bed and person and has seen that nothing is promised."""
    return _promise(
        conn.execute(
            insert(_TABLE)
            .values(
                id=new_id("nx"),
                bed_id=bed,
                person_id=person,
                request_id=request,
                transfer_id=transfer,
                waits_for_stay_id=waits_for_stay,
                state=NextState.LIVE.value,
                created_at=now,
                created_by=actor.id,
            )
            .returning(_TABLE)
        ).one()
    )


def promised(conn: Connection, bed: str) -> Promise | None:
    """The live promise of the bed."""
    row = conn.execute(_OF_BED, {"bed": bed}).one_or_none()
    return _promise(row) if row is not None else None


def promised_to(conn: Connection, person: str) -> Promise | None:
    """The live promise the person waits on."""
    row = conn.execute(_OF_PERSON, {"person": person}).one_or_none()
    return _promise(row) if row is not None else None


def of_beds(conn: Connection, beds: Collection[str]) -> list[Promise]:
    """The live promises of these beds."""
    rows = conn.execute(select(_TABLE).where(_c.bed_id.in_(sorted(beds)), _LIVE).order_by(_c.id))
    return [_promise(row) for row in rows]


def behind(conn: Connection, stays: Collection[str]) -> list[Promise]:
    """The live promises that wait for these stays to leave their beds."""
    rows = conn.execute(
        select(_TABLE).where(_c.waits_for_stay_id.in_(sorted(stays)), _LIVE).order_by(_c.id)
    )
    return [_promise(row) for row in rows]


def people_promised(conn: Connection, bed: str) -> set[str]:
    """Whose lock to take beside the bed's before ``promote_next``."""
    found = promised(conn, bed)
    return {found.person} if found is not None else set()


def cancel(conn: Connection, promise: Promise, reason: str, *, now: datetime) -> bool:
    """End a promise with a coded reason; False if it was no longer live."""
    return _close(conn, promise, NextState.CANCELLED, now=now, reason=reason)


def _close(conn: Connection, promise: Promise, state: NextState, **values: Any) -> bool:
    ended = {"ended_at": values.pop("now"), **values}
    done = conn.execute(
        update(_TABLE).where(_c.id == promise.id, _LIVE).values(state=state.value, **ended)
    )
    return done.rowcount == 1


def promote_next(
    conn: Connection,
    bed: str,
    now: datetime,
    *,
    actor: Actor,
    policy: Policy,
    fits: Callable[[Promise, Seat], bool],
) -> Claim | None:
    """The bed has become fit: turn its live promise into a hold, and return the hold.

    The caller holds the bed, its unit and room and everybody in ``people_promised``, and has
    written the bed's state. None when nothing was promised, or the bed is still taken or not in
    service: the promise then stays. ``fits`` looks again at rules and relations: a promise whose
    person may no longer come is cancelled with a reason, and its transfer superseded; a request
    just goes on waiting.
    """
    found = promised(conn, bed)
    if found is None:
        return None
    place = seat(conn, bed)
    unfit = place.state is not BedState.IN_SERVICE or place.out_of_service or place.retired
    if unfit or on_beds(conn, [bed], now):
        return None
    key = key_of(conn, found.person, cohort=place.cohort)
    taken = blockers(conn, place, found.person, now, None, key=key, stay=False)
    if taken or not fits(found, place):
        _give_up(conn, actor, found, place, now)
        return None
    if found.request is not None:
        return _hold_for_request(conn, actor, found, place, key, policy, now)
    return _hold_for_transfer(conn, actor, found, place, key, policy, now)


def _hold_for_request(
    conn: Connection,
    actor: Actor,
    found: Promise,
    place: Seat,
    key: str,
    policy: Policy,
    now: datetime,
) -> Claim:
    row = requests.request(conn, str(found.request))
    requests.step(conn, row, RequestState.HELD, now=now)
    hold = add(
        conn,
        actor,
        place,
        found.person,
        ClaimKind.HOLD,
        now,
        now + policy.hold,
        now=now,
        key=key,
        request=row.id,
    )
    return _kept(conn, actor, found, place, hold, now)


def _hold_for_transfer(
    conn: Connection,
    actor: Actor,
    found: Promise,
    place: Seat,
    key: str,
    policy: Policy,
    now: datetime,
) -> Claim:
    row = transfers.transfer(conn, str(found.transfer))
    accepted = row.state is TransferState.ACCEPTED
    until = now + policy.hold
    if accepted:
        until = max(row.expected_arrival or now, now) + policy.arrival_grace
    hold = add(
        conn,
        actor,
        place,
        found.person,
        ClaimKind.HOLD,
        now,
        until,
        now=now,
        key=key,
        transfer=row.id,
        accepted=accepted,
    )
    return _kept(conn, actor, found, place, hold, now)


def _kept(
    conn: Connection, actor: Actor, found: Promise, place: Seat, hold: Claim, now: datetime
) -> Claim:
    _close(conn, found, NextState.KEPT, now=now, claim_id=hold.id)
    events.append(
        conn,
        actor,
        "hold.placed",
        "bed_claim",
        hold.id,
        person=found.person,
        bed=place.bed,
        unit=place.unit,
        facility=place.facility,
        data={"promise": found.id, "request": found.request, "transfer": found.transfer},
        occurred_at=now,
    )
    return hold


def _give_up(conn: Connection, actor: Actor, found: Promise, place: Seat, now: datetime) -> None:
    cancel(conn, found, "no_longer_fits", now=now)
    if found.transfer is not None:
        row = transfers.transfer(conn, found.transfer)
        transfers.step(conn, row, TransferState.SUPERSEDED, now=now, reason="no_longer_fits")
    events.append(
        conn,
        actor,
        "promise.cancelled",
        "bed_next",
        found.id,
        person=found.person,
        bed=place.bed,
        unit=place.unit,
        facility=place.facility,
        data={
            "reason": "no_longer_fits",
            "request": found.request,
            "transfer": found.transfer,
        },
        occurred_at=now,
    )
