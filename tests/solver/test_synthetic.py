"""The synthetic city is the size, the mix and the lawfulness it claims."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from solver.check import claimants, immovable, occupant, room_relations
from solver.codes import CONSENSUAL_BASES, Grade, LegalBasis, Sex, UnitKind, Zone
from solver.cost import profile
from solver.domain import Network
from solver.eligibility import eligible, misplaced, place
from solver.instance import network_to_json
from solver.synthetic import city, inventory


@pytest.fixture(scope="module")
def wuhan() -> Network:
    """One city as the defaults make it."""
    return city(7)


def _kinds(network: Network) -> Counter[UnitKind]:
    return Counter(network.unit_of(bed).kind for bed in network.beds)


def test_a_city_has_the_beds_its_kinds_of_place_have(wuhan: Network):
    kinds = _kinds(wuhan)
    assert kinds[UnitKind.PSC] + kinds[UnitKind.JSC] == 2_400
    assert kinds[UnitKind.OMW] == 400
    assert kinds[UnitKind.CTH] + kinds[UnitKind.SEC] == 1_200
    assert sum(facility.startswith("cth-") for facility in wuhan.facilities) == 9


def test_centres_have_womens_parts_sick_zones_isolation_and_minors_units(wuhan: Network):
    for centre in ("psc-1", "jsc-1"):
        zones = {unit.zone for unit in wuhan.units.values() if unit.facility == centre}
        assert {
            Zone.WOMEN,
            Zone.SICK_DISABLED,
            Zone.ISOLATION,
            Zone.NEW_ARRIVALS,
            Zone.MINORS,
        } <= zones


def test_rooms_have_one_to_eight_beds_and_ids_tell_where_they_are(wuhan: Network):
    assert {len(beds) for beds in wuhan.beds_of_room.values()} <= set(range(1, 9))
    for bed in wuhan.beds.values():
        assert bed.id.startswith(f"{bed.room}.b")
        assert bed.room.startswith(f"{wuhan.rooms[bed.room].unit}.r")
        unit = wuhan.unit_of(bed.id)
        assert unit.id.startswith(f"{unit.facility}.w")


@pytest.mark.parametrize("occupancy", [0.0, 0.5, 0.9, 1.0])
def test_occupancy_is_the_share_asked_for(occupancy: float):
    network = city(1, occupancy, waiting=0)
    assert len(network.stays) / len(network.beds) == pytest.approx(occupancy, abs=0.02)


def test_residents_are_lawfully_placed_but_for_the_few_who_became_too_ill(wuhan: Network):
    ill = []
    for stay in wuhan.stays:
        if misplaced(profile(wuhan, stay.person).facts, place(wuhan, stay.bed)):
            ill.append(stay)
    assert 0 < len(ill) <= 0.02 * len(wuhan.stays)
    for stay in ill:
        assert wuhan.persons[stay.person].need.grade is Grade.G3
        assert stay.may_move_to == {UnitKind.OMW}


def test_every_room_keeps_its_relations(wuhan: Network):
    for room in wuhan.rooms.values():
        people = [occupant(wuhan.persons[it]) for it in claimants(wuhan, room.id).values()]
        for i, one in enumerate(people):
            assert not room_relations(one, people[i + 1 :], room.cohort)


def test_those_who_wait_have_the_grades_sexes_and_bases_of_the_figures():
    network = city(5, occupancy=0.0, waiting=4_000)
    people = [network.persons[request.person] for request in network.requests]
    grades = Counter(person.need.grade for person in people)
    for grade, share in ((0, 0.35), (1, 0.30), (2, 0.20), (3, 0.10), (4, 0.05)):
        assert grades[Grade(grade)] / len(people) == pytest.approx(share, abs=0.04)
    women = sum(person.sex is Sex.FEMALE for person in people)
    assert women / len(people) == pytest.approx(0.14, abs=0.02)
    compulsory = sum(person.basis is LegalBasis.COMPULSORY for person in people)
    assert compulsory / len(people) == pytest.approx(0.45, abs=0.03)


def test_most_who_wait_have_some_lawful_place_in_the_city(wuhan: Network):
    places = {place(wuhan, bed) for bed in wuhan.beds}
    lawful = sum(
        any(eligible(profile(wuhan, request.person).facts, it) for it in places)
        for request in wuhan.requests
    )
    assert 0.9 <= lawful / len(wuhan.requests) < 1.0


def test_some_residents_may_be_moved_with_a_doctors_statement(wuhan: Network):
    movable = [stay for stay in wuhan.stays if stay.may_move_to]
    assert 50 <= len(movable) <= 300
    for stay in movable:
        if wuhan.persons[stay.person].basis is not LegalBasis.COMPULSORY:
            assert stay.agreed_units


def test_every_resident_may_move_when_all_are_asked_for():
    network = city(7, movable=1.0)
    for stay in network.stays:
        assert any(not immovable(network, stay, unit) for unit in network.units.values())


def test_a_patient_by_consent_agrees_only_to_like_units_of_hospitals_of_their_city():
    network = city(1, waiting=0, cities=2, movable=1.0)
    consensual = [
        it for it in network.stays if network.persons[it.person].basis in CONSENSUAL_BASES
    ]
    assert consensual
    for stay in consensual:
        here = network.unit_of(stay.bed)
        for agreed in stay.agreed_units or ():
            there = network.units[agreed]
            assert (there.kind, there.zone) == (here.kind, here.zone)
            assert there.facility.startswith("c2-") == here.facility.startswith("c2-")


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_movable_residents_changes_nothing_else(share: float, wuhan: Network):
    network = city(7, movable=share)
    asked = sum(
        it.may_move_to != was.may_move_to
        for it, was in zip(network.stays, wuhan.stays, strict=True)
    )
    assert asked / len(wuhan.stays) == pytest.approx(share, abs=0.04)
    assert replace(network, stays=wuhan.stays) == wuhan
    bare = [replace(it, may_move_to=frozenset(), agreed_units=None) for it in network.stays]
    assert bare == [replace(it, may_move_to=frozenset(), agreed_units=None) for it in wuhan.stays]
    assert all(
        it.may_move_to >= was.may_move_to
        for it, was in zip(network.stays, wuhan.stays, strict=True)
    )


def test_a_city_without_the_share_is_the_city_it_always_was():
    text = network_to_json(city(3, 0.9, 50))
    assert text == network_to_json(city(3, 0.9, 50, movable=0.0))
    things = json.loads(text)
    known = json.dumps([things["stays"], things["requests"], things["persons"]], sort_keys=True)
    assert (
        sha256(known.encode()).hexdigest()
        == "61145c99e5d1b34ed3f515bf696d322108f153066c892a4c9600155f5540fdb3"
    )


def test_the_same_seed_gives_the_same_city_and_another_seed_another():
    assert city(4) == city(4)
    assert set(city(4).persons).isdisjoint(city(5).persons)


def test_many_cities_are_copies_of_the_places_with_people_of_their_own():
    network = city(1, waiting=3, cities=2)
    assert len(network.beds) == 8_000
    assert len(network.requests) == 6
    assert (
        network.facilities["c2-psc-1"].position[0] == network.facilities["psc-1"].position[0] + 100
    )
    assert set(inventory(1).beds) < set(network.beds)
    assert len(network.persons) == len({stay.person for stay in network.stays}) + 6


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"occupancy": 1.5}, "occupancy"),
        ({"waiting": -1}, "waiting"),
        ({"cities": 0}, "cities"),
        ({"movable": 1.1}, "movable"),
        ({"movable": -0.1}, "movable"),
        ({"now": datetime(2026, 1, 1)}, "now"),  # noqa: DTZ001
    ],
)
def test_senseless_arguments_are_named(arguments: dict[str, object], named: str):
    with pytest.raises(ValueError, match=f"^{named}: "):
        city(0, **arguments)  # type: ignore[arg-type]


def test_the_instant_asked_for_is_the_snapshots_and_its_day_is_shanghais():
    network = city(0, 0.0, 1, now=datetime(2026, 3, 1, 20, 0, tzinfo=UTC))
    assert network.on.isoformat() == "2026-03-02"
