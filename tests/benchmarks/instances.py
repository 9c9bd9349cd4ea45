"""The networks the planners are compared on: synthetic cities, and every so-manieth room of one."""

from dataclasses import dataclass, replace
from math import dist

from solver.codes import CONSENSUAL_BASES, UnitKind
from solver.domain import Network
from solver.eligibility import transition_allowed
from solver.synthetic import city

NEAR_KM = 50.0


@dataclass(frozen=True)
class Instance:
    """A named network and how it came about."""

    name: str
    seed: int
    network: Network

    @property
    def size(self) -> dict[str, int]:
        """How large it is."""
        it = self.network
        return {
            "beds": len(it.beds),
            "residents": len(it.stays),
            "with a doctor's statement": sum(bool(stay.may_move_to) for stay in it.stays),
            "waiting": len(it.requests),
        }


def whole_city(seed: int, occupancy: float) -> Instance:
    """A city of 4,000 beds and 200 waiting requests."""
    return Instance(f"city, seed {seed}, {occupancy:.2f} full", seed, city(seed, occupancy))


def part_of_a_city(seed: int, occupancy: float, nth: int = 10) -> Instance:
    """A city with every ``nth`` room of each unit, the first among them, the people in those rooms
    and every ``nth`` request; units, rules and policy stay as they are."""
    whole = city(seed, occupancy)
    rooms = {room for unit in whole.units for room in whole.rooms_of_unit[unit][::nth]}
    beds = {bed: it for bed, it in whole.beds.items() if it.room in rooms}
    stays = tuple(it for it in whole.stays if it.bed in beds)
    requests = whole.requests[::nth]
    people = {it.person for it in stays} | {it.person for it in requests}
    part = replace(
        whole,
        rooms={room: it for room, it in whole.rooms.items() if room in rooms},
        beds=beds,
        persons={person: it for person, it in whole.persons.items() if person in people},
        stays=stays,
        requests=requests,
    )
    return Instance(f"1/{nth} of a city, seed {seed}, {occupancy:.2f} full", seed, part)


def everybody_movable(network: Network) -> Network:
    """The network with every resident's doctor agreeing to any move the law knows from there, and
    every consenting patient to all hospital wards within 50 km: far more than there would be."""
    wards: dict[str, frozenset[str]] = {}
    for facility in network.facilities.values():
        wards[facility.id] = frozenset(
            unit.id
            for unit in network.units.values()
            if unit.kind is UnitKind.CTH
            and dist(network.facilities[unit.facility].position, facility.position) <= NEAR_KM
        )
    stays = []
    for stay in network.stays:
        here = network.unit_of(stay.bed)
        kinds = frozenset(it for it in UnitKind if transition_allowed(here.kind, it))
        consenting = network.persons[stay.person].basis in CONSENSUAL_BASES
        agreed = wards[here.facility] if consenting else stay.agreed_units
        stays.append(replace(stay, may_move_to=kinds, agreed_units=agreed))
    return replace(network, stays=tuple(stays))
