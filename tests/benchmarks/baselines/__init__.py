"""Two other ways to plan, written to be compared with ``solver.planning`` and for nothing else.

Both judge one person and one place by the same rules, price by the same terms and are judged by
the same checker; neither uses anything of ``solver.planning``.
"""

from tests.benchmarks.baselines.dispatcher import dispatch
from tests.benchmarks.baselines.person_by_room import Answer, Effort, solve_person_by_room

__all__ = ["Answer", "Effort", "dispatch", "solve_person_by_room"]
