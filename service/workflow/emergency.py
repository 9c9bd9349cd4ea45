"""The emergency lane: a person in danger goes into medical care now, the papers come after.

Doctors must treat (Physicians Law art. 27): nothing here waits for a hold, a free bed, a licence
or a paper. What was not waited for is written down as due. The lane leads to medical care only,
never into custody.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from service.access.scope import acts_for
from service.errors import Conflict, Refused
from service.lifecycle import RequestState, StayState, TransferState
from service.store import requests, stays, transfers
from service.store.claims import holds, key_of, rows
from service.store.claims.rows import Claim
from service.store.locks import lock
from service.store.network import load_network
from service.store.requests import RequestRow
from service.store.seats import Seat, locks_of, rooms_of_unit, seats_of_unit, unit_seat
from service.store.tables.claims import ClaimKind
from service.workflow.context import Context
from service.workflow.departures import people_behind
from service.workflow.discharge import told
from service.workflow.judgement import judged, past_instant, reasoned, require_current
from service.workflow.leave import divert, people_waiting_on, put_on_leave
from service.workflow.person_view import require_visible
from service.workflow.placement import release, settled
from service.workflow.surge import put_up, room_for
from service.workflow.transfer_ends import end_transfer
from service.workflow.views import StayView, stay_view
from service.workflow.visibility import hidden_stays
from solver.check import claimants, conflicts, occupant, room_relations
from solver.codes import BedState, UnitKind
from solver.eligibility import due_papers, refusals
from solver.eligibility import place as place_of

MEDICAL_KINDS: Final = frozenset(
    {UnitKind.OMW, UnitKind.CTH, UnitKind.DTI, UnitKind.AKH, UnitKind.SEC, UnitKind.EXT}
)
_USABLE: Final = (BedState.IN_SERVICE, BedState.HOUSEKEEPING)


@dataclass(frozen=True, slots=True)
class Emergency:
    """Where to, at whose word. ``bed`` names one; without it a free bed is taken, best among
    people who may share a room with the person, and failing that a surge place is put up in
    ``room`` or, unless named, in the first room of such company, else in the unit's first."""

    unit: str
    officer: str
    reason: str
    bed: str | None = None
    room: str | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EmergencyAdmission:
    """The stay, whether its bed is a surge place, and what is still owed: ids of rules and names
    of relations, never what they found."""

    stay: StayView
    surge: bool
    due: tuple[str, ...]


def admit_emergency(
    conn: Connection, ctx: Context, person: str, emergency: Emergency
) -> EmergencyAdmission:
    """Put the person into medical care at once.

    A foreign hold of the named bed is ended: that request waits again, that transfer is
    superseded. An open stay of the person becomes a leave with its bed kept, a live transfer is
    cancelled or diverted, a hold of theirs is released; a request for an emergency is admitted.
    The claim is flagged as an emergency's only where the company in the room forbids the person;
    any other room stays guarded against whoever comes next.

    Raises:
        Refused: ``emergency-is-medical``, the unit is no medical care.
        NotFound: no such person or unit, or a facility's key calls somebody who is not theirs into
            another facility. Invalid: no reason, an instant in the future.
        Conflict: ``already-there`` (said twice), ``person-merged``, ``no-room``,
            ``before-its-segment``.
    """
    why, officer = reasoned(emergency.reason), reasoned(emergency.officer, "/officer")
    unit = unit_seat(conn, emergency.unit)
    if not acts_for(ctx.actor, unit.facility):
        require_visible(conn, ctx, person)
    if unit.kind not in MEDICAL_KINDS:
        raise Refused(
            "emergency-is-medical",
            f"unit {unit.unit} is a {unit.kind}: the emergency lane leads to medical care only; "
            "choose a ward or a hospital",
            unit=unit.unit,
        )
    first = room_for(conn, unit, emergency.room)
    rooms = [first, *(it for it in rooms_of_unit(conn, unit.unit) if it != first)]
    beds = seats_of_unit(conn, unit.unit)
    people = {person} | people_waiting_on(conn, person) | _holders(conn, emergency.bed)
    locks = locks_of(beds)
    alone = bool(locks["units_exclusive"])
    now = lock(
        conn,
        persons=people,
        facilities=[unit.facility],
        units=[] if alone else [unit.unit],
        units_exclusive=[unit.unit] if alone else [],
        rooms={*rooms, *locks["rooms"]},
        beds=locks["beds"],
    )
    require_current(conn, person)
    at = past_instant("occurred_at", emergency.occurred_at, now)
    _not_there_yet(conn, ctx, person, unit.unit)
    divert(conn, ctx, person, now)
    live = requests.live_request(conn, person)
    if live is not None:
        live = _request_goes_on(conn, ctx, settled(conn, ctx, live, now), now)
    for open_stay in stays.open_stays(conn, person):
        if open_stay.state is not StayState.ON_LEAVE:
            left = put_on_leave(conn, ctx, open_stay, at, now, expected_end=None)
            told(
                conn, ctx, left, rows.segments(conn, left.id)[-1], "leave.begun", at, emergency=True
            )
    ill = _in_ill_company(conn, ctx, person, unit.unit, now)
    chosen = _choose(conn, ctx, person, emergency, people, ill, at, now)
    surge = chosen is None
    if chosen is not None:
        taken = chosen
    else:
        fit = [it for it in rooms if it not in ill] if emergency.room is None else []
        taken = put_up(conn, ctx, fit[0] if fit else first, now)
        holds.void_past_holds(conn, ctx.actor, taken.room, at, now=now, reason="emergency")
    key = key_of(conn, person, cohort=taken.cohort)
    due = _due(conn, ctx, person, taken, now)
    admitted = live if live is not None and live.state is RequestState.ADMITTED else None
    stay = stays.add(
        conn,
        ctx.actor,
        person,
        taken.facility,
        at,
        now=now,
        request=admitted.id if admitted is not None else None,
        officer=officer,
        reason=why,
    )
    claim = rows.add(
        conn,
        ctx.actor,
        taken,
        person,
        ClaimKind.STAY,
        at,
        None,
        now=now,
        key=key,
        emergency=bool(rows.blockers(conn, taken, person, at, None, key=key, stay=False)),
        stay=stay.id,
        request=stay.request,
    )
    told(
        conn,
        ctx,
        stay,
        claim,
        "stay.emergency_admitted",
        at,
        surge=surge,
        due=list(due),
    )
    return EmergencyAdmission(stay_view(conn, stay), surge, due)


def _not_there_yet(conn: Connection, ctx: Context, person: str, unit: str) -> None:
    """The lane takes no key: a message sent twice is told what the first one did."""
    for row in stays.open_stays(conn, person):
        segment = rows.segments(conn, row.id)[-1]
        if segment.unit == unit and segment.kind is ClaimKind.STAY:
            if hidden_stays(conn, ctx, [row]):
                raise Conflict("already-there", f"this person is in unit {unit} already")
            raise Conflict(
                "already-there",
                f"this person is in bed {segment.bed} of unit {unit} already",
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


def _request_goes_on(conn: Connection, ctx: Context, live: RequestRow, now: datetime) -> RequestRow:
    """What becomes of the person's own request: an emergency's is met, another waits again."""
    release(conn, ctx, live, "emergency", now)
    if live.emergency:
        steps = [RequestState.HELD, RequestState.ACCEPTED, RequestState.ADMITTED]
        known = steps.index(live.state) + 1 if live.state in steps else 0
        for to in steps[known:]:
            live = requests.step(conn, live, to, now=now, reason="emergency")
        return live
    if live.state is RequestState.WAITING:
        return live
    return requests.step(conn, live, RequestState.WAITING, now=now)


def _choose(
    conn: Connection,
    ctx: Context,
    person: str,
    emergency: Emergency,
    locked: set[str],
    ill: frozenset[str],
    at: datetime,
    now: datetime,
) -> Seat | None:
    """The bed to take: the named one if it can be had; else a free one, best not in a room of
    ``ill`` company: a real bed in the wrong company is better than none."""
    beds = {it.bed: it for it in seats_of_unit(conn, emergency.unit)}
    claims = rows.on_beds(conn, beds, now)
    for bed in sorted(beds, key=lambda it: (beds[it].room in ill, it)):
        place = beds[bed]
        if emergency.bed not in (None, bed):
            continue
        if place.state not in _USABLE or place.out_of_service:
            continue
        claim = claims.get(bed)
        if claim is not None and not _end_hold(conn, ctx, claim, emergency, person, locked, now):
            continue
        key = key_of(conn, person, cohort=place.cohort)
        holds.void_past_holds(conn, ctx.actor, place.room, at, now=now, reason="emergency")
        if not rows.blockers(conn, place, person, at, None, key=key, stay=True, emergency=True):
            return place
    return None


def _in_ill_company(
    conn: Connection, ctx: Context, person: str, unit: str, now: datetime
) -> frozenset[str]:
    """The unit's rooms where somebody is with whom the person may not share a room."""
    network = load_network(conn, ctx.policy, units=[unit], persons=[person], now=now)
    newcomer = occupant(network.persons[person])
    found = set()
    for room in network.rooms_of_unit[unit]:
        there = {*claimants(network, room).values()} - {person}
        others = [occupant(network.persons[it]) for it in there]
        if room_relations(newcomer, others, network.rooms[room].cohort):
            found.add(room)
    return frozenset(found)


def _end_hold(
    conn: Connection,
    ctx: Context,
    claim: Claim,
    emergency: Emergency,
    person: str,
    locked: set[str],
    now: datetime,
) -> bool:
    """End somebody else's hold of the named bed; False when the claim must stand."""
    ours = claim.bed == emergency.bed and claim.kind is ClaimKind.HOLD and claim.person in locked
    if not ours or claim.person == person or claim.until is None:
        return False
    if claim.request is not None:
        row = requests.request(conn, claim.request)
        release(conn, ctx, row, "emergency", now)
        requests.step(conn, row, RequestState.WAITING, now=now)
    elif claim.transfer is not None:
        move = transfers.transfer(conn, claim.transfer)
        end_transfer(conn, ctx, move, TransferState.SUPERSEDED, "emergency", now)
    return True


def _due(
    conn: Connection, ctx: Context, person: str, taken: Seat, now: datetime
) -> tuple[str, ...]:
    """What the lane did not wait for: papers, other rules, and who shares the room."""
    network, who = judged(conn, ctx, person, taken, now, emergency=True)
    where = place_of(network, taken.bed)
    rules = {it.rule for it in (*refusals(who, where), *due_papers(who, where))}
    relations = {it.relation.value for it in conflicts(network, person, taken.bed)}
    return tuple(sorted(rules | relations))
