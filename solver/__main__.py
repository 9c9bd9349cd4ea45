"""``python -m solver generate | plan | check``: the decision core on files.

Exit status: 0 done and clean, 1 the plan breaks a rule, 2 an argument or a file is wrong.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from solver import synthetic
from solver.check import violations
from solver.domain import Plan
from solver.instance import (
    InstanceError,
    network_from_json,
    network_to_json,
    plan_from_json,
    plan_to_json,
)
from solver.planning import DirtyPlanError, FlowTooLargeError, Limits, RunStats, make_plan

CLEAN, DIRTY, WRONG = 0, 1, 2


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m solver", description="Bed placement and transfer planning on files."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    generate = commands.add_parser("generate", help="write a seeded synthetic network")
    generate.add_argument("--cities", type=int, default=1, help="how many cities of 4,000 beds")
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("--occupancy", type=float, default=0.9, help="share of beds, 0 to 1")
    generate.add_argument("--waiting", type=int, default=200, help="waiting requests a city")
    generate.add_argument("--out", type=Path, required=True, metavar="NETWORK.json")
    plan = commands.add_parser("plan", help="plan a network for now")
    plan.add_argument("network", type=Path, metavar="NETWORK.json")
    plan.add_argument("--out", type=Path, required=True, metavar="PLAN.json")
    plan.add_argument("--seed", type=int, default=0)
    plan.add_argument("--seconds", type=float, default=Limits.seconds, help="last resort a solve")
    plan.add_argument("--stats", type=Path, metavar="STATS.json", help="seconds by step, as JSON")
    check = commands.add_parser("check", help="judge a plan; prints every violation")
    check.add_argument("network", type=Path, metavar="NETWORK.json")
    check.add_argument("plan", type=Path, metavar="PLAN.json")
    return parser


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InstanceError("document", path.name, "give a UTF-8 text file") from None


def _generate(args: argparse.Namespace) -> int:
    network = synthetic.city(args.seed, args.occupancy, args.waiting, args.cities)
    args.out.write_text(network_to_json(network), encoding="utf-8")
    print(
        f"{args.out}: {len(network.facilities)} facilities, {len(network.beds)} beds, "
        f"{len(network.stays)} residents, {len(network.requests)} waiting"
    )
    return CLEAN


def _plan(args: argparse.Namespace) -> int:
    start = perf_counter()
    network = network_from_json(_read(args.network))
    read = perf_counter() - start
    plan, stats = make_plan(network, args.seed, Limits(seconds=args.seconds))
    args.out.write_text(plan_to_json(plan), encoding="utf-8")
    if args.stats is not None:
        seconds = {"read": read, **stats.seconds}
        args.stats.write_text(json.dumps({"seconds": seconds}), encoding="utf-8")
    print(f"read                 {read:8.3f} s")
    _report(plan, stats)
    return CLEAN


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


def _check(args: argparse.Namespace) -> int:
    network = network_from_json(_read(args.network))
    broken = violations(network, plan_from_json(_read(args.plan)))
    for it in broken:
        print(f"{it.relation} {' '.join(it.subjects)}: {it.text}")
    print(f"{len(broken)} violations" if broken else "clean")
    return DIRTY if broken else CLEAN


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. Says what is wrong on stderr in one line."""
    args = _arguments().parse_args(argv)
    command = {"generate": _generate, "plan": _plan, "check": _check}[args.command]
    try:
        return command(args)
    except DirtyPlanError as dirty:
        for it in dirty.violations:
            print(f"{it.relation} {' '.join(it.subjects)}: {it.text}", file=sys.stderr)
        print("the planner made a plan that breaks these rules; none written", file=sys.stderr)
        return DIRTY
    except (InstanceError, FlowTooLargeError, ValueError) as wrong:
        print(wrong, file=sys.stderr)
        return WRONG
    except OSError as wrong:
        print(f"{wrong.filename}: {wrong.strerror}", file=sys.stderr)
        return WRONG


if __name__ == "__main__":
    sys.exit(main())
