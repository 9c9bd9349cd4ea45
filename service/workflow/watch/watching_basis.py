"""Whether anything still lets the law keep this person in a bed at all.

With no valid basis the only moves are release and emergency: no transfer, no leave, no new bed.
A paper that comes later opens the others again.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from sqlalchemy import Connection

from service.errors import Conflict
from service.store import misplacements
from service.store.misplacements import Resident
from service.store.network import load_network
from service.store.network_people import legal_day
from service.workflow.context import Context
from solver.codes import UnitKind
from solver.domain import Network
from solver.eligibility import RULES_BY_ID, Facts, Place, facts


class DueCode(StrEnum):
    """Why a discharge is due 应当出院/解除."""

    TERM_END = "term_end"  # 期满
    DECISION_REVOKED = "decision_revoked"
    NOT_APPLICABLE = "not_applicable"  # 不适用强制隔离戒毒
    RELEASED = "released"  # 提前解除、变更社区戒毒
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CONSENT_EXPIRED = "consent_expired"
    CONSENT_LAPSED = "consent_lapsed"  # given under intoxication and not repeated sober
    BASIS_ENDED = "basis_ended"
    NO_BASIS = "no_basis"


WORDS: Final = {
    DueCode.TERM_END: ("强制隔离戒毒期限已满", "the term is over"),
    DueCode.DECISION_REVOKED: ("决定已被撤销", "the decision was set aside"),
    DueCode.NOT_APPLICABLE: ("不适用强制隔离戒毒", "compulsory isolation does not apply"),
    DueCode.RELEASED: ("期限已依法提前终结", "the term was ended early"),
    DueCode.CONSENT_WITHDRAWN: ("同意已被撤回", "the consent was withdrawn"),
    DueCode.CONSENT_EXPIRED: ("同意已到期", "the consent has ended"),
    DueCode.CONSENT_LAPSED: (
        "未在清醒后重新确认的同意已失效",
        "a consent that was not said again sober has lapsed",
    ),
    DueCode.BASIS_ENDED: (
        "继续住院的依据已不存在",
        "what carried the treatment is not there any more",
    ),
    DueCode.NO_BASIS: ("没有法定依据", "there is no legal basis"),
}
"""What each code says, in Chinese and English."""

PAPERS_TO_COME: Final = frozenset({DueCode.NOT_APPLICABLE, DueCode.BASIS_ENDED, DueCode.NO_BASIS})
"""What an emergency does not wait for: its papers are due on a clock of their own."""

OF_CUSTODY: Final = frozenset(
    {
        DueCode.TERM_END,
        DueCode.DECISION_REVOKED,
        DueCode.NOT_APPLICABLE,
        DueCode.RELEASED,
        DueCode.NO_BASIS,
    }
)
"""Codes that are written here; those of treatment by consent are ``treatment``'s."""

_BASIS_RULES: Final[tuple[str, ...]] = (
    "L00",
    "L01",
    "P01",
    "V01",
    "V02",
    "V03",
    "M02",
    "M03",
    "M06",
)
"""The rules that say whether a basis is there and in force, wherever the bed is."""

_KINDS: Final = tuple(kind for kind in UnitKind if kind is not UnitKind.EXT)


@lru_cache(maxsize=1 << 14)
def lost_basis(who: Facts) -> DueCode | None:
    """Why no bed of any kind may lawfully be used for this person any more; None while one may.

    A consent that runs for other kinds of unit is a basis still: the place is wrong, not the
    person's stay.
    """
    refused: dict[str, str] = {}
    for kind in _KINDS:
        at = Place(kind=kind)
        no = {id_: it.offered for id_ in _BASIS_RULES if (it := RULES_BY_ID[id_](who, at))}
        if not no:
            return None
        refused |= no
    return _code(refused)


def _code(refused: dict[str, str]) -> DueCode:
    if "L01" in refused:
        return {
            "expired": DueCode.TERM_END,
            "revoked": DueCode.DECISION_REVOKED,
        }.get(refused["L01"], DueCode.NO_BASIS)
    if "L00" in refused:
        return DueCode.NO_BASIS
    if "P01" in refused:
        return DueCode.NOT_APPLICABLE
    if any(id_.startswith("M") for id_ in refused):
        return DueCode.BASIS_ENDED
    said = ",".join(refused.values())
    if "withdrawn" in said:
        return DueCode.CONSENT_WITHDRAWN
    return DueCode.CONSENT_EXPIRED if "expired" in said else DueCode.BASIS_ENDED


def papers_to_come(conn: Connection, ctx: Context, who: Resident, now: datetime) -> bool:
    """Whether somebody came by the emergency lane and their papers are on a clock still."""
    within = timedelta(minutes=ctx.policy.due["emergency_papers"].minutes)
    return who.emergency and misplacements.papers_due(conn, who, now, within)


def basis_lost_by(
    network: Network, ctx: Context, person: str, now: datetime, *, papers_to_come: bool
) -> DueCode | None:
    """Why this person's stay has no basis at ``now``, on the network's rows.

    ``papers_to_come``: an emergency whose papers are still due; what they will say is left open.
    """
    who = facts(network.persons[person], legal_day(now, ctx.policy.zone), now, network.policy)
    code = lost_basis(who)
    return None if papers_to_come and code in PAPERS_TO_COME else code


def require_basis_for_move(conn: Connection, ctx: Context, person: str, now: datetime) -> None:
    """Refuse a move of somebody in a bed whose stay has no valid basis; the caller holds them.

    Called by whatever moves a resident or gives them another bed. Not by release, discharge and
    the emergency lane: those are always open. Somebody in no bed is judged by the rules alone.

    Raises:
        Conflict: ``no-basis-to-move``, with what can be done.
    """
    here = misplacements.residents_of_persons(conn, [person])
    if not here:
        return
    network = load_network(conn, ctx.policy, units=(), persons=[person], now=now)
    if person not in network.persons:
        return
    papers = any(papers_to_come(conn, ctx, it, now) for it in here)
    code = basis_lost_by(network, ctx, person, now, papers_to_come=papers)
    if code is None:
        return
    raise Conflict(
        "no-basis-to-move",
        "nothing in force lets this person be kept in a bed, so they cannot be moved to another: "
        "discharge or release them, or use the emergency lane if their life is in danger",
        person=person,
        stay=here[0].stay,
        moves=["release", "emergency"],
    )
