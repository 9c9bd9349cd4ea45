"""``warm``: load everything, wait for one command on standard input, and run it.

Loading the solver takes longer than planning a city. Whoever must answer within a second keeps
such a process waiting.
"""

import json
import sys
from argparse import Namespace, _SubParsersAction
from typing import TYPE_CHECKING

from solver.commands.outcome import CLEAN
from solver.instance import InstanceError

if TYPE_CHECKING:
    from argparse import ArgumentParser


def add(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Declare ``warm``."""
    parser = commands.add_parser("warm", help="wait for one command, a JSON list of words, a line")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Wait; an end of the input without a command is an end without work."""
    from solver.commands.line import main

    line = sys.stdin.readline()
    if not line.strip():
        return CLEAN
    try:
        words = json.loads(line)
    except ValueError:
        words = None
    if not isinstance(words, list) or not all(isinstance(it, str) for it in words):
        raise InstanceError("command", line.strip(), 'give a JSON list such as ["plan", "n.json"]')
    return main(words)
