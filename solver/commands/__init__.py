"""The commands of ``python -m solver``, one module each.

A command module offers ``add(commands)``, which declares its arguments on the subparsers and names
its ``run`` by ``set_defaults``, and ``run(args) -> int``, the exit status. It raises what is wrong;
``outcome.exit_status`` alone turns that into words and a status. ``COMMANDS`` is their order in
the help text.
"""

from collections.abc import Sequence
from types import ModuleType

from solver.commands import check, explain, generate, plan, price, scenarios, warm

COMMANDS: Sequence[ModuleType] = (generate, plan, check, explain, price, scenarios, warm)
