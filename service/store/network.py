"""Rows of the store as the solver's Network: the only translator between the two.

``load_network`` reads a city or a few units from rows, in a fixed number of set-based queries.
``City`` is the same reading taken apart by subject, so that a process can keep it current by
reading again only what an event touched (``network_keeper``).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self, TypeVar

from sqlalchemy import Connection, DateTime, func, or_, select

from service.policy import Policy
from service.store.network_people import (
    PersonView,
    legal_day,
    merged_into,
    persons_with_live_requests,
    read_people,
)
from service.store.network_places import (
    CLAIM_NOT_OVER,
    BedView,
    Places,
    among,
    earliest,
    joined,
    people_of,
    read_beds,
    read_places,
)
from service.store.tables import core
from solver.domain import Network, Stay

_POSITION = select(func.coalesce(func.max(core.event.c.pos), 0))
_CLOCK = select(func.clock_timestamp(type_=DateTime(timezone=True)))
_claim, _next = core.bed_claim.c, core.bed_next.c
_TIES = (
    select(_claim.bed_id, _claim.person_id)
    .where(or_(among(_claim.bed_id, "beds"), among(_claim.person_id, "people")), CLAIM_NOT_OVER)
    .union(
        select(_next.bed_id, _next.person_id).where(
            or_(among(_next.bed_id, "beds"), among(_next.person_id, "people")),
            _next.state == "live",
        )
    )
)

T = TypeVar("T")


@dataclass(slots=True)
class City:
    """Everything a Network is made of, by subject. Changed in place by its one owner."""

    policy: Policy
    now: datetime
    places: Places = field(default_factory=Places)
    beds: dict[str, BedView] = field(default_factory=dict)
    people: dict[str, PersonView] = field(default_factory=dict)
    stays: dict[str, Stay] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    position: int = 0

    @classmethod
    def load(
        cls,
        conn: Connection,
        policy: Policy,
        now: datetime,
        *,
        units: Collection[str] | None = None,
        persons: Collection[str] = (),
    ) -> Self:
        """Read everything, or these units and persons, as the connection's snapshot shows it."""
        city = cls(policy=policy, now=now, asked=frozenset(persons))
        city.position = conn.execute(_POSITION).scalar_one()
        city.places = read_places(conn, units=units)
        city.beds = read_beds(conn, now, city.places, units=units)
        matter = people_of(city.beds) | set(persons)
        if units is None:
            matter |= persons_with_live_requests(conn)
        city.people = read_people(conn, now, policy.zone, matter)
        city._seat(city.beds)
        return city

    def reload(
        self,
        conn: Connection,
        now: datetime,
        *,
        persons: Collection[str] = (),
        beds: Collection[str] = (),
        facilities: Collection[str] = (),
    ) -> None:
        """Read these subjects again, and whoever they are or were tied to by a claim.

        A facility stands for all of its places. The result equals a whole ``load`` from the same
        snapshot, provided everything that changed since the last reading is named.
        """
        people, touched = set(persons), set(beds)
        people |= merged_into(conn, people)
        if facilities:
            touched |= self._reload_places(conn, facilities)
        for _ in range(2):
            touched |= {bed for bed, view in self.beds.items() if view.people & people}
            people |= people_of({bed: self.beds[bed] for bed in touched & self.beds.keys()})
            given = {"beds": joined(touched), "people": joined(people), "now": now}
            for bed, person in conn.execute(_TIES, given):
                touched.add(bed)
                people.add(person)
        fresh = read_beds(conn, now, self.places, beds=touched) if touched else {}
        for bed in touched:
            self.beds.pop(bed, None)
            self.stays.pop(bed, None)
        self.beds.update(fresh)
        views = read_people(conn, now, self.policy.zone, people)
        tied = people_of(self.beds) | self.asked
        for person in people:
            self.people.pop(person, None)
        for person, view in views.items():
            if view.has_request or person in tied:
                self.people[person] = view
        self._seat(touched)
        self.now = now

    def due(self, now: datetime) -> tuple[set[str], set[str]]:
        """The persons and beds that time alone has changed by ``now``."""
        return (
            {id_ for id_, it in self.people.items() if it.until is not None and it.until <= now},
            {id_ for id_, it in self.beds.items() if it.until is not None and it.until <= now},
        )

    def next_change_at(self) -> datetime | None:
        """The first instant at which time alone changes something here."""
        return earliest(it.until for group in (self.people, self.beds) for it in group.values())

    def network(self) -> Network:
        """The frozen Network of this state; later changes here do not reach it."""
        requests = (it.request for it in self.people.values() if it.request is not None)
        return Network(
            now=self.now,
            on=legal_day(self.now, self.policy.zone),
            facilities=dict(sorted(self.places.facilities.items())),
            units=dict(sorted(self.places.units.items())),
            rooms=dict(sorted(self.places.rooms.items())),
            beds={id_: self.beds[id_].bed for id_ in sorted(self.beds)},
            persons={id_: self.people[id_].person for id_ in sorted(self.people)},
            stays=tuple(self.stays[bed] for bed in sorted(self.stays)),
            requests=tuple(sorted(requests, key=lambda it: it.id)),
            policy=self.policy.solver(),
            position=self.position,
        )

    def _reload_places(self, conn: Connection, facilities: Collection[str]) -> set[str]:
        """Read the facilities' units and rooms again; return every bed id they have or had."""
        gone_units = {id_ for id_, it in self.places.units.items() if it.facility in facilities}
        gone_rooms = {id_ for id_, it in self.places.rooms.items() if it.unit in gone_units}
        beds = {id_ for id_, it in self.beds.items() if it.bed.room in gone_rooms}
        old, fresh = self.places, read_places(conn, facilities=facilities)
        self.places = Places(
            {**_without(old.facilities, facilities), **fresh.facilities},
            {**_without(old.units, gone_units), **fresh.units},
            {**_without(old.rooms, gone_rooms), **fresh.rooms},
            {**_without(old.ttl, facilities), **fresh.ttl},
        )
        query = select(core.bed.c.id).where(core.bed.c.facility_id.in_(sorted(facilities)))
        return beds | set(conn.execute(query).scalars())

    def _seat(self, beds: Iterable[str]) -> None:
        """Write the stays of these beds from the bed's claim and what binds its person."""
        for bed in beds:
            view = self.beds.get(bed)
            if view is None or view.occupant is None:
                continue
            occupant = view.occupant
            person = self.people.get(occupant.person)
            if person is None:
                # A merged record still in a bed: the bed is taken all the same.
                taken = replace(view.bed, held_for=occupant.person)
                self.beds[bed] = replace(view, bed=taken)
                continue
            self.stays[bed] = Stay(
                id=occupant.stay_id,
                person=occupant.person,
                bed=bed,
                since=occupant.since,
                on_leave=occupant.on_leave,
                may_move_to=person.may_move_to,
                agreed_units=person.agreed_units,
                pinned=person.pinned,
                expected_end=occupant.expected_end,
            )


def load_network(
    conn: Connection,
    policy: Policy,
    *,
    units: Collection[str] | None = None,
    persons: Collection[str] | None = None,
    now: datetime | None = None,
) -> Network:
    """The network as the rows of this connection's snapshot show it at ``now``.

    ``units=None``: the whole city with its waiting requests. With ``units``: only those units'
    rooms, beds, occupants, holders and promised people. ``persons`` are added either way, with
    their waiting requests; unknown and merged ids are left out. ``now`` is the database's clock
    unless given. A request that a bed is promised to no longer waits: its person is in
    ``persons``, the request is not in ``requests``.
    """
    at = now if now is not None else conn.execute(_CLOCK).scalar_one()
    city = City.load(conn, policy, at.astimezone(UTC), units=units, persons=persons or ())
    return city.network()


def _without(mapping: dict[str, T], keys: Collection[str]) -> dict[str, T]:
    return {key: value for key, value in mapping.items() if key not in keys}
