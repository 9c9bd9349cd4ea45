"""``plan``: plan a network for now; prints seconds by step, value, bound and gap by level."""

import json
import os
import signal
import sys
from argparse import ArgumentTypeError, Namespace, _SubParsersAction
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING

from solver.commands.files import read_network, read_plan
from solver.commands.outcome import CLEAN
from solver.domain import Plan
from solver.explain import explain_plan, explanations_document
from solver.instance import plan_to_json
from solver.planning import EngineError, Limits, RunStats
from solver.planning.nation import WorkerDiedError, plan_nation

if TYPE_CHECKING:
    from argparse import ArgumentParser

FAILED = 3
"""The planner itself failed; no plan is written, or the one kept so far stands."""


def add(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Declare ``plan`` and its arguments."""
    parser = commands.add_parser("plan", help="plan a network for now")
    parser.add_argument("network", type=Path, metavar="NETWORK.json")
    parser.add_argument("--out", type=Path, required=True, metavar="PLAN.json")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--previous", type=Path, metavar="PLAN.json", help="the last plan, kept to")
    parser.add_argument("--workers", type=_one_or_more, help="processes; default: one a core")
    parser.add_argument("--within", type=float, metavar="SECONDS", help="stop after so long")
    parser.add_argument("--seconds", type=float, default=Limits.seconds, help="last resort a solve")
    parser.add_argument("--stats", type=Path, metavar="STATS.json", help="seconds by step, as JSON")
    parser.add_argument("--explain", type=Path, metavar="WHY.json", help="why each bed, as JSON")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Read, plan, write, report. An interrupt or ``--within`` ends it with the best plan so far,
    which is on disk from the first one on."""
    clock = _Clock(perf_counter(), args.within)
    network = read_network(args.network)
    previous = None if args.previous is None else read_plan(args.previous)
    read = clock.seconds()
    clock.say(f"read {args.network}")
    try:
        with _interruptible(clock):
            plan, stats = plan_nation(
                network,
                args.seed,
                Limits(seconds=args.seconds),
                workers=args.workers,
                previous=previous,
                stop=clock.over,
                report=clock.say,
                keep=lambda plan: write_whole(args.out, plan_to_json(plan)),
            )
    except (WorkerDiedError, EngineError) as failed:
        print(failed, file=sys.stderr)
        return FAILED
    stats.seconds = {"read": read, **stats.seconds}
    if args.explain is not None:
        with stats.timed("reasons"):
            document = explanations_document(explain_plan(network, plan))
            write_whole(args.explain, json.dumps(document, ensure_ascii=False, indent=1))
    if args.stats is not None:
        write_whole(args.stats, json.dumps({"seconds": stats.seconds}))
    _report(plan, stats)
    return CLEAN


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old one or the new one, never a half of it."""
    if path.exists() and not path.is_file():  # a pipe or a terminal has no old one
        path.write_text(text, encoding="utf-8")
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _one_or_more(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} - give a whole number from 1")
    return int(text)


@dataclass
class _Clock:
    """When the run began, when it must end, and whether somebody asked it to."""

    start: float
    within: float | None
    interrupted: bool = False

    def seconds(self) -> float:
        """Since the start."""
        return perf_counter() - self.start

    def over(self) -> bool:
        """Whether to stop with what there is."""
        return self.interrupted or (self.within is not None and self.seconds() > self.within)

    def say(self, text: str) -> None:
        """One line of progress."""
        print(f"{self.seconds():8.1f} s  {text}", file=sys.stderr, flush=True)


@contextmanager
def _interruptible(clock: _Clock) -> Iterator[None]:
    """The first interrupt asks to stop, the second ends the program."""

    def ask(number: int, frame: FrameType | None) -> None:
        if clock.interrupted:
            raise KeyboardInterrupt
        clock.interrupted = True
        clock.say("stopping with the best plan so far")

    before = {it: signal.signal(it, ask) for it in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for it, handler in before.items():
            signal.signal(it, handler)


def _report(plan: Plan, stats: RunStats) -> None:
    for step, seconds in stats.seconds.items():
        print(f"{step:20} {seconds:8.3f} s")
    print(f"{'total':20} {sum(stats.seconds.values()):8.3f} s")
    print(
        f"{stats.classes} classes, {stats.slots} slots, {stats.arcs} arcs, "
        f"{stats.open_rooms} open rooms, {stats.rounds} rounds"
    )
    print("level       value       bound     gap")
    for it in plan.levels:
        print(f"{it.level:5} {it.value:11} {it.bound:11.1f} {it.gap:7.2%}")
    residents = sum(move.from_bed is not None for move in plan.moves)
    print(
        f"{plan.status}: {len(plan.moves)} moves ({residents} of residents), "
        f"{len(plan.unplaced)} unplaced, {len(plan.impossible)} impossible circles"
    )
