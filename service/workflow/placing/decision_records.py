"""Who decided what, seeing what: the record of a placement request's decisions and declines.

An auditor reads it as it was written at the time: nothing here is judged again, and nothing that
happened later (a withdrawal, a lapse, a correction) changes a line of it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from service.store import requests
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.privacy.visibility import require_request
from service.workflow.words import WordShown, beside

_decision: Final = core.placement_decision.c
_decline: Final = core.decline.c


@dataclass(frozen=True, slots=True)
class OverrideRecord:
    """A rule set aside in a decision, by which key and why."""

    rule: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A named officer's decision for a bed, a hold or a promise, with what they had before them.

    ``officer`` decided, ``decided_by`` is the key that recorded it. ``rank``: the place of the bed
    from 1 among ``alternatives``, the beds shown best first; None when it was not ranked.
    ``network_position``: the event after which that ranking saw the network. ``proposal``: the
    plan's move that was approved with this decision.
    """

    id: str
    bed: str
    officer: str
    decided_by: str
    reason: str
    rank: int | None
    alternatives: tuple[str, ...]
    network_position: int
    policy_version: str
    overrides: tuple[OverrideRecord, ...]
    decided_at: datetime
    proposal: str | None


@dataclass(frozen=True, slots=True)
class DeclineRecord:
    """A unit's coded answer that it does not take the person, by which key and when."""

    id: str
    unit: str
    code: str
    reason: str
    declined_by: str
    declined_at: datetime


@dataclass(frozen=True, slots=True)
class DecisionRecords:
    """Every decision and every decline of one placement request, each oldest first; beside them
    the person's objections and wishes."""

    request: str
    decisions: tuple[DecisionRecord, ...]
    declines: tuple[DeclineRecord, ...]
    words: tuple[WordShown, ...]


def records_of(conn: Connection, ctx: Context, request: str) -> DecisionRecords:
    """The decisions and declines of a request, oldest first.

    Raises:
        NotFound: no such request, or one this caller may not know of.
    """
    require_request(conn, ctx, request)
    person = requests.request(conn, request).person
    decisions = conn.execute(
        select(core.placement_decision)
        .where(_decision.request_id == request)
        .order_by(_decision.decided_at, _decision.id)
    )
    declines = conn.execute(
        select(core.decline)
        .where(_decline.request_id == request)
        .order_by(_decline.declined_at, _decline.id)
    )
    return DecisionRecords(
        request,
        tuple(_decided(row) for row in decisions),
        tuple(_declined(row) for row in declines),
        beside(conn, ctx, [person]).get(person, ()),
    )


def _decided(row: Any) -> DecisionRecord:
    return DecisionRecord(
        id=row.id,
        bed=row.bed_id,
        officer=row.officer,
        decided_by=row.decided_by,
        reason=row.reason,
        rank=row.rank,
        alternatives=tuple(row.alternatives),
        network_position=row.network_position,
        policy_version=row.policy_version,
        overrides=tuple(OverrideRecord(it["rule"], it["reason"], it["by"]) for it in row.overrides),
        decided_at=row.decided_at,
        proposal=row.proposal_id,
    )


def _declined(row: Any) -> DeclineRecord:
    return DeclineRecord(
        id=row.id,
        unit=row.unit_id,
        code=row.code,
        reason=row.reason,
        declined_by=row.declined_by,
        declined_at=row.declined_at,
    )
