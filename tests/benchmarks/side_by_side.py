"""One planner on one network, measured in a process of its own and judged by the checker.

Each run forks from the same parent, which has every library loaded and no rule evaluated: all
start alike, whatever ran before.
"""

import multiprocessing
import resource
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from math import isfinite
from multiprocessing.connection import Connection
from time import perf_counter

from solver.check import violations
from solver.codes import Grade
from solver.cost import misplaced_weight
from solver.domain import Network, Plan
from solver.eligibility import counted_grade
from solver.planning import make_plan
from tests.benchmarks.baselines import Effort, dispatch, solve_person_by_room

OURS, IN_TURN, BY_ROOM = "this planner", "first come", "CP-SAT"


@dataclass(frozen=True)
class Level:
    """What the plan costs at a level, and the proven lower bound, where there is one."""

    value: int
    bound: float | None

    @property
    def gap(self) -> float | None:
        """Relative gap, against 1 when the value is 0; None without a bound."""
        if self.bound is None:
            return None
        return max(0.0, (self.value - self.bound) / max(1.0, abs(self.value)))


@dataclass(frozen=True)
class Outcome:
    """One planner's plan of one network.

    ``unplaced``: requests without a bed by grade, emergencies among them. ``misplaced_left``:
    residents left where it is no longer lawful or safe. ``dropped``: people the planner wanted to
    move and could not put in an order. ``failed``: why there is no plan.
    """

    planner: str
    status: str = ""
    unplaced: tuple[int, ...] = ()
    emergencies_unplaced: int = 0
    misplaced_left: int = 0
    resident_moves: int = 0
    moves: int = 0
    dropped: int = 0
    levels: tuple[Level, ...] = ()
    wall_s: float = 0.0
    cpu_s: float = 0.0
    violations: int = 0
    failed: str | None = None

    @property
    def proven(self) -> int:
        """How many levels are proven, from the first on."""
        return len(list(takewhile(lambda level: level.gap == 0, self.levels)))

    def as_json(self) -> dict[str, object]:
        """Plain values, gaps included."""
        levels = [{**asdict(it), "gap": it.gap} for it in self.levels]
        return {
            **asdict(self),
            "unplaced": dict(zip((it.name for it in Grade), self.unplaced, strict=False)),
            "levels": levels,
            "proven": self.proven,
        }


def compare(network: Network, seed: int, effort: Effort) -> list[Outcome]:
    """All three planners on one network, one after the other."""

    def ours(it: Network) -> tuple[Plan, int]:
        plan, stats = make_plan(it, seed)
        return plan, stats.dropped

    def in_turn(it: Network) -> tuple[Plan, int]:
        return dispatch(it), 0

    def by_room(it: Network) -> tuple[Plan, int]:
        answer = solve_person_by_room(it, effort)
        return answer.plan, answer.dropped

    planners = ((OURS, ours), (IN_TURN, in_turn), (BY_ROOM, by_room))
    return [_apart(name, plan, network) for name, plan in planners]


_Planner = Callable[[Network], tuple[Plan, int]]


def _apart(name: str, planner: _Planner, network: Network) -> Outcome:
    processes = multiprocessing.get_context("fork")
    here, there = processes.Pipe(duplex=False)
    process = processes.Process(target=_measure, args=(name, planner, network, there))
    process.start()
    there.close()
    try:
        outcome = here.recv()
    except EOFError:
        outcome = Outcome(name, failed="the process died")
    process.join()
    assert isinstance(outcome, Outcome)
    return outcome


def _measure(name: str, planner: _Planner, network: Network, answer: Connection) -> None:
    network = replace(network)  # without what it has already worked out
    wall, cpu = perf_counter(), _cpu()
    try:
        plan, dropped = planner(network)
        wall, cpu = perf_counter() - wall, _cpu() - cpu
        answer.send(_outcome(name, network, plan, dropped, wall, cpu))
    except Exception as failure:  # a planner that fails is a line of the table
        traceback.print_exc()
        answer.send(Outcome(name, failed=f"{type(failure).__name__}: {failure}"))


def _cpu() -> float:
    both = (resource.getrusage(it) for it in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(it.ru_utime + it.ru_stime for it in both)


def _outcome(
    name: str, network: Network, plan: Plan, dropped: int, wall: float, cpu: float
) -> Outcome:
    placed = {move.request for move in plan.moves}
    left = [it for it in network.requests if it.id not in placed]
    grades = Counter(counted_grade(network.persons[it.person].need, network.policy) for it in left)
    moved = {move.person for move in plan.moves}
    stay_put = [it for it in network.stays if it.person not in moved]
    return Outcome(
        planner=name,
        status=plan.status.value,
        unplaced=tuple(grades[it] for it in Grade),
        emergencies_unplaced=sum(it.emergency for it in left),
        misplaced_left=sum(misplaced_weight(network, it) > 0 for it in stay_put),
        resident_moves=sum(move.from_bed is not None for move in plan.moves),
        moves=len(plan.moves),
        dropped=dropped,
        levels=tuple(
            Level(it.value, it.bound if isfinite(it.bound) else None) for it in plan.levels
        ),
        wall_s=wall,
        cpu_s=cpu,
        violations=len(violations(network, plan)),
    )
