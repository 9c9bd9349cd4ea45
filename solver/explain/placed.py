"""Why this bed and not the next best."""

from collections.abc import Iterator

from solver.check import immovable
from solver.codes import UnitKind
from solver.cost import Profile, Terms, level_of, level_totals, move_terms, profile
from solver.domain import Move, Stay
from solver.eligibility import Place
from solver.explain.afterwards import Afterwards
from solver.explain.answers import Amount, Decided, Difference, OtherBed, Placed
from solver.explain.judged import Judge
from solver.explain.offers import Offer, Offers, Value, free_offers, given_offers, value


class Chosen:
    """Compares each move of a plan with the beds that were to be had."""

    def __init__(self, after: Afterwards, judge: Judge) -> None:
        self._after, self._judge = after, judge
        self._free = Offers(after, free_offers(after))
        self._given = Offers(after, given_offers(after))
        self._kinds: dict[UnitKind, str] = {}
        for unit in sorted(after.network.units):
            self._kinds.setdefault(after.network.units[unit].kind, unit)

    def explain(self, move: Move) -> Placed:
        """Why this move goes where it goes."""
        network = self._after.network
        who = profile(network, move.person)
        terms = move_terms(network, move.person, move.from_bed, move.to_bed)
        levels = level_totals(terms)
        other = self._best(self._free, move, who)
        given = self._best(self._given, move, who)
        unit = network.unit_of(move.to_bed)
        decided, at, next_best = Decided.ONLY, None, None
        if other is not None:
            next_best = self._other(move, terms, other, named=True)
            at = _first_difference(levels, next_best.levels)
            decided = Decided.EQUAL
            if at is not None:
                decided = Decided.TERMS if levels < next_best.levels else Decided.DEARER
        better = None if given is None else self._other(move, terms, given, named=False)
        return Placed(
            person=move.person,
            request=move.request,
            move=move.id,
            reason=move.reason,
            bed=move.to_bed,
            unit=unit.id,
            facility=unit.facility,
            terms=tuple(Amount(name, level_of(name), n) for name, n in terms),
            levels=levels,
            decided=decided,
            decided_at=at,
            next_best=next_best,
            given=better if better is not None and better.levels < levels else None,
            makes_room_for=move.displaced_for,
        )

    def _other(self, move: Move, terms: Terms, bed: str, *, named: bool) -> OtherBed:
        """The other bed beside the chosen one, with the terms of the level that decided."""
        network = self._after.network
        others = move_terms(network, move.person, move.from_bed, bed)
        levels = level_totals(others)
        at = _first_difference(level_totals(terms), levels)
        here, there = dict(terms), dict(others)
        names = [name for name, _ in terms] + [name for name, _ in others if name not in here]
        unit = network.unit_of(bed)
        return OtherBed(
            bed=bed if named else None,
            unit=unit.id,
            facility=unit.facility,
            levels=levels,
            differs=tuple(
                Difference(name, at, here.get(name, 0), there.get(name, 0))
                for name in names
                if at is not None
                and level_of(name) == at
                and here.get(name, 0) != there.get(name, 0)
            ),
        )

    def _best(self, offers: Offers, move: Move, who: Profile) -> str | None:
        """The best other bed of these for whoever moves."""
        network = self._after.network
        person = network.persons[move.person]
        stay = network.stay_of.get(move.person)
        request = None if move.request is None else network.request_by_id.get(move.request)
        declined = frozenset() if request is None else request.declined_units
        agreed = None if stay is None else stay.agreed_units
        looked_at = {network.unit_of(move.to_bed).id, *self._after.claims_of.get(person.id, ())}
        looked_at |= {who.origin_unit} if who.origin_unit in network.units else set()
        looked_at |= agreed or set()
        lawful = self._judge.of(who.facts).lawful
        found: list[tuple[Value, str]] = [
            (value(who, offer.seat, network), bed)
            for offer, bed in self._exactly(offers, move, who, looked_at - declined, lawful, stay)
        ]
        if agreed is None:
            movable = None if stay is None else self._movable_to(stay)
            best = offers.best(
                who,
                person,
                lawful,
                frozenset(looked_at) | declined,
                lambda here: movable is None or here.kind in movable,
            )
            if best is not None:
                offer = best[1]
                found.append((value(who, offer.seat, network), offer.bed))
        return min(found)[1] if found else None

    def _exactly(
        self,
        offers: Offers,
        move: Move,
        who: Profile,
        units: set[str],
        lawful: frozenset[Place],
        stay: Stay | None,
    ) -> Iterator[tuple[Offer, str]]:
        """The offers of units where the person is no newcomer like any other, each looked at."""
        network = self._after.network
        home = network.unit_of(move.to_bed).id
        for unit in sorted(units & network.units.keys()):
            if stay is not None and immovable(network, stay, network.units[unit]):
                continue
            for offer in offers.by_unit.get(unit, ()):
                bed = _not_left(offer, move)
                if bed is None or offer.row.place not in lawful:
                    continue
                if offers.admits(offer, move.person, who.facts.emergency, unit == home):
                    yield offer, bed

    def _movable_to(self, stay: Stay) -> frozenset[UnitKind]:
        """The kinds of unit this resident may be moved to, where no agreement binds."""
        network = self._after.network
        return frozenset(
            kind
            for kind, unit in self._kinds.items()
            if not immovable(network, stay, network.units[unit])
        )


def _not_left(offer: Offer, move: Move) -> str | None:
    """A bed of the offer that is neither the one chosen nor the one left."""
    if offer.mover is not None:
        return None if offer.mover == move.person else offer.bed
    beds = offer.row.stale if offer.seat.stale else offer.row.free
    return next((bed for bed in beds if bed != move.from_bed), None)


def _first_difference(one: tuple[int, ...], other: tuple[int, ...]) -> int | None:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), None)
