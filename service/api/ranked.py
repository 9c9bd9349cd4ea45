"""A ranking as its readers see it: prices by name, every refusal in both languages."""

from dataclasses import dataclass, replace
from datetime import datetime

from solver.codes import BedKind, Relation
from solver.eligibility import Refusal
from solver.explain import relation_words, term_words
from solver.ranking import Candidate, Ranking, RefusedPlace


@dataclass(frozen=True, slots=True)
class TermShown:
    """One named cost of a candidate; lower is better."""

    term: str
    value: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class CandidateShown:
    """A free, lawful and safe bed. ``levels`` is its price by level, compared from the left.

    ``alike``: how many more beds of its room are equally good.
    """

    bed: str
    unit: str
    facility: str
    levels: tuple[int, ...]
    terms: tuple[TermShown, ...]
    alike: int


@dataclass(frozen=True, slots=True)
class RefusalShown:
    """One rule's no, with its source; ``lifted_by`` is null where nobody may lift it."""

    rule: str
    statutory: bool
    zh: str
    en: str
    citation: str
    lifted_by: str | None


@dataclass(frozen=True, slots=True)
class RefusedShown:
    """Beds refused by the same rules, with all of them. ``free``: how many are empty."""

    units: tuple[str, ...]
    bed_kind: BedKind
    beds: int
    free: int
    refusals: tuple[RefusalShown, ...]


@dataclass(frozen=True, slots=True)
class RelationShown:
    """Lawful beds that are not to be had now, and why; never who is there."""

    relation: Relation
    beds: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class ExpectedShown:
    """When a lawful bed of a kind is next forecast to be free."""

    bed_kind: BedKind
    at: datetime


@dataclass(frozen=True, slots=True)
class RankingShown:
    """Where a person may go, best first, and what is in the way elsewhere.

    ``position``: the place in the event log this was ranked at. ``fitting`` counts every free bed
    that fits, shown or not. ``by_rule``: how many beds each rule refuses.
    """

    person: str
    request: str | None
    position: int
    fitting: int
    candidates: tuple[CandidateShown, ...]
    refused: tuple[RefusedShown, ...]
    by_rule: dict[str, int]
    by_relation: tuple[RelationShown, ...]
    declined: tuple[str, ...]
    expected: tuple[ExpectedShown, ...]


def ranked(ranking: Ranking) -> RankingShown:
    """The ranking in words."""
    return RankingShown(
        person=ranking.person,
        request=ranking.request,
        position=ranking.position,
        fitting=ranking.fitting,
        candidates=tuple(_candidate(it) for it in ranking.candidates),
        refused=tuple(_refused(it) for it in ranking.refused),
        by_rule=dict(ranking.by_rule),
        by_relation=tuple(
            RelationShown(
                relation, beds, relation_words(relation, "zh"), relation_words(relation, "en")
            )
            for relation, beds in ranking.by_relation
        ),
        declined=ranking.declined,
        expected=tuple(ExpectedShown(kind, at) for kind, at in ranking.expected),
    )


def only_at(ranking: Ranking, facility: str, limit: int) -> Ranking:
    """The ranking with the beds of one facility only, the best so many of them."""
    found = [it for it in ranking.candidates if it.facility == facility]
    return replace(
        ranking,
        candidates=tuple(found[:limit]),
        fitting=sum(1 + it.alike for it in found),
    )


def _candidate(it: Candidate) -> CandidateShown:
    return CandidateShown(
        bed=it.bed,
        unit=it.unit,
        facility=it.facility,
        levels=it.levels,
        terms=tuple(
            TermShown(name, value, term_words(name, "zh"), term_words(name, "en"))
            for name, value in it.terms
        ),
        alike=it.alike,
    )


def _refused(it: RefusedPlace) -> RefusedShown:
    return RefusedShown(
        units=it.units,
        bed_kind=it.bed_kind,
        beds=it.beds,
        free=it.free,
        refusals=tuple(_refusal(no) for no in it.refusals),
    )


def _refusal(it: Refusal) -> RefusalShown:
    return RefusalShown(
        rule=it.rule,
        statutory=it.statutory,
        zh=it.message("zh"),
        en=it.message("en"),
        citation=it.citation,
        lifted_by=it.lifted_by,
    )
