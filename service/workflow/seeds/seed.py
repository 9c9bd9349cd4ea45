"""A synthetic network written into an empty database: places, people, papers, stays, requests.

Everything comes from ``solver.synthetic``; here it gets rows, neutral names, and the papers that
make it lawful. Nothing is anybody's: names and document numbers say that they are made up.

It is written in portions, each a transaction of a few seconds, and the last one writes the event
that says the network is there. What is half written is no network: it is refused as not empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, exists, select

from service.errors import Conflict
from service.store import events
from service.store.engine import now as database_time
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.seeds.seed_people import write_people
from service.workflow.seeds.seed_places import PORTION, batches, write_places
from solver.domain import Network


@dataclass(frozen=True, slots=True)
class Seeded:
    """How much was written."""

    facilities: int
    units: int
    rooms: int
    beds: int
    persons: int
    stays: int
    requests: int


def require_empty_database(conn: Connection) -> None:
    """Refuse to mix made-up people with anything. Raises Conflict ``database-not-empty``."""
    for table in (core.facility, core.person):
        if conn.execute(select(exists(select(table.c.id)))).scalar_one():
            raise Conflict(
                "database-not-empty",
                "there are facilities or people in this database already, and a seed is for an "
                "empty one: point DATABASE_URL at a new database, or remove the data folder "
                "(make clean-data)",
            )


def seed_network(conn: Connection, ctx: Context, network: Network) -> Seeded:
    """Write a whole network in one transaction: for a small one, or where one is wanted."""
    require_empty_database(conn)
    for write in portions(network):
        write_portion(conn, ctx, network, write)
    return finish_seed(conn, ctx, network)


@dataclass(frozen=True, slots=True)
class Portion:
    """What one transaction writes: some facilities with all their places, or some people."""

    facilities: frozenset[str] = frozenset()
    persons: tuple[str, ...] = ()


def portions(network: Network) -> Iterator[Portion]:
    """The network cut into what can be written in a second or two each."""
    for facility_id in network.facilities:
        yield Portion(facilities=frozenset({facility_id}))
    for some in batches(sorted(network.persons), PORTION):
        yield Portion(persons=tuple(some))


def write_portion(conn: Connection, ctx: Context, network: Network, portion: Portion) -> None:
    """Write one portion; ``portions`` gives them in an order that works."""
    at = database_time(conn)
    if portion.facilities:
        write_places(conn, ctx, network, portion.facilities, at)
    if portion.persons:
        write_people(conn, ctx, network, portion.persons)


def finish_seed(conn: Connection, ctx: Context, network: Network) -> Seeded:
    """Write the event that says the network is there."""
    counts = Seeded(
        len(network.facilities),
        len(network.units),
        len(network.rooms),
        len(network.beds),
        len(network.persons),
        len(network.stays),
        len(network.requests),
    )
    data = {"facilities": counts.facilities, "beds": counts.beds, "persons": counts.persons}
    events.append(conn, ctx.actor, "network.seeded", "network", "network", data=data)
    return counts
