"""Rules about several people in plain Python: the last word on every plan and every hold."""

from solver.check.plan import immovable, violations
from solver.check.rooms import (
    Occupant,
    Violation,
    claimants,
    conflicts,
    fit_for_claim,
    mix_key,
    occupant,
    reserve_touched,
    room_relations,
    staff_exceeded,
)

__all__ = [
    "Occupant",
    "Violation",
    "claimants",
    "conflicts",
    "fit_for_claim",
    "immovable",
    "mix_key",
    "occupant",
    "reserve_touched",
    "room_relations",
    "staff_exceeded",
    "violations",
]
