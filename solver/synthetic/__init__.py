"""Seeded networks of a Wuhan-like city: places as such a city has them, people of nobody.

One city: a police-run and a justice-run centre (2,400 beds: new arrivals, general brigades, a
women's part, sick-and-disabled zones, isolation rooms, minors' units), the off-site medical ward
(400 beds) and nine partner hospitals (1,200 beds, consensual, with psychiatric and airborne rooms
and a small secure ward). Shares follow the published figures collected for the domain (sex, age,
grades, infectious tuberculosis, mental disorder); everything is drawn, nothing is real.

Residents are lawfully placed but for one small named share, people in a centre who have become
too ill for it (``people.TOO_ILL``). Another share, in the off-site ward, is well enough to go
back (``people.STEPPED_DOWN``): lawful, yet held closer than they need. The same arguments give
the same network on every machine.
"""

from datetime import UTC, datetime
from random import Random

from solver.domain import Network, Policy
from solver.synthetic.movable import with_statements
from solver.synthetic.people import Draw
from solver.synthetic.places import Inventory, inventory

__all__ = ["NOW", "Inventory", "city", "inventory"]

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def city(
    seed: int,
    occupancy: float = 0.9,
    waiting: int = 200,
    cities: int = 1,
    now: datetime = NOW,
    movable: float = 0.0,
) -> Network:
    """A full snapshot: the inventory, lived in to about ``occupancy`` (0 to 1) of its beds, and
    ``waiting`` requests a city; the move budget grows with the cities. ``movable``: the share
    (0 to 1) of residents whom a doctor's statement lets move anywhere a transfer may lead, beside
    the few who always may (see ``movable``). Raises ``ValueError`` naming the argument that makes
    no sense."""
    if not 0.0 <= occupancy <= 1.0:
        raise ValueError(f"occupancy: {occupancy} - give a share between 0 and 1")
    if waiting < 0:
        raise ValueError(f"waiting: {waiting} - give 0 or more")
    if not 0.0 <= movable <= 1.0:
        raise ValueError(f"movable: {movable} - give a share between 0 and 1")
    if now.tzinfo is None:
        raise ValueError(f"now: {now} - give an aware instant")
    places = inventory(cities)
    drawn = Draw(Random(f"rehab-beds {seed}"), now.astimezone(UTC), places)
    for unit in places.units.values():
        drawn.fill(unit, occupancy)
    for number in range(cities):
        for _ in range(waiting):
            drawn.request(100.0 * number)
    network = Network(
        now=drawn.now,
        on=drawn.on,
        facilities=places.facilities,
        units=places.units,
        rooms=places.rooms,
        beds=places.beds,
        persons=drawn.persons,
        stays=tuple(drawn.stays),
        requests=tuple(drawn.requests),
        policy=Policy(move_budget=Policy().move_budget * cities),
    )
    return with_statements(network, movable, seed)
