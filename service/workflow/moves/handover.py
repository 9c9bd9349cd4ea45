"""Handover 转运交接: the receiving side accepts or declines, the person departs, arrives or turns
back. Until arrival they keep the bed they come from; a person on the way never loses the other."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from service.access.scope import require_facility
from service.errors import Conflict, Invalid
from service.lifecycle import StayState, TransferState, advance
from service.store import requests, stays, transfers
from service.store.claims import holds, isolated, key_of, promises, rows
from service.store.claims.rows import Claim
from service.store.locks import lock
from service.store.seats import Seat, locks_of, rooms_of_unit, seat, seats
from service.store.stays import StayRow, remember_origin
from service.store.tables.claims import ClaimKind, StayEnd
from service.store.transfers import TransferRow
from service.workflow.context import Context
from service.workflow.emergencies.emergency_papers import stay_over
from service.workflow.judgement import look_again, past_instant
from service.workflow.law import terms
from service.workflow.moves.arrivals import place_at_arrival
from service.workflow.moves.handover_papers import require_handover
from service.workflow.moves.journeys import (
    ArrivalCheck,
    Condition,
    Journey,
    approvals_needed,
    escorts_data,
    require_approvals,
    require_escorts,
)
from service.workflow.moves.transfer_ends import end_transfer, told
from service.workflow.moves.transfers import end_as, lock_transfer
from service.workflow.persons import restraints
from service.workflow.persons.fitness import require_no_stop
from service.workflow.placing.admission import clear
from service.workflow.placing.answers import arrival_of, check_decline, live_hold
from service.workflow.stays.discharge import beds_of_rooms, vacate
from service.workflow.stays.discharge import told as stay_told
from service.workflow.stays.kept_beds import give_up, kept_for
from service.workflow.stays.leave_return import withdraw_return
from service.workflow.views import TransferView, transfer_view
from service.workflow.watch.due import on_arrival, on_stay_end, owe, settle
from service.workflow.watch.watching import rejudge
from service.workflow.watch.watching_basis import require_basis_for_move
from solver.codes import COMPULSORY_CENTRES

NO_JOURNEY: Final = Journey()


class Side(StrEnum):
    """Who answers for what at the receiving unit: both must take somebody held by law."""

    SECURITY = "security"
    MEDICAL = "medical"


def accept_transfer(
    conn: Connection,
    ctx: Context,
    transfer: str,
    *,
    expected_arrival: datetime | None = None,
    sides: Collection[Side] = (),
) -> TransferView:
    """The receiving facility accepts: the hold lasts to the expected arrival plus grace. A bed
    that is only promised yet is accepted too; its hold begins when it is fit.

    A unit whose security and care have two owners accepts with both words, which may come one
    after the other; ``sides`` names whose word this is, all of them if left out.

    Raises Forbidden, Conflict (``illegal-step``, ``hold-lapsed``), Invalid.
    """
    now, row = lock_transfer(conn, transfer)
    target = seat(conn, row.to_bed)
    require_facility(ctx.actor, target.facility)
    advance("transfer", row.state, TransferState.ACCEPTED)
    require_basis_for_move(conn, ctx, row.person, now)
    arrival = arrival_of(ctx, expected_arrival, now)
    needed = _sides(target)
    given = {it["side"] for it in row.acceptances}
    word = set(sides) & needed if sides else needed
    if not word:
        raise Invalid.field(
            "/sides",
            "not-a-side",
            f"this unit accepts for: {', '.join(sorted(needed))}",
            ", ".join(sorted(sides)),
        )
    acceptances = [
        *row.acceptances,
        *(
            {"side": side.value, "by": ctx.actor.id, "at": now.isoformat()}
            for side in sorted(word)
            if side.value not in given
        ),
    ]
    if needed - {it["side"] for it in acceptances}:
        row = transfers.edit(conn, row, acceptances=acceptances)
        told(conn, ctx, row, "transfer.accepted_in_part", now)
        return transfer_view(conn, row)
    promise = promises.promised_to(conn, row.person)
    if promise is None or promise.transfer != row.id:
        hold = live_hold(conn, now, transfer=row.id)
        holds.accept(conn, ctx.actor, hold, arrival + ctx.policy.arrival_grace, now=now)
    row = transfers.step(
        conn,
        row,
        TransferState.ACCEPTED,
        now=now,
        expected_arrival=arrival,
        acceptances=acceptances,
    )
    told(conn, ctx, row, "transfer.accepted", now, expected_arrival=arrival.isoformat())
    return transfer_view(conn, row)


def decline_transfer(
    conn: Connection, ctx: Context, transfer: str, *, code: str, reason: str = ""
) -> TransferView:
    """The receiving facility does not take this person, for a coded reason lawful for its kind.

    Raises Forbidden, Invalid, Conflict ``illegal-step``.
    """
    now, row = lock_transfer(conn, transfer, behind=True)
    target = seat(conn, row.to_bed)
    require_facility(ctx.actor, target.facility)
    advance("transfer", row.state, TransferState.DECLINED)
    check_decline(conn, ctx, target, row.person, code)
    hold = holds.hold_for(conn, transfer=row.id)
    requests.add_decline(
        conn,
        ctx.actor,
        transfer=row.id,
        unit=target.unit,
        claim=hold.id if hold is not None else None,
        code=code,
        reason=reason.strip(),
        now=now,
    )
    row = end_transfer(conn, ctx, row, TransferState.DECLINED, code, now)
    return transfer_view(conn, row)


def depart(
    conn: Connection,
    ctx: Context,
    transfer: str,
    *,
    occurred_at: datetime | None = None,
    journey: Journey = NO_JOURNEY,
) -> TransferView:
    """The person leaves for the other bed. From now on the hold never lapses: late is an alarm.

    Between facilities a clinician's handover goes along, what an organ must approve is approved,
    and somebody held by law has escorts. Within a facility none of that is asked.

    Raises:
        Refused: the other place is no longer lawful or safe, or a movement stop stands.
        Conflict: ``illegal-step``, ``no-hold`` (the bed is not fit yet), ``hold-lapsed``,
            ``approvals-missing``, ``handover-missing``.
        Invalid: ``escorts-missing``, ``woman-escort-missing``, instants the wrong way round.
        Forbidden: another facility than the one they leave.
    """
    peeked = transfers.transfer(conn, transfer)
    places = seats(conn, [peeked.from_bed, peeked.to_bed])
    origin, target = places[peeked.from_bed], places[peeked.to_bed]
    require_facility(ctx.actor, origin.facility)
    now = lock(conn, persons=[peeked.person], **target.locks())
    row = transfers.transfer(conn, transfer)
    advance("transfer", row.state, TransferState.IN_TRANSIT)
    hold = live_hold(conn, now, transfer=row.id)
    at = past_instant("occurred_at", occurred_at, now)
    require_basis_for_move(conn, ctx, row.person, now)
    require_no_stop(conn, row.person)
    if origin.facility != target.facility:
        require_approvals(approvals_needed(conn, ctx, row, origin, target, now), row.id)
        require_handover(row)
        require_escorts(conn, ctx, row.person, journey)
    look_again(conn, ctx, row.person, target, now)
    rows.keep_until(conn, hold, None)
    restraints.end_with_stay(conn, ctx, stays.stay(conn, row.stay), now)
    expected = row.expected_arrival
    if journey.expected_arrival is not None:
        expected = arrival_of(ctx, journey.expected_arrival, now)
    row = transfers.step(
        conn,
        row,
        TransferState.IN_TRANSIT,
        now=now,
        departed_at=at,
        expected_arrival=expected,
        escorts=escorts_data(journey),
        vehicle=journey.vehicle,
    )
    owe(
        conn,
        ctx,
        "transfer_late",
        subject=("transfer", row.id),
        now=now,
        person=row.person,
        facility=target.facility,
        due_at=(expected or now) + ctx.policy.arrival_grace,
    )
    told(conn, ctx, row, "transfer.departed", at, backdated=at < now)
    return transfer_view(conn, row)


def arrive(
    conn: Connection,
    ctx: Context,
    transfer: str,
    *,
    occurred_at: datetime | None = None,
    check: ArrivalCheck | None = None,
) -> TransferView:
    """The person is there: one transaction ends the bed they left and begins the new one.

    Between facilities the stay ends as transferred and a new one begins; within a facility it
    goes on as a new segment. The bed they left needs cleaning before anybody else. When the bed
    that was kept cannot be had after all, a surge place is put up: nobody is left at the door.
    ``check``: what the receiver found; somebody worse than described is seen by a doctor soon.

    Raises:
        Refused: the place is no longer lawful or safe for them: turn back, or correct what says so.
        Conflict: ``illegal-step``, ``bed-was-taken`` (at the earlier instant given).
        Invalid: an instant in the future or before the departure. Forbidden.
    """
    peeked = transfers.transfer(conn, transfer)
    places = seats(conn, [peeked.from_bed, peeked.to_bed])
    origin, target = places[peeked.from_bed], places[peeked.to_bed]
    require_facility(ctx.actor, target.facility)
    kept = kept_for(conn, peeked.person, target)
    locks = locks_of([target, *kept.places])
    rooms = rooms_of_unit(conn, target.unit)
    locks["rooms"] += [origin.room, *rooms]
    locks["beds"] += beds_of_rooms(conn, [origin.room])
    now = lock(conn, persons={peeked.person, *kept.people}, **locks)
    row = transfers.transfer(conn, transfer)
    advance("transfer", row.state, TransferState.COMPLETED)
    hold = live_hold(conn, now, transfer=row.id)
    at = past_instant("occurred_at", occurred_at, now)
    _check_after(row, at)
    place = place_at_arrival(conn, ctx, row.person, target, now, rooms=rooms)
    here = rows.segments(conn, row.stay)[-1]
    taken = place.seat
    key = key_of(conn, row.person, cohort=taken.cohort)
    if place.surge:
        rows.void(conn, ctx.actor, hold.id, "bed_not_there", now=now)
    clear(
        conn,
        ctx,
        row.person,
        taken,
        at,
        now,
        key=key,
        ignoring=[hold.id, here.id],
        emergency=not place.company,
    )
    rows.end(conn, ctx.actor, here, at, now=now)
    restraints.end_with_stay(conn, ctx, stays.stay(conn, row.stay), now)
    give_up(conn, ctx, kept, at, now)
    if not place.surge:
        holds.use(conn, ctx.actor, hold, at, now=now)
    stay = _go_on(conn, ctx, row, origin, taken, at, now)
    rows.add(
        conn,
        ctx.actor,
        taken,
        row.person,
        ClaimKind.STAY,
        at,
        None,
        now=now,
        key=key,
        emergency=not place.company,
        stay=stay.id,
        request=stay.request,
        transfer=row.id,
    )
    row = transfers.step(
        conn,
        row,
        TransferState.COMPLETED,
        now=now,
        reason="arrived",
        arrived_at=at,
        to_bed_id=taken.bed,
        arrival_check=check.model_dump(mode="json") if check is not None else None,
    )
    terms.came_into(conn, ctx, row.person, taken, at, now)
    if taken.unit_kind in COMPULSORY_CENTRES:
        withdraw_return(conn, ctx, row.person, "returned", now)
    settle(conn, ctx, "transfer_late", subject=("transfer", row.id), now=now)
    settle(conn, ctx, "fitness_return", subject=("person", row.person), now=now)
    if check is not None and check.condition is Condition.WORSE:
        owe(
            conn,
            ctx,
            "doctor_sees",
            subject=("person", row.person),
            now=now,
            person=row.person,
            facility=taken.facility,
        )
    vacate(conn, ctx, seat(conn, origin.bed), at, now, contaminated=isolated(conn, row.person))
    told(
        conn,
        ctx,
        row,
        "transfer.arrived",
        at,
        to_stay=stay.id,
        surge=place.surge,
        backdated=at < now,
    )
    on_arrival(conn, ctx, stay.id, now)
    rejudge(conn, ctx, now, persons=[row.person])
    return transfer_view(conn, row)


def turn_back(conn: Connection, ctx: Context, transfer: str, *, reason: str) -> TransferView:
    """The person comes back to the bed they left, which was kept for them.

    Raises Conflict ``illegal-step``, Invalid without a reason, Forbidden for a facility that
    neither sends nor receives.
    """
    return end_as(conn, ctx, transfer, TransferState.TURNED_BACK, reason=reason)


def _go_on(
    conn: Connection,
    ctx: Context,
    row: TransferRow,
    origin: Seat,
    target: Seat,
    at: datetime,
    now: datetime,
) -> StayRow:
    """The stay they are in from now: the same within a facility, a new one elsewhere."""
    stay = stays.stay(conn, row.stay)
    if origin.unit_kind in COMPULSORY_CENTRES and target.unit_kind not in COMPULSORY_CENTRES:
        remember_origin(conn, row.person, origin.unit)
    if origin.facility == target.facility:
        return stay
    here: Claim = rows.segments(conn, stay.id)[-1]
    ended = stays.step(conn, stay, StayState.ENDED, at=at, code=StayEnd.TRANSFERRED)
    stay_over(conn, ctx, ended, now)
    stay_told(conn, ctx, ended, here, "stay.ended", at, code=StayEnd.TRANSFERRED.value)
    on_stay_end(conn, ctx, ended.id, now)
    return stays.add(
        conn,
        ctx.actor,
        row.person,
        target.facility,
        at,
        now=now,
        request=stay.request,
        basis=stay.basis,
    )


def _sides(target: Seat) -> frozenset[Side]:
    """Whose words the receiving unit needs: one where care and security have one owner."""
    return frozenset(Side) if target.two_owners else frozenset({Side.MEDICAL})


def _check_after(row: TransferRow, at: datetime) -> None:
    if row.departed_at is not None and at < row.departed_at:
        raise Conflict(
            "before-departure",
            f"this person left at {row.departed_at.isoformat()}; give a later arrival",
            departed_at=row.departed_at.isoformat(),
        )
