"""A bed kept on leave that is needed no more: it lapsed, or its person came back to another bed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from service.errors import Conflict
from service.lifecycle import StayState
from service.store import stays
from service.store.claims import isolated, people_promised, rows
from service.store.seats import Seat, seats
from service.store.tables.claims import StayEnd
from service.workflow.context import Context
from service.workflow.emergencies.emergency_papers import stay_over
from service.workflow.stays.departures import AWAITS_CLEANING, keep_promise
from service.workflow.stays.discharge import beds_of_rooms, told, vacate
from service.workflow.watch import due
from solver.codes import COMPULSORY_CENTRES, BedKind, BedState


@dataclass(frozen=True, slots=True)
class Kept:
    """What somebody who arrives elsewhere gives up, read before the locks: ``places`` are the kept
    beds and all of their rooms, ``people`` whoever one of the beds is promised to."""

    person: str
    beds: frozenset[str] = frozenset()
    places: tuple[Seat, ...] = ()
    people: frozenset[str] = frozenset()


def kept_for(conn: Connection, person: str, target: Seat | None) -> Kept:
    """The beds of custody that are kept for somebody who is about to lie down in ``target``; none
    unless that is in a centre: a hospital or a ward treats while the centre keeps a bed."""
    if target is None or target.unit_kind not in COMPULSORY_CENTRES:
        return Kept(person)
    away = [it.id for it in stays.open_stays(conn, person) if it.state is StayState.ON_LEAVE]
    beds = {it.bed for it in rows.last_segments(conn, away).values()} - {target.bed}
    found = {bed: it for bed, it in seats(conn, beds).items() if it.custodial}
    beside = beds_of_rooms(conn, {it.room for it in found.values()})
    return Kept(
        person,
        frozenset(found),
        tuple(seats(conn, found.keys() | beside).values()),
        frozenset().union(*(people_promised(conn, bed) for bed in found)),
    )


def give_up(conn: Connection, ctx: Context, kept: Kept, at: datetime, now: datetime) -> None:
    """End the leaves of somebody who is back in a centre, in another bed; the kept ones are free.
    The caller holds the person and what ``kept`` names.

    Raises Conflict ``world-moved``, ``before-its-segment``.
    """
    if not kept.beds:
        return
    for row in stays.open_stays(conn, kept.person):
        if row.state is not StayState.ON_LEAVE:
            continue
        leave = rows.segments(conn, row.id)[-1]
        place = seats(conn, [leave.bed])[leave.bed]
        if not place.custodial:
            continue
        if leave.bed not in kept.beds:
            raise Conflict(
                "world-moved", "another bed is kept for them since a moment ago; look again"
            )
        if at <= leave.since:
            raise Conflict(
                "before-its-segment",
                f"bed {leave.bed} is kept for this person since {leave.since.isoformat()}; give a "
                "later time",
                since=leave.since.isoformat(),
            )
        rows.end(conn, ctx.actor, leave, at, now=now)
        ended = stays.step(
            conn, row, StayState.ENDED, at=at, code=StayEnd.TRANSFERRED, end_reason="another_bed"
        )
        stay_over(conn, ctx, ended, now)
        due.on_stay_end(conn, ctx, ended.id, now)
        free(conn, ctx, ended.person, place, kept.people, at, now)
        told(conn, ctx, ended, leave, "stay.ended", at, code=StayEnd.TRANSFERRED.value)


def free(
    conn: Connection,
    ctx: Context,
    person: str,
    place: Seat,
    locked: Collection[str],
    at: datetime,
    now: datetime,
) -> None:
    """The bed stood empty while it was kept, so it is as its own state says; after an isolated
    person it is contaminated with its room, and one that was to be closed is closed. ``locked``:
    whoever it is promised to, if the caller holds them."""
    infectious = isolated(conn, person)
    if infectious or place.kind is BedKind.SURGE or place.state is BedState.CLOSING:
        vacate(conn, ctx, place, at, now, contaminated=infectious)
    elif place.state not in AWAITS_CLEANING and people_promised(conn, place.bed) <= {*locked}:
        keep_promise(conn, ctx, place.bed, now)
