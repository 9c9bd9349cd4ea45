"""The emergency lane: a person in danger goes into medical care now, the papers come after.

Doctors must treat (Physicians Law art. 27): nothing here waits for a hold, a free bed, a licence,
a paper or a name. What was not waited for is owed on clocks. The lane leads to medical care only,
never into custody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from service.access.scope import acts_for
from service.errors import Conflict, Invalid, Refused
from service.lifecycle import RequestState, TransferState
from service.store import requests, stays, transfers
from service.store.claims import holds, rows
from service.store.claims.rows import Claim
from service.store.locks import lock
from service.store.seats import Seat, UnitSeat, locks_of, rooms_of_unit, seat, seats_of_unit
from service.store.tables.claims import ClaimKind
from service.workflow.context import Context
from service.workflow.emergencies.emergency_moves import (
    arrive,
    lane_instant,
    leave_behind,
    said,
)
from service.workflow.emergencies.emergency_papers import owe_papers, shown_papers
from service.workflow.emergencies.emergency_places import (
    add_room,
    furnish,
    lane_units,
    may_get_room,
)
from service.workflow.emergencies.emergency_seats import USABLE, Space, look_at, wants_own_room
from service.workflow.inventory.surge import put_up, room_for
from service.workflow.judgement import reasoned, require_current
from service.workflow.moves.transfer_ends import end_transfer
from service.workflow.persons.person_view import require_visible
from service.workflow.persons.unidentified import register_unidentified
from service.workflow.placing.offers import MEDICAL_KINDS, keep_time
from service.workflow.placing.placement import release
from service.workflow.privacy.visibility import hidden_stays
from service.workflow.stays.departures import people_behind
from service.workflow.stays.leave import people_waiting_on
from service.workflow.views import StayView, stay_view
from service.workflow.watch.due import on_grave_illness
from service.workflow.watch.watching import rejudge
from solver.codes import Sex

__all__ = [
    "MEDICAL_KINDS",
    "Emergency",
    "EmergencyAdmission",
    "admit_emergency",
    "admit_unidentified",
]


@dataclass(frozen=True, slots=True)
class Emergency:
    """Where to, at whose word. A ``unit``, or a ``facility`` alone: then the best of its units.

    ``bed`` names one; without it a free bed is taken, best among people who may share a room with
    the person, and failing that a surge place is put up in ``room`` or, unless named, in the first
    room of such company, else in the unit's first."""

    unit: str | None = None
    officer: str = ""
    reason: str = ""
    bed: str | None = None
    room: str | None = None
    occurred_at: datetime | None = None
    facility: str | None = None


@dataclass(frozen=True, slots=True)
class EmergencyAdmission:
    """The stay, whether its bed is a surge place, and what is still owed: ids of rules and names
    of relations, never what they found; ``X02`` is the approval of the move, ``identity`` who the
    person is. ``said_at``: the time given, where it could not be written (it is not yet, or before
    the last change on the person's bed); the stay then begins at the nearest that can be."""

    stay: StayView
    surge: bool
    due: tuple[str, ...]
    said_at: datetime | None = None


def admit_unidentified(
    conn: Connection,
    ctx: Context,
    emergency: Emergency,
    *,
    sex: Sex | None = None,
    age: int | None = None,
) -> EmergencyAdmission:
    """Put somebody whom nobody can name into medical care at once, in a room of their own.

    ``sex`` and ``age`` are what they appear to be. Raises as ``admit_emergency``.
    """
    units = lane_units(conn, ctx, unit=emergency.unit, facility=emergency.facility)
    person = register_unidentified(conn, ctx, sex=sex, age=age)
    return _admit(conn, ctx, person, emergency, units)


def admit_emergency(
    conn: Connection, ctx: Context, person: str, emergency: Emergency
) -> EmergencyAdmission:
    """Put the person into medical care at once.

    A foreign hold of the named bed is ended: that request waits again, that transfer is
    superseded. An open stay of the person becomes a leave with its bed kept and an end, a live
    transfer is cancelled or diverted, a hold of theirs is released; a request made for an
    emergency is admitted, any other is withdrawn.

    Raises:
        Refused: ``emergency-is-medical``, the place is no medical care; ``emergency-not-custody``,
            its doors are locked and the person is a patient, or their term is over.
        NotFound: no such person or place, or a facility's key calls somebody who is not theirs into
            another facility. Invalid: no reason, no place, an instant without an offset.
        Conflict: ``already-there`` (said twice), ``person-merged``.
    """
    units = lane_units(conn, ctx, unit=emergency.unit, facility=emergency.facility)
    if not all(acts_for(ctx.actor, it.facility) for it in units):
        require_visible(conn, ctx, person)
    return _admit(conn, ctx, person, emergency, units)


def _admit(
    conn: Connection, ctx: Context, person: str, emergency: Emergency, units: list[UnitSeat]
) -> EmergencyAdmission:
    why, officer = reasoned(emergency.reason), reasoned(emergency.officer, "/officer")
    units = _narrowed(conn, units, emergency)
    people = {person} | people_waiting_on(conn, person) | _holders(conn, emergency.bed)
    now = lock(conn, persons=people, **lane_locks(conn, units))
    furnish(conn, ctx, units)
    require_current(conn, person)
    at = lane_instant(conn, emergency.occurred_at, now, [person])
    said_at = said(emergency.occurred_at, at)
    _not_there_yet(conn, ctx, person, [it.unit for it in units])
    left = leave_behind(conn, ctx, person, at, now)
    space = look_at(conn, ctx, units, [person], now, ordered=False)
    open_to = [it.unit for it in units if space.may_be_held(it, person)]
    if not open_to:
        raise not_custody(units)
    place = _choose(conn, ctx, space, person, emergency, open_to, people, at, now)
    surge = place is None
    if place is None:
        place = _surge(conn, ctx, space, person, emergency, open_to, now)
    row, _ = arrive(
        conn,
        ctx,
        person,
        place,
        left,
        at,
        now,
        officer=officer,
        reason=why,
        surge=surge,
        key=space.key(person, place),
        said_at=said_at,
    )
    lacking = shown_papers(conn, ctx, {person: owe_papers(conn, ctx, [row], now)[row.id]})[person]
    on_grave_illness(conn, ctx, row.id, now)
    rejudge(conn, ctx, now, persons=[person])
    return EmergencyAdmission(stay_view(conn, row), surge, lacking, said_at)


def lane_locks(conn: Connection, units: Sequence[UnitSeat]) -> dict[str, list[str]]:
    """Arguments for ``locks.lock`` of somebody who brings people into these units."""
    wanted: dict[str, list[str]] = {
        name: [] for name in ("facilities", "units", "units_exclusive", "rooms", "beds")
    }
    for it in units:
        of_beds = locks_of(seats_of_unit(conn, it.unit))
        wanted["facilities"].append(it.facility)
        alone = of_beds["units_exclusive"] or may_get_room(conn, it)
        wanted["units_exclusive" if alone else "units"].append(it.unit)
        wanted["rooms"] += [*rooms_of_unit(conn, it.unit), *of_beds["rooms"]]
        wanted["beds"] += of_beds["beds"]
    return wanted


def take_free(
    conn: Connection,
    ctx: Context,
    space: Space,
    person: str,
    units: Sequence[str],
    at: datetime,
    now: datetime,
    *,
    fit_only: bool,
) -> Seat | None:
    """The best free bed of these units that nothing in the record stands against from ``at``."""
    for place in space.free(person, units, fit_only=fit_only):
        if _can_be_had(conn, ctx, space, person, place, at, now):
            return place
    return None


def not_custody(units: Sequence[UnitSeat]) -> Refused:
    """Locked doors, and nothing in law that holds the person behind them."""
    return Refused(
        "emergency-not-custody",
        f"unit {units[0].unit} is custodial, and on record this person is a patient or their term "
        "is over; name a hospital that is not, external ones too",
        unit=units[0].unit,
    )


def _narrowed(conn: Connection, units: list[UnitSeat], emergency: Emergency) -> list[UnitSeat]:
    """Of a facility named alone, the unit of the bed or room that was named."""
    if emergency.bed is not None and emergency.unit is None:
        of_bed = seat(conn, emergency.bed).unit
        units = [it for it in units if it.unit == of_bed]
        if not units:
            raise Invalid.field(
                "/bed", "not-of-this-facility", "name a medical bed of it", emergency.bed
            )
    if emergency.room is not None and emergency.unit is None:
        units = [it for it in units if emergency.room in rooms_of_unit(conn, it.unit)] or units[:1]
    if emergency.room is not None:
        room_for(conn, units[0], emergency.room)
    return units


def _not_there_yet(conn: Connection, ctx: Context, person: str, units: Sequence[str]) -> None:
    """The lane takes no key: a message sent twice is told what the first one did."""
    for row in stays.open_stays(conn, person):
        segment = rows.segments(conn, row.id)[-1]
        if segment.unit in units and segment.kind is ClaimKind.STAY:
            if hidden_stays(conn, ctx, [row]):
                raise Conflict("already-there", f"this person is in unit {segment.unit} already")
            raise Conflict(
                "already-there",
                f"this person is in bed {segment.bed} of unit {segment.unit} already",
                stay=row.id,
                bed=segment.bed,
            )


def _holders(conn: Connection, bed: str | None) -> set[str]:
    """Whose hold an emergency may end on the named bed, and everybody behind them."""
    held = holds.holding(conn, bed) if bed is not None else None
    if held is None:
        return set()
    people = {held.person}
    if held.transfer is not None:
        people |= people_behind(conn, transfers.transfer(conn, held.transfer).stay)
    return people


def _choose(
    conn: Connection,
    ctx: Context,
    space: Space,
    person: str,
    emergency: Emergency,
    units: Sequence[str],
    locked: set[str],
    at: datetime,
    now: datetime,
) -> Seat | None:
    """The bed to take: the named one if it can be had; else the best free one. A real bed in the
    wrong company is better than none."""
    if emergency.bed is None:
        own = [it for it in units if wants_own_room(space.units[it])]
        beds = take_free(
            conn, ctx, space, person, [it for it in units if it not in own], at, now, fit_only=False
        )
        return beds or take_free(conn, ctx, space, person, own, at, now, fit_only=True)
    place = space.seats.get(emergency.bed)
    if place is None or place.unit not in units:
        return None
    if place.state not in USABLE or place.out_of_service:
        return None
    claim = space.claims.get(place.bed)
    if claim is not None and not (
        claim.kind is ClaimKind.HOLD
        and claim.person in locked
        and claim.person != person
        and claim.until is not None
    ):
        return None
    if claim is not None:
        end_hold(conn, ctx, claim, "emergency", now)
    return place if _can_be_had(conn, ctx, space, person, place, at, now) else None


def end_hold(conn: Connection, ctx: Context, claim: Claim, reason: str, now: datetime) -> None:
    """End somebody else's hold: that request waits again, that transfer is superseded, or turns
    back if it is on its way. The caller holds its person and everybody behind them."""
    if claim.request is not None:
        row = requests.request(conn, claim.request)
        release(conn, ctx, row, reason, now)
        keep_time(conn, ctx, requests.step(conn, row, RequestState.WAITING, now=now), now)
    elif claim.transfer is not None:
        move = transfers.transfer(conn, claim.transfer)
        under_way = move.state is TransferState.IN_TRANSIT
        to = TransferState.TURNED_BACK if under_way else TransferState.SUPERSEDED
        end_transfer(conn, ctx, move, to, reason, now)


def _can_be_had(
    conn: Connection,
    ctx: Context,
    space: Space,
    person: str,
    place: Seat,
    at: datetime,
    now: datetime,
) -> bool:
    key = space.key(person, place)
    holds.void_past_holds(conn, ctx.actor, place.room, at, now=now, reason="emergency")
    return not rows.blockers(conn, place, person, at, None, key=key, stay=True, emergency=True)


def _surge(
    conn: Connection,
    ctx: Context,
    space: Space,
    person: str,
    emergency: Emergency,
    units: Sequence[str],
    now: datetime,
) -> Seat:
    """A place made on the spot: in the named room, else in fit company, else in the first room; in
    a hospital outside the network a room is put on record for it."""
    room = emergency.room or space.surge_room(person, units)
    if room is None:
        own = [it for it in units if wants_own_room(space.units[it])]
        room = add_room(conn, ctx, space.units[own[0]]) if own else space.rooms[units[0]][0]
    return put_up(conn, ctx, room, now)
