"""A snapshot of the whole network, with the local practice it is judged and planned by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from solver.codes import BedState
from solver.domain.people import Person, Request, Stay
from solver.domain.places import Bed, Facility, Room, Unit
from solver.domain.policy import Policy


@dataclass(frozen=True)
class Network:
    """A snapshot of every place and person at ``now``; ``on`` is that instant's legal day.

    ``position`` is the event log's ``pos`` it was read at. Persons held by a live hold appear in
    ``persons`` too. At most one stay a bed.
    """

    now: datetime
    on: date
    facilities: Mapping[str, Facility]
    units: Mapping[str, Unit]
    rooms: Mapping[str, Room]
    beds: Mapping[str, Bed]
    persons: Mapping[str, Person]
    stays: tuple[Stay, ...] = ()
    requests: tuple[Request, ...] = ()
    policy: Policy = field(default_factory=Policy)
    position: int = 0

    @cached_property
    def stay_in_bed(self) -> Mapping[str, Stay]:
        """The stay or leave that claims each claimed bed."""
        return {stay.bed: stay for stay in self.stays}

    @cached_property
    def stay_of(self) -> Mapping[str, Stay]:
        """Where each resident is now; a bed kept during leave is not where they are."""
        return {stay.person: stay for stay in self.stays if not stay.on_leave}

    @cached_property
    def request_by_id(self) -> Mapping[str, Request]:
        """The waiting requests."""
        return {request.id: request for request in self.requests}

    @cached_property
    def request_of(self) -> Mapping[str, Request]:
        """Each waiting person's request; of several the one asked first."""
        asked = sorted(self.requests, key=lambda it: (it.since, it.id), reverse=True)
        return {request.person: request for request in asked}

    @cached_property
    def people_in_unit(self) -> Mapping[str, int]:
        """How many people each unit's staff look after or are about to: stays and holds, leave
        left out."""
        count = dict.fromkeys(self.units, 0)
        for bed in self.beds.values():
            stay = self.stay_in_bed.get(bed.id)
            if bed.held_for is not None or (stay is not None and not stay.on_leave):
                count[self.rooms[bed.room].unit] += 1
        return count

    @cached_property
    def staffed_beds(self) -> Mapping[str, int]:
        """How many people each unit can look after today: its beds that are not closed, and no
        more than its staff."""
        count = dict.fromkeys(self.units, 0)
        for bed in self.beds.values():
            count[self.rooms[bed.room].unit] += bed.state is not BedState.CLOSED
        return {
            unit.id: count[unit.id]
            if unit.staffed_beds is None
            else min(count[unit.id], unit.staffed_beds)
            for unit in self.units.values()
        }

    @cached_property
    def beds_of_room(self) -> Mapping[str, tuple[str, ...]]:
        """Bed ids of each room, in id order."""
        rooms: dict[str, list[str]] = {room: [] for room in self.rooms}
        for bed in sorted(self.beds):
            rooms[self.beds[bed].room].append(bed)
        return {room: tuple(beds) for room, beds in rooms.items()}

    @cached_property
    def rooms_of_unit(self) -> Mapping[str, tuple[str, ...]]:
        """Room ids of each unit, in id order."""
        units: dict[str, list[str]] = {unit: [] for unit in self.units}
        for room in sorted(self.rooms):
            units[self.rooms[room].unit].append(room)
        return {unit: tuple(rooms) for unit, rooms in units.items()}

    def unit_of(self, bed: str) -> Unit:
        """The unit a bed belongs to."""
        return self.units[self.rooms[self.beds[bed].room].unit]

    def is_free(self, bed: str) -> bool:
        """Whether a new claim may be put on the bed now, looking at the bed alone."""
        it = self.beds[bed]
        return (
            it.state is BedState.IN_SERVICE
            and not it.promised
            and it.held_for is None
            and bed not in self.stay_in_bed
        )
