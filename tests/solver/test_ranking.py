"""Where may this person go: ranked, with every refusal for the rest."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Any

import pytest

from solver.check import conflicts
from solver.codes import BedKind, BedState, Grade, Isolation, Relation, Sex, UnitKind
from solver.cost import fit_terms, level_totals, profile, seat
from solver.domain import Network
from solver.eligibility import eligible, place, refusals
from solver.ranking import candidates, index_of, rank_person
from solver.synthetic import city
from tests.solver.builders import NOW, a_network, a_person, a_request, a_stay, a_ward


@cache
def the_city() -> Network:
    """A city of 4,000 beds."""
    return city(seed=3, waiting=60)


def fitting_beds(network: Network, request_id: str) -> set[str]:
    """Every free, lawful, compatible bed, looked at one by one."""
    request = network.request_by_id[request_id]
    who = profile(network, request.person).facts
    return {
        bed
        for bed in network.beds
        if network.is_free(bed)
        and eligible(who, place(network, bed))
        and network.unit_of(bed).id not in request.declined_units
        and not conflicts(network, request.person, bed)
    }


@pytest.mark.parametrize("number", range(0, 60, 5))
def test_a_ranking_is_what_looking_at_every_bed_gives(number: int):
    network = the_city()
    request = network.requests[number]
    found = candidates(network, request.id, limit=10_000)
    beds = fitting_beds(network, request.id)
    who = profile(network, request.person)
    assert found.fitting == len(beds)
    assert {it.bed for it in found.candidates} <= beds
    assert sum(1 + it.alike for it in found.candidates) == len(beds)
    for it in found.candidates:
        assert it.terms == fit_terms(who, seat(network, it.bed), network.policy)
        assert it.levels == level_totals(it.terms)
        assert it.unit == network.unit_of(it.bed).id
        assert it.facility == network.unit_of(it.bed).facility
    keys = [(it.levels, it.bed) for it in found.candidates]
    assert keys == sorted(keys)


@pytest.mark.parametrize("number", range(0, 60, 10))
def test_every_bed_of_the_network_is_accounted_for(number: int):
    network = the_city()
    request = network.requests[number]
    found = candidates(network, request.id)
    who = profile(network, request.person).facts
    by_rule: Counter[str] = Counter()
    lawful = 0
    for bed in network.beds:
        no = refusals(who, place(network, bed))
        by_rule.update(it.rule for it in no)
        lawful += not no
    assert dict(found.by_rule) == by_rule
    assert sum(it.beds for it in found.refused) + lawful == len(network.beds)
    kept = dict(found.by_relation)
    for relation in kept:
        assert kept[relation] <= lawful


def test_shuffled_rows_give_the_same_answer():
    network = the_city()
    shuffled: dict[str, Any] = {}
    for name in ("facilities", "units", "rooms", "beds", "persons"):
        rows = list(getattr(network, name).items())
        Random(1).shuffle(rows)
        shuffled[name] = dict(rows)
    stays = list(network.stays)
    Random(2).shuffle(stays)
    other = replace(network, **shuffled, stays=tuple(stays))
    for request in network.requests[:10]:
        assert candidates(other, request.id) == candidates(network, request.id)


def small(**request: object) -> Network:
    """A centre room with two free beds, a full one, and a hospital ward."""
    return a_network(
        a_ward(rooms=(3, 1)),
        a_ward("f-2.w1", like="constrained", rooms=(2,)),
        persons=(a_person("p-new"), a_person("p-a"), a_person("p-b")),
        stays=(a_stay("p-a", "f-1.w1.r1.b3"), a_stay("p-b", "f-1.w1.r2.b1")),
        requests=(a_request("p-new", **request),),
    )


def test_beds_of_a_room_that_are_alike_are_one_candidate():
    (found,) = candidates(small(), "rq-p-new").candidates
    assert (found.bed, found.alike) == ("f-1.w1.r1.b1", 1)


def test_a_refused_place_shows_all_its_refusals_and_beds():
    found = candidates(small(), "rq-p-new")
    (refused,) = found.refused
    assert refused.units == ("f-2.w1",)
    assert (refused.beds, refused.free) == (2, 2)
    assert [it.rule for it in refused.refusals] == ["L07", "L10"]
    assert found.by_rule == (("L07", 2), ("L10", 2))
    assert found.by_relation == ((Relation.CAPACITY, 2),)


def test_nobody_s_company_is_told_when_a_room_is_refused():
    network = small()
    woman = a_person("p-a", sex=Sex.FEMALE, isolation=Isolation.AIRBORNE)
    network = replace(network, persons={**network.persons, "p-a": woman})
    found = candidates(network, "rq-p-new")
    assert found.candidates == ()
    assert dict(found.by_relation) == {
        Relation.CAPACITY: 2,
        Relation.ONE_SEX_PER_ROOM: 2,
        Relation.ISOLATION_EXCLUSIVITY: 2,
    }
    assert "p-a" not in repr(found)
    assert "r1" not in repr(found)


def test_a_unit_that_declined_is_named_and_not_offered():
    found = candidates(small(declined_units=frozenset({"f-1.w1"})), "rq-p-new")
    assert found.candidates == ()
    assert found.declined == ("f-1.w1",)
    assert found.expected == ()


def test_the_limit_cuts_the_list_and_not_the_count():
    network = a_network(
        a_ward(rooms=(1, 2, 1)), persons=(a_person(),), requests=(a_request("p-1"),)
    )
    found = candidates(network, "rq-p-1", limit=2)
    assert [it.bed for it in found.candidates] == ["f-1.w1.r1.b1", "f-1.w1.r2.b1"]
    assert found.fitting == 4


def test_a_stale_bed_ranks_below_a_fresh_one():
    network = a_network(
        a_ward(rooms=(1, 1)),
        persons=(a_person(),),
        requests=(a_request("p-1"),),
        beds={"f-1.w1.r1.b1": {"stale": True}},
    )
    found = candidates(network, "rq-p-1")
    assert [it.bed for it in found.candidates] == ["f-1.w1.r2.b1", "f-1.w1.r1.b1"]


@pytest.mark.parametrize(
    ("change", "relation"),
    [
        ({"promised": True}, Relation.AVAILABILITY),
        ({"held_for": "p-b"}, Relation.AVAILABILITY),
        ({"state": BedState.HOUSEKEEPING}, Relation.AVAILABILITY),
    ],
)
def test_a_bed_that_cannot_be_claimed_is_not_offered(change: dict[str, object], relation: Relation):
    network = a_network(
        a_ward(rooms=(1,)),
        persons=(a_person(), a_person("p-b")),
        requests=(a_request("p-1"),),
        beds={"f-1.w1.r1.b1": change},
    )
    found = candidates(network, "rq-p-1")
    assert found.candidates == ()
    assert found.by_relation == ((relation, 1),)


def test_a_unit_without_staff_for_one_more_offers_nothing_but_to_whom_it_has_already():
    network = a_network(
        a_ward(rooms=(1, 1), staffed_beds=1),
        persons=(a_person(), a_person("p-b")),
        stays=(a_stay("p-b", "f-1.w1.r1.b1"),),
        requests=(a_request("p-1"), a_request("p-b")),
    )
    assert candidates(network, "rq-p-1").fitting == 0
    assert candidates(network, "rq-p-b").fitting == 1


def test_nobody_is_their_own_bad_company():
    network = a_network(
        a_ward(rooms=(2,), room={"isolation": Isolation.DROPLET}),
        persons=(a_person(isolation=Isolation.DROPLET),),
        stays=(a_stay("p-1", "f-1.w1.r1.b1"),),
        requests=(a_request("p-1"),),
    )
    assert candidates(network, "rq-p-1").fitting == 1


def test_somebody_with_a_hold_in_the_unit_is_already_counted_there():
    network = a_network(
        a_ward(rooms=(1, 1), staffed_beds=1),
        persons=(a_person(), a_person("p-b")),
        requests=(a_request("p-1"), a_request("p-b")),
        beds={"f-1.w1.r1.b1": {"held_for": "p-1"}},
    )
    assert candidates(network, "rq-p-1").fitting == 1
    assert candidates(network, "rq-p-b").fitting == 0


def test_an_emergency_sees_the_reserve_and_no_centre():
    network = a_network(
        a_ward(),
        a_ward("f-2.w1", like="constrained", bed={"kind": BedKind.RSV}),
        persons=(a_person(grade=Grade.G3),),
        requests=(a_request("p-1", emergency=True),),
    )
    assert {it.unit for it in candidates(network, "rq-p-1").candidates} == {"f-2.w1"}


@pytest.mark.parametrize("emergency", [True, False])
def test_intensive_care_surge_places_and_outside_hospitals_are_never_offered(emergency: bool):
    network = a_network(
        a_ward(like="constrained", bed={"kind": BedKind.ICU}),
        a_ward("f-2.w1", like="constrained", bed={"kind": BedKind.SURGE}),
        a_ward("f-3.w1", like="constrained", kind=UnitKind.EXT),
    )
    found = rank_person(network, a_person(like="constrained"), emergency=emergency)
    assert found.candidates == ()
    assert dict(found.by_rule)["S14-referral"] == 12


def test_when_a_lawful_bed_is_next_expected_is_told_by_kind():
    hours = [NOW + timedelta(hours=it) for it in range(9)]
    network = a_network(
        a_ward(rooms=(4, 4)),
        a_ward("f-2.w1", like="constrained", rooms=(1,), bed={"expected_free": hours[1]}),
        persons=(a_person(), *(a_person(f"p-{i}") for i in range(2, 5))),
        stays=(
            a_stay("p-2", "f-1.w1.r1.b1", expected_end=hours[5]),
            a_stay("p-3", "f-1.w1.r1.b2", expected_end=hours[2], on_leave=True),
            a_stay("p-4", "f-1.w1.r1.b3", expected_end=NOW - timedelta(hours=1)),
        ),
        requests=(a_request("p-1"),),
        beds={
            "f-1.w1.r1.b4": {"state": BedState.HOUSEKEEPING, "expected_free": hours[6]},
            "f-1.w1.r2.b1": {"promised": True, "expected_free": hours[1]},
            "f-1.w1.r2.b2": {"state": BedState.CLOSING, "expected_free": hours[1]},
            "f-1.w1.r2.b3": {
                "kind": BedKind.NUR,
                "state": BedState.CLOSED,
                "expected_free": hours[8],
            },
            "f-1.w1.r2.b4": {"held_for": "p-9", "expected_free": hours[1]},
        },
    )
    network = replace(network, persons={**network.persons, "p-9": a_person("p-9")})
    found = candidates(network, "rq-p-1")
    assert found.expected == ((BedKind.GEN, hours[5]), (BedKind.NUR, hours[8]))


def test_somebody_the_network_does_not_know_is_ranked_too():
    network = small()
    stranger = a_person("p-stranger")
    assert rank_person(network, stranger).fitting == 2
    late = a_person("p-stranger", ends_on=date(2026, 11, 1))
    assert rank_person(network, late).fitting == 0


def test_a_request_that_does_not_wait_is_a_key_error():
    with pytest.raises(KeyError):
        candidates(small(), "rq-none")


def test_a_new_snapshot_has_an_index_of_its_own():
    network = small()
    assert index_of(network) is index_of(network)
    later = replace(network, stays=())
    assert index_of(later) is not index_of(network)
    assert candidates(later, "rq-p-new").fitting == 4
    assert candidates(network, "rq-p-new").fitting == 2
