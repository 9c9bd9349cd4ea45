"""Which facilities plan together: regions nearer to each other than distance counts.

Beyond the policy's distance cap every bed is equally far, so two groups of facilities further
apart than that are planned apart, and what one lacks the other may give.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import hypot

from solver.domain import Network, Person, Request, Stay

NEAR_KM = 60
"""Places as near as this plan together even where distance counts less far."""


@dataclass(frozen=True)
class Region:
    """Facilities that plan together, with who lives there and who waits there; ids in order."""

    facilities: tuple[str, ...]
    units: tuple[str, ...]
    rooms: tuple[str, ...]
    beds: tuple[str, ...]
    stays: tuple[Stay, ...]
    requests: tuple[Request, ...]
    persons: tuple[str, ...]


def regions(network: Network) -> tuple[Region, ...]:
    """The network in regions, by the first facility's id.

    A resident belongs to their bed's region, leave included; a request to the region its person
    lives in, else to the one of a bed kept or held for them, else to the facility nearest to
    their home, else to the unit they came from, else to the first region.
    """
    groups = _groups(network)
    number = {facility: i for i, group in enumerate(groups) for facility in group}
    of_unit = {it.id: number[it.facility] for it in network.units.values()}
    of_room = {it.id: of_unit[it.unit] for it in network.rooms.values()}
    units, rooms, beds = (
        _sorted_by(of_unit.items(), len(groups)),
        _sorted_by(of_room.items(), len(groups)),
        _sorted_by(((it.id, of_room[it.room]) for it in network.beds.values()), len(groups)),
    )
    stays: list[list[Stay]] = [[] for _ in groups]
    persons: list[set[str]] = [set() for _ in groups]
    tied: dict[str, int] = {}
    for stay in sorted(network.stays, key=lambda it: (not it.on_leave, it.id)):
        here = of_room[network.beds[stay.bed].room]
        stays[here].append(stay)
        persons[here].add(stay.person)
        tied[stay.person] = here
    for bed in sorted(network.beds):
        who = network.beds[bed].held_for
        if who is not None:
            here = of_room[network.beds[bed].room]
            persons[here].add(who)
            tied.setdefault(who, here)
    requests: list[list[Request]] = [[] for _ in groups]
    nearest = _Nearest(network, number)
    for request in sorted(network.requests, key=lambda it: it.id):
        home = tied.get(request.person)
        if home is None:
            home = nearest.region(network.persons[request.person], of_unit)
        requests[home].append(request)
        persons[home].add(request.person)
    return tuple(
        Region(
            tuple(group),
            tuple(units[i]),
            tuple(rooms[i]),
            tuple(beds[i]),
            tuple(sorted(stays[i], key=lambda it: it.id)),
            tuple(requests[i]),
            tuple(sorted(persons[i])),
        )
        for i, group in enumerate(groups)
    )


def network_of(network: Network, region: Region) -> Network:
    """The region as a network of its own, under the same policy and clock."""
    return Network(
        now=network.now,
        on=network.on,
        facilities={it: network.facilities[it] for it in region.facilities},
        units={it: network.units[it] for it in region.units},
        rooms={it: network.rooms[it] for it in region.rooms},
        beds={it: network.beds[it] for it in region.beds},
        persons={it: network.persons[it] for it in region.persons},
        stays=region.stays,
        requests=region.requests,
        policy=network.policy,
        position=network.position,
    )


def _groups(network: Network) -> list[list[str]]:
    """Facilities joined by steps of no more than the distance cap, by a grid of that size."""
    reach = max(NEAR_KM, network.policy.distance_cap_km)
    cells: dict[tuple[int, int], list[str]] = defaultdict(list)
    for name in sorted(network.facilities):
        east, north = network.facilities[name].position
        cells[int(east // reach), int(north // reach)].append(name)
    found: list[list[str]] = []
    seen: set[str] = set()
    for first in sorted(network.facilities):
        if first in seen:
            continue
        seen.add(first)
        group, ahead = [first], [first]
        while ahead:
            east, north = network.facilities[ahead.pop()].position
            column, row = int(east // reach), int(north // reach)
            around = ((column + i, row + j) for i in (-1, 0, 1) for j in (-1, 0, 1))
            for other in [name for cell in around for name in cells.get(cell, ())]:
                at = network.facilities[other].position
                if other not in seen and hypot(east - at[0], north - at[1]) <= reach:
                    seen.add(other)
                    group.append(other)
                    ahead.append(other)
        found.append(sorted(group))
    return found


def _sorted_by(pairs: Iterable[tuple[str, int]], count: int) -> list[list[str]]:
    found: list[list[str]] = [[] for _ in range(count)]
    for name, at in pairs:
        found[at].append(name)
    for names in found:
        names.sort()
    return found


class _Nearest:
    """The region of the facility nearest to a home, answered once for each whole km."""

    def __init__(self, network: Network, number: dict[str, int]) -> None:
        self.number = number
        self.places = [
            (it.position, it.id)
            for it in sorted(network.facilities.values(), key=lambda it: it.id)
            if not it.external
        ]
        self.known: dict[tuple[int, int], int] = {}

    def region(self, person: Person, of_unit: dict[str, int]) -> int:
        if person.home is None or not self.places:
            return of_unit.get(person.origin_unit or "", 0)
        home = (round(person.home[0]), round(person.home[1]))
        if home not in self.known:
            _, name = min(
                (hypot(home[0] - at[0], home[1] - at[1]), name) for at, name in self.places
            )
            self.known[home] = self.number[name]
        return self.known[home]
