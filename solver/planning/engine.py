"""Linear and mixed-integer programs given as numpy arrays, solved by HiGHS through MathOpt.

Programs are handed over and read back as protocol buffers: MathOpt's Python objects take as long
as the solving. Row form ``A x = b`` with column bounds; one thread (MathOpt's HiGHS takes no other
number), and work limits that count nodes or iterations, so a rerun stops at the same point. A
wall-clock limit is a last resort and is reported as ``timed_out``: what it returns need not be
reproducible.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from ortools.math_opt import (
    callback_pb2,
    model_parameters_pb2,
    model_pb2,
    parameters_pb2,
    result_pb2,
    sparse_containers_pb2,
)
from ortools.math_opt.core.python import solver

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

TOLERANCE = 1e-6


class EngineError(RuntimeError):
    """HiGHS ended in a way that is neither an answer, nor proof of infeasibility, nor a limit."""


@dataclass(frozen=True)
class Program:
    """``min cost @ x`` over ``rows @ x = rhs``, ``lower <= x <= upper``; the matrix as triplets."""

    lower: Floats
    upper: Floats
    rhs: Floats
    row: Ints
    column: Ints
    coefficient: Floats


@dataclass(frozen=True)
class Answer:
    """``x`` is None when no point was found; ``bound`` is a proven lower bound on the cost.

    ``reduced`` (linear programs only) holds reduced costs: positive keeps a column at its lower
    bound in every optimal solution, negative at its upper bound; zero for fixed columns.
    ``dual`` (likewise): what one more unit on a row's right-hand side would cost.
    """

    x: Floats | None
    bound: float
    infeasible: bool = False
    reduced: Floats | None = None
    timed_out: bool = False
    dual: Floats | None = None


def _proto(program: Program, cost: Floats, integer: Flags | None) -> model_pb2.ModelProto:
    columns, rows = len(program.lower), len(program.rhs)
    proto = model_pb2.ModelProto()
    proto.variables.ids.extend(range(columns))
    proto.variables.lower_bounds.extend(program.lower.tolist())
    proto.variables.upper_bounds.extend(program.upper.tolist())
    proto.variables.integers.extend(
        [False] * columns if integer is None else [bool(flag) for flag in integer]
    )
    priced = np.flatnonzero(cost)
    proto.objective.linear_coefficients.ids.extend(priced.tolist())
    proto.objective.linear_coefficients.values.extend(cost[priced].tolist())
    proto.linear_constraints.ids.extend(range(rows))
    proto.linear_constraints.lower_bounds.extend(program.rhs.tolist())
    proto.linear_constraints.upper_bounds.extend(program.rhs.tolist())
    order = np.lexsort((program.column, program.row))
    proto.linear_constraint_matrix.row_ids.extend(program.row[order].tolist())
    proto.linear_constraint_matrix.column_ids.extend(program.column[order].tolist())
    proto.linear_constraint_matrix.coefficients.extend(program.coefficient[order].tolist())
    return proto


def solve(
    program: Program,
    cost: Floats,
    integer: Flags | None = None,
    *,
    seed: int = 0,
    nodes: int | None = None,
    seconds: float | None = None,
) -> Answer:
    """Solve the program, as a linear one when ``integer`` is None.

    ``nodes`` limits branch and bound; ``seconds`` is the wall-clock last resort.
    Raises ``EngineError`` when HiGHS fails.
    """
    free = program.lower < program.upper
    program, fixed, whole_cost = _only(program, free), program.lower[~free], cost
    cost, settled = cost[free], float(cost[~free] @ fixed)
    if not free.any():
        if np.any(np.abs(program.rhs) > TOLERANCE):
            return Answer(None, float("inf"), infeasible=True)
        nothing = np.zeros(len(fixed))
        return Answer(fixed, settled, reduced=nothing, dual=np.zeros(len(program.rhs)))
    integer = None if integer is None else integer[free]
    model = _proto(program, cost, integer)
    ended = run_highs(model, mixed=integer is not None, seed=seed, nodes=nodes, seconds=seconds)
    if ended is None:
        return Answer(None, float("inf"), infeasible=True)
    x = reduced = None
    if ended.x is not None:
        x = np.zeros(len(whole_cost))
        x[~free] = fixed
        x[free] = ended.x
    if ended.reduced is not None:
        reduced = np.zeros(len(whole_cost))
        reduced[free] = ended.reduced
    bound = ended.bound + settled
    return Answer(x, bound, reduced=reduced, timed_out=ended.timed_out, dual=ended.dual)


@dataclass(frozen=True)
class Ended:
    """How HiGHS ended: a point, if there is one, and a proven lower bound; of a linear program
    solved to its end the reduced costs and what one more unit on each row would cost."""

    x: Floats | None
    bound: float
    timed_out: bool
    reduced: Floats | None = None
    dual: Floats | None = None


def run_highs(
    model: model_pb2.ModelProto,
    *,
    mixed: bool,
    seed: int = 0,
    nodes: int | None = None,
    seconds: float | None = None,
    within: float = 0.0,
) -> Ended | None:
    """Solve a model, to ``within`` a relative gap of its optimum; None if it has no point.

    Raises ``EngineError`` when HiGHS fails.
    """
    sparse = sparse_containers_pb2.SparseVectorFilterProto(skip_zero_values=True)
    parameters = parameters_pb2.SolveParametersProto(random_seed=seed % 2**31)
    if mixed:
        parameters.relative_gap_tolerance = within
        parameters.absolute_gap_tolerance = 0.999
        if nodes is not None:
            parameters.node_limit = nodes
    if seconds is not None:
        parameters.time_limit.FromTimedelta(timedelta(seconds=seconds))
    try:
        result = solver.solve(
            model,
            parameters_pb2.SOLVER_TYPE_HIGHS,
            parameters_pb2.SolverInitializerProto(),
            parameters,
            model_parameters_pb2.ModelSolveParametersProto(
                variable_values_filter=sparse,
                reduced_costs_filter=sparse,
                dual_values_filter=sparse,
            ),
            None,
            callback_pb2.CallbackRegistrationProto(),
            None,
            None,
        )
    except Exception as fault:
        # The binding's own error class belongs to a package of OR-Tools' making.
        raise EngineError(f"HiGHS gave up: {fault}") from fault
    ended = result.termination
    if ended.reason in _INFEASIBLE:
        return None
    if ended.reason not in _ENDED_WELL:
        reason = result_pb2.TerminationReasonProto.Name(ended.reason)
        raise EngineError(f"HiGHS ended with {reason}: {ended.detail}")
    columns, rows = len(model.variables.ids), len(model.linear_constraints.ids)
    x = reduced = dual = None
    if result.solutions and result.solutions[0].HasField("primal_solution"):
        x = _dense(result.solutions[0].primal_solution.variable_values, columns)
    if not mixed and ended.reason == result_pb2.TERMINATION_REASON_OPTIMAL:
        found = result.solutions[0].dual_solution
        reduced, dual = _dense(found.reduced_costs, columns), _dense(found.dual_values, rows)
    timed_out = ended.limit == result_pb2.LIMIT_TIME
    return Ended(x, ended.objective_bounds.dual_bound, timed_out, reduced, dual)


_INFEASIBLE = (
    result_pb2.TERMINATION_REASON_INFEASIBLE,
    result_pb2.TERMINATION_REASON_INFEASIBLE_OR_UNBOUNDED,
)
_ENDED_WELL = (
    result_pb2.TERMINATION_REASON_OPTIMAL,
    result_pb2.TERMINATION_REASON_FEASIBLE,
    result_pb2.TERMINATION_REASON_NO_SOLUTION_FOUND,
)


def _only(program: Program, free: Flags) -> Program:
    """The program without its fixed columns, which would only be carried along."""
    kept = free[program.column]
    held = program.coefficient[~kept] * program.lower[program.column[~kept]]
    rhs = program.rhs.copy()
    np.subtract.at(rhs, program.row[~kept], held)
    number = np.cumsum(free) - 1
    return Program(
        program.lower[free],
        program.upper[free],
        rhs,
        program.row[kept],
        number[program.column[kept]],
        program.coefficient[kept],
    )


def _dense(sparse: sparse_containers_pb2.SparseDoubleVectorProto, size: int) -> Floats:
    dense = np.zeros(size)
    dense[np.array(sparse.ids, dtype=np.int64)] = sparse.values
    return dense
