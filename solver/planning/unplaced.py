"""Why somebody gets no bed in a plan: how many beds each rule or relation took away."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

from solver.check import claimants, occupant, room_relations
from solver.codes import Relation
from solver.cost import profile
from solver.domain import Network, Request, Unplaced
from solver.eligibility import Place, place, refusals


class BedCounts:
    """The network's beds by what rules read of them, counted once for many requests."""

    def __init__(self, network: Network, given: Iterable[str]) -> None:
        self.network, self.given = network, frozenset(given)
        self.beds: dict[Place, list[str]] = defaultdict(list)
        for bed in sorted(network.beds):
            self.beds[place(network, bed)].append(bed)

    def explain(self, request: Request) -> Unplaced:
        """The counts for one request, the largest first, and when a lawful bed is next expected.

        A refused bed counts under every rule that refuses it. A lawful one counts once: under
        availability when it is not free, under the room's or unit's relation that speaks against
        it, else under capacity, as given to somebody else. A unit that declined counts under
        availability, the last beds it keeps for emergencies under its reserve.
        """
        network = self.network
        who = profile(network, request.person).facts
        me = occupant(network.persons[request.person])
        counts: Counter[str] = Counter()
        expected: list[datetime] = []
        for where, beds in self.beds.items():
            refused = refusals(who, where)
            for refusal in refused:
                counts[refusal.rule] += len(beds)
            if refused:
                continue
            for bed in beds:
                if network.unit_of(bed).id in request.declined_units:
                    counts[Relation.AVAILABILITY] += 1
                    continue
                if not network.is_free(bed):
                    counts[Relation.AVAILABILITY] += 1
                    expected += self._expected(bed)
                    continue
                room = network.rooms[network.beds[bed].room]
                others = [
                    occupant(network.persons[it])
                    for it in claimants(network, room.id).values()
                    if it != request.person
                ]
                broken = room_relations(me, others, room.cohort)
                if bed in self.given:
                    broken = ()
                elif not broken and self._kept(room.unit, who.emergency):
                    broken = (Relation.RESERVE,)
                counts[broken[0] if broken else Relation.CAPACITY] += 1
        ordered = sorted(counts.items(), key=lambda it: (-it[1], it[0]))
        return Unplaced(
            request.id,
            tuple((str(name), count) for name, count in ordered),
            min(expected, default=None),
        )

    def _kept(self, unit: str, emergency: bool) -> bool:
        network = self.network
        left = network.staffed_beds[unit] - network.people_in_unit[unit]
        return not emergency and 0 < left <= network.units[unit].reserve

    def _expected(self, bed: str) -> list[datetime]:
        stay = self.network.stay_in_bed.get(bed)
        found = [
            self.network.beds[bed].expected_free,
            None if stay is None else stay.expected_end,
        ]
        return [it for it in found if it is not None and it > self.network.now]
