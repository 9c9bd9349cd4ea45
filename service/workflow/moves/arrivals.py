"""Arrivals: the bed that was kept for somebody, or a surge place when it cannot be had after all.

Whoever stands at the door is taken in. A bed that was taken, closed or soiled meanwhile, a room in
the wrong company or a unit without staff leads to a surge place 加床 in the same unit; only a rule
about this person and this place still says no, and then they turn back or go on as an emergency.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from service.errors import Conflict, Refused
from service.store.network import load_network
from service.store.seats import Seat, seat
from service.workflow.context import Context
from service.workflow.inventory.surge import put_up
from service.workflow.judgement import lawful, look_again
from solver.check import claimants, occupant, room_relations

_NOT_THERE: Final = frozenset({"bed-taken", "bed-not-in-service"})


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where the person lies down. ``surge``: not in the bed that was kept. ``company``: nobody
    there excludes them; a surge place in the wrong company is flagged as an emergency's."""

    seat: Seat
    surge: bool = False
    company: bool = True


def place_at_arrival(
    conn: Connection,
    ctx: Context,
    person: str,
    target: Seat,
    now: datetime,
    *,
    rooms: Collection[str],
    at: datetime | None = None,
    overridden: Collection[str] = (),
    emergency: bool = False,
) -> Arrival:
    """The kept bed if it can be taken, else a surge place put up in one of ``rooms`` (those of
    the unit), which the caller holds together with the person, the unit and the bed.

    Raises Refused when a rule about this person and this place says no.
    """
    try:
        look_again(
            conn, ctx, person, target, now, at=at, overridden=overridden, emergency=emergency
        )
    except Refused as no:
        if no.members.get("refusals"):
            raise
    except Conflict as gone:
        if gone.code not in _NOT_THERE:
            raise
    else:
        return Arrival(target)
    lawful(conn, ctx, person, target, now, at=at, overridden=overridden, emergency=emergency)
    room, company = _room_for(conn, ctx, person, target, now, {*rooms, target.room})
    return Arrival(seat(conn, put_up(conn, ctx, room, now).bed), surge=True, company=company)


def _room_for(
    conn: Connection,
    ctx: Context,
    person: str,
    target: Seat,
    now: datetime,
    rooms: Collection[str],
) -> tuple[str, bool]:
    """A room whose company does not exclude the person; else the one they were meant for."""
    network = load_network(conn, ctx.policy, units=[target.unit], persons=[person], now=now)
    newcomer = occupant(network.persons[person])
    for room in sorted(rooms, key=lambda it: (it != target.room, it)):
        if room not in network.rooms:
            continue
        there = {*claimants(network, room).values()} - {person}
        others = [occupant(network.persons[it]) for it in there]
        if not room_relations(newcomer, others, network.rooms[room].cohort):
            return room, True
    return target.room, False
