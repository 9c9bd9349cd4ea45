"""The judge of plans, person by person: beds, rooms, units, and what is already wrong."""

from dataclasses import replace
from datetime import date
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.check import conflicts, mix_key, room_relations, violations
from solver.check.rooms import Occupant
from solver.codes import (
    BedState,
    Grade,
    Isolation,
    LegalBasis,
    Relation,
    Sex,
)
from solver.domain import Network, Person
from tests.solver.builders import a_network, a_person, a_request, a_stay, a_ward
from tests.solver.plans import (
    PSC,
    a_move,
    a_plan,
    back_and_in,
    broken,
    relations,
    the_ward,
)


def one_room(*there: Person, newcomer: Person | None = None, size: int = 4, **ward: Any) -> Network:
    """A room with these people in its last beds and a newcomer waiting."""
    who = newcomer or a_person("p-new")
    beds = [f"f-1.w1.r1.b{size - i}" for i in range(len(there))]
    return a_network(
        a_ward(rooms=(size,), **ward),
        persons=(*there, who),
        stays=[a_stay(it.id, bed) for it, bed in zip(there, beds, strict=True)],
        requests=[a_request(who.id)],
    )


def place_new(network: Network, bed: str = "f-1.w1.r1.b1", **changes: Any) -> set[Relation]:
    """What putting the newcomer into the bed breaks, for the plan and for one claim alike."""
    by_plan = broken(network, a_move(network, "p-new", bed, **changes))
    by_claim = relations(conflicts(network, "p-new", bed))
    assert by_claim <= by_plan | {Relation.AVAILABILITY, Relation.CAPACITY}
    assert by_plan - {Relation.ELIGIBILITY} <= by_claim | {Relation.ELIGIBILITY}
    return by_plan


def test_a_plan_that_places_one_person_is_clean():
    network = one_room()
    assert broken(network, a_move(network, "p-new", "f-1.w1.r1.b1")) == set()


def test_a_plan_that_does_nothing_is_clean():
    network = one_room()
    assert broken(network) == set()


def test_a_plan_that_moves_one_back_so_that_one_is_placed_is_clean():
    network = the_ward()
    assert broken(network, *back_and_in(network)) == set()


def test_what_is_already_wrong_is_not_the_plan_s_fault():
    mixed = (a_person("p-a"), a_person("p-b", sex=Sex.FEMALE, isolation=Isolation.AIRBORNE))
    late = a_person("p-c", ends_on=date(2026, 11, 1))
    network = one_room(*mixed, late, staffed_beds=1)
    assert broken(network) == set()


def test_a_newcomer_to_what_is_already_wrong_is_the_plan_s_fault():
    network = one_room(a_person("p-a"), a_person("p-b", sex=Sex.FEMALE))
    assert place_new(network) == {Relation.ONE_SEX_PER_ROOM}


def test_a_person_in_an_unlawful_place_breaks_eligibility():
    network = one_room(newcomer=a_person("p-new", ends_on=date(2026, 11, 1)))
    plan = a_plan(network, a_move(network, "p-new", "f-1.w1.r1.b1"))
    (found,) = violations(network, plan)
    assert found.relation is Relation.ELIGIBILITY
    assert found.subjects == ("m-p-new", "f-1.w1.r1.b1", "L01")


def test_two_people_in_one_bed_break_capacity():
    network = one_room(a_person("p-a"))
    assert place_new(network, "f-1.w1.r1.b4") == {Relation.CAPACITY}


def test_one_bed_given_out_twice_breaks_capacity():
    network = a_network(
        a_ward(rooms=(2,)),
        persons=(a_person("p-a"), a_person("p-b")),
        requests=(a_request("p-a"), a_request("p-b")),
    )
    moves = [a_move(network, who, "f-1.w1.r1.b1") for who in ("p-a", "p-b")]
    assert broken(network, *moves) == {Relation.CAPACITY}


def test_the_bed_kept_for_somebody_on_leave_is_taken():
    network = one_room(a_person("p-a"))
    network = replace(network, stays=(replace(network.stays[0], on_leave=True),))
    assert place_new(network, "f-1.w1.r1.b4") == {Relation.CAPACITY}


def test_more_people_than_staffed_beds_break_capacity():
    there = [a_person(f"p-{i}") for i in range(2)]
    assert place_new(one_room(*there, staffed_beds=2)) == {Relation.CAPACITY}
    assert place_new(one_room(*there, staffed_beds=3)) == set()


def test_staff_for_one_more_is_given_once():
    network = a_network(
        a_ward(rooms=(2, 2), staffed_beds=1),
        persons=(a_person("p-a"), a_person("p-b")),
        requests=(a_request("p-a"), a_request("p-b")),
    )
    moves = [a_move(network, f"p-{who}", f"f-1.w1.r{n}.b1") for who, n in (("a", 1), ("b", 2))]
    assert broken(network, moves[0]) == set()
    assert broken(network, *moves) == {Relation.CAPACITY}


def test_somebody_on_leave_needs_no_staff():
    network = one_room(a_person("p-a"), staffed_beds=1)
    assert place_new(network) == {Relation.CAPACITY}
    away = replace(network, stays=(replace(network.stays[0], on_leave=True),))
    assert place_new(away) == set()


def test_a_live_hold_needs_staff():
    held = {"f-1.w1.r1.b4": {"held_for": "p-a"}}
    who = (a_person("p-a"), a_person("p-new"))
    network = a_network(
        a_ward(staffed_beds=1), persons=who, requests=(a_request("p-new"),), beds=held
    )
    assert place_new(network) == {Relation.CAPACITY}


def test_a_move_inside_a_full_unit_needs_no_more_staff():
    network = a_network(
        a_ward(rooms=(1, 1), staffed_beds=1, level_of_care=Grade.G3),
        persons=(a_person("p-a"),),
        stays=(a_stay("p-a", "f-1.w1.r1.b1", may_move_to=PSC),),
    )
    move = a_move(network, "p-a", "f-1.w1.r2.b1")
    assert Relation.CAPACITY not in broken(network, move)
    assert conflicts(network, "p-a", "f-1.w1.r2.b1") == ()


@pytest.mark.parametrize("state", [it for it in BedState if it is not BedState.IN_SERVICE])
def test_a_bed_that_is_not_in_service_is_not_available(state: BedState):
    network = one_room()
    beds = {**network.beds, "f-1.w1.r1.b1": replace(network.beds["f-1.w1.r1.b1"], state=state)}
    assert place_new(replace(network, beds=beds)) == {Relation.AVAILABILITY}


@pytest.mark.parametrize("change", [{"promised": True}, {"held_for": "p-other"}])
def test_a_bed_promised_or_held_for_another_is_not_available(change: dict[str, Any]):
    who = (a_person("p-new"), a_person("p-other"))
    network = a_network(
        a_ward(), persons=who, requests=(a_request("p-new"),), beds={"f-1.w1.r1.b1": change}
    )
    assert place_new(network) == {Relation.AVAILABILITY}


def test_a_bed_held_for_the_person_is_theirs():
    network = a_network(
        a_ward(staffed_beds=1),
        persons=(a_person("p-new"),),
        beds={"f-1.w1.r1.b1": {"held_for": "p-new"}},
    )
    assert conflicts(network, "p-new", "f-1.w1.r1.b1") == ()


def test_a_unit_that_declined_the_request_is_not_asked_again():
    network = one_room()
    declined = replace(network.requests[0], declined_units=frozenset({"f-1.w1"}))
    network = replace(network, requests=(declined,))
    assert broken(network, a_move(network, "p-new", "f-1.w1.r1.b1")) == {Relation.AVAILABILITY}


def test_an_unknown_bed_is_a_violation_and_no_exception():
    network = one_room()
    move = replace(a_move(network, "p-new", "f-1.w1.r1.b1"), to_bed="f-9.w1.r1.b1")
    plan = replace(a_plan(network), moves=(move,))
    assert relations(violations(network, plan)) == {Relation.AVAILABILITY}


def test_a_room_an_isolated_person_leaves_is_disinfected_before_anybody_new():
    network = the_ward()
    sick = a_person("p-fit", isolation=Isolation.DROPLET)
    centre = a_ward(rooms=(1,))
    rooms = {**network.rooms, **{it.id: it for it in centre.rooms}}
    beds = {k: v for k, v in network.beds.items() if v.room != "f-1.w1.r1"}
    beds |= {it.id: it for it in centre.beds}
    network = replace(network, persons={**network.persons, "p-fit": sick}, rooms=rooms, beds=beds)
    assert broken(network, *back_and_in(network)) == {Relation.AVAILABILITY}


def test_a_shared_room_of_both_sexes_breaks_one_sex():
    assert place_new(one_room(a_person("p-a", sex=Sex.FEMALE))) == {Relation.ONE_SEX_PER_ROOM}


def test_two_newcomers_of_both_sexes_break_one_sex():
    network = a_network(
        a_ward(),
        persons=(a_person("p-a"), a_person("p-b", sex=Sex.FEMALE)),
        requests=(a_request("p-a"), a_request("p-b")),
    )
    moves = [a_move(network, f"p-{it}", f"f-1.w1.r1.b{n}") for it, n in (("a", 1), ("b", 2))]
    assert broken(network, *moves) == {Relation.ONE_SEX_PER_ROOM}


def test_a_bed_kept_during_leave_keeps_the_room_s_sex():
    network = one_room(a_person("p-a", sex=Sex.FEMALE))
    network = replace(network, stays=(replace(network.stays[0], on_leave=True),))
    assert place_new(network) == {Relation.ONE_SEX_PER_ROOM}


def test_a_live_hold_keeps_the_room_s_sex():
    who = (a_person("p-a", sex=Sex.FEMALE), a_person("p-new"))
    held = {"f-1.w1.r1.b4": {"held_for": "p-a"}}
    network = a_network(a_ward(), persons=who, requests=(a_request("p-new"),), beds=held)
    assert place_new(network) == {Relation.ONE_SEX_PER_ROOM}


def test_a_man_may_follow_the_last_woman_only_by_waiting_for_her_to_leave():
    network = a_network(
        a_ward(rooms=(2, 1)),
        persons=(a_person("p-new"), a_person("p-a", sex=Sex.FEMALE)),
        stays=(a_stay("p-a", "f-1.w1.r1.b2", may_move_to=PSC),),
        requests=(a_request("p-new"),),
    )
    out = a_move(network, "p-a", "f-1.w1.r2.b1", displaced_for="rq-p-new")
    into = a_move(network, "p-new", "f-1.w1.r1.b1", after=(out.id,))
    assert broken(network, out, into) == set()
    assert Relation.ONE_SEX_PER_ROOM in broken(network, out, replace(into, after=()))


ISOLATION: dict[str, Any] = {"room": {"isolation": Isolation.DROPLET}}
COHORT: dict[str, Any] = {"room": {"isolation": Isolation.DROPLET, "cohort": True}}


@pytest.mark.parametrize(
    ("there", "newcomer", "ward", "clean"),
    [
        (Isolation.NONE, Isolation.DROPLET, ISOLATION, False),
        (Isolation.DROPLET, Isolation.NONE, ISOLATION, False),
        (Isolation.UNKNOWN, Isolation.NONE, ISOLATION, False),
        (Isolation.DROPLET, Isolation.DROPLET, ISOLATION, False),
        (Isolation.NONE, Isolation.NONE, ISOLATION, True),
        (Isolation.DROPLET, Isolation.DROPLET, COHORT, True),
        (Isolation.CONTACT, Isolation.DROPLET, COHORT, False),
        (Isolation.UNKNOWN, Isolation.UNKNOWN, COHORT, False),
        (Isolation.DROPLET, Isolation.NONE, COHORT, False),
    ],
)
def test_isolation_is_shared_only_in_a_cohort_room_by_one_known_route(
    there: Isolation, newcomer: Isolation, ward: dict[str, Any], clean: bool
):
    network = one_room(
        a_person("p-a", isolation=there), newcomer=a_person("p-new", isolation=newcomer), **ward
    )
    assert place_new(network) == (set() if clean else {Relation.ISOLATION_EXCLUSIVITY})


def test_a_cohort_room_has_one_sex():
    network = one_room(
        a_person("p-a", isolation=Isolation.DROPLET, sex=Sex.FEMALE),
        newcomer=a_person("p-new", isolation=Isolation.DROPLET),
        **COHORT,
    )
    assert place_new(network) == {Relation.ONE_SEX_PER_ROOM}


def test_a_minor_and_an_adult_in_one_room_break_minors_apart():
    network = one_room(a_person("p-a"), newcomer=a_person("p-new", age=17), min_age=16, max_age=17)
    assert place_new(network) == {Relation.MINORS_APART}


def test_custody_and_consent_in_one_room_break_custody_apart():
    in_centre = a_person("p-a", like="voluntary", basis=LegalBasis.VOLUNTARY_IN_CENTRE)
    assert place_new(one_room(in_centre)) == {Relation.CUSTODY_APART}


occupants = st.builds(
    Occupant,
    person=st.sampled_from(["p-1", "p-2", "p-3"]),
    sex=st.sampled_from(Sex),
    minor=st.booleans(),
    isolation=st.sampled_from(Isolation),
    held=st.booleans(),
)


@given(occupants, occupants, st.booleans())
def test_who_may_share_is_mutual(one: Occupant, other: Occupant, cohort: bool):
    assert room_relations(one, [other], cohort) == room_relations(other, [one], cohort)


@given(st.lists(occupants, unique_by=lambda it: it.person, min_size=2), st.booleans())
def test_equal_mix_keys_are_exactly_one_sex_and_isolation(people: list[Occupant], cohort: bool):
    for one, other in combinations(people, 2):
        keys = {mix_key(it.sex, it.isolation, it.person, cohort) for it in (one, other)}
        apart = {Relation.ONE_SEX_PER_ROOM, Relation.ISOLATION_EXCLUSIVITY}
        assert (len(keys) == 1) is not bool(apart & set(room_relations(one, [other], cohort)))


def test_a_violation_never_names_who_is_already_there():
    there = a_person("p-secret", sex=Sex.FEMALE, age=17, isolation=Isolation.AIRBORNE)
    network = one_room(replace(there, basis=LegalBasis.VOLUNTARY), staffed_beds=1)
    found = conflicts(network, "p-new", "f-1.w1.r1.b4")
    assert len(found) == 6
    assert "p-secret" not in repr(found)


def test_one_s_own_bed_is_no_conflict():
    network = a_network(
        a_ward(staffed_beds=1, room={"isolation": Isolation.DROPLET}),
        persons=(a_person("p-a", isolation=Isolation.DROPLET),),
        stays=(a_stay("p-a", "f-1.w1.r1.b1"),),
    )
    assert conflicts(network, "p-a", "f-1.w1.r1.b1") == ()


def test_somebody_coming_back_from_leave_needs_staff_again():
    network = a_network(
        a_ward(rooms=(1, 1, 1), staffed_beds=1),
        persons=(a_person("p-a"), a_person("p-b")),
        stays=(
            a_stay("p-a", "f-1.w1.r1.b1", on_leave=True),
            a_stay("p-b", "f-1.w1.r2.b1"),
        ),
    )
    assert relations(conflicts(network, "p-a", "f-1.w1.r3.b1")) == {Relation.CAPACITY}


def test_staff_freed_by_a_departure_is_counted_on_only_by_waiting_for_it():
    network = a_network(
        a_ward(rooms=(1, 1), staffed_beds=1),
        a_ward("f-2.w1", rooms=(1,)),
        persons=(a_person("p-new"), a_person("p-a")),
        stays=(a_stay("p-a", "f-1.w1.r1.b1", may_move_to=PSC),),
        requests=(a_request("p-new"),),
    )
    out = a_move(network, "p-a", "f-2.w1.r1.b1", displaced_for="rq-p-new")
    into = a_move(network, "p-new", "f-1.w1.r2.b1", after=(out.id,))
    assert broken(network, out, into) == set()
    assert Relation.CAPACITY in broken(network, out, replace(into, after=()))


def test_a_move_inside_a_unit_already_over_its_staff_makes_nothing_worse():
    network = a_network(
        a_ward(rooms=(1, 1, 1), staffed_beds=1),
        persons=(a_person("p-a"), a_person("p-b")),
        stays=(
            a_stay("p-a", "f-1.w1.r1.b1", may_move_to=PSC),
            a_stay("p-b", "f-1.w1.r2.b1"),
        ),
    )
    assert Relation.CAPACITY not in broken(network, a_move(network, "p-a", "f-1.w1.r3.b1"))


def test_a_room_may_be_counted_on_through_the_moves_one_waits_for():
    may = {"may_move_to": PSC}
    network = a_network(
        a_ward(rooms=(3, 1, 1)),
        persons=(
            a_person("p-new"),
            a_person("p-a", sex=Sex.FEMALE),
            a_person("p-b", sex=Sex.FEMALE),
        ),
        stays=(a_stay("p-a", "f-1.w1.r1.b2", **may), a_stay("p-b", "f-1.w1.r1.b3", **may)),
        requests=(a_request("p-new"),),
    )
    first = a_move(network, "p-a", "f-1.w1.r2.b1", displaced_for="rq-p-new")
    then = a_move(network, "p-b", "f-1.w1.r3.b1", displaced_for="rq-p-new", after=(first.id,))
    last = a_move(network, "p-new", "f-1.w1.r1.b1", after=(then.id,))
    assert broken(network, first, then, last) == set()
    assert Relation.ONE_SEX_PER_ROOM in broken(network, first, replace(then, after=()), last)
