"""More residents who may be moved than a city has: to see how planning fares when most may.

A doctor's statement supports every kind of unit a transfer may lead to from where the person
is; whoever is treated by consent has agreed to the like units of their city's other hospitals.
Who is lawfully placed stays so; nobody's papers, needs or bed change.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from random import Random

from solver.codes import CONSENSUAL_BASES, UnitKind, Zone
from solver.domain import Network, Unit
from solver.eligibility import transition_allowed

_Alike = tuple[str, UnitKind, Zone]


def with_statements(network: Network, share: float, seed: int) -> Network:
    """The network with statements for about ``share`` (0 to 1) of its residents, on top of those
    it has; drawn apart from everything else, so the rest is the same for every share."""
    if not share:
        return network
    rng = Random(f"rehab-beds statements {seed}")
    present = {unit.kind for unit in network.units.values()}
    leads_to = {
        here: frozenset(there for there in present if transition_allowed(here, there))
        for here in present
    }
    alike = _alike(network)
    stays = []
    for stay in network.stays:
        if rng.random() < share:
            unit = network.unit_of(stay.bed)
            agreed = stay.agreed_units
            if network.persons[stay.person].basis in CONSENSUAL_BASES:
                others = alike[_key(unit)] - {unit.id}
                agreed = others if agreed is None else agreed | others
            stay = replace(
                stay, may_move_to=stay.may_move_to | leads_to[unit.kind], agreed_units=agreed
            )
        stays.append(stay)
    return replace(network, stays=tuple(stays))


def _alike(network: Network) -> Mapping[_Alike, frozenset[str]]:
    found: dict[_Alike, set[str]] = defaultdict(set)
    for unit in network.units.values():
        found[_key(unit)].add(unit.id)
    return {key: frozenset(units) for key, units in found.items()}


def _key(unit: Unit) -> _Alike:
    """A unit's city, kind and zone: a facility's id is its city's prefix, its site and a number."""
    return unit.facility.rpartition("-")[0], unit.kind, unit.zone
