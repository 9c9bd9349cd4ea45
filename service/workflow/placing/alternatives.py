"""Where else the law leads when no bed is lawful for somebody: the way out beside the refusal.

Words come from the rule that refuses. They name a measure or a step of somebody else's, never a
finding, a consent or a legal ground to change.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_COMMUNITY: Final = (
    "由决定机关改为社区戒毒；需要治疗且本人同意的，可由有资质的医院收治。",
    "The deciding organ orders community detoxification instead; where treatment is needed and "
    "the person agrees, a licensed hospital may take them.",
)
_BY_RULE: Final[dict[str, tuple[str, str, str]]] = {
    "P01": (*_COMMUNITY, "Anti-Drug Law art. 39"),
    "P02": (
        "不满十六周岁可以不适用强制隔离戒毒；由决定机关改为社区戒毒，由监护人照管。",
        "Under 16 the compulsory measure need not apply: the deciding organ orders community "
        "detoxification, in a guardian's care.",
        "Anti-Drug Law art. 39",
    ),
    "P03": (
        "先由医生做妊娠检查；结果出来之前可留在医疗机构。",
        "A doctor's pregnancy test comes first; until its result the person may be cared for in a "
        "medical place.",
        "Anti-Drug Law art. 39",
    ),
    "L01": (
        "没有有效的强制隔离戒毒决定书，不得收治于强制隔离戒毒场所；可由公安机关责令社区戒毒，"
        "或者本人自愿接受戒毒治疗。",
        "Without a decision in force no compulsory place may take the person; police may order "
        "community detoxification, or the person may choose voluntary treatment.",
        "Anti-Drug Law arts. 33, 36, 38",
    ),
    "P16": (
        "留在公安所或者转医疗机构治疗；司法所此时不接收。",
        "The person stays with the police centre or is treated in a medical place; the justice "
        "centre does not take over now.",
        "Shanghai Ordinance art. 33",
    ),
}


@dataclass(frozen=True, slots=True)
class Alternative:
    """What the law offers instead of a bed, by which rule, in both languages."""

    rule: str
    zh: str
    en: str
    source: str


def alternatives(rules: Iterable[str]) -> tuple[Alternative, ...]:
    """What else the law offers somebody whom these rules keep from every bed, by rule."""
    return tuple(
        Alternative(rule, *_BY_RULE[rule]) for rule in sorted(set(rules)) if rule in _BY_RULE
    )
