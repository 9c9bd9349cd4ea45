"""The rules and the codes, for whoever builds on the API or must explain an answer."""

from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel

from service.access.caller import Role
from service.api.calls import ALL_ROLES, Call, calling, resource
from solver import codes
from solver.eligibility import RULES

router = resource("reference")

Anyone = Annotated[Call, calling(*ALL_ROLES)]


class RuleShown(BaseModel):
    """One rule about one person and one place."""

    id: str
    title_zh: str
    title_en: str
    cites: list[str]
    source: str
    statutory: bool
    lifted_by: str | None


class CodesShown(BaseModel):
    """Every code the API speaks, by its name in the contract; numbers where the order counts."""

    codes: dict[str, list[str]]
    ordered: dict[str, dict[str, int]]


_RULES: Final = [
    RuleShown(
        id=rule.id,
        title_zh=rule.title("zh"),
        title_en=rule.title("en"),
        cites=list(rule.cites),
        source=rule.source,
        statutory=rule.statutory,
        lifted_by=rule.lifted_by.value if rule.lifted_by is not None else None,
    )
    for rule in RULES
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


@router.get("/codes")
async def list_codes(call: Anyone) -> CodesShown:
    """Every code: what may stand in a request, and what an answer may hold."""
    return _CODES
