"""From a snapshot to the flow model: seats, slots, room types, classes, arcs and their costs."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from solver.cost import LEVELS, Profile, left_terms, level_totals
from solver.domain import Network, Plan
from solver.planning.arcs import Arcs, Lent
from solver.planning.engine import Flags, Ints
from solver.planning.model import (
    SLOT_ARC,
    STAY_ARC,
    THROUGH_ARC,
    UNPLACED_ARC,
    Block,
    Model,
    RoomType,
    Slot,
)
from solver.planning.people import Mobility, PeopleClass, loose_residents, people_classes
from solver.planning.rooms import OWN_ROOM, RoomState, Use, company, room_states, uses
from solver.planning.seats import Seats
from solver.planning.units import lived_in, modes, spare_staff

CHANGES = LEVELS
"""The level after the plan's own: how much differs from the last plan."""


class Builder:
    """Collects the parts of one model; ``build`` is the way in."""

    def __init__(self, network: Network, previous: Plan | None = None) -> None:
        self.network = network
        self.loose = loose_residents(network)
        loose_beds = {stay.bed: person for person, stay in self.loose.items()}
        self.states = room_states(network, loose_beds)
        self.state_of = {state.room: state for state in self.states}
        self.seats = Seats(network, [bed for state in self.states for bed in state.usable])
        for bed in sorted(loose_beds):
            self.seats.add(bed)
        self.levels = LEVELS if previous is None else LEVELS + 1
        self.last_bed = {} if previous is None else _last_beds(network, previous)
        self.classes = self._classes(self.last_bed)
        self.profiles = [it.profile for it in self.classes]
        self.lived_in = lived_in(network, loose_beds)
        self.spare = spare_staff(network, self.states, self.lived_in)
        self.fit = self._fit()
        self.modes = modes(network, self.spare, self.lived_in, self._urgent_people())
        self.slots: dict[Slot, int] = {}
        self.free: dict[int, int] = defaultdict(int)
        self.lent: dict[int, Lent] = defaultdict(list)
        self.closed: list[tuple[RoomState, Use]] = []
        self.types: list[RoomType] = []
        self.use_type: list[int] = []
        self.use_number: list[int] = []
        self.use_change: list[int] = []
        self.first_use: dict[str, int] = {}
        self.first_mode: dict[str, int] = {}
        self.present_arc: list[int] = []
        self.blocks: dict[str, Block] = {}

    def _classes(self, last_bed: Mapping[str, str]) -> list[PeopleClass]:
        home_key, open_room = {}, {}
        for person, stay in self.loose.items():
            state = self.state_of[self.network.beds[stay.bed].room]
            home_key[person] = (
                self.seats.of_bed[stay.bed],
                state.cohort,
                stay.bed in state.usable,
                None if state.open else self._only_company(state, stay.bed),
            )
            if state.open and person in state.loose:
                open_room[person] = state.room
        wish = {}
        for person, bed in last_bed.items():
            cohort = self.network.rooms[self.network.beds[bed].room].cohort
            wish[person] = (self.seats.of_bed[bed], cohort) if bed in self.seats.of_bed else None
        return people_classes(self.network, self.loose, home_key, open_room, wish)

    def _fit(self) -> Flags:
        """Which class may be seated on which seat: by the rules about one person and one place,
        where they may move to, and where staff could look after one more."""
        fit = self.seats.fit(self.profiles)
        if not fit.size:
            return fit
        units = [it.unit for it in self.seats.all]
        unit_of = np.array(units, dtype=object)
        urgent = np.array([it.facts.emergency for it in self.profiles], dtype=np.bool_)
        for kept, who in ((True, ~urgent), (False, urgent)):
            hopeless = np.array([self._hopeless(unit, kept) for unit in units], dtype=np.bool_)
            for i in np.flatnonzero(who & hopeless.any()).tolist():
                home = self.classes[i].home
                own = None if home is None else self.network.unit_of(home).id
                fit[i] &= ~hopeless | (unit_of == own)
        open_to: dict[Mobility, Flags] = {}
        for i, it in enumerate(self.classes):
            if it.mobility not in open_to:
                allowed = [it.mobility.allows(at.unit, at.place.kind) for at in self.seats.all]
                open_to[it.mobility] = np.array(allowed, dtype=np.bool_)
            fit[i] &= open_to[it.mobility]
        return fit

    def _hopeless(self, unit: str, kept: bool) -> bool:
        least = self.network.units[unit].reserve if kept else 0
        return self.spare.get(unit, least) < least

    def _urgent_people(self) -> dict[str, int]:
        found: dict[str, int] = defaultdict(int)
        for i, it in enumerate(self.classes):
            if it.profile.facts.emergency:
                for unit in {self.seats.all[j].unit for j in np.flatnonzero(self.fit[i])}:
                    found[unit] += len(it.people)
        return found

    def _slot(self, bed: str, cohort: bool, company: str) -> int:
        key = Slot(self.seats.of_bed[bed], cohort, company)
        return self.slots.setdefault(key, len(self.slots))

    def rooms(self) -> None:
        """Slots of closed rooms, and the types and uses of open ones."""
        wanted: dict[tuple[int, bool], set[str]] = {}
        for cohort in (False, True):
            own = [it.companies[cohort] for it in self.classes]
            for j in range(len(self.seats.all)):
                wanted[j, cohort] = {own[i] for i in np.flatnonzero(self.fit[:, j])}
        empty: dict[tuple[object, ...], list[RoomState]] = defaultdict(list)
        for state in self.states:
            if not state.open:
                (use,) = uses(state, (), ())
                self.closed.append((state, use))
                for bed in use.beds:
                    self.free[self._slot(bed, state.cohort, use.company)] += 1
                continue
            seats = tuple(sorted(self.seats.of_bed[bed] for bed in state.usable))
            like = (state.unit, state.cohort, seats)
            empty[like if state.empty else (*like, state.room)].append(state)
        for states in empty.values():
            self._room_type(states, wanted)
        for unit, ways in self.modes.items():
            if len(ways) > 1:
                self.first_mode[unit] = len(self.use_type)
                self.use_type += [len(self.types)] * len(ways)
                self.use_number += range(len(ways))
                self.use_change += [0] * len(ways)
                self.types.append(RoomType((), ()))

    def _room_type(self, states: list[RoomState], wanted: dict[tuple[int, bool], set[str]]) -> None:
        cohort = states[0].cohort
        seats = {self.seats.of_bed[bed] for bed in states[0].usable}
        companies = set().union(*(wanted[it, cohort] for it in seats)) if seats else set()
        by_room = []
        for state in states:
            apart: dict[int, str] = {}
            for bed in state.usable:
                apart.setdefault(self.seats.of_bed[bed], bed)
            by_room.append(uses(state, companies, [apart[it] for it in sorted(apart)]))
        number, first = len(self.types), len(self.use_type)
        self.types.append(RoomType(tuple(states), tuple(by_room)))
        if not states[0].empty:
            self.blocks[states[0].room] = Block(first, len(by_room[0]))
        for i, use in enumerate(by_room[0]):
            column = len(self.use_type)
            self.use_type.append(number)
            self.use_number.append(i)
            self.use_change.append(self._unwished(states, use) if len(states) == 1 else 0)
            if i == 0:
                self.first_use.update((state.room, column) for state in states)
            count: dict[int, int] = defaultdict(int)
            for bed in use.beds:
                count[self._slot(bed, cohort, use.company)] += 1
            for slot, beds in count.items():
                self.lent[slot].append((column, beds))

    def _unwished(self, states: list[RoomState], use: Use) -> int:
        """How many people the last plan gave a bed of the room that this use has not for them."""
        network, cohort = self.network, states[0].cohort
        beds = network.beds_of_room[states[0].room]
        there = [who for who, bed in self.last_bed.items() if bed in beds]
        return sum(
            self.last_bed[who] not in use.beds
            or company(network.persons[who], cohort) != use.company
            for who in there
        )

    def arcs(self) -> tuple[Arcs, Ints]:
        """All arcs and the supply of every node; nodes are classes, slots, units, the sink."""
        found, classes, slots = Arcs(self.levels), len(self.classes), list(self.slots)
        units: dict[str, int] = {}
        for unit in self.modes:
            units[unit] = classes + len(slots) + len(units)
        sink = classes + len(slots) + len(units)
        for i, it in enumerate(self.classes):
            remain = np.zeros(self.levels, dtype=np.int64)
            remain[:2] = it.remain
            remain[CHANGES:] = it.wish is not None
            if it.home is None:
                many = len(it.people)
                arc = found.one(UNPLACED_ARC, i, -1, (i, sink), many, remain)
            else:
                arc = self._stay_arcs(found, i, it, remain, units, sink)
            self.present_arc.append(arc)
        if slots:
            self._slot_arcs(found, slots)
        for number, key in enumerate(slots):
            head = units.get(self.seats.all[key.seat].unit, sink)
            most = self.free[number] + sum(
                beds * len(self.types[self.use_type[column]].states)
                for column, beds in self.lent[number]
            )
            zero = np.zeros(self.levels, dtype=np.int64)
            arc = found.one(THROUGH_ARC, -1, number, (classes + number, head), most, zero)
            found.couple(arc, self.free[number], self.lent[number])
        for unit, node in units.items():
            capacity = [mode.capacity for mode in self.modes[unit]]
            zero = np.zeros(self.levels, dtype=np.int64)
            arc = found.one(THROUGH_ARC, -1, -1, (node, sink), max(capacity), zero)
            if unit in self.first_mode:
                least, first = min(capacity), self.first_mode[unit]
                more = [(first + i, it - least) for i, it in enumerate(capacity) if it > least]
                found.couple(arc, least, more)
        supply = np.zeros(sink + 1, dtype=np.int64)
        supply[:classes] = [len(it.people) for it in self.classes]
        supply[sink] = -supply.sum()
        return found, supply

    def _slot_arcs(self, found: Arcs, slots: list[Slot]) -> None:
        """From every class to every slot it may have, at what that costs more than staying."""
        classes = len(self.classes)
        seat_of = np.array([it.seat for it in slots], dtype=np.int64)
        cohort_of = np.array([it.cohort for it in slots], dtype=np.int64)
        number: dict[str, int] = {}
        own = np.array(
            [[number.setdefault(it, len(number)) for it in who.companies] for who in self.classes]
        ).reshape(classes, 2)
        company = np.array([number.get(it.company, -1) for it in slots], dtype=np.int64)
        anybody = np.array([it.company == OWN_ROOM for it in slots], dtype=np.bool_)
        mask = self.fit[:, seat_of] & ((own[:, cohort_of] == company) | anybody)
        home = np.full(classes, -1, dtype=np.int64)
        here = np.zeros((LEVELS, classes), dtype=np.int64)
        wished: dict[object, Flags] = {}
        saved: dict[tuple[Profile, int], tuple[int, ...]] = {}
        for i, it in enumerate(self.classes):
            if it.wish is not None and it.wish not in wished:
                same = [(slot.seat, slot.cohort) == it.wish for slot in slots]
                wished[it.wish] = np.array(same, dtype=np.bool_)
            if it.home is None:
                continue
            at = self.seats.of_bed[it.home]
            slot = None if it.room else self._home_slot(it.home)
            home[i] = -1 if slot is None else slot
            if (it.profile, at) not in saved:
                terms = left_terms(it.profile, self.seats.all[at], self.network.policy)
                saved[it.profile, at] = level_totals(terms)
            here[:, i] = saved[it.profile, at]
        # A like bed is no change, but for whoever asked for one.
        asked = np.array([it.waiting for it in self.classes], dtype=np.bool_)
        lives = np.flatnonzero((home >= 0) & ~asked)
        mask[lives, home[lives]] = False
        many = np.array([len(it.people) for it in self.classes], dtype=np.int64)
        owner, slot_of = np.nonzero(mask)
        costs = self.seats.costs(self.profiles)
        cost = np.zeros((self.levels, len(owner)), dtype=np.int64)
        cost[:LEVELS] = costs[:, owner, seat_of[slot_of]] - here[:, owner]
        resident = np.array([it.home is not None for it in self.classes], dtype=np.bool_)
        cost[3] += resident[owner]
        if not self.network.policy.max_moves_per_placement:
            # Nobody is moved to make room.
            helper = np.array([it.helper for it in self.classes], dtype=np.bool_)
            own = ~(helper & resident)[owner] | (cost[2] < 0)
            owner, slot_of, cost = owner[own], slot_of[own], cost[:, own]
        if self.levels > CHANGES:
            cost[CHANGES] = 1
            for i, it in enumerate(self.classes):
                if it.wish is not None:
                    mine = owner == i
                    cost[CHANGES, mine] = ~wished[it.wish][slot_of[mine]]
        ends = (owner, classes + slot_of)
        first = found.add(SLOT_ARC, owner, slot_of, ends, many[owner], cost)
        self._admit(found, first, owner, seat_of[slot_of], many)

    def _admit(self, found: Arcs, first: int, owner: Ints, seat: Ints, many: Ints) -> None:
        """Newcomers come to a unit only in a use that admits them."""
        choice = np.array([it.unit in self.first_mode for it in self.seats.all], dtype=np.bool_)
        for k in np.flatnonzero(choice[seat]):
            it, unit = self.classes[owner[k]], self.seats.all[seat[k]].unit
            if it.home is not None and self.network.unit_of(it.home).id == unit:
                continue
            urgent, ways = it.profile.facts.emergency, self.modes[unit]
            admitting = [i for i, way in enumerate(ways) if way.admits(urgent)]
            if len(admitting) < len(ways):
                start = self.first_mode[unit]
                lent = [(start + i, int(many[owner[k]])) for i in admitting]
                found.couple(first + int(k), 0, lent)

    def _only_company(self, state: RoomState, bed: str) -> str | None:
        """Whose company a closed room's bed is for; None when nobody new may have it."""
        (use,) = uses(state, (), ())
        return use.company if bed in use.beds else None

    def _home_slot(self, bed: str) -> int | None:
        state = self.state_of[self.network.beds[bed].room]
        company = None if state.open else self._only_company(state, bed)
        if company is None:
            return None
        return self.slots[Slot(self.seats.of_bed[bed], state.cohort, company)]

    def _stay_arcs(
        self,
        found: Arcs,
        i: int,
        it: PeopleClass,
        remain: Ints,
        units: dict[str, int],
        sink: int,
    ) -> int:
        """The ways to stay, and the arc of the present one."""
        assert it.home is not None
        node = len(self.classes)
        direct = units.get(self.network.unit_of(it.home).id, sink)
        many = len(it.people)
        if it.room is None:
            slot = self._home_slot(it.home)
            head = direct if slot is None else node + slot
            return found.one(STAY_ARC, i, -1, (i, head), many, remain)
        state, first = self.state_of[it.room], self.first_use[it.room]
        kind = self.types[self.use_type[first]]
        through: dict[int, Lent] = defaultdict(list)
        for number, use in enumerate(kind.uses[0]):
            if it.people[0] not in use.stay:
                continue
            head = direct
            if it.home in use.beds:
                home = Slot(self.seats.of_bed[it.home], state.cohort, use.company)
                head = node + self.slots[home]
            through[head].append((first + number, many))
        present = -1
        for head, lent in through.items():
            arc = found.one(STAY_ARC, i, -1, (i, head), many, remain)
            found.couple(arc, 0, lent)
            self.blocks[it.room].stays += [(column, i, arc) for column, _ in lent]
            present = arc if lent[0][0] == first else present
        self.blocks[it.room].classes.append(i)
        return present


def _last_beds(network: Network, previous: Plan) -> dict[str, str]:
    return {
        it.person: it.to_bed
        for it in previous.moves
        if it.to_bed in network.beds and it.person in network.persons
    }


def build(network: Network, previous: Plan | None = None) -> Model:
    """The model of a snapshot; equal snapshots give equal models, in whatever order they came.

    ``previous``: the last plan. One more level then counts what differs from it.
    """
    it = Builder(network, previous)
    it.rooms()
    arcs, supply = it.arcs()

    def whole(parts: list[Ints]) -> Ints:
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    def ints(values: object) -> Ints:
        return np.array(values, dtype=np.int64)

    return Model(
        classes=it.classes,
        slots=list(it.slots),
        seats=it.seats.all,
        seat_of_bed=it.seats.of_bed,
        types=it.types,
        type_count=ints([len(kind.states) or 1 for kind in it.types]),
        closed=it.closed,
        meaning=whole(arcs.meaning),
        owner=whole(arcs.owner),
        target=whole(arcs.target),
        tail=whole(arcs.tail),
        head=whole(arcs.head),
        upper=whole(arcs.upper),
        supply=supply,
        cost=np.concatenate(arcs.cost, axis=1)
        if arcs.cost
        else np.zeros((it.levels, 0), dtype=np.int64),
        use_type=ints(it.use_type),
        use_number=ints(it.use_number),
        coupled=ints(arcs.coupled),
        base=ints(arcs.base),
        lent=arcs.lent,
        present_arc=ints(it.present_arc),
        blocks=list(it.blocks.values()),
        use_change=ints(it.use_change),
    )
