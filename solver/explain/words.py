"""Plain words for what the planner, the ranking and the checker say in codes.

Words name rules and counts. They never speak of another resident, and never say which finding,
consent or legal ground would change the answer.
"""

from datetime import datetime

from solver.codes import MoveReason, Relation
from solver.cost import TERMS
from solver.domain import SHANGHAI, Move, Unplaced
from solver.eligibility import RULES_BY_ID, Approver
from solver.eligibility.registry import Language, owner_words
from solver.explain.answers import Cause

_REASONS: dict[MoveReason, tuple[str, str]] = {
    MoveReason.PLACE_WAITING: ("候床人员安置", "a waiting person gets a bed"),
    MoveReason.RIGHT_A_MISPLACED: (
        "现住处不再合法或者安全",
        "the present place is no longer lawful or safe",
    ),
    MoveReason.MAKE_ROOM: (
        "为候床人员腾出床位",
        "makes room so that a waiting person can be placed",
    ),
    MoveReason.STEP_DOWN: (
        "约束较少的处所即可满足需要",
        "a less restrictive place meets the need",
    ),
}
_RELATIONS: dict[Relation, tuple[str, str]] = {
    Relation.ELIGIBILITY: ("单人规则不符", "a rule about one person and one place refuses"),
    Relation.CAPACITY: ("床位或者人手已满", "taken, or no staffed bed left"),
    Relation.AVAILABILITY: ("停用、预留或者已约定", "out of service, held or promised"),
    Relation.ONE_SEX_PER_ROOM: ("多人间男女分开", "one sex in a shared room"),
    Relation.ISOLATION_EXCLUSIVITY: ("隔离须单独居住", "isolation is not shared"),
    Relation.MINORS_APART: ("未成年人分开", "minors are kept apart"),
    Relation.CUSTODY_APART: ("监管与自愿人员分开", "custody is kept apart from consent"),
    Relation.RESERVE: ("急救预留", "the unit's last beds are kept for emergencies"),
    Relation.MOVABILITY: ("不具备调整条件", "not the plan's to move"),
    Relation.ORDER_OF_MOVES: ("调整次序不可行", "the order of moves does not work"),
    Relation.EVERY_REQUEST: ("申请未逐一答复", "not every request is answered once"),
    Relation.PRICE: ("费用与复算不符", "the figures are not the recounted ones"),
}
_CAUSES: dict[Cause, tuple[str, str]] = {
    Cause.TAKEN: ("已有人占用", "taken"),
    Cause.GIVEN: ("本方案已安排给其他申请或者调整", "given to another request or transfer"),
    Cause.UNSTAFFED: ("人手已满", "no staff for one more person"),
    Cause.OUT_OF_USE: ("停用、预留或者已约定", "out of service, held or promised"),
    Cause.TO_DISINFECT: ("待终末消毒", "to be disinfected first"),
    Cause.DECLINED: ("单位已不予接收", "in a unit that declined"),
    Cause.NOT_MOVABLE: ("不具备调整条件", "not the plan's to move there"),
}
_APPROVERS: dict[Approver, tuple[str, str]] = {
    Approver.DECIDING_ORGAN: ("决定机关", "the deciding organ"),
    Approver.CLINICIAN: ("医生", "a doctor"),
    Approver.COORDINATOR: ("调度员", "the coordinator"),
}
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_TERMS = {term.name: (term.zh, term.en) for term in TERMS}


def reason_words(reason: MoveReason, language: Language) -> str:
    """Why a move is proposed."""
    return _pick(_REASONS[reason], language)


def relation_words(relation: Relation, language: Language) -> str:
    """What a rule about several people asks."""
    return _pick(_RELATIONS[relation], language)


def cause_words(cause: Cause, language: Language) -> str:
    """Why a lawful bed is not to be had."""
    return _pick(_CAUSES[cause], language)


def term_words(term: str, language: Language) -> str:
    """What a cost term counts. Raises KeyError for a name that is none."""
    return _pick(_TERMS[term], language)


def approver_words(approver: Approver, language: Language) -> str:
    """Who may lift a rule, with a reason."""
    return _pick(_APPROVERS[approver], language)


def instant_words(instant: datetime, language: Language) -> str:
    """An aware instant as the clock on the wall in Asia/Shanghai shows it, to the minute."""
    at = instant.astimezone(SHANGHAI)
    if language == "zh":
        return f"{at.year}年{at.month}月{at.day}日{at:%H:%M}"
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year} {at:%H:%M}"


def move_words(move: Move, language: Language) -> str:
    """One move's reason and what it costs, each term by name."""
    reason = reason_words(move.reason, language)
    counted = [f"{term_words(name, language)} {n:+d}" for name, n in move.terms]
    if not counted:
        return reason
    return (
        f"{reason}（{'，'.join(counted)}）"
        if language == "zh"
        else (f"{reason} ({', '.join(counted)})")
    )


def unplaced_words(unplaced: Unplaced, language: Language) -> tuple[str, ...]:
    """Why a request has no bed: one line a rule or relation with how many beds it removed and who
    may lift it, the rule that removed most first; last when a bed is expected."""
    ordered = sorted(unplaced.by_rule, key=lambda it: (-it[1], it[0]))
    lines = [_count_words(code, beds, language) for code, beds in ordered]
    lines.append(_expected_words(unplaced.expected_free, language))
    return tuple(lines)


def _count_words(code: str, beds: int, language: Language) -> str:
    rule = RULES_BY_ID.get(code)
    if rule is None:
        what, lifted_by, owner = relation_words(Relation(code), language), None, None
    else:
        what, lifted_by, owner = rule.title(language), rule.lifted_by, rule.owner
    if language == "zh":
        lifted = "" if lifted_by is None else f"；可由{approver_words(lifted_by, 'zh')}附理由放行"
        local = "" if owner is None else f"；本地规定，由{owner_words(owner, 'zh')}制定"
        return f"{code} {what}：{beds}张床{lifted}{local}"
    lifted = "" if lifted_by is None else f"; {approver_words(lifted_by, 'en')} may lift it"
    local = "" if owner is None else f"; a local rule, set by {owner_words(owner, 'en')}"
    return f"{code} {what}: {beds} {'bed' if beds == 1 else 'beds'}{lifted}{local}"


def _expected_words(expected: datetime | None, language: Language) -> str:
    if expected is None:
        return "尚无预计空床时间" if language == "zh" else "no bed is forecast to be free"
    instant = instant_words(expected, language)
    return f"预计最早空床：{instant}" if language == "zh" else f"a bed is forecast for {instant}"


def _pick(pair: tuple[str, str], language: Language) -> str:
    return pair[0] if language == "zh" else pair[1]
