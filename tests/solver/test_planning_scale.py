"""What is counted in groups and kept in heaps for a nation equals what counting one by one says."""

from collections import Counter
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from solver.check import claimants, occupant, room_relations
from solver.codes import PlanStatus, Relation, Sex
from solver.cost import price, profile, seat
from solver.domain import Network, Plan, Request, Unplaced
from solver.eligibility import place, refusals
from solver.planning import make_plan
from solver.planning.naming import Mover
from solver.planning.order import Walk, circles
from solver.planning.unplaced import BedCounts
from solver.synthetic import city
from tests.solver.planned import CENTRE, full_ward
from tests.solver.tiny_networks import tiny_networks


def _counted_bed_by_bed(network: Network, given_out: set[str], request: Request) -> Unplaced:
    """``BedCounts.explain`` by its own words, one bed after the other."""
    who = profile(network, request.person).facts
    me = occupant(network.persons[request.person])
    counts: Counter[str] = Counter()
    expected: list[datetime] = []
    for bed in network.beds:
        room = network.rooms[network.beds[bed].room]
        refused = refusals(who, place(network, bed))
        counts.update(it.rule for it in refused)
        if refused:
            continue
        if room.unit in request.declined_units:
            counts[Relation.AVAILABILITY] += 1
            continue
        if not network.is_free(bed):
            counts[Relation.AVAILABILITY] += 1
            stay = network.stay_in_bed.get(bed)
            forecasts = (network.beds[bed].expected_free, stay.expected_end if stay else None)
            expected += [it for it in forecasts if it is not None and it > network.now]
            continue
        there = claimants(network, room.id).values()
        others = [occupant(network.persons[it]) for it in there if it != request.person]
        broken = room_relations(me, others, room.cohort)
        left = network.staffed_beds[room.unit] - network.people_in_unit[room.unit]
        if bed in given_out or not (broken or 0 < left <= network.units[room.unit].reserve):
            counts[Relation.CAPACITY] += 1
        elif broken:
            counts[broken[0]] += 1
        else:
            counts[Relation.CAPACITY if who.emergency else Relation.RESERVE] += 1
    ordered = sorted(counts.items(), key=lambda it: (-it[1], it[0]))
    return Unplaced(
        request.id,
        tuple((str(name), count) for name, count in ordered),
        min(expected, default=None),
    )


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_beds_counted_in_groups_are_the_beds_counted_one_by_one(data: st.DataObject):
    network = data.draw(tiny_networks())
    people, units = sorted(network.persons), sorted(network.units)
    assume(people)
    beds = dict(network.beds)
    for bed in data.draw(st.sets(st.sampled_from(sorted(beds)), max_size=2)):
        if bed not in network.stay_in_bed:
            beds[bed] = replace(beds[bed], held_for=data.draw(st.sampled_from(people)))
    requests = tuple(
        Request(
            f"rq-{who}",
            who,
            network.now,
            data.draw(st.booleans()),
            frozenset(data.draw(st.sets(st.sampled_from(units), max_size=2))),
        )
        for who in people
    )
    changed = replace(network, beds=beds, requests=requests)
    given_out = data.draw(st.sets(st.sampled_from(sorted(beds)), max_size=2))
    counts = BedCounts(changed, given_out)
    for request in requests:
        assert counts.explain(request) == _counted_bed_by_bed(changed, given_out, request)


def test_a_citys_unplaced_are_told_the_beds_counted_one_by_one():
    network = city(2, 0.97, waiting=15)
    counts = BedCounts(network, [])
    for request in network.requests:
        assert counts.explain(request) == _counted_bed_by_bed(network, set(), request)


def _first_of_all(walk: Walk) -> Mover | None:
    able = [it for it in walk.left.values() if walk.can_go(walk.alike(it))]
    return min(able, key=walk.rank, default=None)


@pytest.fixture
def every_choice(monkeypatch: pytest.MonkeyPatch) -> list[Mover]:
    """The movers chosen, each held against a look at everybody who is left."""
    chosen: list[Mover] = []
    from_heaps = Walk.next

    def looked_at(walk: Walk) -> Mover | None:
        first = _first_of_all(walk)
        found = from_heaps(walk)
        assert found == first
        chosen.extend([] if found is None else [found])
        return found

    monkeypatch.setattr(Walk, "next", looked_at)
    return chosen


@pytest.mark.parametrize(("seed", "occupancy", "movable"), [(1, 0.97, 0.0), (3, 0.95, 0.02)])
def test_the_next_to_go_is_the_first_of_all_who_can(
    seed: int, occupancy: float, movable: float, every_choice: list[Mover]
):
    plan, _ = make_plan(city(seed, occupancy, waiting=40, movable=movable))
    residents = sum(move.from_bed is not None for move in plan.moves)
    assert len(every_choice) >= len(plan.moves) > residents > 0


@settings(max_examples=60, deadline=None)
@given(tiny_networks())
def test_the_next_to_go_in_a_tiny_network_is_the_first_of_all_who_can(network: Network):
    with pytest.MonkeyPatch.context() as patched:
        from_heaps = Walk.next
        patched.setattr(Walk, "next", lambda walk: _same(_first_of_all(walk), from_heaps(walk)))
        make_plan(network)


def _same(first: Mover | None, found: Mover | None) -> Mover | None:
    assert found == first
    return found


def _reached(start: str, waits: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = [start]
    while ahead:
        for other in waits[ahead.pop()] - found:
            found.add(other)
            ahead.append(other)
    return found


@given(st.integers(0, 7).flatmap(lambda n: st.tuples(*[st.sets(st.integers(0, n - 1))] * n)))
def test_a_circle_is_everybody_who_waits_for_everybody_else_in_it(drawn: tuple[set[int], ...]):
    waits = {str(i): {str(it) for it in others} for i, others in enumerate(drawn)}
    reach = {who: _reached(who, waits) for who in waits}
    expected = {
        tuple(sorted(it for it in reach[who] if who in reach[it]))
        for who in waits
        if who in reach[who]
    }
    assert circles(waits) == sorted(expected)


def test_a_long_chain_that_closes_is_one_circle():
    names = [f"{i:05d}" for i in range(20_000)]
    waits = {name: [names[i - 1]] for i, name in enumerate(names)}
    assert circles(waits) == [tuple(names)]
    assert circles({**waits, names[0]: []}) == []


def test_what_was_worked_out_for_one_snapshot_is_not_told_of_another():
    before = full_ward(CENTRE)
    bed, nothing = before.stays[0].bed, Plan((), (), (), PlanStatus.NOTHING_TO_DO, 0)
    room = before.beds[bed].room
    told = (profile(before, "p0"), seat(before, bed), place(before, bed))
    assert price(before, nothing).terms["misplaced_left"] == 0
    after = replace(
        before,
        persons={**before.persons, "p0": replace(before.persons["p0"], age=70)},
        rooms={**before.rooms, room: replace(before.rooms[room], sex=Sex.FEMALE)},
        stays=before.stays[1:],
    )
    assert profile(after, "p0").facts.age == 70
    assert place(after, bed).sexes == {Sex.FEMALE}
    assert seat(after, bed).load < seat(before, bed).load
    assert price(after, nothing).terms["misplaced_left"] > 0
    assert (profile(before, "p0"), seat(before, bed), place(before, bed)) == told
