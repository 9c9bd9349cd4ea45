"""``generate``: write a seeded synthetic network."""

from argparse import Namespace, _SubParsersAction
from pathlib import Path
from typing import TYPE_CHECKING

from solver import synthetic
from solver.commands.files import write_network
from solver.commands.outcome import CLEAN

if TYPE_CHECKING:
    from argparse import ArgumentParser


def add(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Declare ``generate`` and its arguments."""
    parser = commands.add_parser("generate", help="write a seeded synthetic network")
    parser.add_argument("--cities", type=int, default=1, help="how many cities of 4,000 beds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--occupancy", type=float, default=0.9, help="share of beds, 0 to 1")
    parser.add_argument("--waiting", type=int, default=200, help="waiting requests a city")
    parser.add_argument(
        "--movable",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of residents who may move as far as a transfer may lead, 0 to 1; "
        "without it the few of a real city",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="NETWORK.json")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Generate, write, say how large it is."""
    network = synthetic.city(
        args.seed, args.occupancy, args.waiting, args.cities, movable=args.movable
    )
    write_network(args.out, network)
    print(
        f"{args.out}: {len(network.facilities)} facilities, {len(network.beds)} beds, "
        f"{len(network.stays)} residents, {len(network.requests)} waiting"
    )
    return CLEAN
