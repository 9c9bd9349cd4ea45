"""What the exit status of a command means, and the one place where failures get their words."""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterable

from solver.check import Violation
from solver.instance import InstanceError
from solver.planning import DirtyPlanError, FlowTooLargeError

CLEAN = 0
DIRTY = 1
"""A plan breaks a rule: the one that was read, or the one that was made (then none is written)."""
WRONG = 2
"""An argument or a file is wrong; nothing was changed."""


def violation_lines(broken: Iterable[Violation]) -> list[str]:
    """One line a violation: its relation, the ids it is about, what is wrong."""
    return [f"{it.relation} {' '.join(it.subjects)}: {it.text}" for it in broken]


def exit_status(run: Callable[[Namespace], int], args: Namespace) -> int:
    """Run one command. What it raises is said on stderr, a wrong input in one line."""
    try:
        return run(args)
    except DirtyPlanError as dirty:
        print(*violation_lines(dirty.violations), sep="\n", file=sys.stderr)
        print("the planner made a plan that breaks these rules; none written", file=sys.stderr)
        return DIRTY
    except (InstanceError, FlowTooLargeError, ValueError) as wrong:
        print(wrong, file=sys.stderr)
        return WRONG
    except OSError as wrong:
        print(f"{wrong.filename}: {wrong.strerror}", file=sys.stderr)
        return WRONG
