"""What a plan of today's network and one of each scenario come to, and the difference.

Figures only: nobody is named, no bed is. A level's value, bound and gap are those of the plan
shown, as the planner gave them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from solver.codes import BedState, Grade, PlanStatus, Relation
from solver.cost import profile, waiting_weight
from solver.domain import LevelResult, Network, Plan, Request, Unplaced
from solver.eligibility import RULES_BY_ID, Place, counted_grade, misplaced, place, refusals
from solver.instance import InstanceError, decoded, document_of, document_text, encoded

ANSWERS_FORMAT: Final = "rehab-beds/answers"
SOON: Final = timedelta(days=7)
LATER: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Removed:
    """How many beds a rule or relation took from people without a bed, in sum over them, and how
    many people it took any from."""

    rule: str
    beds: int
    people: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """One plan in figures.

    ``unplaced``: requests without a bed by the grade that counts, G0 to G5;
    ``emergencies_unplaced`` of them. ``misplaced_left``: residents left where it is not, or no
    longer, lawful and safe. ``moves``: all of them, ``resident_moves`` those of people who have a
    bed. ``waiting_weight``: what level 1 counts for the people without a bed; ``waiting_days``:
    whole days they have waited, in sum. ``freed_7d``, ``freed_30d``: beds forecast to fall free
    within so many days; ``forecast_7d``: of the requests without a bed, those for whom a lawful
    one is forecast by then. ``full_units``: units with no place left but their reserve once the
    plan is done; ``first_full``: the first that its moves, in their order, fill. ``removed``: the
    rule or relation that takes most first. ``seconds``: how long planning took.
    """

    status: PlanStatus
    levels: tuple[LevelResult, ...]
    unplaced: tuple[int, ...]
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
    removed: tuple[Removed, ...]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Difference:
    """A scenario's figures less today's, each as in ``Outcome``; ``levels`` by value."""

    unplaced: tuple[int, ...]
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
class Breaks:
    """What breaks first; None where nothing does: no rule where nobody more is left without a bed
    or in a wrong place.

    ``rule`` and ``relation``: of the rules about one person and one place, and of the relations
    between several people, the one that takes more beds than today from people without one, by
    most. ``unit``: the first that the plan fills, unless today's plan fills the same one first.
    """

    rule: Removed | None
    relation: Removed | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A scenario planned, and set against today."""

    name: str
    outcome: Outcome
    against_today: Difference
    breaks: Breaks


@dataclass(frozen=True, slots=True)
class Comparison:
    """Today and every scenario asked about, in the order asked."""

    today: Outcome
    scenarios: tuple[Answer, ...]


_COUNTED: Final = (
    "emergencies_unplaced",
    "misplaced_left",
    "placed",
    "moves",
    "resident_moves",
    "waiting",
    "waiting_weight",
    "waiting_days",
    "forecast_7d",
    "freed_7d",
    "freed_30d",
    "full_units",
)


def outcome(
    network: Network, plan: Plan, *, today: Network | None = None, seconds: float = 0.0
) -> Outcome:
    """A plan of this network in figures.

    ``today``: the network that a scenario made this one of. What counts against a bed whose unit
    the scenario closed is then that it is closed, not the rule by which nobody may be there.
    """
    left = [network.request_by_id[it.request] for it in plan.unplaced]
    grades = Counter(_grade(network, it) for it in left)
    first, full = _filled(network, plan)
    soon = network.now + SOON
    return Outcome(
        status=plan.status,
        levels=plan.levels,
        unplaced=tuple(grades[grade] for grade in Grade),
        emergencies_unplaced=sum(it.emergency for it in left),
        misplaced_left=_misplaced_left(network, plan),
        placed=len(network.requests) - len(left),
        moves=len(plan.moves),
        resident_moves=sum(it.from_bed is not None for it in plan.moves),
        waiting=len(left),
        waiting_weight=sum(waiting_weight(network, it) for it in left if not it.emergency),
        waiting_days=sum(max(0, (network.now - it.since).days) for it in left),
        forecast_7d=sum(
            it.expected_free is not None and it.expected_free <= soon for it in plan.unplaced
        ),
        freed_7d=sum(it <= soon for it in _forecasts(network)),
        freed_30d=sum(it <= network.now + LATER for it in _forecasts(network)),
        full_units=full,
        first_full=first,
        removed=_removed(network, plan, today),
        seconds=round(seconds, 3),
    )


def compared(today: Outcome, outcomes: Sequence[tuple[str, Outcome]]) -> Comparison:
    """Each named outcome against today's."""
    return Comparison(today, tuple(_answer(name, it, today) for name, it in outcomes))


def answers_to_json(comparison: Comparison) -> str:
    """A comparison as a file's text."""
    return document_text(ANSWERS_FORMAT, encoded(comparison))


def answers_from_json(text: str) -> Comparison:
    """The comparison in a file; raises ``InstanceError`` at the first fault."""
    found = decoded(Comparison, document_of(text, ANSWERS_FORMAT), "answers")
    for i, it in enumerate((found.today, *(it.outcome for it in found.scenarios))):
        if len(it.unplaced) != len(Grade):
            ways = f"give a number for each of the {len(Grade)} grades"
            raise InstanceError(f"answers[{i}].unplaced", len(it.unplaced), ways)
    return found


def _answer(name: str, here: Outcome, today: Outcome) -> Answer:
    counted = {it: getattr(here, it) - getattr(today, it) for it in _COUNTED}
    difference = Difference(
        unplaced=tuple(n - m for n, m in zip(here.unplaced, today.unplaced, strict=True)),
        levels=tuple(n.value - m.value for n, m in zip(here.levels, today.levels, strict=True)),
        **counted,
    )
    return Answer(name, here, difference, _breaks(here, today))


def _breaks(here: Outcome, today: Outcome) -> Breaks:
    unit = here.first_full if here.first_full != today.first_full else None
    # Levels 0 and 1: who is left in a wrong place or without a bed.
    if not any(n.value > m.value for n, m in zip(here.levels[:2], today.levels[:2], strict=True)):
        return Breaks(None, None, unit)
    before = {it.rule: it for it in today.removed}
    more = []
    for it in here.removed:
        was = before.get(it.rule, Removed(it.rule, 0, 0))
        if it.beds > was.beds:
            more.append(Removed(it.rule, it.beds - was.beds, it.people - was.people))
    more.sort(key=lambda it: (-it.beds, it.rule))
    return Breaks(
        rule=next((it for it in more if it.rule in RULES_BY_ID), None),
        relation=next((it for it in more if it.rule not in RULES_BY_ID), None),
        unit=unit,
    )


def _grade(network: Network, request: Request) -> Grade:
    return counted_grade(network.persons[request.person].need, network.policy)


def _misplaced_left(network: Network, plan: Plan) -> int:
    target = {move.person: move.to_bed for move in plan.moves}
    return sum(
        bool(
            misplaced(
                profile(network, stay.person).facts,
                place(network, target.get(stay.person, stay.bed)),
            )
        )
        for stay in network.stays
        if not stay.on_leave
    )


def _forecasts(network: Network) -> Iterator[datetime]:
    """When each bed that is not free is forecast to be; a forecast already past tells nothing."""
    for bed in network.beds.values():
        stay = network.stay_in_bed.get(bed.id)
        gone = bed.state in (BedState.CLOSING, BedState.CLOSED) and stay is not None
        if gone or bed.promised or bed.held_for is not None or network.is_free(bed.id):
            continue
        forecast = bed.expected_free
        if forecast is None and stay is not None and not stay.on_leave:
            forecast = stay.expected_end
        if forecast is not None and forecast >= network.now:
            yield forecast


def _filled(network: Network, plan: Plan) -> tuple[str | None, int]:
    """The first unit that the moves fill to its reserve, and how many are full at their end."""
    people = dict(network.people_in_unit)
    room = {
        unit.id: max(0, network.staffed_beds[unit.id] - unit.reserve)
        for unit in network.units.values()
    }
    first = None
    for move in plan.moves:
        unit = network.unit_of(move.to_bed).id
        if move.from_bed is not None:
            people[network.unit_of(move.from_bed).id] -= 1
        people[unit] += 1
        if first is None and people[unit] >= room[unit] > network.people_in_unit[unit]:
            first = unit
    return first, sum(people[it] >= room[it] > 0 for it in room)


def _removed(network: Network, plan: Plan, today: Network | None) -> tuple[Removed, ...]:
    closed = _closed_places(network, today) if today is not None else {}
    beds: Counter[str] = Counter()
    people: Counter[str] = Counter()
    for it in plan.unplaced:
        counts = _told(network, it, closed)
        beds.update(counts)
        people.update(counts.keys())
    found = [Removed(rule, count, people[rule]) for rule, count in beds.items()]
    return tuple(sorted(found, key=lambda it: (-it.beds, it.rule)))


_Places = Mapping[tuple[Place, Place], int]
"""Beds of closed units by the place they were and the one they are now."""


def _closed_places(network: Network, today: Network) -> _Places:
    shut = {
        unit.id
        for unit in network.units.values()
        if not unit.bases and (was := today.units.get(unit.id)) is not None and was.bases
    }
    return Counter(
        (place(today, bed), place(network, bed))
        for bed in today.beds
        if network.unit_of(bed).id in shut
    )


def _told(network: Network, left: Unplaced, closed: _Places) -> dict[str, int]:
    """The beds that rules and relations took from one request, those of closed units counted by
    the rules that refused them before, else as not available."""
    counts = Counter(dict(left.by_rule))
    if closed:
        who = profile(network, network.request_by_id[left.request].person).facts
        for (was, now), beds in closed.items():
            before = [it.rule for it in refusals(who, was)]
            after = [it.rule for it in refusals(who, now)]
            for rule in after or [Relation.AVAILABILITY]:
                counts[str(rule)] -= beds
            for rule in before or [Relation.AVAILABILITY]:
                counts[str(rule)] += beds
    return {rule: beds for rule, beds in sorted(counts.items()) if beds > 0}
