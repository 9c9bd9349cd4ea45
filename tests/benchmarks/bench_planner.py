"""Three planners side by side: ``python -m tests.benchmarks.bench_planner [--quick] [--out X]``.

The planner, first come first served, and a person-by-room CP-SAT model, on the same networks in
one run: who is left, what it costs, what it took. It measures and never fails a build.
"""

import argparse
import json
import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from solver.codes import Grade
from solver.cost import LEVELS
from tests.benchmarks.baselines import Effort
from tests.benchmarks.instances import Instance, part_of_a_city, whole_city
from tests.benchmarks.side_by_side import OURS, Level, Outcome, compare

OCCUPANCIES = (0.90, 0.97)
LEVEL_S, QUICK_LEVEL_S = 6.0, 3.0
_WIDTH = 170

Results = list[tuple[Instance, list[Outcome]]]


def main(argv: Sequence[str] | None = None) -> None:
    """Compare, print one table a network and one over all of them, write the JSON."""
    args = _arguments().parse_args(argv)
    seconds = args.level_seconds or (QUICK_LEVEL_S if args.quick else LEVEL_S)
    effort = Effort(seconds, args.workers)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    results: Results = []
    for instance in _instances(args.seeds):
        outcomes = compare(instance.network, instance.seed, effort)
        results.append((instance, outcomes))
        console.print(_table(instance, outcomes))
    console.print(_in_all(results))
    console.print(
        f"CP-SAT: at most {seconds:g} s a level, {effort.workers} workers. "
        "A tick: proven, as every level before it. "
        "A level compares two plans only where the levels before it are equal."
    )
    if args.out is not None:
        args.out.write_text(json.dumps(_document(results, effort), indent=1), encoding="utf-8")
        console.print(f"written: {args.out}")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=_some, default=3, help="seeds 0 to this, exclusive")
    parser.add_argument("--quick", action="store_true", help="a shorter limit for CP-SAT")
    parser.add_argument(
        "--level-seconds", type=float, help=f"CP-SAT's limit a level ({LEVEL_S:g} s)"
    )
    parser.add_argument("--workers", type=_some, default=2, help="CP-SAT's threads")
    parser.add_argument("--out", type=Path, metavar="RESULTS.json")
    return parser


def _some(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: give at least 1")
    return number


def _instances(seeds: int) -> Iterator[Instance]:
    for make in (part_of_a_city, whole_city):
        for seed in range(seeds):
            for occupancy in OCCUPANCIES:
                yield make(seed, occupancy)


def _table(instance: Instance, outcomes: Iterable[Outcome]) -> Table:
    size = ", ".join(f"{count:,} {what}" for what, count in instance.size.items())
    grades = "/".join(it.name for it in Grade)
    levels = [f"level {level}" for level in range(LEVELS)]
    table = _empty(
        f"{instance.name}: {size}",
        f"unplaced\n= {grades}",
        "emerg.\nunplaced",
        "misplaced\nleft",
        "resident\nmoves",
        "dropped",
        *levels,
        "wall s",
        "CPU s",
        "viola-\ntions",
    )
    for it in outcomes:
        if it.failed is not None:
            table.add_row(it.planner, it.failed)
            continue
        table.add_row(
            it.planner,
            f"{sum(it.unplaced)} = " + "/".join(str(count) for count in it.unplaced),
            str(it.emergencies_unplaced),
            str(it.misplaced_left),
            str(it.resident_moves),
            str(it.dropped),
            *(_cell(level, i < it.proven) for i, level in enumerate(it.levels)),
            f"{it.wall_s:.2f}",
            f"{it.cpu_s:.2f}",
            str(it.violations),
        )
    return table


def _empty(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("planner", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _cell(level: Level, proven: bool) -> str:
    if level.bound is None:
        return str(level.value)
    return f"{level.value} ✓" if proven else f"{level.value}\n≥ {level.bound:.0f}"


def _in_all(results: Results) -> Table:
    """Sums over the networks that every planner planned, and CPU in units of this planner's."""
    table = _empty(
        f"in all {len(results)}",
        "unplaced",
        "emerg.\nunplaced",
        "misplaced\nleft",
        "resident\nmoves",
        "levels\nproven",
        "wall s",
        "CPU s",
        "x CPU",
        "viola-\ntions",
    )
    for it in _sums(results):
        table.add_row(
            it.planner,
            str(it.unplaced),
            str(it.emergencies_unplaced),
            str(it.misplaced_left),
            str(it.resident_moves),
            f"{it.levels_proven} of {it.levels}",
            f"{it.wall_s:.1f}",
            f"{it.cpu_s:.1f}",
            f"{it.cpu_ratio:.2f}",
            str(it.violations),
        )
    return table


@dataclass(frozen=True)
class _Sum:
    """One planner over all networks. ``cpu_ratio``: CPU seconds in units of this planner's."""

    planner: str
    networks: int
    unplaced: int
    emergencies_unplaced: int
    misplaced_left: int
    resident_moves: int
    levels_proven: int
    levels: int
    wall_s: float
    cpu_s: float
    cpu_ratio: float
    violations: int


def _sums(results: Results) -> list[_Sum]:
    whole = [outcomes for _, outcomes in results if all(it.failed is None for it in outcomes)]
    by_planner: dict[str, list[Outcome]] = {}
    for outcomes in whole:
        for it in outcomes:
            by_planner.setdefault(it.planner, []).append(it)
    unit = sum(it.cpu_s for it in by_planner.get(OURS, []))
    found = []
    for planner, its in by_planner.items():
        cpu = sum(it.cpu_s for it in its)
        found.append(
            _Sum(
                planner,
                len(its),
                sum(sum(it.unplaced) for it in its),
                sum(it.emergencies_unplaced for it in its),
                sum(it.misplaced_left for it in its),
                sum(it.resident_moves for it in its),
                sum(it.proven for it in its),
                sum(len(it.levels) for it in its),
                sum(it.wall_s for it in its),
                cpu,
                cpu / unit,
                sum(it.violations for it in its),
            )
        )
    return found


def _document(results: Results, effort: Effort) -> dict[str, object]:
    return {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "ortools": version("ortools"),
        },
        "person_by_room": asdict(effort),
        "networks": [
            {
                "name": instance.name,
                "seed": instance.seed,
                "size": instance.size,
                "planners": [it.as_json() for it in outcomes],
            }
            for instance, outcomes in results
        ],
        "in_all": [asdict(it) for it in _sums(results)],
    }


if __name__ == "__main__":
    main()
