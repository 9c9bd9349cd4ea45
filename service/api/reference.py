"""The rules and the codes, for whoever builds on the API or must explain an answer."""

from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel

from service.access.caller import Role
from service.api.calls import ALL_ROLES, Call, calling, resource
from solver import codes
from solver.eligibility import RULES, TRANSITIONS
from solver.eligibility.register import REGISTER
from solver.eligibility.table import fed_by

router = resource("reference")

Anyone = Annotated[Call, calling(*ALL_ROLES)]


class RuleShown(BaseModel):
    """One rule about one person and one place.

    ``lifted_by`` is null where nobody lifts it; ``owner`` sets a rule of local practice; ``papers``
    fall due after an emergency instead of holding it up; ``offers_only`` makes no present place
    wrong. ``reads``: the fields of person and place it looks at, and no others.
    """

    id: str
    title_zh: str
    title_en: str
    zh: str
    en: str
    cites: list[str]
    source: str
    statutory: bool
    lifted_by: str | None
    owner: str | None
    papers: bool
    offers_only: bool
    reads: list[str]


class RowShown(BaseModel):
    """What one row of the collected law and practice became, and where that lives."""

    id: str
    marked: str
    became: str
    where: list[str]
    fed_by: str
    reason: str


class TransitionShown(BaseModel):
    """A change of legal status that may be recorded, and what must be on record first."""

    row: str
    source: str
    target: str
    needs: list[str]
    cites: list[str]


class CodesShown(BaseModel):
    """Every code the API speaks, by its name in the contract; numbers where the order counts."""

    codes: dict[str, list[str]]
    ordered: dict[str, dict[str, int]]


_RULES: Final = [
    RuleShown(
        id=rule.id,
        title_zh=rule.title("zh"),
        title_en=rule.title("en"),
        zh=rule.zh,
        en=rule.en,
        cites=list(rule.cites),
        source=rule.source,
        statutory=rule.statutory,
        lifted_by=rule.lifted_by.value if rule.lifted_by is not None else None,
        owner=rule.owner.value if rule.owner is not None else None,
        papers=rule.papers,
        offers_only=rule.offer_only,
        reads=list(rule.reads),
    )
    for rule in RULES
]
_ROWS: Final = [
    RowShown(
        id=row.id,
        marked=row.enforcement,
        became=row.as_.value,
        where=list(row.where),
        fed_by=fed_by(row),
        reason=row.reason,
    )
    for row in REGISTER
]
_TRANSITIONS: Final = [
    TransitionShown(
        row=it.id,
        source=it.source.value,
        target=it.target.value,
        needs=list(it.needs),
        cites=list(it.cites),
    )
    for it in TRANSITIONS
]


E = TypeVar("E", bound=Enum)


def _own_codes(kind: type[E]) -> list[type[E]]:
    return [
        found
        for found in vars(codes).values()
        if isinstance(found, type)
        and issubclass(found, kind)
        and found.__module__ == codes.__name__
    ]


_CODES: Final = CodesShown(
    codes={
        **{found.__name__: [code.value for code in found] for found in _own_codes(StrEnum)},
        Role.__name__: [role.value for role in Role],
    },
    ordered={
        found.__name__: {code.name: code.value for code in found} for found in _own_codes(IntEnum)
    },
)


@router.get("/rules")
async def list_rules(call: Anyone) -> list[RuleShown]:
    """Every rule, in the order refusals are listed. Statutory ones nobody may lift."""
    return _RULES


@router.get("/rules/register")
async def list_rows(call: Anyone) -> list[RowShown]:
    """Every row of the collected law and practice: the rule, relation, transition, clock, policy
    setting or safeguard it became, or why a bed service does not decide it."""
    return _ROWS


@router.get("/rules/transitions")
async def list_transitions(call: Anyone) -> list[TransitionShown]:
    """Every change of legal status that may be recorded; anything else is refused."""
    return _TRANSITIONS


@router.get("/codes")
async def list_codes(call: Anyone) -> CodesShown:
    """Every code: what may stand in a request, and what an answer may hold."""
    return _CODES
