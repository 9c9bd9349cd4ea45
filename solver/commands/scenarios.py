"""``scenarios``: today's plan, a plan of each scenario, and how they compare."""

from argparse import Namespace, _SubParsersAction
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from solver.codes import Grade
from solver.commands.files import read_network, read_text
from solver.commands.outcome import CLEAN
from solver.commands.plan import write_whole
from solver.domain import Network
from solver.planning import Limits
from solver.planning.nation import plan_nation
from solver.scenarios import (
    Comparison,
    Outcome,
    Scenario,
    answers_to_json,
    apply,
    compared,
    outcome,
    scenarios_from_json,
)

if TYPE_CHECKING:
    from argparse import ArgumentParser


def add(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Declare ``scenarios`` and its arguments."""
    parser = commands.add_parser("scenarios", help="what if: plan up to ten scenarios, compared")
    parser.add_argument("network", type=Path, metavar="NETWORK.json")
    parser.add_argument("scenarios", type=Path, metavar="SCENARIOS.json")
    parser.add_argument("--out", type=Path, required=True, metavar="ANSWERS.json")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=Limits.seconds, help="last resort a solve")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Read, apply every scenario before any is planned, plan all, write the answers, report."""
    network = read_network(args.network)
    scenarios = scenarios_from_json(read_text(args.scenarios))
    comparison = answer(network, scenarios, args.seed, Limits(seconds=args.seconds))
    write_whole(args.out, answers_to_json(comparison))
    _report(comparison)
    return CLEAN


def answer(
    network: Network, scenarios: tuple[Scenario, ...], seed: int, limits: Limits
) -> Comparison:
    """Today and each scenario planned, checked and compared.

    Raises ``InstanceError`` when a scenario does not fit the network, before any planning, and
    ``DirtyPlanError`` when a plan breaks a rule: then there is no answer at all.
    """
    changed = [(it.name, apply(network, it, f"scenarios[{i}]")) for i, it in enumerate(scenarios)]
    today = _planned(network, None, seed, limits)
    return compared(today, [(name, _planned(it, network, seed, limits)) for name, it in changed])


def _planned(network: Network, today: Network | None, seed: int, limits: Limits) -> Outcome:
    start = perf_counter()
    plan, _ = plan_nation(network, seed, limits)
    return outcome(network, plan, today=today, seconds=perf_counter() - start)


def _report(comparison: Comparison) -> None:
    grades = " ".join(f"{grade.name:>5}" for grade in Grade)
    print(f"{'unplaced':28} {grades} {'emerg':>5} {'mispl':>5} {'moves':>5} {'weight':>7} {'s':>6}")
    print(_line("today", comparison.today))
    for it in comparison.scenarios:
        print(_line(it.name, it.outcome))
        broken = [part.rule for part in (it.breaks.rule, it.breaks.relation) if part is not None]
        if it.breaks.unit is not None:
            broken.append(f"unit {it.breaks.unit} fills first")
        if broken:
            print(f"  breaks first: {', '.join(broken)}")


def _line(name: str, it: Outcome) -> str:
    counts = " ".join(f"{count:5}" for count in it.unplaced)
    return (
        f"{name[:28]:28} {counts} {it.emergencies_unplaced:5} {it.misplaced_left:5} "
        f"{it.moves:5} {it.waiting_weight:7} {it.seconds:6.1f}"
    )
