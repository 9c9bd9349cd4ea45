"""What the rules about one person and one place say of every bed, once for like people."""

from collections import Counter
from dataclasses import dataclass

from solver.eligibility import RULES_BY_ID, Facts, Place, refusals
from solver.explain.afterwards import Afterwards


@dataclass(frozen=True, slots=True)
class Judgement:
    """``lawful``: the places no rule refuses. ``refused``: how many beds each rule refuses;
    ``alone``: how many nothing but that one rule of policy refuses."""

    lawful: frozenset[Place]
    refused: Counter[str]
    alone: Counter[str]


class Judge:
    """The rules over the beds of a network, grouped by place."""

    def __init__(self, after: Afterwards) -> None:
        self.beds = {
            here: sum(row.beds for row in rows) for here, rows in after.rows_of_place.items()
        }
        self._known: dict[Facts, Judgement] = {}

    def of(self, who: Facts) -> Judgement:
        """The judgement on a person with these facts."""
        known = self._known.get(who)
        if known is None:
            known = self._known[who] = self._judge(who)
        return known

    def _judge(self, who: Facts) -> Judgement:
        lawful: list[Place] = []
        refused: Counter[str] = Counter()
        alone: Counter[str] = Counter()
        for here, beds in self.beds.items():
            no = refusals(who, here)
            if not no:
                lawful.append(here)
            for it in no:
                refused[it.rule] += beds
            if len(no) == 1 and not RULES_BY_ID[no[0].rule].statutory:
                alone[no[0].rule] += beds
        return Judgement(frozenset(lawful), refused, alone)
