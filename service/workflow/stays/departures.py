"""Departures that others wait for: who leaves a bed, who was promised it, keeping the promise and
calling it off."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from service.errors import Conflict, Refused
from service.lifecycle import StayState, TransferState
from service.store import events, requests, stays, transfers
from service.store.claims import Claim, Promise, promises, promote_next
from service.store.claims.rows import on_beds
from service.store.engine import now as clock
from service.store.seats import Seat
from service.store.seats import seat as read_seat
from service.store.tables.claims import ClaimKind
from service.workflow.context import Context
from service.workflow.judgement import bed_taken, may_follow
from service.workflow.placing.offers import keep_time
from solver.codes import BedState

_LEAVING = (TransferState.APPROVED, TransferState.ACCEPTED, TransferState.IN_TRANSIT)
AWAITS_CLEANING: Final = (BedState.HOUSEKEEPING, BedState.CONTAMINATED)
"""States of a bed that somebody has left: it is promised until it is recorded fit."""
_SOON_FIT: Final = (BedState.IN_SERVICE, *AWAITS_CLEANING)


@dataclass(frozen=True, slots=True)
class Occupant:
    """Who is in a bed, read before the locks."""

    person: str
    stay: str


def occupant_of(conn: Connection, bed: str) -> Occupant | None:
    """The person whose stay takes the bed now; read it before locking, to lock them too."""
    claim = on_beds(conn, [bed], clock(conn)).get(bed)
    if claim is None or claim.kind is ClaimKind.HOLD or claim.stay is None:
        return None
    return Occupant(claim.person, claim.stay)


def departing(conn: Connection, bed: str, expected: Occupant | None, now: datetime) -> str | None:
    """The stay that a promise of this bed waits for, None when the bed only awaits cleaning.

    The caller holds the bed and whoever ``occupant_of`` named.

    Raises:
        Conflict: ``bed-not-in-service`` (closing, closed, out of service), ``bed-taken`` (held, or
            free for a hold instead), ``no-departure``, ``world-moved``.
    """
    seat = read_seat(conn, bed)
    if seat.state not in _SOON_FIT or seat.out_of_service or seat.retired:
        raise bed_taken(conn, bed, now)
    claim = on_beds(conn, [seat.bed], now).get(seat.bed)
    if claim is None:
        if seat.state is BedState.IN_SERVICE:
            raise Conflict(
                "bed-free",
                f"bed {seat.bed} is free now; decide for it instead of promising it",
                bed=seat.bed,
            )
        return None
    if claim.kind is ClaimKind.HOLD or claim.stay is None:
        raise bed_taken(conn, bed, now)
    if expected is None or expected.stay != claim.stay:
        raise Conflict(
            "world-moved",
            f"somebody else came into bed {seat.bed} a moment ago; look again",
            bed=seat.bed,
        )
    move = transfers.live_transfer(conn, claim.person)
    leaves = move is not None and move.stay == claim.stay and move.state in _LEAVING
    if not leaves and stays.stay(conn, claim.stay).state is not StayState.DISCHARGE_DUE:
        raise Conflict(
            "no-departure",
            f"nobody is about to leave bed {seat.bed}: approve the departure first, or choose "
            "another candidate",
            bed=seat.bed,
        )
    return claim.stay


def people_behind(conn: Connection, stay: str) -> set[str]:
    """Everybody whose bed hangs on this stay's departure, through however many promises."""
    people: set[str] = set()
    looking = {stay}
    while looking:
        found = promises.behind(conn, looking)
        fresh = [it for it in found if it.person not in people]
        people |= {it.person for it in fresh}
        moving = (transfers.transfer(conn, it.transfer) for it in fresh if it.transfer is not None)
        looking = {it.stay for it in moving}
    return people


def keep_promise(conn: Connection, ctx: Context, bed: str, now: datetime) -> Claim | None:
    """The bed has become fit: its promise turns into a hold, which is returned, if rules and
    relations still let its person in; see ``promote_next`` for the locks and for None."""

    def fits(promise: Promise, place: Seat) -> bool:
        asked = promise.request
        overridden = requests.overrides_of(conn, asked, bed) if asked is not None else frozenset()
        emergency = asked is not None and requests.request(conn, asked).emergency
        try:
            may_follow(
                conn, ctx, promise.person, place, now, overridden=overridden, emergency=emergency
            )
        except Refused:
            return False
        return True

    hold = promote_next(conn, bed, now, actor=ctx.actor, policy=ctx.policy, fits=fits)
    if hold is not None and hold.request is not None:
        keep_time(conn, ctx, requests.request(conn, hold.request), now, hold=hold)
    return hold


def call_off(conn: Connection, ctx: Context, stay: str, reason: str, now: datetime) -> None:
    """The departure will not happen: promises behind it are cancelled with a coded reason.

    A request goes on waiting, a transfer is superseded, and so on down the chain. The caller
    holds ``people_behind``.
    """
    for promise in promises.behind(conn, [stay]):
        if not promises.cancel(conn, promise, reason, now=now):
            continue
        if promise.transfer is not None:
            move = transfers.transfer(conn, promise.transfer)
            transfers.step(conn, move, TransferState.SUPERSEDED, now=now, reason=reason)
            call_off(conn, ctx, move.stay, reason, now)
        events.append(
            conn,
            ctx.actor,
            "promise.cancelled",
            "bed_next",
            promise.id,
            person=promise.person,
            bed=promise.bed,
            data={
                "reason": reason,
                "request": promise.request,
                "transfer": promise.transfer,
            },
            occurred_at=now,
        )
