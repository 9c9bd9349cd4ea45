"""The answers to scenarios as their readers see them: grades and rules by name, in both languages.

Figures alone: no person, no bed.
"""

from dataclasses import dataclass

from service.workflow.plans.run_views import LevelShown
from solver.codes import Grade, PlanStatus, Relation
from solver.eligibility import RULES_BY_ID
from solver.explain import relation_words
from solver.scenarios import Answer, Breaks, Comparison, Difference, Outcome, Removed

SHOWN_RULES = 10
"""Of the rules that take beds from people without one, those that take most are shown."""


@dataclass(frozen=True, slots=True)
class RemovedShown:
    """A rule or relation, and how many beds it took from people without one: in sum over them,
    and how many people it took any from."""

    rule: str
    zh: str
    en: str
    beds: int
    people: int


@dataclass(frozen=True, slots=True)
class OutcomeShown:
    """One plan in figures; see ``solver.scenarios.Outcome`` for each of them."""

    status: PlanStatus
    levels: tuple[LevelShown, ...]
    unplaced: dict[str, int]
    emergencies_unplaced: int
    misplaced_left: int
    placed: int
    moves: int
    resident_moves: int
    waiting: int
    waiting_weight: int
    waiting_days: int
    forecast_7d: int
    freed_7d: int
    freed_30d: int
    full_units: int
    first_full: str | None
    removed: tuple[RemovedShown, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class DifferenceShown:
    """A scenario's figures less today's."""

    unplaced: dict[str, int]
    emergencies_unplaced: int
    misplaced_left: int
    placed: int
    moves: int
    resident_moves: int
    waiting: int
    waiting_weight: int
    waiting_days: int
    forecast_7d: int
    freed_7d: int
    freed_30d: int
    full_units: int
    levels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BreaksShown:
    """What breaks first: the rule about one person and the relation between several that take the
    most beds more than today, and the first unit the plan fills; null where nothing does."""

    rule: RemovedShown | None
    relation: RemovedShown | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class AnswerShown:
    """One scenario planned, and set against today."""

    name: str
    outcome: OutcomeShown
    against_today: DifferenceShown
    breaks: BreaksShown


@dataclass(frozen=True, slots=True)
class ComparisonShown:
    """Today's plan and every scenario's, in the order asked."""

    today: OutcomeShown
    scenarios: tuple[AnswerShown, ...]


def comparison_shown(found: Comparison) -> ComparisonShown:
    """The answers in words."""
    return ComparisonShown(_outcome(found.today), tuple(_answer(it) for it in found.scenarios))


def _answer(it: Answer) -> AnswerShown:
    return AnswerShown(
        it.name, _outcome(it.outcome), _difference(it.against_today), _breaks(it.breaks)
    )


def _outcome(it: Outcome) -> OutcomeShown:
    plain = {name: getattr(it, name) for name in OutcomeShown.__dataclass_fields__}
    return OutcomeShown(
        **{
            **plain,
            "levels": tuple(LevelShown(n.level, n.value, n.bound, n.gap) for n in it.levels),
            "unplaced": _by_grade(it.unplaced),
            "removed": tuple(_removed(one) for one in it.removed[:SHOWN_RULES]),
        }
    )


def _difference(it: Difference) -> DifferenceShown:
    plain = {name: getattr(it, name) for name in DifferenceShown.__dataclass_fields__}
    return DifferenceShown(**{**plain, "unplaced": _by_grade(it.unplaced)})


def _breaks(it: Breaks) -> BreaksShown:
    return BreaksShown(
        rule=None if it.rule is None else _removed(it.rule),
        relation=None if it.relation is None else _removed(it.relation),
        unit=it.unit,
    )


def _by_grade(counts: tuple[int, ...]) -> dict[str, int]:
    return {grade.name: count for grade, count in zip(Grade, counts, strict=True)}


def _removed(it: Removed) -> RemovedShown:
    rule = RULES_BY_ID.get(it.rule)
    if rule is not None:
        return RemovedShown(it.rule, rule.title("zh"), rule.title("en"), it.beds, it.people)
    relation = Relation(it.rule)
    zh, en = relation_words(relation, "zh"), relation_words(relation, "en")
    return RemovedShown(it.rule, zh, en, it.beds, it.people)
