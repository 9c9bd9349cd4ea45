"""Answers in plain Chinese and English, line by line.

Every line speaks of the person asked about by id, of places, rules and figures. Rules of the law
are said to be the law's and no more; only for a rule of policy is it said who may lift it.
"""

from collections.abc import Iterable

from solver.codes import Relation
from solver.eligibility import RULES_BY_ID
from solver.eligibility.registry import Language, owner_words
from solver.eligibility.words import words
from solver.explain.answers import (
    RELATION_OF_CAUSE,
    Amount,
    Cause,
    Decided,
    Expected,
    Nature,
    NotPlaced,
    OtherBed,
    Placed,
    Removed,
)
from solver.explain.words import (
    approver_words,
    cause_words,
    instant_words,
    reason_words,
    relation_words,
    term_words,
)


def answer_lines(answer: Placed | NotPlaced, language: Language) -> tuple[str, ...]:
    """One answer in words; the first line says what, the others why."""
    if isinstance(answer, Placed):
        return _placed_zh(answer) if language == "zh" else _placed_en(answer)
    return _not_placed_zh(answer) if language == "zh" else _not_placed_en(answer)


def removed_words(removed: Removed, language: Language) -> str:
    """How many beds a rule, relation or cause removed, and whose it is to lift or to set."""
    return _removed_zh(removed) if language == "zh" else _removed_en(removed)


def removed_title(it: Removed, language: Language) -> str:
    """The rule, relation or cause alone, without its figures."""
    if it.nature is not Nature.RELATION:
        return f"{it.code} {RULES_BY_ID[it.code].title(language)}"
    if it.code in RELATION_OF_CAUSE:
        return cause_words(Cause(it.code), language)
    return relation_words(Relation(it.code), language)


def _placed_en(it: Placed) -> tuple[str, ...]:
    asked = "" if it.request is None else f" (request {it.request})"
    lines = [f"{it.person}{asked}: bed {it.bed} in unit {it.unit}; {reason_words(it.reason, 'en')}"]
    if it.makes_room_for is not None:
        lines.append(f"makes room for request {it.makes_room_for}")
    against = ", against staying" if it.request is None else ""
    lines.append(f"costs{against}: {_amounts(it.terms, 'en') or 'nothing'}")
    other = it.next_best
    if other is None:
        lines.append("no other lawful bed stays free once the plan is carried out")
    elif it.decided is Decided.EQUAL:
        lines.append(
            f"bed {other.bed} in unit {other.unit} is equal on every level; the ids decided"
        )
    elif it.decided is Decided.TERMS:
        lines.append(
            f"next best: bed {other.bed} in unit {other.unit}; decided on level {it.decided_at}: "
            f"{_differs(other, 'en')}"
        )
    else:
        lines.append(
            f"bed {other.bed} in unit {other.unit} stays free and costs this person less on level "
            f"{it.decided_at}: {_differs(other, 'en')}; no plan found for everybody uses it"
        )
    if it.given is not None:
        lines.append(
            f"a better bed for this person alone, in unit {it.given.unit}, is given to another "
            f"request or transfer: {_differs(it.given, 'en')}"
        )
    return tuple(lines)


def _placed_zh(it: Placed) -> tuple[str, ...]:
    asked = "" if it.request is None else f"（申请{it.request}）"
    lines = [f"{it.person}{asked}：{it.unit}的床位{it.bed}；{reason_words(it.reason, 'zh')}"]
    if it.makes_room_for is not None:
        lines.append(f"为申请{it.makes_room_for}腾出床位")
    against = "（与留在原处相比）" if it.request is None else ""
    lines.append(f"代价{against}：{_amounts(it.terms, 'zh') or '无'}")
    other = it.next_best
    if other is None:
        lines.append("方案执行后没有其他合法的空床")
    elif it.decided is Decided.EQUAL:
        lines.append(f"{other.unit}的床位{other.bed}在各层上相同；按编号次序取舍")
    elif it.decided is Decided.TERMS:
        lines.append(
            f"次优：{other.unit}的床位{other.bed}；由第{it.decided_at}层决定："
            f"{_differs(other, 'zh')}"
        )
    else:
        lines.append(
            f"{other.unit}的床位{other.bed}仍空，且对本人第{it.decided_at}层代价更小："
            f"{_differs(other, 'zh')}；未找到使用该床位的整体方案"
        )
    if it.given is not None:
        lines.append(
            f"仅就本人而言更合适的床位（{it.given.unit}）已安排给其他申请或者调整："
            f"{_differs(it.given, 'zh')}"
        )
    return tuple(lines)


def _not_placed_en(it: NotPlaced) -> tuple[str, ...]:
    if it.request is None:
        wrong = "; ".join(f"{rule} {RULES_BY_ID[rule].title('en')}" for rule in it.wrong)
        lines = [f"{it.person}: stays where the place is no longer fit by {wrong}"]
    else:
        lines = [f"{it.person} (request {it.request}): no bed in this plan"]
    lines.append(f"{it.lawful} of {it.beds} beds are refused by no rule")
    lines += [removed_words(removed, "en") for removed in it.removed]
    if it.fitting:
        lines.append(f"{_beds(it.fitting)} would fit and stay free; no plan found uses them")
    lines.append(_expected_en(it.expected))
    return tuple(lines)


def _not_placed_zh(it: NotPlaced) -> tuple[str, ...]:
    if it.request is None:
        wrong = "；".join(f"{rule} {RULES_BY_ID[rule].title('zh')}" for rule in it.wrong)
        lines = [f"{it.person}：留在已不合规的原处（{wrong}）"]
    else:
        lines = [f"{it.person}（申请{it.request}）：本方案没有床位"]
    lines.append(f"{it.beds}张床中，{it.lawful}张不为任何单人规则所拒绝")
    lines += [removed_words(removed, "zh") for removed in it.removed]
    if it.fitting:
        lines.append(f"另有{it.fitting}张床合适且仍空；未找到使用它们的方案")
    lines.append(_expected_zh(it.expected))
    return tuple(lines)


def _removed_en(it: Removed) -> str:
    said = f"{removed_title(it, 'en')}: {_beds(it.beds)}"
    if it.nature is Nature.STATUTORY:
        return f"{said}; statutory, lifted by nobody"
    if it.lifted_by is not None:
        said += f"; {approver_words(it.lifted_by, 'en')} may lift it, with a reason"
    if it.owner is not None:
        said += f"; a local rule, set by {owner_words(it.owner, 'en')}"
    return said + (f"; {_beds(it.alone)} refused by nothing else" if it.alone else "")


def _removed_zh(it: Removed) -> str:
    said = f"{removed_title(it, 'zh')}：{it.beds}张床"
    if it.nature is Nature.STATUTORY:
        return f"{said}；法定，任何人不得放行"
    if it.lifted_by is not None:
        said += f"；可由{approver_words(it.lifted_by, 'zh')}附理由放行"
    if it.owner is not None:
        said += f"；本地规定，由{owner_words(it.owner, 'zh')}制定"
    return said + (f"；其中{it.alone}张仅为此规则所拒绝" if it.alone else "")


def _amounts(terms: Iterable[Amount], language: Language) -> str:
    said = []
    for it in terms:
        name = term_words(it.term, language)
        level = f"第{it.level}层" if language == "zh" else f"level {it.level} "
        said.append(f"{level}{name} {it.amount:+d}")
    return ("，" if language == "zh" else ", ").join(said)


def _differs(other: OtherBed, language: Language) -> str:
    against = "对" if language == "zh" else "against"
    said = [
        f"{term_words(it.term, language)} {it.chosen} {against} {it.other}" for it in other.differs
    ]
    return ("，" if language == "zh" else ", ").join(said)


def _beds(number: int) -> str:
    return "1 bed" if number == 1 else f"{number} beds"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _expected_en(expected: Iterable[Expected]) -> str:
    said = [
        f"{_a(words(it.bed_kind, 'en'))} is forecast for {instant_words(it.at, 'en')}"
        for it in expected
    ]
    return "; ".join(said) or "no lawful bed is forecast to be free"


def _expected_zh(expected: Iterable[Expected]) -> str:
    said = [f"{words(it.bed_kind, 'zh')}预计{instant_words(it.at, 'zh')}空出" for it in expected]
    return "；".join(said) or "没有合法床位的预计空出时间"
