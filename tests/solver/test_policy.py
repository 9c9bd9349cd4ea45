"""A policy that contradicts itself is named, figure by figure, before anybody plans by it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.policy import default_policy
from solver.codes import Grade
from solver.domain import COST_LIMIT, Policy

_COUNTS = [
    "wait_weight_per_day",
    "wait_days_cap",
    "max_moves_per_placement",
    "move_budget",
    "distance_weight_per_km",
    "distance_cap_km",
    "stale_weight",
    "restrictiveness_weight",
    "ward_weight",
    "origin_weight",
    "reserve_weight",
    "scarce_weight",
    "care_weight",
    "load_weight",
]


def _found(policy: Policy, people: int = 0) -> list[tuple[str, object]]:
    return [(it.field, it.value) for it in policy.contradictions(people)]


def test_the_built_in_policy_and_the_shipped_one_are_sound_for_a_nation():
    assert _found(Policy(), 400_000) == []
    assert _found(default_policy().solver(), 400_000) == []


@pytest.mark.parametrize("name", _COUNTS)
def test_a_weight_or_a_count_below_zero_is_named(name: str):
    changed: dict[str, Any] = {name: -1}
    assert _found(replace(Policy(), **changed)) == [(name, -1)]
    changed = {name: 0}
    assert _found(replace(Policy(), **changed)) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        # Weights by grade: none below zero, none below the grade before it.
        ({"grade_weights": (-1, 12, 20, 40, 80, 400)}, [("grade_weights[0]", -1)]),
        ({"grade_weights": (10, 10, 10, 10, 10, 400)}, []),
        ({"grade_weights": (10, 9, 20, 40, 80, 400)}, [("grade_weights[1]", 9)]),
        (
            {"grade_weights": (50, 12, 11, 60, 80, 400)},
            [("grade_weights[1]", 12), ("grade_weights[2]", 11)],
        ),
        # G5 is more than G4 after the longest wait that counts: 80 + 1 x 30.
        ({"grade_weights": (10, 12, 20, 40, 80, 111)}, []),
        ({"grade_weights": (10, 12, 20, 40, 80, 110)}, [("grade_weights[5]", 110)]),
        ({"wait_weight_per_day": 11}, [("grade_weights[5]", 400)]),
        # Unknown is the cautious answer.
        ({"cleared_grade": Grade.G3}, []),
        ({"cleared_grade": Grade.G4}, [("cleared_grade", "G4")]),
        # Months in a police-run centre.
        ({"psc_min_months": 0, "psc_max_months": 0}, []),
        ({"psc_min_months": 12}, []),
        ({"psc_min_months": -1}, [("psc_min_months", -1)]),
        ({"psc_max_months": 13}, [("psc_max_months", 13)]),
        ({"psc_max_months": 2}, [("psc_min_months", 3)]),
        # Turnaround.
        ({"turnaround": timedelta(0)}, []),
        ({"turnaround": timedelta(seconds=-1)}, [("turnaround", -1.0)]),
        ({"turnaround": timedelta(days=367)}, [("turnaround", 367 * 86_400.0)]),
    ],
)
def test_each_figure_is_held_against_its_bounds_and_its_neighbours(
    changes: dict[str, Any], found: list[tuple[str, object]]
):
    assert _found(replace(Policy(), **changes)) == found


@pytest.mark.parametrize(
    ("changes", "people", "field"),
    [
        # One person costs at most 400 + 30 at levels 0 and 1.
        ({}, COST_LIMIT // 430, None),
        ({}, COST_LIMIT // 430 + 1, "grade_weights"),
        ({"grade_weights": (0, 0, 0, 0, 0, 10**9)}, 90, None),
        ({"grade_weights": (0, 0, 0, 0, 0, 10**9)}, 100, "grade_weights"),
        ({"load_weight": 10**8}, 90, None),
        ({"load_weight": 10**8}, 100, "load_weight"),
        ({"distance_weight_per_km": 10**6, "distance_cap_km": 10**4}, 11, "distance_weight_per_km"),
        ({"restrictiveness_weight": 10**10}, 6, "restrictiveness_weight"),
    ],
)
def test_weights_too_large_to_count_so_many_people_with_are_named(
    changes: dict[str, Any], people: int, field: str | None
):
    found = [name for name, _ in _found(replace(Policy(), **changes), people)]
    assert found == ([] if field is None else [field])


@given(st.sampled_from(_COUNTS), st.integers(0, 10_000), st.integers(0, 400_000))
def test_a_lower_figure_never_makes_a_sound_policy_too_large(name: str, value: int, people: int):
    changed: dict[str, Any] = {name: value}
    if not _found(replace(Policy(), **changed), people):
        lower: dict[str, Any] = {name: value // 2}
        assert not _found(replace(Policy(), **lower), people)
