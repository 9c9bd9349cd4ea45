"""Locking a term, and taking its person out of the beds that are theirs under it."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from service.access.caller import FACILITY_ROLES
from service.errors import NotFound
from service.lifecycle import RequestState, StayState, TransferState
from service.store import stays, transfers
from service.store import terms as rows
from service.store.claims import rows as claims
from service.store.claims.rows import Claim
from service.store.locks import lock
from service.store.seats import seats
from service.store.stays import StayRow
from service.store.tables.claims import StayEnd
from service.store.terms import TermRow
from service.workflow.context import Context
from service.workflow.moves.transfer_ends import end_transfer
from service.workflow.placing.request_ends import end_live_request
from service.workflow.stays.discharge import beds_of_rooms, discharge

_OF_EVERYBODY: Final = (StayEnd.ESCAPED, StayEnd.DIED)
"""Ends that a discharge writes on every stay, transfer and request of the person by itself."""


def require_answering(ctx: Context, row: TermRow) -> None:
    """A facility's key knows the terms its centre answers for, no others. Raises NotFound."""
    if ctx.actor.role in FACILITY_ROLES and row.responsible != ctx.actor.facility:
        raise NotFound("term-not-found", f"there is no term {row.id}", term=row.id)


def lock_term(conn: Connection, ctx: Context, term: str) -> tuple[datetime, TermRow]:
    """Take the lock that guards a term, its person's, and read it again. Raises NotFound."""
    peeked = rows.term(conn, term)
    require_answering(ctx, peeked)
    now = lock(conn, persons=[peeked.person])
    return now, rows.term(conn, term)


def lock_term_and_beds(conn: Connection, ctx: Context, term: str) -> tuple[datetime, TermRow]:
    """Lock a term's person together with the rooms of every bed that is theirs."""
    peeked = rows.term(conn, term)
    require_answering(ctx, peeked)
    open_stays = stays.open_stays(conn, peeked.person)
    rooms = {it.room for stay in open_stays for it in _open_claims(conn, stay)}
    now = lock(conn, persons=[peeked.person], rooms=rooms, beds=beds_of_rooms(conn, rooms))
    return now, rows.term(conn, term)


def leave_beds(
    conn: Connection,
    ctx: Context,
    row: TermRow,
    code: StayEnd,
    reason: str,
    at: datetime,
    now: datetime,
    *,
    custody_only: bool = False,
) -> None:
    """End the stays of a term's person, whatever transfer they are on and whatever bed they ask
    for. ``custody_only``: a hospital's bed that nobody holds them in goes on being theirs."""
    if code not in _OF_EVERYBODY:
        _no_more_moves(conn, ctx, row, code, now)
    ending, custody = _ending(conn, row.person, custody_only=custody_only)
    # From a hospital that nobody holds them in they just left, as any patient may.
    left_as = StayEnd.DISCHARGED if code is StayEnd.ESCAPED and not custody else code
    for stay in ending:
        if stays.stay(conn, stay.id).state is StayState.ENDED:
            continue
        discharge(conn, ctx, stay.id, code=left_as, occurred_at=at, reason=reason, of_term=True)
    if code in _OF_EVERYBODY:
        _no_more_moves(conn, ctx, row, code, now)


def _ending(
    conn: Connection, person: str, *, custody_only: bool
) -> tuple[list[StayRow], frozenset[str]]:
    """The open stays to end, custody first: it is there that somebody escapes; and which of them
    are custody."""
    open_stays = stays.open_stays(conn, person)
    of = {stay.id: _open_claims(conn, stay) for stay in open_stays}
    places = seats(conn, {it.bed for found in of.values() for it in found})
    custody = frozenset(
        id_ for id_, found in of.items() if any(places[it.bed].custodial for it in found)
    )
    wanted = [it for it in open_stays if not custody_only or it.id in custody]
    return sorted(wanted, key=lambda it: (it.id not in custody, it.id)), custody


def _no_more_moves(
    conn: Connection, ctx: Context, row: TermRow, code: StayEnd, now: datetime
) -> None:
    move = transfers.live_transfer(conn, row.person)
    if move is not None:
        on_the_way = move.state is TransferState.IN_TRANSIT
        to = TransferState.DIVERTED if on_the_way else TransferState.CANCELLED
        end_transfer(conn, ctx, move, to, f"stay_{code.value}", now, left=True)
    end_live_request(conn, ctx, row.person, RequestState.WITHDRAWN, f"stay_{code.value}", now)


def _open_claims(conn: Connection, stay: StayRow) -> list[Claim]:
    return [it for it in claims.segments(conn, stay.id) if it.until is None]
