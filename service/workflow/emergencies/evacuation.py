"""Evacuation 紧急疏散: a whole unit goes into medical care at once, by the emergency lane.

Everybody who is present goes, in one transaction: all or nobody. Their beds are kept as leave;
holds into the unit end and those requests wait again. Papers follow, on clocks.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection

from service.access.scope import require_facility
from service.errors import Conflict, Forbidden, Invalid
from service.lifecycle import TransferState
from service.store import events, transfers
from service.store.claims import promises, rows
from service.store.claims.rows import Claim
from service.store.engine import now as clock
from service.store.locks import lock
from service.store.seats import Seat, UnitSeat, seats_of_unit, unit_seat
from service.store.stays import StayRow
from service.store.tables.claims import ClaimKind
from service.store.tables.inventory import OutOfServiceReason
from service.workflow.context import Context
from service.workflow.emergencies.emergency import end_hold, lane_locks, not_custody, take_free
from service.workflow.emergencies.emergency_moves import (
    Left,
    arrive,
    lane_instant,
    leave_behind,
    said,
)
from service.workflow.emergencies.emergency_papers import owe_papers, shown_papers
from service.workflow.emergencies.emergency_places import add_room, furnish, lane_units
from service.workflow.emergencies.emergency_seats import Space, look_at
from service.workflow.inventory.out_of_service import NewPeriod, open_period
from service.workflow.inventory.surge import put_up
from service.workflow.judgement import reasoned, require_current
from service.workflow.stays.departures import call_off
from service.workflow.stays.leave import people_waiting_on
from service.workflow.watch.watching import rejudge
from solver.codes import Grade


@dataclass(frozen=True, slots=True)
class Destination:
    """A medical unit, or a facility: then all of its medical units."""

    unit: str | None = None
    facility: str | None = None


@dataclass(frozen=True, slots=True)
class Evacuation:
    """Why, at whose word, and where to: ``destinations`` in order of preference for everybody, or
    one of their own for some ``people``. ``close_beds``: why nobody is sent into the unit now."""

    officer: str
    reason: str
    destinations: Sequence[Destination] = ()
    people: Mapping[str, Destination] = field(default_factory=dict)
    occurred_at: datetime | None = None
    close_beds: OutOfServiceReason | None = None


@dataclass(frozen=True, slots=True)
class Evacuee:
    """Where one person was taken; ``due``: what is still owed, as for an emergency."""

    person: str
    from_bed: str
    stay: str
    bed: str
    unit: str
    facility: str
    surge: bool
    due: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evacuated:
    """Everybody who was moved; how many surge places, holds ended and beds closed; the stays that
    were on leave before and stay so. ``said_at``: the time given, where it could not be written,
    as for an emergency."""

    unit: str
    moved: tuple[Evacuee, ...]
    surge_places: int
    holds_ended: int
    beds_closed: int
    on_leave: tuple[str, ...]
    said_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """The destinations, resolved: all units in order, and who may go into which."""

    units: tuple[UnitSeat, ...]
    common: tuple[str, ...]
    own: Mapping[str, tuple[str, ...]]

    def of(self, person: str) -> tuple[str, ...]:
        return self.own.get(person, self.common)


def evacuate(conn: Connection, ctx: Context, unit: str, asked: Evacuation) -> Evacuated:
    """Take everybody present in the unit into medical care at once.

    Each gets a free bed in company they may share, the destinations in order; whoever none is left
    for gets a surge place in a room apart. Nobody's own hold elsewhere is taken away for it.

    Raises:
        Forbidden: ``other-facility``, the caller speaks for another one.
        Refused: ``emergency-is-medical``, ``emergency-not-custody``: nobody has been moved.
        NotFound: no such unit. Invalid: no reason, no officer, no destination for somebody, a
            person who is not there, the evacuated unit itself as destination.
        Conflict: ``world-moved``: somebody came or went a moment ago; send it again.
    """
    why, officer = reasoned(asked.reason), reasoned(asked.officer, "/officer")
    place = unit_seat(conn, unit)
    _may_order(ctx, place)
    plan = _resolve(conn, ctx, unit, asked)
    peeked = _claims(conn, unit, clock(conn))
    people = _concerned(conn, unit, peeked)
    wanted = lane_locks(conn, [place, *plan.units])
    wanted["units_exclusive"].append(unit)
    now = lock(conn, persons=people, **wanted)
    furnish(conn, ctx, plan.units)
    claims = _claims(conn, unit, now)
    if {it.person for it in claims} - people:
        raise Conflict(
            "world-moved", "somebody came into the unit a moment ago; send this again", unit=unit
        )
    present = {it.person: it for it in claims if it.kind is ClaimKind.STAY}
    _check_people(asked, plan, present)
    at = lane_instant(conn, asked.occurred_at, now, present)
    said_at = said(asked.occurred_at, at)
    ended = _clear_the_way(conn, ctx, unit, claims, now)
    left: dict[str, Left] = {}
    for person in sorted(present):
        require_current(conn, person)
        left[person] = leave_behind(conn, ctx, person, at, now)
    taken = _take_in(conn, ctx, plan, sorted(present), left, at, now, officer=officer, reason=why)
    owed = owe_papers(conn, ctx, [row for row, _, _ in taken.values()], now)
    lacking = shown_papers(conn, ctx, {row.person: owed[row.id] for row, _, _ in taken.values()})
    closed = _close(conn, ctx, unit, asked.close_beds)
    if present:
        rejudge(conn, ctx, now, persons=sorted(present))
    moved = tuple(
        Evacuee(
            person=person,
            from_bed=present[person].bed,
            stay=row.id,
            bed=to.bed,
            unit=to.unit,
            facility=to.facility,
            surge=surge,
            due=lacking[person],
        )
        for person, (row, to, surge) in sorted(taken.items())
    )
    surges = sum(it.surge for it in moved)
    events.append(
        conn,
        ctx.actor,
        "unit.evacuated",
        "unit",
        unit,
        unit=unit,
        facility=place.facility,
        data={
            "people": len(moved),
            "surge_places": surges,
            "holds_ended": ended,
            "said_at": said_at.astimezone(UTC).isoformat() if said_at is not None else None,
        },
        occurred_at=at,
    )
    away = sorted(str(it.stay) for it in claims if it.kind is ClaimKind.LEAVE)
    return Evacuated(unit, moved, surges, ended, closed, tuple(away), said_at)


def _may_order(ctx: Context, place: UnitSeat) -> None:
    """The coordinator, or somebody of the unit's own house."""
    require_facility(ctx.actor, place.facility)
    if ctx.actor.facility not in (None, place.facility):
        raise Forbidden(
            "other-facility",
            f"this key acts for facility {ctx.actor.facility}; ask the unit's own staff or a "
            "coordinator",
            facility=place.facility,
        )


def _resolve(conn: Connection, ctx: Context, unit: str, asked: Evacuation) -> _Plan:
    """Every destination as units, in the order given; what an external hospital lacks on record is
    made now."""
    found: dict[str, UnitSeat] = {}

    def units_of(it: Destination, pointer: str) -> tuple[str, ...]:
        if it.unit == unit:
            raise Invalid.field(pointer, "same-unit", "name another unit than the one left", unit)
        units = lane_units(conn, ctx, unit=it.unit, facility=it.facility)
        ids = tuple(one.unit for one in units if one.unit != unit)
        if not ids:
            raise Invalid.field(pointer, "same-unit", "it has no other medical unit", it.facility)
        found.update({one.unit: one for one in units if one.unit != unit})
        return ids

    common: list[str] = []
    for number, it in enumerate(asked.destinations):
        common += [one for one in units_of(it, f"/destinations/{number}") if one not in common]
    own = {
        person: units_of(it, f"/people/{number}")
        for number, (person, it) in enumerate(asked.people.items())
    }
    if not found:
        raise Invalid.field("/destinations", "missing", "name at least one unit or facility")
    return _Plan(tuple(found.values()), tuple(common), own)


def _claims(conn: Connection, unit: str, now: datetime) -> list[Claim]:
    beds = [it.bed for it in seats_of_unit(conn, unit)]
    return list(rows.on_beds(conn, beds, now).values())


def _concerned(conn: Connection, unit: str, claims: Collection[Claim]) -> set[str]:
    """Everybody whose lock is needed: present, kept or held a bed for, promised one, and whoever
    waits behind any of them."""
    people = {it.person for it in claims}
    beds = [it.bed for it in seats_of_unit(conn, unit)]
    people |= {it.person for it in promises.of_beds(conn, beds)}
    for person in sorted(people):
        people |= people_waiting_on(conn, person)
    return people


def _check_people(asked: Evacuation, plan: _Plan, present: Mapping[str, Claim]) -> None:
    for person in asked.people:
        if person not in present:
            raise Invalid.field(
                "/people", "not-there", "is not in this unit; leave them out", person
            )
    if not plan.common and (missing := sorted(set(present) - plan.own.keys())):
        raise Invalid.field(
            "/destinations",
            "missing",
            f"{len(missing)} people in the unit have no destination; name one for everybody else",
            missing[0],
        )


def _clear_the_way(
    conn: Connection, ctx: Context, unit: str, claims: Collection[Claim], now: datetime
) -> int:
    """Nobody comes into the unit: holds end, and so do promises of its beds; how many holds."""
    ended = 0
    for claim in claims:
        if claim.kind is ClaimKind.HOLD:
            end_hold(conn, ctx, claim, "evacuation", now)
            ended += 1
    left = [claim.stay for claim in claims if claim.stay is not None]
    for waits_for in sorted({str(it.waits_for_stay) for it in promises.behind(conn, left)}):
        call_off(conn, ctx, waits_for, "evacuation", now)
    for promise in promises.of_beds(conn, [it.bed for it in seats_of_unit(conn, unit)]):
        if not promises.cancel(conn, promise, "evacuation", now=now):
            continue
        if promise.transfer is not None:
            move = transfers.transfer(conn, promise.transfer)
            transfers.step(conn, move, TransferState.SUPERSEDED, now=now, reason="evacuation")
            call_off(conn, ctx, move.stay, "evacuation", now)
        events.append(
            conn,
            ctx.actor,
            "promise.cancelled",
            "bed_next",
            promise.id,
            person=promise.person,
            bed=promise.bed,
            data={"reason": "evacuation", "request": promise.request, "transfer": promise.transfer},
            occurred_at=now,
        )
    return ended


def _take_in(
    conn: Connection,
    ctx: Context,
    plan: _Plan,
    people: Sequence[str],
    left: Mapping[str, Left],
    at: datetime,
    now: datetime,
    *,
    officer: str,
    reason: str,
) -> dict[str, tuple[StayRow, Seat, bool]]:
    space = look_at(conn, ctx, plan.units, people, now, ordered=True)
    taken: dict[str, tuple[StayRow, Seat, bool]] = {}
    for person in _in_order(space, people):
        open_to = [it for it in plan.of(person) if space.may_be_held(space.units[it], person)]
        if not open_to:
            raise not_custody([space.units[it] for it in plan.of(person)])
        to = take_free(conn, ctx, space, person, open_to, at, now, fit_only=True)
        surge = to is None
        if to is None:
            room = space.surge_room(person, open_to)
            to = put_up(conn, ctx, room or add_room(conn, ctx, space.units[open_to[0]]), now)
        row, claim = arrive(
            conn, ctx, person, to, left[person], at, now,
            officer=officer, reason=reason, surge=surge, key=space.key(person, to),
        )  # fmt: skip
        space.put(person, to, claim)
        taken[person] = (row, to, surge)
    return taken


def _in_order(space: Space, people: Sequence[str]) -> list[str]:
    """The sickest first; then people who may share, the most of a kind first, so that they fill
    rooms; last whoever needs a room alone."""

    def company(person: str) -> tuple[str, bool, bool, str]:
        who = space.person(person)
        return str(who.sex), who.minor, who.held, who.isolation.value

    like = Counter(company(it) for it in people)

    def rank(person: str) -> tuple[bool, bool, int, tuple[str, bool, bool, str], str]:
        sick = space.facts[person].grade >= Grade.G4
        return not sick, space.alone(person), -like[company(person)], company(person), person

    return sorted(people, key=rank)


def _close(conn: Connection, ctx: Context, unit: str, reason: OutOfServiceReason | None) -> int:
    """Take the unit's beds out of service, those that are not yet; how many."""
    if reason is None:
        return 0
    open_beds = [it for it in seats_of_unit(conn, unit) if not it.out_of_service]
    for it in open_beds:
        open_period(conn, ctx, it.bed, NewPeriod(reason=reason, note="evacuated"))
    return len(open_beds)
