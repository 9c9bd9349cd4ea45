"""``check``: judge a plan; prints every violation, exit status 0 only if there is none."""

from argparse import Namespace, _SubParsersAction
from pathlib import Path
from typing import TYPE_CHECKING

from solver.check import violations
from solver.commands.files import read_network, read_plan
from solver.commands.outcome import CLEAN, DIRTY, violation_lines

if TYPE_CHECKING:
    from argparse import ArgumentParser


def add(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Declare ``check`` and its arguments."""
    parser = commands.add_parser("check", help="judge a plan; prints every violation")
    parser.add_argument("network", type=Path, metavar="NETWORK.json")
    parser.add_argument("plan", type=Path, metavar="PLAN.json")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Read both, print each violation and their number."""
    network = read_network(args.network)
    broken = violations(network, read_plan(args.plan))
    for line in violation_lines(broken):
        print(line)
    print(f"{len(broken)} violations" if broken else "clean")
    return DIRTY if broken else CLEAN
