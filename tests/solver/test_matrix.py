"""Rules and cost terms over many pairs at once agree with each pair asked alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.cost import fit_terms, level_totals, profile
from solver.eligibility import Facts, Place, eligible
from solver.eligibility.matrix import lawful
from solver.planning.seats import Seats
from solver.synthetic import city
from tests.solver.test_eligibility import any_facts, any_place


@settings(max_examples=60, deadline=None)
@given(st.lists(any_facts, max_size=6), st.lists(any_place, max_size=6))
def test_whoever_is_lawful_somewhere_is_so_in_the_matrix(people: list[Facts], places: list[Place]):
    found = lawful(people, places)
    assert found.shape == (len(people), len(places))
    asked = [[eligible(person, place) for place in places] for person in people]
    assert found.tolist() == asked


def test_every_seat_of_a_city_costs_in_the_matrix_what_its_terms_say():
    network = city(3, 0.9, waiting=40)
    seats = Seats(network, sorted(network.beds))
    profiles = [profile(network, it.person) for it in network.requests]
    costs = seats.costs(profiles)
    assert costs.any()
    for i, who in enumerate(profiles):
        for j, at in enumerate(seats.all):
            terms = fit_terms(who, at, network.policy)
            assert tuple(costs[:, i, j]) == level_totals(terms)


def test_beds_alike_in_all_that_is_read_are_one_seat_and_others_are_not():
    network = city(3, 0.9, waiting=0)
    seats = Seats(network, sorted(network.beds))
    assert len(set(seats.all)) == len(seats.all)
    assert set(seats.of_bed) == set(network.beds)
    assert np.unique(list(seats.of_bed.values())).size == len(seats.all)
