"""What somebody was refused, by which rules: kept even though the refused write is undone.

Facts about a person that change after a refusal are what an auditor looks at; for that the
refusal must be on record. It names rules, never what they found.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, insert, select

from service.errors import ServiceError
from service.store import requests
from service.store.engine import now as clock
from service.store.ids import new_id
from service.store.tables import core
from service.workflow.context import Context
from solver.codes import Relation

_c: Final = core.refusal_record.c
_NOT_OF_THEM: Final = frozenset({Relation.CAPACITY, Relation.AVAILABILITY, Relation.RESERVE})
"""No fact about a person changes these."""
SAME_WITHIN: Final = timedelta(hours=1)
"""The same refusal shown again within this time is one refusal."""


def rules_of(error: ServiceError) -> tuple[str, ...]:
    """The rules and relations an error names as refusing; none where it is no refusal by rules."""
    members = error.members
    named = [it["rule"] for it in members.get("refusals", ())]
    named += [
        it["relation"] for it in members.get("relations", ()) if it["relation"] not in _NOT_OF_THEM
    ]
    if error.code == "rule-cannot-be-lifted":
        named.append(members["rule"])
    return tuple(sorted(set(named)))


def keep_refusal(conn: Connection, ctx: Context, request: str, rules: Iterable[str]) -> None:
    """Keep that this caller was refused a bed for the request's person, by these rules.

    The same refusal to the same caller within the hour is kept once.
    """
    named = sorted(set(rules))
    if not named:
        return
    person = requests.request(conn, request).person
    now = clock(conn)
    known = conn.execute(
        select(_c.id).where(
            _c.person_id == person,
            _c.request_id == request,
            _c.refused_to == ctx.actor.id,
            _c.rules == named,
            _c.refused_at > now - SAME_WITHIN,
        )
    ).first()
    if known is not None:
        return
    conn.execute(
        insert(core.refusal_record).values(
            id=new_id("rf"),
            person_id=person,
            request_id=request,
            rules=named,
            refused_at=now,
            refused_to=ctx.actor.id,
        )
    )


def last_rules(conn: Connection, request: str) -> tuple[str, ...]:
    """The rules of the request's newest refusal on record."""
    found = conn.execute(
        select(_c.rules)
        .where(_c.request_id == request)
        .order_by(_c.refused_at.desc(), _c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    return tuple(found or ())
