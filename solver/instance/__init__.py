"""A network snapshot or a plan as one JSON file: what the planner's command line reads and writes.

The same value always gives the same bytes: keys sorted, every list of identified things in id
order, sets sorted, instants in UTC, codes by their names. Reading is strict: an unknown, missing
or ill-typed field, an unknown code, a naive instant, a repeated or dangling id, a policy that
contradicts itself is an ``InstanceError`` that names the field, the value and the way out;
nothing is guessed.
"""

from solver.instance.documents import (
    NETWORK_FORMAT,
    PLAN_FORMAT,
    VERSION,
    decoded,
    document_of,
    document_text,
    encoded,
)
from solver.instance.faults import InstanceError
from solver.instance.networks import network_from_json, network_to_json
from solver.instance.plans import plan_from_json, plan_to_json

__all__ = [
    "NETWORK_FORMAT",
    "PLAN_FORMAT",
    "VERSION",
    "InstanceError",
    "decoded",
    "document_of",
    "document_text",
    "encoded",
    "network_from_json",
    "network_to_json",
    "plan_from_json",
    "plan_to_json",
]
