"""The things the network is made of: places, people, stays, requests, and a plan over them.

Frozen values without names of people, addresses, offences or risk grades. Instants are aware
UTC, legal dates are days in Asia/Shanghai, intervals are half-open ``[from, to)`` unless a legal
date says otherwise: a term or consent that *ends on* a day holds to that day's end (24:00).
"""

from solver.domain.network import Network
from solver.domain.people import Consent, Decision, Need, Person, Psychiatric, Request, Stay
from solver.domain.places import Bed, Facility, Room, Unit
from solver.domain.plan import LevelResult, Move, Plan, Unplaced
from solver.domain.policy import COST_LIMIT, Contradiction, Policy
from solver.domain.wall_time import SHANGHAI

__all__ = [
    "COST_LIMIT",
    "SHANGHAI",
    "Bed",
    "Consent",
    "Contradiction",
    "Decision",
    "Facility",
    "LevelResult",
    "Move",
    "Need",
    "Network",
    "Person",
    "Plan",
    "Policy",
    "Psychiatric",
    "Request",
    "Room",
    "Stay",
    "Unit",
    "Unplaced",
]
