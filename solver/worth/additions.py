"""A network with one thing more in it."""

from dataclasses import replace

from solver.codes import BedState
from solver.domain import Bed, Network


def with_one_more_bed(network: Network, like: str) -> Network:
    """The network with one more bed such as this one, in a room of its own in the same unit, with
    the staff for it. Where the model's room has several beds, the new room has a closed one too,
    for a single room is another kind of place. Raises KeyError for a bed it does not have."""
    bed = network.beds[like]
    room = network.rooms[bed.room]
    name = f"{room.id}.more"
    while name in network.rooms or f"{name}.1" in network.beds or f"{name}.2" in network.beds:
        name += "+"
    new = [Bed(f"{name}.1", name, bed.kind, bed.features)]
    if len(network.beds_of_room[room.id]) > 1:
        new.append(Bed(f"{name}.2", name, bed.kind, bed.features, BedState.CLOSED))
    unit = network.units[room.unit]
    if unit.staffed_beds is not None:
        unit = replace(unit, staffed_beds=network.staffed_beds[unit.id] + 1)
    return replace(
        network,
        units={**network.units, unit.id: unit},
        rooms={**network.rooms, name: replace(room, id=name)},
        beds={**network.beds, **{it.id: it for it in new}},
    )


def with_one_more_staffed(network: Network, unit_id: str) -> Network:
    """The network with staff for one more person in the unit; the same where staff is not what
    is short there. Raises KeyError for a unit it does not have."""
    unit = network.units[unit_id]
    if unit.staffed_beds is None:
        return network
    more = replace(unit, staffed_beds=unit.staffed_beds + 1)
    return replace(network, units={**network.units, unit_id: more})
