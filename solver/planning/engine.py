"""Linear and mixed-integer programs given as numpy arrays, solved by HiGHS through MathOpt.

Row form ``A x = b`` with column bounds; one thread (MathOpt's HiGHS takes no other number), and
work limits that count nodes or iterations, so a rerun stops at the same point. A wall-clock limit
is a last resort and is reported as ``timed_out``: what it returns need not be reproducible.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from ortools.math_opt import model_pb2
from ortools.math_opt.python import mathopt

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
    """

    x: Floats | None
    bound: float
    infeasible: bool = False
    reduced: Floats | None = None
    timed_out: bool = False


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
        return Answer(fixed, settled, reduced=np.zeros(len(fixed)))
    integer = None if integer is None else integer[free]
    model = mathopt.Model.from_model_proto(_proto(program, cost, integer))
    sparse = mathopt.VariableFilter(skip_zero_values=True)
    result = mathopt.solve(
        model,
        mathopt.SolverType.HIGHS,
        params=mathopt.SolveParameters(
            random_seed=seed % 2**31,
            node_limit=nodes if integer is not None else None,
            time_limit=None if seconds is None else timedelta(seconds=seconds),
            relative_gap_tolerance=0.0 if integer is not None else None,
            absolute_gap_tolerance=0.999 if integer is not None else None,
        ),
        model_params=mathopt.ModelSolveParameters(
            variable_values_filter=sparse, reduced_costs_filter=sparse
        ),
    )
    reason, ended = result.termination.reason, mathopt.TerminationReason
    if reason in (ended.INFEASIBLE, ended.INFEASIBLE_OR_UNBOUNDED):
        return Answer(None, float("inf"), infeasible=True)
    if reason not in (ended.OPTIMAL, ended.FEASIBLE, ended.NO_SOLUTION_FOUND):
        raise EngineError(f"HiGHS ended with {reason.name}: {result.termination.detail}")
    timed_out = result.termination.limit is mathopt.Limit.TIME
    bound = result.termination.objective_bounds.dual_bound + settled
    x = reduced = None
    if result.has_primal_feasible_solution():
        x = np.zeros(len(whole_cost))
        x[~free] = fixed
        x[free] = _dense(result.variable_values(), len(program.lower))
    if integer is None and reason is ended.OPTIMAL:
        reduced = np.zeros(len(whole_cost))
        reduced[free] = _dense(result.reduced_costs(), len(program.lower))
    return Answer(x, bound, reduced=reduced, timed_out=timed_out)


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


def _dense(values: dict[mathopt.Variable, float], size: int) -> Floats:
    dense = np.zeros(size)
    if values:
        dense[[variable.id for variable in values]] = list(values.values())
    return dense
