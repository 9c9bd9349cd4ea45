"""First come, first served: what a careful officer with a true bed board does without a plan.

Emergencies first, then in the order of asking. Each request takes the first bed that
``solver.ranking`` offers, on the network as the requests before it left it: their beds are held.
Nobody is moved for anybody else; a resident who asked to be moved goes as anybody who waits, and
the bed they leave waits for its turnaround, so nobody counts on it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from solver.check import claimants, immovable
from solver.codes import MoveReason
from solver.cost import move_terms
from solver.domain import Move, Network, Person, Plan, Request, Stay
from solver.ranking import Candidate, rank_person
from tests.benchmarks.baselines.finished import finished


@dataclass
class _Board:
    """The network unit by unit: a bed held in one changes nothing in another."""

    units: dict[str, Network]

    def best(self, network: Network, request: Request) -> Candidate | None:
        """The best free bed now; of equal ones the first by id, as ranking has it."""
        person = network.persons[request.person]
        stay = network.stay_of.get(person.id)
        found: list[Candidate] = []
        for unit, part in self.units.items():
            if unit in request.declined_units:
                continue
            if stay is not None and immovable(network, stay, network.units[unit]):
                continue
            ranking = rank_person(part, person, emergency=request.emergency, limit=1)
            found += ranking.candidates
        return min(found, key=lambda it: (it.levels, it.bed), default=None)

    def hold(self, unit: str, bed: str, person: Person) -> None:
        """Hold the bed for the person."""
        part = self.units[unit]
        held = replace(part.beds[bed], held_for=person.id)
        self.units[unit] = replace(
            part,
            beds={**part.beds, bed: held},
            persons={**part.persons, person.id: person},
        )


def dispatch(network: Network) -> Plan:
    """Serve every request in turn. The plan has no bounds: nothing is proven."""
    board = _Board(_by_unit(network))
    moves: list[Move] = []
    for request in sorted(
        network.request_of.values(), key=lambda it: (not it.emergency, it.since, it.id)
    ):
        best = board.best(network, request)
        if best is None:
            continue
        board.hold(best.unit, best.bed, network.persons[request.person])
        stay = network.stay_of.get(request.person)
        here = None if stay is None else stay.bed
        moves.append(
            Move(
                id=f"m{len(moves) + 1:04d}",
                person=request.person,
                from_bed=here,
                to_bed=best.bed,
                request=request.id,
                reason=MoveReason.PLACE_WAITING,
                ready_at=network.now,
                terms=move_terms(network, request.person, here, best.bed),
            )
        )
    return finished(network, moves)


def _by_unit(network: Network) -> dict[str, Network]:
    stays: dict[str, list[Stay]] = {unit: [] for unit in network.units}
    for stay in network.stays:
        stays[network.unit_of(stay.bed).id].append(stay)
    return {unit: _part(network, unit, stays[unit]) for unit in sorted(network.units)}


def _part(network: Network, unit: str, stays: Iterable[Stay]) -> Network:
    """One unit alone, with everybody who has a claim in it."""
    rooms = network.rooms_of_unit[unit]
    people = {who for room in rooms for who in claimants(network, room).values()}
    return replace(
        network,
        units={unit: network.units[unit]},
        rooms={room: network.rooms[room] for room in rooms},
        beds={bed: network.beds[bed] for room in rooms for bed in network.beds_of_room[room]},
        persons={who: network.persons[who] for who in people},
        stays=tuple(stays),
        requests=(),
    )
