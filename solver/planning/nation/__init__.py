"""The network too large for one model: regions planned in parallel under one national program.

``plan_nation`` is the way in; ``docs/planner.md`` tells the method and what it measured.
"""

from solver.planning.nation.crew import WorkerDiedError, cores
from solver.planning.nation.run import plan_nation

__all__ = ["WorkerDiedError", "cores", "plan_nation"]
