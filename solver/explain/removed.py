"""Why no bed: how many beds each rule, relation or cause removed.

Every lawful bed counts once, under the first that holds: not the plan's to move there, the unit
declined, the plan gives the bed away, it is taken, out of use, to be disinfected, in company that
excludes the person, without staff, in the unit's reserve; what remains would fit. Counted by place
and unit once for like people.
"""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime

from solver.check import Occupant, immovable
from solver.codes import BedKind, Relation
from solver.cost import profile
from solver.domain import Request, Stay
from solver.eligibility import RULES_BY_ID, Facts, Place, misplaced, place
from solver.explain.afterwards import Afterwards, Row
from solver.explain.answers import (
    RELATION_OF_CAUSE,
    Cause,
    Expected,
    Nature,
    NotPlaced,
    Removed,
)
from solver.explain.judged import Judge, Judgement

_FITS = "fits"
_NONE: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Tally:
    """Beds by why such people cannot have them, in all and unit by unit."""

    of_place: dict[Place, Counter[str]] = field(default_factory=dict)
    of_unit: dict[tuple[Place, str], Counter[str]] = field(default_factory=dict)

    def add(self, here: Place, unit: str, counts: Mapping[str, int]) -> None:
        """Count some beds of a place in a unit."""
        for counter in (
            self.of_place.setdefault(here, Counter()),
            self.of_unit.setdefault((here, unit), Counter()),
        ):
            for code, beds in counts.items():
                counter[code] += beds

    def count(self, here: Place, without: Set[str]) -> Counter[str]:
        """The beds of a place, without those of some units."""
        found = Counter(self.of_place.get(here, {}))
        for unit in without:
            found.subtract(self.of_unit.get((here, unit), {}))
        return found


class Counts:
    """The beds of a network under a plan, counted by why they are not to be had."""

    def __init__(self, after: Afterwards, judge: Judge) -> None:
        self._after, self._judge = after, judge
        self._fixed = _Tally()
        self._tallies: dict[tuple[Occupant, bool], _Tally] = {}
        for here, rows in after.rows_of_place.items():
            for row in rows:
                self._fixed.add(here, row.room.unit, _whoever(row))
        self._soonest: dict[Place, list[tuple[datetime, str]]] = {
            here: sorted((row.soonest, row.room.unit) for row in rows if row.soonest is not None)
            for here, rows in after.rows_of_place.items()
        }

    def unplaced(self, request: Request) -> NotPlaced:
        """Why this request has no bed."""
        who = profile(self._after.network, request.person).facts
        judged = self._judge.of(who)
        claims = frozenset(self._after.claims_of.get(request.person, ()))
        removed = self._newcomer(request.person, who, judged, claims, request.declined_units)
        expected = self._expected(judged.lawful, request.declined_units)
        return self._answer(request.person, request.id, judged, removed, expected)

    def left(self, stay: Stay) -> NotPlaced | None:
        """Why this resident stays where the place is not fit; None where it is fit."""
        network = self._after.network
        who = profile(network, stay.person).facts
        wrong = misplaced(who, place(network, stay.bed))
        if not wrong:
            return None
        judged = self._judge.of(who)
        removed, reachable = self._resident(stay, who, judged)
        expected = self._expected(reachable, _NONE) if stay.agreed_units is None else ()
        rules = tuple(it.rule for it in wrong)
        return self._answer(stay.person, None, judged, removed, expected, rules)

    def _newcomer(
        self,
        person: str,
        who: Facts,
        judged: Judgement,
        exact: Set[str],
        declined: Set[str],
    ) -> Counter[str]:
        """The lawful beds for somebody who waits; ``exact``: the units with a claim of theirs."""
        removed = self._all(person, who, judged.lawful, exact | declined)
        for unit in declined & self._after.network.units.keys():
            for row in self._rows(unit, judged):
                removed[Cause.DECLINED] += row.beds
        for unit in exact - declined:
            for row in self._rows(unit, judged):
                removed.update(self._row(row, person, who.emergency, counted=False))
        return removed

    def _resident(
        self, stay: Stay, who: Facts, judged: Judgement
    ) -> tuple[Counter[str], frozenset[Place]]:
        """The lawful beds for a resident, and the places they might be moved to."""
        network = self._after.network
        here = network.unit_of(stay.bed).id
        if stay.agreed_units is None:
            kinds = {it.kind: it for it in network.units.values()}
            fixed = {kind for kind, unit in kinds.items() if immovable(network, stay, unit)}
            reachable = frozenset(it for it in judged.lawful if it.kind not in fixed)
            exact = self._after.claims_of[stay.person] | {here}
        else:
            reachable = judged.lawful
            exact = set(stay.agreed_units & network.units.keys())
        removed: Counter[str] = Counter()
        if stay.agreed_units is None:
            removed += self._all(stay.person, who, reachable, exact)
        for unit in exact:
            fixed_here = bool(immovable(network, stay, network.units[unit]))
            for row in self._rows(unit, judged):
                if not fixed_here:
                    counted = unit == here and not stay.on_leave
                    removed.update(self._row(row, stay.person, who.emergency, counted=counted))
        lawful = sum(self._judge.beds[it] for it in judged.lawful)
        removed[Cause.NOT_MOVABLE] += lawful - sum(removed.values())
        return removed, reachable

    def _all(self, person: str, who: Facts, lawful: Set[Place], without: Set[str]) -> Counter[str]:
        """The beds of lawful places for such people, without those of some units."""
        tally = self._tally(self._after.seen(person), who.emergency)
        removed: Counter[str] = Counter()
        for here in lawful:
            removed.update(self._fixed.count(here, without))
            removed.update(tally.count(here, without))
        return removed

    def _rows(self, unit: str, judged: Judgement) -> list[Row]:
        return [it for it in self._after.rows_of_unit[unit] if it.place in judged.lawful]

    def _tally(self, me: Occupant, emergency: bool) -> _Tally:
        known = self._tallies.get((me, emergency))
        if known is None:
            known = self._tallies[me, emergency] = _Tally()
            for here, rows in self._after.rows_of_place.items():
                for row in rows:
                    if row.untaken:
                        company = frozenset(it.seen for it in self._after.mates(row.room.id))
                        why = self._why(row, me, company, emergency, counted=False)
                        known.add(here, row.room.unit, {why: row.untaken})
        return known

    def _row(self, row: Row, person: str, emergency: bool, *, counted: bool) -> dict[str, int]:
        """A row for this very person: their own claim is no company."""
        found = _whoever(row)
        if row.untaken:
            mates = self._after.mates(row.room.id)
            company = frozenset(it.seen for it in mates if it.person != person)
            me = self._after.seen(person)
            found[self._why(row, me, company, emergency, counted=counted)] = row.untaken
        return found

    def _why(
        self,
        row: Row,
        me: Occupant,
        company: frozenset[Occupant],
        emergency: bool,
        *,
        counted: bool,
    ) -> str:
        """Why the free beds of a row are not for such a person, or that they fit."""
        broken = self._after.broken(me, company, row.room.cohort)
        if broken:
            return broken[0]
        spare = self._after.spare(row.room.unit)
        if not counted and spare <= 0:
            return Cause.UNSTAFFED
        kept = self._after.kept(row.room.unit, emergency)
        return Relation.RESERVE if not counted and spare <= kept else _FITS

    def _expected(self, lawful: Set[Place], declined: Set[str]) -> tuple[Expected, ...]:
        """The soonest forecast of each lawful bed kind, the earliest first."""
        soonest: dict[BedKind, datetime] = {}
        for here in lawful:
            first = next((at for at, unit in self._soonest[here] if unit not in declined), None)
            if first is not None:
                soonest[here.bed_kind] = min(first, soonest.get(here.bed_kind, first))
        found = [Expected(kind, at) for kind, at in soonest.items()]
        return tuple(sorted(found, key=lambda it: (it.at, it.bed_kind)))

    def _answer(
        self,
        person: str,
        request: str | None,
        judged: Judgement,
        removed: Counter[str],
        expected: tuple[Expected, ...],
        wrong: tuple[str, ...] = (),
    ) -> NotPlaced:
        rules = [_by_rule(rule, n, judged.alone[rule]) for rule, n in judged.refused.items()]
        others = [_by_relation(code, n) for code, n in removed.items() if n and code != _FITS]
        return NotPlaced(
            person=person,
            request=request,
            beds=len(self._after.network.beds),
            lawful=sum(self._judge.beds[it] for it in judged.lawful),
            fitting=removed[_FITS],
            removed=tuple(sorted(rules + others, key=lambda it: (-it.beds, it.code))),
            expected=expected,
            wrong=wrong,
        )


def _whoever(row: Row) -> dict[str, int]:
    """The beds of a row that are nobody's to have, whoever asks."""
    return {
        Cause.GIVEN: len(row.given),
        Cause.TAKEN: row.taken,
        Cause.OUT_OF_USE: row.out_of_use,
        Cause.TO_DISINFECT: row.to_disinfect,
    }


def _by_rule(rule_id: str, beds: int, alone: int) -> Removed:
    rule = RULES_BY_ID[rule_id]
    return Removed(
        code=rule_id,
        beds=beds,
        nature=Nature.STATUTORY if rule.statutory else Nature.POLICY,
        lifted_by=rule.lifted_by,
        owner=rule.owner,
        source=rule.source,
        alone=None if rule.statutory else alone,
    )


def _by_relation(code: str, beds: int) -> Removed:
    relation = RELATION_OF_CAUSE.get(code)
    return Removed(str(code), beds, Nature.RELATION, relation or Relation(code))
