"""How a unit may be used: its staff, the reserve it keeps for emergencies, and who may come."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from solver.domain import Network
from solver.planning.rooms import RoomState


@dataclass(frozen=True, slots=True)
class Mode:
    """One use of a unit: for so many people of whom the plan disposes, newcomers among them or
    not. A reserve is kept where anybody may come."""

    capacity: int
    emergencies: bool
    others: bool

    def admits(self, emergency: bool) -> bool:
        """Whether a newcomer may come, by the emergency lane or not."""
        return self.emergencies if emergency else self.others


def lived_in(network: Network, loose_beds: Mapping[str, str]) -> dict[str, int]:
    """How many residents of each unit the plan may move."""
    count: dict[str, int] = defaultdict(int)
    for bed in loose_beds:
        count[network.unit_of(bed).id] += 1
    return count


def spare_staff(
    network: Network, states: Sequence[RoomState], here: Mapping[str, int]
) -> dict[str, int]:
    """How many loose or new people a unit's staff can look after, for each unit whose staff, less
    its reserve, may be too few for its beds. Below zero nobody new can come, whoever leaves;
    below the reserve only emergencies can."""
    usable: dict[str, int] = defaultdict(int)
    for state in states:
        usable[state.unit] += len(state.usable)
    found = {}
    for unit in sorted(network.units):
        loose = here.get(unit, 0)
        spare = network.staffed_beds[unit] - (network.people_in_unit[unit] - loose)
        if usable[unit] + loose > spare - network.units[unit].reserve:
            found[unit] = spare
    return found


def modes(
    network: Network, spare: Mapping[str, int], here: Mapping[str, int], urgent: Mapping[str, int]
) -> dict[str, list[Mode]]:
    """The ways each unit that may run short can be used, the one it is used in now first: open
    to all with its reserve kept, for emergencies alone up to its staff, or shut.

    ``urgent``: how many waiting emergencies each unit could take. A use that could never hold
    more people than one that admits more is left out: it would only loosen the linear program.
    """
    found: dict[str, list[Mode]] = {}
    for unit, left in spare.items():
        reserve, now = network.units[unit].reserve, here.get(unit, 0)
        usual = Mode(left - reserve, True, True)
        lane = Mode(min(left, now + urgent.get(unit, 0)), True, False)
        ways = [usual] if usual.capacity >= 0 else []
        if reserve and urgent.get(unit, 0) and lane.capacity > max(usual.capacity, -1):
            at = 0 if ways and usual.capacity < now <= left else len(ways)
            ways.insert(at, lane)
        if ways and ways[0].capacity < now:
            ways.insert(0, Mode(now, False, False))
        if ways:
            found[unit] = ways
    return found
