"""From a snapshot to the flow model: seats, slots, room types, classes, arcs and their costs."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from solver.cost import LEVELS, Profile, Seat, fit_terms, left_terms, level_totals, seat
from solver.domain import Network
from solver.eligibility import Facts, Place, eligible
from solver.planning.engine import Flags
from solver.planning.model import (
    SLOT_ARC,
    STAY_ARC,
    THROUGH_ARC,
    UNPLACED_ARC,
    Model,
    RoomType,
    Slot,
)
from solver.planning.people import PeopleClass, loose_residents, people_classes
from solver.planning.rooms import OWN_ROOM, RoomState, Use, room_states, uses

Lent = list[tuple[int, int]]


@dataclass
class _Arcs:
    meaning: list[int] = field(default_factory=list)
    owner: list[int] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    tail: list[int] = field(default_factory=list)
    head: list[int] = field(default_factory=list)
    upper: list[int] = field(default_factory=list)
    cost: list[tuple[int, ...]] = field(default_factory=list)
    coupled: list[int] = field(default_factory=list)
    base: list[int] = field(default_factory=list)
    lent: list[Lent] = field(default_factory=list)

    def add(
        self,
        meaning: int,
        owner: int,
        target: int,
        ends: tuple[int, int],
        upper: int,
        cost: tuple[int, ...] = (0,) * LEVELS,
    ) -> int:
        for column, value in (
            (self.meaning, meaning),
            (self.owner, owner),
            (self.target, target),
            (self.tail, ends[0]),
            (self.head, ends[1]),
            (self.upper, upper),
        ):
            column.append(value)
        self.cost.append(cost)
        return len(self.tail) - 1

    def couple(self, arc: int, base: int, lent: Lent) -> None:
        if lent:
            self.coupled.append(arc)
            self.base.append(base)
            self.lent.append(lent)


@dataclass(frozen=True, slots=True)
class _Mode:
    """How a unit may be used: for so many people of whom the plan disposes, newcomers among them
    or not. A reserve is kept where anybody may come."""

    capacity: int
    emergencies: bool
    others: bool


class Builder:
    """Collects the parts of one model; ``build`` is the way in."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.loose = loose_residents(network)
        loose_beds = {stay.bed: person for person, stay in self.loose.items()}
        self.states = room_states(network, loose_beds)
        self.state_of = {state.room: state for state in self.states}
        self.seats: list[Seat] = []
        self.seat_of_bed: dict[str, int] = {}
        self._index_seats([bed for state in self.states for bed in state.usable])
        self._index_seats(sorted(loose_beds))
        self.classes = self._classes()
        self.lived_in: dict[str, int] = defaultdict(int)
        for stay in self.loose.values():
            self.lived_in[network.unit_of(stay.bed).id] += 1
        self.spare = self._spare()
        self.fit = self._fit()
        self.modes = self._modes()
        self.slots: dict[Slot, int] = {}
        self.free: dict[int, int] = defaultdict(int)
        self.lent: dict[int, Lent] = defaultdict(list)
        self.closed: list[tuple[RoomState, Use]] = []
        self.types: list[RoomType] = []
        self.use_type: list[int] = []
        self.use_number: list[int] = []
        self.first_use: dict[str, int] = {}
        self.first_mode: dict[str, int] = {}

    def _index_seats(self, beds: list[str]) -> None:
        known = {it: i for i, it in enumerate(self.seats)}
        for bed in beds:
            if bed not in self.seat_of_bed:
                it = seat(self.network, bed)
                if it not in known:
                    known[it] = len(self.seats)
                    self.seats.append(it)
                self.seat_of_bed[bed] = known[it]

    def _classes(self) -> list[PeopleClass]:
        home_key, open_room = {}, {}
        for person, stay in self.loose.items():
            state = self.state_of[self.network.beds[stay.bed].room]
            home_key[person] = (
                self.seat_of_bed[stay.bed],
                state.cohort,
                stay.bed in state.usable,
                None if state.open else self._only_company(state, stay.bed),
            )
            if state.open and person in state.loose:
                open_room[person] = state.room
        return people_classes(self.network, self.loose, home_key, open_room)

    def _fit(self) -> Flags:
        """Which class may be seated on which seat, by the rules about one person and one place."""
        people: dict[Facts, int] = {}
        places: dict[Place, int] = {}
        who = [people.setdefault(it.profile.facts, len(people)) for it in self.classes]
        where = [places.setdefault(it.place, len(places)) for it in self.seats]
        if not who or not where:
            return np.zeros((len(who), len(where)), dtype=np.bool_)
        lawful = np.array([[eligible(facts, place) for place in places] for facts in people])
        fit: Flags = lawful[np.ix_(who, where)]
        for i, it in enumerate(self.classes):
            home = None if it.home is None else self.network.unit_of(it.home).id
            for j in np.flatnonzero(fit[i]):
                unit = self.seats[j].unit
                kept = 0 if it.profile.facts.emergency else self.network.units[unit].reserve
                hopeless = unit != home and self.spare.get(unit, kept) < kept
                if hopeless or not it.mobility.allows(unit, self.seats[j].place.kind):
                    fit[i, j] = False
        return fit

    def _slot(self, bed: str, cohort: bool, company: str) -> int:
        return self.slots.setdefault(Slot(self.seat_of_bed[bed], cohort, company), len(self.slots))

    def rooms(self) -> None:
        """Slots of closed rooms, and the types and uses of open ones."""
        wanted: dict[tuple[int, bool], set[str]] = {}
        for j in range(len(self.seats)):
            for cohort in (False, True):
                wanted[j, cohort] = {
                    self.classes[i].companies[cohort] for i in np.flatnonzero(self.fit[:, j])
                }
        empty: dict[tuple[object, ...], list[RoomState]] = defaultdict(list)
        for state in self.states:
            if not state.open:
                (use,) = uses(state, (), ())
                self.closed.append((state, use))
                for bed in use.beds:
                    self.free[self._slot(bed, state.cohort, use.company)] += 1
                continue
            seats = tuple(sorted(self.seat_of_bed[bed] for bed in state.usable))
            like = (state.unit, state.cohort, seats)
            empty[like if state.empty else (*like, state.room)].append(state)
        for states in empty.values():
            self._room_type(states, wanted)
        for unit, modes in self.modes.items():
            if len(modes) > 1:
                self.first_mode[unit] = len(self.use_type)
                self.use_type += [len(self.types)] * len(modes)
                self.use_number += range(len(modes))
                self.types.append(RoomType((), ()))

    def _room_type(self, states: list[RoomState], wanted: dict[tuple[int, bool], set[str]]) -> None:
        cohort = states[0].cohort
        seats = {self.seat_of_bed[bed] for bed in states[0].usable}
        companies = set().union(*(wanted[it, cohort] for it in seats)) if seats else set()
        by_room = []
        for state in states:
            apart: dict[int, str] = {}
            for bed in state.usable:
                apart.setdefault(self.seat_of_bed[bed], bed)
            by_room.append(uses(state, companies, [apart[it] for it in sorted(apart)]))
        number = len(self.types)
        self.types.append(RoomType(tuple(states), tuple(by_room)))
        for i, use in enumerate(by_room[0]):
            column = len(self.use_type)
            self.use_type.append(number)
            self.use_number.append(i)
            if i == 0:
                self.first_use.update((state.room, column) for state in states)
            count: dict[int, int] = defaultdict(int)
            for bed in use.beds:
                count[self._slot(bed, cohort, use.company)] += 1
            for slot, beds in count.items():
                self.lent[slot].append((column, beds))

    def arcs(self) -> tuple[_Arcs, list[int]]:
        """All arcs and the supply of every node; nodes are classes, slots, units, the sink."""
        found, classes, slots = _Arcs(), len(self.classes), list(self.slots)
        units: dict[str, int] = {}
        for unit in self.modes:
            units[unit] = classes + len(slots) + len(units)
        sink = classes + len(slots) + len(units)
        seat_of = np.array([it.seat for it in slots], dtype=np.int64)
        cohort_of = np.array([it.cohort for it in slots], dtype=np.int64)
        company_of = np.array([it.company for it in slots], dtype=object)
        costs: dict[tuple[Profile, int], tuple[int, ...]] = {}

        def fit_cost(profile: Profile, at: int) -> tuple[int, ...]:
            if (profile, at) not in costs:
                terms = fit_terms(profile, self.seats[at], self.network.policy)
                costs[profile, at] = level_totals(terms)
            return costs[profile, at]

        for i, it in enumerate(self.classes):
            many = len(it.people)
            remain = (*it.remain, *(0,) * (LEVELS - 2))
            here, home_unit = (0,) * LEVELS, None
            if it.home is None:
                found.add(UNPLACED_ARC, i, -1, (i, sink), many, remain)
            else:
                at = self.seats[self.seat_of_bed[it.home]]
                home_unit = at.unit
                here = level_totals(left_terms(it.profile, at, self.network.policy))
                self._stay_arcs(found, i, it, remain, units, sink)
            if not len(slots):
                continue
            company = np.array(it.companies, dtype=object)[cohort_of]
            fits = self.fit[i, seat_of] & ((company_of == company) | (company_of == OWN_ROOM))
            own = None if it.home is None or it.room else self._home_slot(it.home)
            for slot in np.flatnonzero(fits):
                if slot == own:
                    continue
                there = fit_cost(it.profile, int(seat_of[slot]))
                cost = [a - b for a, b in zip(there, here, strict=True)]
                cost[3] += it.home is not None
                ends = (i, classes + int(slot))
                arc = found.add(SLOT_ARC, i, int(slot), ends, many, tuple(cost))
                unit = self.seats[slots[slot].seat].unit
                if unit in self.first_mode and unit != home_unit:
                    found.couple(arc, 0, self._admitting(unit, it, many))
        for number, key in enumerate(slots):
            unit = self.seats[key.seat].unit
            head = units.get(unit, sink)
            most = self.free[number] + sum(
                beds * len(self.types[self.use_type[column]].states)
                for column, beds in self.lent[number]
            )
            arc = found.add(THROUGH_ARC, -1, number, (classes + number, head), most)
            found.couple(arc, self.free[number], self.lent[number])
        for unit, node in units.items():
            capacity = [mode.capacity for mode in self.modes[unit]]
            arc = found.add(THROUGH_ARC, -1, -1, (node, sink), max(capacity))
            if unit in self.first_mode:
                least = min(capacity)
                first = self.first_mode[unit]
                more = [(first + i, it - least) for i, it in enumerate(capacity) if it > least]
                found.couple(arc, least, more)
        supply = [len(it.people) for it in self.classes] + [0] * (sink - classes + 1)
        supply[sink] = -sum(supply)
        return found, supply

    def _only_company(self, state: RoomState, bed: str) -> str | None:
        """Whose company a closed room's bed is for; None when nobody new may have it."""
        (use,) = uses(state, (), ())
        return use.company if bed in use.beds else None

    def _home_slot(self, bed: str) -> int | None:
        state = self.state_of[self.network.beds[bed].room]
        company = None if state.open else self._only_company(state, bed)
        if company is None:
            return None
        return self.slots[Slot(self.seat_of_bed[bed], state.cohort, company)]

    def _stay_arcs(
        self,
        found: _Arcs,
        i: int,
        it: PeopleClass,
        remain: tuple[int, ...],
        units: dict[str, int],
        sink: int,
    ) -> None:
        assert it.home is not None
        node = len(self.classes)
        direct = units.get(self.network.unit_of(it.home).id, sink)
        many = len(it.people)
        if it.room is None:
            slot = self._home_slot(it.home)
            head = direct if slot is None else node + slot
            found.add(STAY_ARC, i, -1, (i, head), many, remain)
            return
        state, first = self.state_of[it.room], self.first_use[it.room]
        kind = self.types[self.use_type[first]]
        through: dict[int, Lent] = defaultdict(list)
        for number, use in enumerate(kind.uses[0]):
            if it.people[0] not in use.stay:
                continue
            head = direct
            if it.home in use.beds:
                home = Slot(self.seat_of_bed[it.home], state.cohort, use.company)
                head = node + self.slots[home]
            through[head].append((first + number, many))
        for head, lent in through.items():
            arc = found.add(STAY_ARC, i, -1, (i, head), many, remain)
            found.couple(arc, 0, lent)

    def _spare(self) -> dict[str, int]:
        """How many loose or new people a unit's staff can look after, for each unit whose staff,
        less its reserve, may be too few for its beds. Below zero nobody new can come, whoever
        leaves; below the reserve only emergencies can."""
        network = self.network
        usable: dict[str, int] = defaultdict(int)
        for state in self.states:
            usable[state.unit] += len(state.usable)
        found = {}
        for unit in sorted(network.units):
            fixed = network.people_in_unit[unit] - self.lived_in[unit]
            spare = network.staffed_beds[unit] - fixed
            if usable[unit] + self.lived_in[unit] > spare - network.units[unit].reserve:
                found[unit] = spare
        return found

    def _modes(self) -> dict[str, list[_Mode]]:
        """The ways each unit that may run short can be used, the one it is used in now first:
        open to all with its reserve kept, for emergencies alone up to its staff, or shut."""
        wanted = {
            self.seats[j].unit
            for i, it in enumerate(self.classes)
            if it.profile.facts.emergency
            for j in np.flatnonzero(self.fit[i])
        }
        found: dict[str, list[_Mode]] = {}
        for unit, spare in self.spare.items():
            reserve, here = self.network.units[unit].reserve, self.lived_in[unit]
            usual = _Mode(spare - reserve, True, True)
            urgent = _Mode(spare, True, False)
            modes = [usual] if usual.capacity >= 0 else []
            if reserve and unit in wanted and spare >= 0:
                at = 0 if modes and usual.capacity < here <= spare else len(modes)
                modes.insert(at, urgent)
            if modes and modes[0].capacity < here:
                modes.insert(0, _Mode(here, False, False))
            if modes:
                found[unit] = modes
        return found

    def _admitting(self, unit: str, it: PeopleClass, many: int) -> Lent:
        """The modes of a unit in which newcomers of a class may come; empty for all of them."""
        emergency, modes = it.profile.facts.emergency, self.modes[unit]
        admitting = [mode.emergencies if emergency else mode.others for mode in modes]
        if all(admitting):
            return []
        first = self.first_mode[unit]
        return [(first + i, many) for i, yes in enumerate(admitting) if yes]


def build(network: Network) -> Model:
    """The model of a snapshot; equal snapshots give equal models, in whatever order they came."""
    it = Builder(network)
    it.rooms()
    arcs, supply = it.arcs()

    def ints(values: object) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array(values, dtype=np.int64)

    return Model(
        classes=it.classes,
        slots=list(it.slots),
        seats=it.seats,
        seat_of_bed=it.seat_of_bed,
        types=it.types,
        type_count=ints([len(kind.states) or 1 for kind in it.types]),
        closed=it.closed,
        meaning=ints(arcs.meaning),
        owner=ints(arcs.owner),
        target=ints(arcs.target),
        tail=ints(arcs.tail),
        head=ints(arcs.head),
        upper=ints(arcs.upper),
        supply=ints(supply),
        cost=ints(arcs.cost).reshape(-1, LEVELS).T,
        use_type=ints(it.use_type),
        use_number=ints(it.use_number),
        coupled=ints(arcs.coupled),
        base=ints(arcs.base),
        lent=arcs.lent,
    )
