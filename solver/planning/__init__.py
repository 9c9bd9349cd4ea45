"""The OR-Tools models: one plan for the whole network, for now.

``make_plan`` is the way in; ``docs/planner.md`` tells the method and what it measured.
"""

from solver.planning.engine import EngineError
from solver.planning.flow import FlowTooLargeError
from solver.planning.levels import Limits
from solver.planning.run import DirtyPlanError, RunStats, make_plan

__all__ = [
    "DirtyPlanError",
    "EngineError",
    "FlowTooLargeError",
    "Limits",
    "RunStats",
    "make_plan",
]
