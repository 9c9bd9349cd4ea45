"""What placements and plans cost: every term at none, some and all; levels kept apart."""

from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.codes import (
    BedKind,
    BedState,
    Grade,
    Isolation,
    LegalBasis,
    Observation,
    Security,
    UnitKind,
)
from solver.cost import (
    LEVELS,
    TERMS,
    Profile,
    Seat,
    fit_terms,
    level_of,
    level_totals,
    misplaced_weight,
    move_terms,
    price,
    profile,
    seat,
    unplaced_term,
    waiting_weight,
)
from solver.domain import Facility, Network, Policy
from solver.eligibility import Facts, Place
from tests.solver.builders import (
    NOW,
    TARGET,
    a_network,
    a_person,
    a_place_network,
    a_request,
    a_stay,
    a_ward,
)
from tests.solver.plans import a_plan, back_and_in, the_ward

POLICY = Policy()


def terms(like: str = "custody", person: dict[str, Any] | None = None, **place: Any) -> Any:
    """The fit terms of one person in one bed, by name."""
    network = a_place_network(like, **place)
    who = a_person(like=like, **(person or {}))
    network = replace(network, persons={who.id: who})
    return dict(fit_terms(profile(network, who.id), seat(network, TARGET), POLICY))


@pytest.mark.parametrize(("security", "steps"), [(it, int(it)) for it in Security])
def test_restrictiveness_counts_security_above_what_consent_allows(security: Security, steps: int):
    found = terms("constrained", security=security)
    assert found.get("restrictiveness", 0) == steps * POLICY.restrictiveness_weight


def test_security_that_the_decision_itself_orders_is_not_above_need():
    assert "restrictiveness" not in terms("custody", security=Security.CLOSED)


@pytest.mark.parametrize(
    ("grade", "kind", "counted"),
    [
        (Grade.G0, UnitKind.OMW, True),
        (Grade.G2, UnitKind.OMW, True),
        (Grade.G3, UnitKind.OMW, False),
        (Grade.G4, UnitKind.SEC, False),
        (Grade.G0, UnitKind.PSC, False),
    ],
)
def test_a_ward_without_ward_grade_need_costs(grade: Grade, kind: UnitKind, counted: bool):
    found = terms("custody", {"grade": grade}, kind=kind)
    assert ("ward_above_need" in found) is counted


def test_consensual_hospital_care_is_not_a_ward_above_need():
    assert "ward_above_need" not in terms("constrained")


@pytest.mark.parametrize("stale", [True, False])
def test_a_stale_bed_is_a_risk(stale: bool):
    found = terms(bed_stale=stale)
    assert found.get("stale_risk", 0) == (POLICY.stale_weight if stale else 0)


@pytest.mark.parametrize(
    ("origin", "cost"), [(None, 0), ("f-1.w1", 0), ("f-2.w1", POLICY.origin_weight)]
)
def test_another_unit_than_the_origin_costs(origin: str | None, cost: int):
    assert terms(person={"origin_unit": origin}).get("away_from_origin", 0) == cost


@pytest.mark.parametrize(
    ("home", "km"),
    [(None, 0), ((0.0, 0.0), 0), ((3.2, 3.9), 5), ((0.0, 60.0), 60), ((0.0, 400.0), 60)],
)
def test_distance_from_home_counts_up_to_a_cap(home: tuple[float, float] | None, km: int):
    assert terms(person={"home": home}).get("distance", 0) == km


@pytest.mark.parametrize(
    ("reserve", "residents", "in_reserve"),
    [(0, 3, False), (1, 2, False), (1, 3, True), (2, 2, True), (4, 0, True)],
)
def test_the_last_beds_of_a_unit_are_its_reserve(reserve: int, residents: int, in_reserve: bool):
    people = [a_person(f"p-{i}") for i in range(residents + 1)]
    network = a_network(
        a_ward(reserve=reserve),
        persons=people,
        stays=[a_stay(f"p-{i}", f"f-1.w1.r1.b{i + 2}") for i in range(residents)],
    )
    found = dict(fit_terms(profile(network, people[-1].id), seat(network, TARGET), POLICY))
    assert ("reserve_use" in found) is in_reserve


def test_a_reserve_bed_costs_nothing_to_an_emergency():
    who = a_person(like="constrained")
    network = a_place_network("constrained", bed_kind=BedKind.RSV, reserve=4)
    network = replace(network, persons={who.id: who})
    assert "reserve_use" in dict(fit_terms(profile(network, who.id), seat(network, TARGET), POLICY))
    network = replace(network, requests=(a_request(who.id, emergency=True),))
    assert "reserve_use" not in dict(
        fit_terms(profile(network, who.id), seat(network, TARGET), POLICY)
    )


@pytest.mark.parametrize(
    ("needs", "features", "unused"),
    [
        (frozenset(), frozenset(), 0),
        (frozenset(), frozenset({BedKind.ACC}), 1),
        (frozenset({BedKind.ACC}), frozenset({BedKind.ACC}), 0),
        (frozenset({BedKind.ACC}), frozenset({BedKind.ACC, BedKind.NUR, BedKind.OBS}), 2),
        (frozenset({BedKind.ACC, BedKind.NUR}), frozenset({BedKind.ACC, BedKind.NUR}), 0),
    ],
)
def test_scarce_equipment_without_need_costs_each(
    needs: frozenset[BedKind], features: frozenset[BedKind], unused: int
):
    found = terms(person={"needs": needs}, bed_features=features)
    assert found.get("scarce_unused", 0) == unused * POLICY.scarce_weight


@pytest.mark.parametrize(
    ("route", "room", "cost"),
    [
        (Isolation.NONE, Isolation.NONE, 0),
        (Isolation.NONE, Isolation.CONTACT, POLICY.scarce_weight),
        (Isolation.CONTACT, Isolation.AIRBORNE, 0),
        (Isolation.UNKNOWN, Isolation.CONTACT, 0),
    ],
)
def test_an_isolation_room_without_need_costs(route: Isolation, room: Isolation, cost: int):
    found = terms(person={"isolation": route}, room_isolation=room)
    assert found.get("scarce_unused", 0) == cost


@pytest.mark.parametrize(
    ("grade", "level", "grades"),
    [
        (Grade.G2, Grade.G2, 0),
        (Grade.G0, Grade.G2, 2),
        (Grade.G4, Grade.G2, 0),
        (None, Grade.G4, 1),
    ],
)
def test_care_above_the_grade_costs_by_grade(grade: Grade | None, level: Grade, grades: int):
    found = terms(person={"grade": grade}, level_of_care=level)
    assert found.get("care_above_need", 0) == grades * POLICY.care_weight


@pytest.mark.parametrize(("residents", "load"), [(0, 0), (1, 2), (2, 5), (3, 7)])
def test_load_is_tenths_of_the_unit_s_staffed_beds(residents: int, load: int):
    people = [a_person(f"p-{i}") for i in range(residents)]
    stays = [a_stay(f"p-{i}", f"f-1.w1.r1.b{i + 2}") for i in range(residents)]
    network = a_network(a_ward(), persons=people, stays=stays)
    assert seat(network, TARGET).load == load


def test_a_unit_without_staff_is_fully_loaded():
    assert seat(a_place_network(staffed_beds=0), TARGET).load == 10
    closed = a_place_network(bed_state=BedState.CLOSED)
    assert seat(closed, TARGET).load == 10


@pytest.mark.parametrize(
    ("grade", "waited", "weight"),
    [
        (Grade.G0, timedelta(0), 10),
        (Grade.G0, timedelta(hours=23), 10),
        (Grade.G0, timedelta(days=1), 11),
        (Grade.G0, timedelta(days=30), 40),
        (Grade.G0, timedelta(days=300), 40),
        (Grade.G4, timedelta(0), 80),
        (None, timedelta(0), 40),
        (Grade.G0, timedelta(hours=-2), 10),
    ],
)
def test_waiting_weighs_by_grade_and_whole_days(
    grade: Grade | None, waited: timedelta, weight: int
):
    request = a_request("p-1", since=NOW - waited)
    network = a_network(a_ward(), persons=(a_person(grade=grade),), requests=(request,))
    assert waiting_weight(network, request) == weight
    assert level_of(unplaced_term(request)) == 1


def test_an_emergency_without_a_bed_is_of_the_first_level():
    request = a_request("p-1", since=NOW, emergency=True)
    network = a_network(a_ward(), persons=(a_person(),), requests=(request,))
    assert waiting_weight(network, request) == POLICY.grade_weights[Grade.G5]
    assert price(network, a_plan(network)).levels == (400, 0, 0, 0, 0)


def misplaced_city(**stay: Any) -> Network:
    """Somebody whose term is over, still in a bed."""
    who = a_person(ends_on=date(2026, 11, 1))
    return a_network(a_ward(), persons=(who,), stays=(a_stay("p-1", TARGET, **stay),))


def test_somebody_held_past_the_term_counts_at_the_first_level():
    network = misplaced_city()
    assert misplaced_weight(network, network.stays[0]) == POLICY.grade_weights[0]
    assert price(network, a_plan(network)).levels == (10, 0, 0, 0, 0)


def test_a_bed_kept_during_leave_is_nobody_s_wrong_place():
    network = misplaced_city(on_leave=True)
    assert price(network, a_plan(network)).levels == (0, 0, 0, 0, 0)


def test_somebody_lawfully_in_bed_costs_nothing():
    network = a_network(a_ward(), persons=(a_person(),), stays=(a_stay("p-1", TARGET),))
    assert price(network, a_plan(network)).levels == (0, 0, 0, 0, 0)


def test_a_move_into_the_next_wrong_place_leaves_the_person_misplaced():
    network = misplaced_city()
    plan = a_plan(network)
    move = replace(back_and_in(the_ward())[0], person="p-1", from_bed=TARGET, to_bed="f-1.w1.r1.b2")
    assert price(network, replace(plan, moves=(move,))).levels[0] == 10


def test_somebody_away_on_leave_counts_once_where_they_are():
    away = a_stay("p-1", "f-1.w1.r1.b3", id="st-leave", on_leave=True)
    network = misplaced_city()
    network = replace(network, stays=(*network.stays, away))
    move = replace(back_and_in(the_ward())[0], person="p-1", from_bed=TARGET, to_bed="f-1.w1.r1.b2")
    assert price(network, replace(a_plan(network), moves=(move,))).levels[0] == 10


def test_of_two_requests_the_one_asked_first_says_whether_it_is_an_emergency():
    first = a_request("p-1", id="rq-z", since=NOW - timedelta(days=2), emergency=True)
    later = a_request("p-1", id="rq-a", since=NOW - timedelta(days=1))
    for requests in ((first, later), (later, first)):
        network = a_network(a_ward(), persons=(a_person(),), requests=requests)
        assert profile(network, "p-1").facts.emergency


def test_a_resident_s_move_is_priced_by_its_difference_to_staying():
    network = the_ward()
    found = move_terms(network, "p-fit", "f-2.w1.r1.b1", "f-1.w1.r1.b1")
    assert found == (
        ("ward_above_need", -POLICY.ward_weight),
        ("moves", 1),
        ("care_above_need", -POLICY.care_weight),
        ("load", -10 * POLICY.load_weight),
    )


def test_going_nowhere_costs_one_move_and_no_more():
    network = the_ward()
    assert move_terms(network, "p-fit", "f-2.w1.r1.b1", "f-2.w1.r1.b1") == (("moves", 1),)


def test_a_plan_s_price_is_the_sum_of_its_moves_and_of_who_is_left():
    network = the_ward()
    moves = back_and_in(network)
    found = price(network, a_plan(network, *moves))
    assert level_totals(found.terms.items()) == found.levels
    assert level_totals(it for move in moves for it in move.terms) == found.levels
    left = price(network, a_plan(network))
    assert left.levels == (0, waiting_weight(network, network.requests[0]), 0, 0, 0)


def test_the_plan_s_own_figures_are_not_read():
    network = the_ward()
    plan = a_plan(network, *back_and_in(network))
    lies = replace(plan, levels=(), moves=tuple(replace(it, terms=()) for it in plan.moves))
    assert price(network, lies) == price(network, plan)


def test_where_the_facility_stands_is_what_distance_reads():
    network = a_place_network()
    network = replace(network, facilities={"f-1": Facility("f-1", (3.0, 4.0))})
    assert seat(network, TARGET).position == (3.0, 4.0)


def test_every_term_has_a_level_and_words_and_levels_are_kept_apart():
    assert len({it.name for it in TERMS}) == len(TERMS)
    assert {it.level for it in TERMS} == set(range(LEVELS))
    for term in TERMS:
        assert term.zh
        assert term.en
        totals = level_totals([(term.name, 1)])
        assert totals[term.level] == 1
        assert sum(totals) == 1
    with pytest.raises(KeyError):
        level_of("profit")


class Recorder:
    """Stands for a value and writes down which of its fields are read."""

    def __init__(self, value: Any, names: dict[str, str], seen: set[str]) -> None:
        self._value, self._names, self._seen = value, names, seen

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._value, name)
        if name in ("facts", "place"):
            prefix = {"facts": "person", "place": "place"}[name]
            return Recorder(value, {"": prefix}, self._seen)
        self._seen.add(f"{self._names['']}.{name}")
        return value


seats = st.builds(
    Seat,
    place=st.builds(
        Place,
        kind=st.sampled_from(UnitKind),
        level_of_care=st.sampled_from(Grade),
        isolation=st.sampled_from(Isolation),
        provides=st.frozensets(st.sampled_from(list(BedKind))),
    ),
    unit=st.sampled_from(["u-1", "u-2"]),
    facility=st.just("f-1"),
    position=st.tuples(st.floats(-99, 99), st.floats(-99, 99)),
    security=st.sampled_from(Security),
    stale=st.booleans(),
    load=st.integers(0, 10),
    in_reserve=st.booleans(),
)
profiles = st.builds(
    Profile,
    facts=st.builds(
        Facts,
        sex=st.just(a_person().sex),
        age=st.just(30),
        basis=st.none() | st.sampled_from(LegalBasis),
        grade=st.sampled_from(Grade),
        needs=st.frozensets(st.sampled_from(list(BedKind))),
        isolation=st.sampled_from(Isolation),
        observation=st.sampled_from(Observation),
        emergency=st.booleans(),
    ),
    home=st.none() | st.tuples(st.integers(-99, 99), st.integers(-99, 99)),
    origin_unit=st.none() | st.sampled_from(["u-1", "u-2"]),
)


@given(profiles, seats)
def test_terms_are_whole_numbers_never_negative_and_read_only_what_they_declare(
    who: Profile, there: Seat
):
    for term in TERMS:
        if term.count is None:
            continue
        seen: set[str] = set()
        person: Any = Recorder(who, {"": "profile"}, seen)
        bed: Any = Recorder(there, {"": "seat"}, seen)
        counted = term.count(person, bed, POLICY)
        assert type(counted) is int
        assert counted >= 0
        assert seen <= set(term.reads), term.name


def test_what_terms_read_of_profile_and_seat_exists():
    known = {f"profile.{it.name}" for it in fields(Profile)}
    known |= {f"seat.{it.name}" for it in fields(Seat)}
    known |= {f"person.{it.name}" for it in fields(Facts)} | {"person.*", "place.*"}
    known |= {f"place.{it.name}" for it in fields(Place)} | {"request.since"}
    assert {name for term in TERMS for name in term.reads} <= known
