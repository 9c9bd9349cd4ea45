"""The two solvers behind the planner, each on a problem one can solve on paper."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.planning import EngineError, FlowTooLargeError
from solver.planning.engine import Program, solve
from solver.planning.flow import solve_flow


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def knapsack(limit: float) -> Program:
    """3 x + 3 y + slack = limit, all from 0 to 1 but the slack."""
    return Program(
        np.zeros(3),
        np.array([1.0, 1.0, np.inf]),
        np.array([limit]),
        ints(0, 0, 0),
        ints(0, 1, 2),
        np.array([3.0, 3.0, 1.0]),
    )


def test_a_linear_program_gives_point_bound_and_reduced_costs():
    answer = solve(knapsack(3.0), np.array([-2.0, -1.0, 0.0]))
    assert answer.x is not None
    assert answer.reduced is not None
    assert answer.x.tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert answer.bound == pytest.approx(-2.0)
    assert answer.reduced[1] >= 0.0


def test_whole_columns_are_whole():
    cost = np.array([-1.0, -1.0, 0.0])
    loose = solve(knapsack(4.5), cost)
    whole = solve(knapsack(4.5), cost, np.array([True, True, False]))
    assert loose.bound == pytest.approx(-1.5)
    assert whole.x is not None
    assert sorted(whole.x[:2].tolist()) == pytest.approx([0.0, 1.0])
    assert whole.bound >= -1.5


def test_what_cannot_be_is_said_to_be_infeasible():
    answer = solve(knapsack(-1.0), np.zeros(3))
    assert answer.infeasible
    assert answer.x is None


def test_a_program_with_every_column_fixed_is_its_one_point_or_infeasible():
    def at(limit: float) -> Program:
        loose = knapsack(limit)
        ends = np.array([1.0, 0.0, 0.0])
        return Program(ends, ends, loose.rhs, loose.row, loose.column, loose.coefficient)

    answer = solve(at(3.0), np.array([-2.0, 0.0, 0.0]))
    assert answer.x is not None
    assert answer.x.tolist() == [1.0, 0.0, 0.0]
    assert answer.bound == -2.0
    assert solve(at(2.0), np.zeros(3)).infeasible


def test_an_unbounded_program_is_an_engine_error_or_infeasible():
    free = Program(np.array([0.0]), np.array([np.inf]), np.zeros(0), ints(), ints(), np.zeros(0))
    try:
        answer = solve(free, np.array([-1.0]))
    except EngineError:
        return
    assert answer.x is None


def test_a_flow_takes_the_cheap_way_first_and_keeps_lower_bounds():
    ends = ints(0, 0), ints(1, 1)
    supply = ints(3, -3)
    cheap = solve_flow(*ends, ints(0, 0), ints(2, 5), ints(1, 7), supply)
    assert cheap is not None
    assert cheap.tolist() == [2, 1]
    forced = solve_flow(*ends, ints(0, 2), ints(2, 5), ints(1, 7), supply)
    assert forced is not None
    assert forced.tolist() == [1, 2]


def test_a_flow_that_cannot_be_is_none():
    ends = ints(0), ints(1)
    assert solve_flow(*ends, ints(0), ints(1), ints(1), ints(3, -3)) is None
    assert solve_flow(*ends, ints(2), ints(1), ints(1), ints(1, -1)) is None


def test_costs_the_flow_code_could_overflow_on_are_refused():
    with pytest.raises(FlowTooLargeError):
        solve_flow(ints(0), ints(1), ints(0), ints(9), ints(10**12), ints(3, -3))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 3)), min_size=1, max_size=6))
def test_flow_and_linear_program_agree(arcs: list[tuple[int, int]]):
    cost = ints(*(it[0] for it in arcs))
    upper = ints(*(it[1] for it in arcs))
    units = int(upper.sum()) // 2
    zeros, ones = np.zeros(len(arcs), dtype=np.int64), np.ones(len(arcs), dtype=np.int64)
    flow = solve_flow(zeros, ones, zeros, upper, cost, ints(units, -units))
    program = Program(
        np.zeros(len(arcs)),
        upper.astype(np.float64),
        np.array([float(units)]),
        zeros,
        np.arange(len(arcs)),
        np.ones(len(arcs)),
    )
    assert flow is not None
    assert int(flow @ cost) == pytest.approx(solve(program, cost.astype(np.float64)).bound)
