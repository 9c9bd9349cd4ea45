"""Which bed somebody in danger is given: the best free one, else a surge place.

``Space`` is what a few units have to give, read once under their locks and kept current while
people are put there, one or sixty.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from service.store.claims import rows
from service.store.claims.rows import Claim
from service.store.network import load_network
from service.store.network_people import legal_day
from service.store.seats import Seat, UnitSeat, rooms_of_unit, seats_of_unit
from service.workflow.context import Context
from solver.check import Occupant, claimants, mix_key, occupant, room_relations
from solver.codes import BedState, DecisionStatus, Isolation, UnitKind
from solver.domain import Network
from solver.eligibility import Facts, facts, refusals
from solver.eligibility import place as place_of
from solver.eligibility.facts import UNDER_TERM

USABLE: Final = (BedState.IN_SERVICE, BedState.HOUSEKEEPING)


@dataclass(slots=True)
class Space:
    """The beds and rooms of some units. ``rank``: the order of the units as destinations, lower
    first; ``company``: who has a claim in each room, as room-mates see them."""

    network: Network
    units: Mapping[str, UnitSeat]
    rank: Mapping[str, int]
    seats: dict[str, Seat]
    claims: dict[str, Claim]
    rooms: dict[str, list[str]]
    company: dict[str, dict[str, Occupant]]
    people: dict[str, Occupant]
    facts: dict[str, Facts]

    def person(self, person: str) -> Occupant:
        """The person as a room-mate."""
        return self.people[person]

    def key(self, person: str, place: Seat) -> str:
        """What the person's claim on the place carries: see ``claims.key_of``."""
        route = self.network.persons[person].need.route
        return mix_key(self.people[person].sex, route, person, place.cohort)

    def is_ill(self, person: str, room: str) -> bool:
        """Whether somebody has a claim in the room with whom the person may not share one."""
        others = [it for it in self.company.get(room, {}).values() if it.person != person]
        known = self.network.rooms.get(room)
        cohort = known.cohort if known is not None else False
        return bool(room_relations(self.people[person], others, cohort))

    def may_be_held(self, unit: UnitSeat, person: str) -> bool:
        """Whether the unit's locked doors may close behind the person; an open unit has none.

        Papers that are not there yet do not count against it. A patient by consent or by mental
        health law, and somebody whose term is over, is never put there.
        """
        known = self.facts[person]
        over = known.decision in (DecisionStatus.EXPIRED, DecisionStatus.REVOKED)
        return not unit.custodial or known.basis is None or (known.basis in UNDER_TERM and not over)

    def free(self, person: str, units: Collection[str], *, fit_only: bool) -> Iterator[Seat]:
        """Free beds of these units, best first: fit company, no locked doors without a term, the
        order of destinations, fewest rules against it, clean, not promised, beside people like them
        before an empty room."""
        found = [
            it
            for it in self.seats.values()
            if it.unit in units
            and it.bed not in self.claims
            and it.state in USABLE
            and not it.out_of_service
            and not (fit_only and self.is_ill(person, it.room))
        ]
        yield from sorted(found, key=lambda it: self._weighed(person, it))

    def surge_room(self, person: str, units: Sequence[str]) -> str | None:
        """A room of fit company for a surge place, in the order of the destinations; someone who
        may share with nobody gets an empty one."""
        for unit in sorted(units, key=lambda it: (self.rank[it], it)):
            for room in self.rooms[unit]:
                if not self.is_ill(person, room):
                    return room
        return None

    def put(self, person: str, place: Seat, claim: Claim) -> None:
        """The person has the bed now; a place put up on the spot is new here."""
        self.seats[place.bed] = place
        self.claims[place.bed] = claim
        self.company.setdefault(place.room, {})[place.bed] = self.people[person]
        if place.room not in self.rooms[place.unit]:
            self.rooms[place.unit].append(place.room)

    def _weighed(
        self, person: str, it: Seat
    ) -> tuple[bool, bool, int, int, bool, bool, bool, int, str]:
        there = self.company.get(it.room, {})
        bed = self.network.beds.get(it.bed)
        against = (
            len(refusals(self.facts[person], place_of(self.network, it.bed)))
            if bed is not None
            else 0
        )
        spare = len(self.network.beds_of_room.get(it.room, ())) - len(there)
        return (
            self.is_ill(person, it.room),
            it.custodial and not self.people[person].held,
            self.rank[it.unit],
            against,
            it.state is not BedState.IN_SERVICE,
            bed is not None and bed.promised,
            not there,
            spare if self.alone(person) or there else -spare,
            it.bed,
        )

    def alone(self, person: str) -> bool:
        """Whether the person shares an ordinary room with nobody."""
        who = self.people[person]
        return who.sex is None or who.isolation is not Isolation.NONE


def look_at(
    conn: Connection,
    ctx: Context,
    units: Sequence[UnitSeat],
    persons: Collection[str],
    now: datetime,
    *,
    ordered: bool,
) -> Space:
    """Read what these units have to give; the caller holds them, their rooms and their beds.

    ``ordered``: the units stand in the order of preference; else they are equally good.
    """
    ids = [it.unit for it in units]
    network = load_network(conn, ctx.policy, units=ids, persons=persons, now=now)
    seats = {it.bed: it for unit in ids for it in seats_of_unit(conn, unit)}
    on = legal_day(now, ctx.policy.zone)
    people = {id_: _room_mate(network, id_) for id_ in network.persons}
    return Space(
        network=network,
        units={it.unit: it for it in units},
        rank={unit: number if ordered else 0 for number, unit in enumerate(ids)},
        seats=seats,
        claims=rows.on_beds(conn, seats, now),
        rooms={unit: rooms_of_unit(conn, unit) for unit in ids},
        company={
            room: {bed: people[who] for bed, who in claimants(network, room).items()}
            for unit in ids
            for room in network.rooms_of_unit.get(unit, ())
        },
        people=people,
        facts={
            id_: facts(network.persons[id_], on, now, network.policy, emergency=True)
            for id_ in persons
            if id_ in network.persons
        },
    )


def wants_own_room(unit: UnitSeat) -> bool:
    """An external hospital's rooms are not on record: each company there is a room of its own."""
    return unit.kind is UnitKind.EXT


def _room_mate(network: Network, person: str) -> Occupant:
    """Somebody not identified is a stranger to every room: their sex counts as unknown."""
    seen = occupant(network.persons[person])
    return seen if network.persons[person].identified else replace(seen, sex=None)
