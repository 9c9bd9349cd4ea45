"""The command line itself: which command, with which arguments."""

import argparse
from collections.abc import Sequence

from solver.commands import COMMANDS
from solver.commands.outcome import exit_status


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. Says what is wrong on stderr in one line."""
    parser = argparse.ArgumentParser(
        prog="python -m solver", description="Bed placement and transfer planning on files."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.add(commands)
    args = parser.parse_args(argv)
    return exit_status(args.run, args)
