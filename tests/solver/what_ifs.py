"""Networks to ask "what if" about, and what was asked."""

from dataclasses import replace
from typing import Any

from solver.codes import (
    Grade,
    UnitKind,
)
from solver.commands.scenarios import answer
from solver.domain import Network, Room
from solver.planning import Limits
from solver.scenarios import (
    Answer,
    Scenario,
    Step,
    apply,
)
from tests.solver.tiny_networks import (
    network,
    person,
    stay,
    unit,
)

CENTRE, OTHER, WARD = "f0.w1", "f1.w1", "f2.w1"
OMW = UnitKind.OMW


def two_centres(**changes: Any) -> Network:
    """A centre of two, both taken, one of the two fit to be moved to the off-site ward; another
    centre with a free bed; a ward with two free beds."""
    made = network(
        [unit(CENTRE), unit(OTHER), unit(WARD, OMW)],
        [
            (Room(f"{CENTRE}.r1", CENTRE), 2),
            (Room(f"{OTHER}.r1", OTHER), 1),
            (Room(f"{WARD}.r1", WARD), 2),
        ],
        [person("p-a"), person("p-b")],
        [stay("p-a", f"{CENTRE}.r1.b1", UnitKind.PSC), stay("p-b", f"{CENTRE}.r1.b2")],
    )
    return replace(made, **changes)


def asked(of: Network, *steps: Step, name: str = "what if") -> Answer:
    """The answer to one scenario of these steps."""
    return answer(of, (Scenario(name, steps),), 0, Limits()).scenarios[0]


def done(to: Network, *steps: Step, name: str = "what if") -> Network:
    return apply(to, Scenario(name, steps))


def grades(**counts: int) -> tuple[int, ...]:
    return tuple(counts.get(grade.name, 0) for grade in Grade)
