"""A plan found clean is sound in every order its moves allow, and with any of them left out."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from solver.check import claimants, occupant, room_relations, violations
from solver.codes import Grade, Isolation, Relation, Sex, UnitKind
from solver.domain import Move, Network
from tests.solver.builders import NOW, a_network, a_person, a_request, a_stay, a_ward
from tests.solver.plans import PSC, a_move, a_plan, relations

OF_ONE = {Relation.ELIGIBILITY, Relation.MOVABILITY}
"""Questions about one person, which no order of moves changes."""
ROUTES = (Isolation.NONE, Isolation.NONE, Isolation.DROPLET)


@st.composite
def small_networks(draw: st.DrawFn) -> Network:
    """Two wards of five beds in all, up to three residents and two waiting."""
    room = {"isolation": Isolation.DROPLET, "cohort": draw(st.booleans())}
    staffed = st.sampled_from([None, 1, 2])
    wards = (
        a_ward(rooms=(2, 1), room=room, staffed_beds=draw(staffed)),
        a_ward("f-2.w1", rooms=(2,), room=room, staffed_beds=draw(staffed)),
    )
    beds = draw(st.permutations([bed.id for ward in wards for bed in ward.beds]))
    people = [
        a_person(f"p-{i}", sex=draw(st.sampled_from(Sex)), isolation=draw(st.sampled_from(ROUTES)))
        for i in range(draw(st.integers(2, 5)))
    ]
    residents = people[2:]
    return a_network(
        *wards,
        persons=people,
        stays=[
            a_stay(it.id, bed, may_move_to=PSC) for it, bed in zip(residents, beds, strict=False)
        ],
        requests=[a_request(it.id) for it in people[:2]],
    )


@st.composite
def plans_of(draw: st.DrawFn, network: Network) -> tuple[Move, ...]:
    """Any residents first, then the waiting, to any beds, waiting for any earlier moves."""
    order = [*draw(st.permutations(sorted(network.stay_of))), "p-0", "p-1"]
    moves: list[Move] = []
    for person in order:
        to_bed = draw(st.sampled_from([None, *sorted(network.beds)]))
        if to_bed is None:
            continue
        earlier = [move.id for move in moves]
        after = draw(st.sets(st.sampled_from(earlier))) if earlier else set()
        changes: dict[str, Any] = {"after": tuple(sorted(after))}
        changes["ready_at"] = NOW + (1 + len(moves)) * network.policy.turnaround
        if person in network.stay_of:
            changes["displaced_for"] = draw(st.sampled_from(["rq-p-0", "rq-p-1"]))
        moves.append(a_move(network, person, to_bed, **changes))
    return tuple(moves)


def reachable(moves: tuple[Move, ...]) -> Iterator[tuple[Move, ...]]:
    """Every set of moves that may have happened: with each one all it waits for."""
    for size in range(len(moves) + 1):
        for done in combinations(moves, size):
            happened = {move.id for move in done}
            if all(happened.issuperset(move.after) for move in done):
                yield done


def assert_sound(network: Network, done: tuple[Move, ...]) -> None:
    """Nobody's new company or unit breaks a rule, counted from the beds alone."""
    moved = {move.person: move.to_bed for move in done}
    where = {stay.person: stay.bed for stay in network.stays} | moved
    assert len(set(where.values())) == len(where)
    rooms = {person: network.rooms[network.beds[bed].room] for person, bed in where.items()}
    for one, other in combinations(sorted(where), 2):
        if rooms[one] is rooms[other] and {one, other} & moved.keys():
            newcomer, mate = (occupant(network.persons[it]) for it in (one, other))
            assert room_relations(newcomer, [mate], rooms[one].cohort) == ()
    people = Counter(room.unit for room in rooms.values())
    for unit, count in people.items():
        assert count <= max(network.staffed_beds[unit], network.people_in_unit[unit])


@settings(max_examples=400)
@given(st.data())
def test_a_clean_plan_is_sound_in_every_order_its_moves_allow(data: st.DataObject):
    network = data.draw(small_networks())
    moves = data.draw(plans_of(network))
    broken = relations(violations(network, a_plan(network, *moves)))
    if broken - OF_ONE:
        event("not clean")
        return
    event(f"clean, {len(moves)} moves")
    for done in reachable(moves):
        assert_sound(network, done)


def test_the_brute_force_finds_what_it_is_there_to_find():
    network = a_network(
        a_ward(rooms=(2,), level_of_care=Grade.G2, kind=UnitKind.PSC),
        persons=(a_person("p-0"), a_person("p-1", sex=Sex.FEMALE)),
        requests=(a_request("p-0"), a_request("p-1")),
    )
    one = a_move(network, "p-0", "f-1.w1.r1.b1")
    other = a_move(network, "p-1", "f-1.w1.r1.b2")
    assert len(list(reachable((one, other)))) == 4
    assert_sound(network, (one,))
    try:
        assert_sound(network, (one, other))
    except AssertionError:
        return
    raise AssertionError("a man and a woman in one room went unnoticed")


def test_claims_of_a_room_are_stays_leave_and_holds():
    network = a_network(
        a_ward(),
        persons=(a_person("p-0"), a_person("p-1"), a_person("p-2")),
        stays=(
            a_stay("p-0", "f-1.w1.r1.b1"),
            a_stay("p-1", "f-1.w1.r1.b2", on_leave=True),
        ),
        beds={"f-1.w1.r1.b3": {"held_for": "p-2"}},
    )
    assert sorted(claimants(network, "f-1.w1.r1").values()) == ["p-0", "p-1", "p-2"]
