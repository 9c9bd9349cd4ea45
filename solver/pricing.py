"""What any plan costs and breaks, also one written or edited by hand.

Nothing here trusts the plan's own figures: they are recounted, and where stated ones differ this
is said beside the price. Unknown ids are violations, never errors. ``solver.hand_plans`` reads
plans that leave out what can be worked out.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from solver.check import Violation, violations
from solver.codes import Relation
from solver.cost import TERMS, move_terms, price
from solver.domain import Network, Plan
from solver.explain import relation_words, term_words


@dataclass(frozen=True, slots=True)
class Differing:
    """A figure the plan states and the recount does not confirm; ``path`` is its field."""

    path: str
    stated: float
    counted: float


@dataclass(frozen=True, slots=True)
class Priced:
    """A plan's price and everything it breaks. ``terms``: every term by name, zeros included;
    ``levels``: their sums, 0 to 4. ``violations``: all but those about stated figures, which are
    ``differing``. ``unpriced``: the moves left out of the price, for ids the network does not
    have or because an earlier move has their id or person."""

    terms: Mapping[str, int]
    levels: tuple[int, ...]
    violations: tuple[Violation, ...]
    differing: tuple[Differing, ...] = ()
    unpriced: tuple[str, ...] = ()


def price_plan(network: Network, plan: Plan) -> Priced:
    """Cost by term and level, and every violation by name, for any plan whatever."""
    known = dict.fromkeys(_known_moves(network, plan))
    judged = replace(plan, moves=tuple(plan.moves[i] for i in known))
    found = list(violations(network, plan))
    if len(known) < len(plan.moves):
        # The judge ends at ids nobody knows; what the other moves break is wanted too.
        found += violations(network, judged)
    counted = price(network, judged)
    return Priced(
        terms=counted.terms,
        levels=counted.levels,
        violations=tuple(dict.fromkeys(it for it in found if it.relation is not Relation.PRICE)),
        differing=tuple(_differing(network, plan, known, counted.levels)),
        unpriced=tuple(move.id for i, move in enumerate(plan.moves) if i not in known),
    )


def priced_document(priced: Priced) -> dict[str, Any]:
    """The price as JSON, with the words of terms and relations in Chinese and English."""
    return {
        "clean": not priced.violations,
        "levels": list(priced.levels),
        "terms": [
            {
                "term": term.name,
                "level": term.level,
                "amount": priced.terms[term.name],
                "zh": term_words(term.name, "zh"),
                "en": term_words(term.name, "en"),
            }
            for term in TERMS
        ],
        "violations": [
            {
                "relation": it.relation.value,
                "subjects": list(it.subjects),
                "text": it.text,
                "zh": relation_words(it.relation, "zh"),
                "en": relation_words(it.relation, "en"),
            }
            for it in priced.violations
        ],
        "differing": [
            {"path": it.path, "stated": it.stated, "counted": it.counted} for it in priced.differing
        ],
        "unpriced": list(priced.unpriced),
    }


def _known_moves(network: Network, plan: Plan) -> Iterator[int]:
    """Which moves have only ids the network has, each id and person once."""
    ids: set[str] = set()
    people: set[str] = set()
    for i, move in enumerate(plan.moves):
        beds = {move.to_bed} if move.from_bed is None else {move.to_bed, move.from_bed}
        if beds <= network.beds.keys() and move.person in network.persons:
            if move.id not in ids and move.person not in people:
                yield i
            ids.add(move.id)
            people.add(move.person)


def _differing(
    network: Network, plan: Plan, known: Collection[int], counted: tuple[int, ...]
) -> Iterator[Differing]:
    for i, move in enumerate(plan.moves):
        if not move.terms or i not in known:
            continue
        true = dict(move_terms(network, move.person, move.from_bed, move.to_bed))
        stated = dict(move.terms)
        for name in [*stated, *(it for it in true if it not in stated)]:
            if stated.get(name, 0) != true.get(name, 0):
                path = f"plan.moves[{i}].terms.{name}"
                yield Differing(path, stated.get(name, 0), true.get(name, 0))
    for i, result in enumerate(plan.levels):
        if not 0 <= result.level < len(counted):
            yield Differing(f"plan.levels[{i}].level", result.level, i)
            continue
        value = counted[result.level]
        if result.value != value:
            yield Differing(f"plan.levels[{i}].value", result.value, value)
        if result.bound > value + 1e-6 * max(1, abs(value)):
            yield Differing(f"plan.levels[{i}].bound", result.bound, value)
