"""Networks and plans as files of version-1 JSON in UTF-8."""

import gc
from pathlib import Path

from solver.domain import Network, Plan
from solver.instance import (
    InstanceError,
    network_from_json,
    network_to_json,
    plan_from_json,
    plan_to_json,
)


def read_text(path: Path) -> str:
    """The text of a file. Raises: InstanceError when it is not UTF-8, OSError when unreadable."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise InstanceError("document", path.name, "give a UTF-8 text file") from None


def read_network(path: Path) -> Network:
    """The network in a file. Raises: InstanceError with the path of the first wrong value.

    It stays until the command ends, so the garbage collector need not look at it again: a nation
    is millions of objects.
    """
    network = network_from_json(read_text(path))
    gc.freeze()
    return network


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises: InstanceError with the path of the first wrong value."""
    return plan_from_json(read_text(path))


def write_network(path: Path, network: Network) -> None:
    """Write a network; equal networks give equal bytes."""
    path.write_text(network_to_json(network), encoding="utf-8")


def write_plan(path: Path, plan: Plan) -> None:
    """Write a plan; equal plans give equal bytes."""
    path.write_text(plan_to_json(plan), encoding="utf-8")
