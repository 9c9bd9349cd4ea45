"""A solve in a process of its own, and what came of it, judged.

Building a model holds the interpreter for tens of milliseconds at a time, and took an API's p99
from 5 ms to seconds when both shared a process. The child is ``python -m solver plan``, ``explain``
or ``scenarios``: files in, files out, no database, no secrets in its environment.
"""

import asyncio
import errno
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from service.solver_process import LEAST_URGENT, NICENESS, SolveFailed, run_solver
from solver.changes import Change, changes
from solver.check import violations
from solver.codes import PlanStatus
from solver.domain import Network, Plan
from solver.instance import network_from_json, plan_from_json
from solver.scenarios import Comparison, answers_from_json, scenarios_from_json

BEST_SO_FAR_S: Final = 60.0
"""A plan takes a second; after so many the best so far is better than a better one later."""
EXPLAINED: Final = ("placed", "unplaced", "left")
"""The parts of an explanations document."""
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_NOTHING: Final = Plan((), (), (), PlanStatus.OPTIMAL, 0)
"""What stood before the first plan."""


@dataclass(frozen=True, slots=True)
class Solved:
    """A plan that the checker found clean, the seconds each step took, and what it changes against
    the plan before it."""

    plan: Plan
    seconds: dict[str, float]
    changes: tuple[Change, ...] = ()


class Runner(Protocol):
    """Runs one command of the solver to its end; ``run_solver``, or a ``WarmSolver``."""

    async def __call__(self, command: str, *arguments: str, limit_s: float) -> None: ...


async def solve(
    snapshot: bytes,
    *,
    seed: int,
    limit_s: float,
    last: Plan | None = None,
    previous: bytes | None = None,
    network: Network | None = None,
    runner: Runner = run_solver,
) -> Solved:
    """Plan a snapshot and judge the plan again here, with the checker alone.

    ``last``: the plan before it, to tell the new one apart from; ``previous``: what of it still
    stands, as JSON, for the planner to keep where it can. ``network``: the snapshot itself, where
    it is at hand.

    Raises:
        SolveFailed: ``timed_out`` (the child was killed), ``died`` (no plan came back),
            ``unreadable`` (what came back is no plan), ``unclean`` (the checker found a
            violation) or ``no_space`` (the disk is full).
    """
    with _folder() as folder:
        network_file, plan_file = folder / "network.json", folder / "plan.json"
        stats_file = folder / "stats.json"
        network_file.write_bytes(snapshot)
        given = [str(network_file), "--out", str(plan_file), "--stats", str(stats_file)]
        if previous is not None:
            previous_file = folder / "previous.json"
            previous_file.write_bytes(previous)
            given += ["--previous", str(previous_file)]
        within = min(BEST_SO_FAR_S, 0.8 * limit_s)
        given += ["--seed", str(seed), "--within", f"{within:.3f}"]
        await runner("plan", *given, limit_s=limit_s)
        return await asyncio.to_thread(_judged, network or snapshot, plan_file, stats_file, last)


async def explain(snapshot: bytes, plan: bytes, *, limit_s: float) -> dict[str, Any]:
    """The answers to "why" about a plan, as ``solver.explain.explanations_document`` writes them.

    Raises:
        SolveFailed: as ``solve``, but for ``unclean``.
    """
    found = await _explained(snapshot, plan, limit_s=limit_s, niceness=NICENESS)
    answers = [found.get(kind) for kind in EXPLAINED]
    if not all(isinstance(part, list) and all(map(_is_answer, part)) for part in answers):
        raise SolveFailed("unreadable")
    return found


def _is_answer(answer: object) -> bool:
    return isinstance(answer, dict) and answer.keys() >= {"person", "request", "words"}


async def weigh(snapshot: bytes, plan: bytes, *, limit_s: float) -> dict[str, Any]:
    """What one more bed of each kind, or one more staffed place in each unit, would buy; planned
    again many times, behind everything else on the machine.

    Raises:
        SolveFailed: as ``explain``.
    """
    found = await _explained(snapshot, plan, "--worth", limit_s=limit_s, niceness=LEAST_URGENT)
    worth = found.get("worth")
    if not isinstance(worth, dict):
        raise SolveFailed("unreadable")
    return worth


async def _explained(
    snapshot: bytes, plan: bytes, *flags: str, limit_s: float, niceness: int
) -> dict[str, Any]:
    with _folder() as folder:
        network_file, plan_file = folder / "network.json", folder / "plan.json"
        out_file = folder / "explanations.json"
        network_file.write_bytes(snapshot)
        plan_file.write_bytes(plan)
        given = (str(network_file), str(plan_file), "--out", str(out_file), *flags)
        await run_solver("explain", *given, limit_s=limit_s, niceness=niceness)
        try:
            found = json.loads(out_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise SolveFailed("unreadable") from None
        if not isinstance(found, dict):
            raise SolveFailed("unreadable")
        return found


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for the files of one child, gone afterwards; a disk that is full says so."""
    try:
        with tempfile.TemporaryDirectory(prefix="rehab-beds-solve-") as folder:
            yield Path(folder)
    except OSError as error:
        raise SolveFailed("no_space" if error.errno in _FULL else "died") from error


async def answer(snapshot: bytes, scenarios: bytes, *, seed: int, limit_s: float) -> Comparison:
    """Plan a snapshot as it is and after each scenario; all the answers, or none.

    The child judges each of its plans with the checker before it counts anything of it.

    Raises:
        SolveFailed: as ``solve``; a plan that broke a rule is ``died``, for the child gives none.
    """
    with _folder() as folder:
        network_file, out_file = folder / "network.json", folder / "answers.json"
        scenarios_file = folder / "scenarios.json"
        network_file.write_bytes(snapshot)
        scenarios_file.write_bytes(scenarios)
        given = (str(network_file), str(scenarios_file), "--out", str(out_file))
        await run_solver("scenarios", *given, "--seed", str(seed), limit_s=limit_s)
        if not out_file.exists():
            raise SolveFailed("died")
        try:
            found = answers_from_json(out_file.read_text(encoding="utf-8"))
        except ValueError:
            raise SolveFailed("unreadable") from None
        asked = [it.name for it in scenarios_from_json(scenarios.decode())]
        if [it.name for it in found.scenarios] != asked:
            raise SolveFailed("unreadable")
        return found


def _judged(given: Network | bytes, plan_file: Path, stats_file: Path, last: Plan | None) -> Solved:
    network = network_from_json(given.decode()) if isinstance(given, bytes) else given
    if not plan_file.exists():
        raise SolveFailed("died")
    try:
        plan = plan_from_json(plan_file.read_text(encoding="utf-8"))
        seconds = json.loads(stats_file.read_text(encoding="utf-8"))["seconds"]
    except (OSError, ValueError, KeyError, TypeError):
        raise SolveFailed("unreadable") from None
    if violations(network, plan):
        raise SolveFailed("unclean")
    return Solved(plan, seconds, changes(network, last or _NOTHING, plan))
