"""What a plan breaks, in words that may be read by whoever may make a plan.

The words name rules, places and the plan's own moves. What a rule needed and what it was offered
are findings, ages, papers and consents of the person: they stay in ``Violation.text``.
"""

from collections import Counter

from solver.check import Violation, immovable
from solver.codes import MoveReason, Relation
from solver.domain import Network, Plan
from solver.eligibility import RULES_BY_ID
from solver.eligibility.registry import Language
from solver.explain.answers import Cause
from solver.explain.words import cause_words, relation_words


def violation_words(network: Network, plan: Plan, it: Violation, language: Language) -> str:
    """One violation of ``plan`` on ``network``: a rule about one person by its id and title, any
    other by its relation with, for order, movability, room and staff, a few words on what."""
    if it.relation is Relation.ELIGIBILITY:
        rule = RULES_BY_ID[it.subjects[-1]]
        return f"{rule.id} {rule.title(language)}"
    cause = _cause(network, it)
    if cause is not None:
        return f"{cause_words(cause, language)}{_of(it.subjects[-1], language)}"
    name = relation_words(it.relation, language)
    more = _more(network, plan, it)
    if more is None:
        return name
    return f"{name}：{more[0]}" if language == "zh" else f"{name}: {more[1]}"


def _cause(network: Network, it: Violation) -> Cause | None:
    """What the relation's name would not tell, or tell wrongly: of a unit or of a room."""
    where = it.subjects[-1] if it.subjects else ""
    if it.relation is Relation.CAPACITY and where in network.units:
        return Cause.UNSTAFFED
    if it.relation is Relation.AVAILABILITY and where in network.units:
        return Cause.DECLINED
    if it.relation is Relation.AVAILABILITY and where in network.rooms:
        return Cause.TO_DISINFECT
    return None


def _of(place: str, language: Language) -> str:
    return f"（{place}）" if language == "zh" else f" ({place})"


def _more(network: Network, plan: Plan, it: Violation) -> tuple[str, str] | None:
    if it.relation is Relation.ORDER_OF_MOVES:
        return _order(network, plan, it.subjects)
    if it.relation is Relation.MOVABILITY:
        return _movability(network, plan, it)
    if it.relation is Relation.AVAILABILITY and len(it.subjects) == 1:
        return "网络中没有该床位", "no such bed in the network"
    return None


def _order(network: Network, plan: Plan, subjects: tuple[str, ...]) -> tuple[str, str]:
    move, *others = subjects
    for other in others:
        if other in network.beds:
            return f"床位{other}届时尚未周转完毕", f"bed {other} is not turned around by then"
        return (
            f"{move}须在{other}腾出床位之后",
            f"{move} has to wait until {other} has vacated the bed",
        )
    if Counter(each.id for each in plan.moves)[move] > 1:
        return f"编号{move}重复使用", f"the id {move} is used more than once"
    return f"{move}所等待的调整不在其前", f"what {move} waits for does not come before it"


def _movability(network: Network, plan: Plan, it: Violation) -> tuple[str, str]:
    if not it.subjects:
        return "调整人数超过上限", "more residents are moved than the budget allows"
    subject = it.subjects[0]
    move = next((each for each in plan.moves if each.id == subject), None)
    if move is not None and len(it.subjects) > 1:
        stay = network.stay_of.get(move.person)
        unit = network.unit_of(move.to_bed)
        fixed = stay is not None and it.text in immovable(network, stay, unit)
        if fixed or move.request is None:
            return (
                f"{move.person}不得由方案调整到{unit.id}",
                f"{move.person} is not to be moved to {unit.id} by a plan",
            )
        return (
            f"{move.id}的申请或者现住床位不是{move.person}的",
            f"the request or present bed of {move.id} is not that of {move.person}",
        )
    if move is not None and move.person not in network.persons:
        return f"网络中没有{move.person}", f"{move.person} is not in the network"
    if move is not None and move.reason is MoveReason.RIGHT_A_MISPLACED:
        return (
            f"{move.id}的理由不成立，或者为其调整的人过多",
            f"the reason of {move.id} does not hold, or too many are moved for it",
        )
    if move is not None:
        return f"{move.id}的理由不成立", f"the reason of {move.id} does not hold"
    if any(each.person == subject for each in plan.moves):
        return f"{subject}被调整不止一次", f"{subject} is moved more than once"
    return f"为{subject}调整的人过多", f"too many residents are moved for {subject}"
