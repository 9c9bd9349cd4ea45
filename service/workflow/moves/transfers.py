"""Transfers 转院/转所: asked for or proposed by a plan, then approved or rejected by a coordinator.

The origin bed is kept until arrival. Approval looks again at today's world under lock and holds
the destination, or promises it behind an approved departure. The answers of the receiving side
and the way itself are in ``handover``.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from service.access.scope import acts_for, facility_scope, require_facility
from service.errors import Conflict, Forbidden, NotFound, Refused
from service.lifecycle import LIVE_TRANSFER_STATES, StayState, TransferState, advance
from service.store import stays, transfers
from service.store.claims import key_of, promises, rows
from service.store.claims.rows import on_beds
from service.store.engine import now as clock
from service.store.locks import lock
from service.store.network import load_network
from service.store.seats import Seat, seat, seats
from service.store.tables.claims import ClaimKind
from service.store.transfers import TransferRow
from service.workflow.context import Context
from service.workflow.judgement import bed_taken, lawful, look_again, may_follow, reasoned
from service.workflow.moves.journeys import approvals_needed
from service.workflow.moves.transfer_ends import end_transfer, require_no_transfer, told
from service.workflow.privacy.visibility import hidden_transfers, require_stay
from service.workflow.stays.departures import AWAITS_CLEANING, departing, occupant_of, people_behind
from service.workflow.views import TransferView, transfer_view
from service.workflow.watch.watching_basis import require_basis_for_move
from service.workflow.words import beside
from solver.check import immovable
from solver.codes import MoveReason
from solver.eligibility import transition_allowed


def request_transfer(
    conn: Connection,
    ctx: Context,
    stay: str,
    to_bed: str,
    *,
    reason: MoveReason,
    text: str = "",
    proposal: str | None = None,
) -> TransferView:
    """Ask for a resident to be moved to another bed; nothing is held before approval.

    ``proposal``: the planner's proposal this comes from.

    Raises:
        Refused: the bed's place is not lawful or safe for this person, or such a move is no
            transfer at all (``no-transfer``).
        Conflict: ``illegal-step`` (not an active stay), ``transfer-live``, ``same-bed``,
            ``bed-is-theirs`` (kept for them on leave: record the return).
        Forbidden: another facility's key.
    """
    require_stay(conn, ctx, stay)
    peeked = stays.stay(conn, stay)
    require_facility(ctx.actor, peeked.facility)
    target = seat(conn, to_bed)
    # Rules are judged again at approval, under every lock: here the person's is enough.
    now = lock(conn, persons=[peeked.person])
    row = stays.stay(conn, stay)
    if row.state not in (StayState.ACTIVE, StayState.DISCHARGE_DUE):
        raise Conflict(
            "not-in-bed",
            f"stay {stay} is {row.state}; only somebody in their bed is transferred",
            stay=stay,
            state=row.state.value,
        )
    require_basis_for_move(conn, ctx, row.person, now)
    require_no_transfer(conn, row.person)
    here = rows.segments(conn, stay)[-1]
    if here.bed == to_bed:
        raise Conflict("same-bed", f"this person is in bed {to_bed} already", bed=to_bed)
    kept = on_beds(conn, [to_bed], now).get(to_bed)
    if kept is not None and kept.kind is ClaimKind.LEAVE and kept.person == row.person:
        raise Conflict(
            "bed-is-theirs",
            f"bed {to_bed} is kept for this person already: record the discharge from where they "
            "are, then their return, instead of a transfer",
            bed=to_bed,
        )
    _check_transition(seat(conn, here.bed), target)
    lawful(conn, ctx, row.person, target, now)
    made = transfers.add(
        conn,
        ctx.actor,
        person=row.person,
        stay=stay,
        from_bed=here.bed,
        to_bed=to_bed,
        reason=reason,
        text=text.strip(),
        proposal=proposal,
        now=now,
    )
    told(conn, ctx, made, "transfer.requested", now, proposal=proposal)
    return transfer_view(conn, made)


def approve(conn: Connection, ctx: Context, transfer: str, *, reason: str) -> TransferView:
    """A coordinator approves: the destination is held, or promised behind an approved departure.

    Raises:
        Refused: rules, relations or the person's right not to be moved (``not-movable``) say no.
        Conflict: ``bed-taken``, ``no-departure``, ``already-promised``, ``illegal-step``,
            ``world-moved``.
        Invalid: no reason.
    """
    why = reasoned(reason)
    peeked = transfers.transfer(conn, transfer)
    leaving = occupant_of(conn, peeked.to_bed)
    places = seats(conn, [peeked.from_bed, peeked.to_bed])
    origin, target = places[peeked.from_bed], places[peeked.to_bed]
    people = {peeked.person, *([leaving.person] if leaving is not None else [])}
    now = lock(conn, persons=people, **_with_origin(target, origin))
    row = transfers.transfer(conn, transfer)
    advance("transfer", row.state, TransferState.APPROVED)
    require_basis_for_move(conn, ctx, row.person, now)
    check_movable(conn, ctx, row, origin, target, now)
    waiting = promises.promised_to(conn, row.person)
    if waiting is not None:
        raise Conflict(
            "already-promised",
            f"bed {waiting.bed} is promised to this person already; cancel that first",
            bed=waiting.bed,
            request=waiting.request,
        )
    claim = on_beds(conn, [target.bed], now).get(target.bed)
    occupied = claim is not None and claim.kind is not ClaimKind.HOLD
    dirty = seat(conn, target.bed).state in AWAITS_CLEANING
    if occupied or (claim is None and dirty):
        waits_for = departing(conn, target.bed, leaving, now)
        may_follow(conn, ctx, row.person, target, now)
        if promises.promised(conn, target.bed) is not None:
            raise bed_taken(conn, target.bed, now)
        promises.promise(
            conn,
            ctx.actor,
            target.bed,
            row.person,
            now=now,
            transfer=row.id,
            waits_for_stay=waits_for,
        )
    else:
        look_again(conn, ctx, row.person, target, now)
        rows.add(
            conn,
            ctx.actor,
            target,
            row.person,
            ClaimKind.HOLD,
            now,
            now + ctx.policy.hold,
            now=now,
            key=key_of(conn, row.person, cohort=target.cohort),
            transfer=row.id,
        )
    row = transfers.step(
        conn,
        row,
        TransferState.APPROVED,
        now=now,
        approved_by=ctx.actor.id,
        approved_at=now,
        approval_reason=why,
    )
    told(conn, ctx, row, "transfer.approved", now)
    return _in_full(conn, ctx, row)


def reject(conn: Connection, ctx: Context, transfer: str, *, reason: str) -> TransferView:
    """A coordinator says no to a proposed transfer. Raises Conflict ``illegal-step``, Invalid."""
    return end_as(conn, ctx, transfer, TransferState.REJECTED, reason=reason)


def cancel(conn: Connection, ctx: Context, transfer: str, *, reason: str) -> TransferView:
    """The transfer will not happen; what it held is free, promises behind it are called off.

    Not possible once the person is on the way: record the arrival or turn back.
    Raises Conflict ``illegal-step``, Invalid without a reason, Forbidden for a facility that
    neither sends nor receives.
    """
    return end_as(conn, ctx, transfer, TransferState.CANCELLED, reason=reason)


def get(conn: Connection, ctx: Context, transfer: str) -> TransferView:
    """One transfer; a facility's key sees those from and to it. Raises NotFound."""
    row = transfers.transfer(conn, transfer)
    if not involved(conn, ctx, row):
        raise NotFound("transfer-not-found", f"there is no transfer {transfer}", transfer=transfer)
    return _in_full(conn, ctx, row)


def listed(
    conn: Connection,
    ctx: Context,
    *,
    after: str | None,
    limit: int,
    states: Sequence[TransferState] = LIVE_TRANSFER_STATES,
    person: str | None = None,
) -> list[TransferView]:
    """Transfers in the order they were asked for."""
    found: list[TransferRow] = []
    while len(found) < limit:
        batch = transfers.page(
            conn,
            after=after,
            limit=limit,
            states=states,
            person=person,
            facility=facility_scope(ctx.actor),
        )
        unseen = hidden_transfers(conn, ctx, batch)
        found += [row for row in batch if row.id not in unseen]
        if len(batch) < limit:
            break
        after = batch[-1].id
    return [transfer_view(conn, row) for row in found[:limit]]


def _in_full(conn: Connection, ctx: Context, row: TransferRow) -> TransferView:
    """The transfer with what must be approved before departure and what its person has said."""
    ends = seats(conn, [row.from_bed, row.to_bed])
    origin, target = ends[row.from_bed], ends[row.to_bed]
    return replace(
        transfer_view(conn, row),
        approvals=approvals_needed(conn, ctx, row, origin, target, clock(conn)),
        words=beside(conn, ctx, [row.person]).get(row.person, ()),
    )


def involved(conn: Connection, ctx: Context, row: TransferRow) -> bool:
    """Whether this caller's facility, if any, sends or receives."""
    ends = seats(conn, [row.from_bed, row.to_bed])
    return any(acts_for(ctx.actor, it.facility) for it in ends.values())


def lock_transfer(
    conn: Connection, transfer: str, *, behind: bool = False
) -> tuple[datetime, TransferRow]:
    """Take the lock that guards a transfer, its person's, and read it again. ``behind``: also
    lock everybody whose bed hangs on this departure, for a transfer that is about to end."""
    peeked = transfers.transfer(conn, transfer)
    others = people_behind(conn, peeked.stay) if behind else set()
    now = lock(conn, persons={peeked.person, *others})
    return now, transfers.transfer(conn, transfer)


def check_movable(
    conn: Connection, ctx: Context, row: TransferRow, origin: Seat, target: Seat, now: datetime
) -> None:
    """Raise Refused ``not-movable`` unless this resident may be moved there at all: an allowed
    transition, a doctor's unexpired statement, the patient's agreement, no movement stop."""
    network = load_network(
        conn, ctx.policy, units={origin.unit, target.unit}, persons=[row.person], now=now
    )
    # A bed kept for them elsewhere is a stay of theirs too.
    stay = next((it for it in network.stays if it.id == row.stay), None)
    if stay is None or stay.bed != row.from_bed:
        raise Conflict(
            "superseded",
            "this person is no longer where the transfer starts; reject it and ask anew",
            transfer=row.id,
        )
    why = immovable(network, stay, network.units[target.unit])
    if why:
        raise Refused(
            "not-movable",
            f"this person may not be moved there: {'; '.join(why)}",
            reasons=list(why),
        )


def _with_origin(target: Seat, origin: Seat) -> dict[str, list[str]]:
    """The locks of somebody who claims ``target``, and the rule data of where they come from."""
    locks = target.locks()
    return {
        **locks,
        "facilities": [*locks["facilities"], origin.facility],
        "units": [*locks["units"], origin.unit],
    }


def _check_transition(origin: Seat, target: Seat) -> None:
    if not transition_allowed(origin.unit_kind, target.unit_kind):
        raise Refused(
            "no-transfer",
            f"a move from a {origin.unit_kind} to a {target.unit_kind} is no transfer: it needs "
            "a legal basis of its own; end this stay and submit a placement request",
            from_kind=origin.unit_kind.value,
            to_kind=target.unit_kind.value,
        )


def end_as(
    conn: Connection, ctx: Context, transfer: str, to: TransferState, *, reason: str
) -> TransferView:
    """End a transfer without arrival, at the word of somebody it concerns.

    Raises Conflict ``illegal-step``, Invalid without a reason, Forbidden for a facility that
    neither sends nor receives.
    """
    why = reasoned(reason)
    now, row = lock_transfer(conn, transfer, behind=True)
    if not involved(conn, ctx, row):
        raise Forbidden(
            "other-facility",
            "only the sending or the receiving facility, or a coordinator, may do this",
            transfer=transfer,
        )
    return transfer_view(conn, end_transfer(conn, ctx, row, to, why, now))
