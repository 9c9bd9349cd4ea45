"""Whose present place is not, or no longer, lawful and safe, and which ways out the law knows."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, RowMapping

from service.access.scope import facility_scope, require_facility
from service.store import misplacements, stays
from service.workflow.context import Context
from service.workflow.judgement import RELATIONS
from service.workflow.privacy.visibility import hidden_stays
from service.workflow.watch.watching_basis import WORDS, DueCode
from solver.codes import Relation, UnitKind
from solver.domain import Network
from solver.eligibility import RULES_BY_ID, transition_allowed
from solver.ranking import rank_person

_ALL = 1_000_000


class WayOut(StrEnum):
    """How somebody may lawfully leave a place that is wrong."""

    RELEASE = "release"  # 解除、出院: never waits for acceptance, papers or a destination
    EMERGENCY = "emergency"  # 急救: moves first, papers after
    TRANSFER = "transfer"  # 转院/转所


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule or relation that makes the place wrong, in words, with its source."""

    rule: str
    zh: str
    en: str
    citation: str | None


@dataclass(frozen=True, slots=True)
class Way:
    """A way out; ``to``: for a transfer the kind of unit. ``free``: how many free beds it leads
    to that rules and company allow, null where nobody counted."""

    way: WayOut
    to: UnitKind | None
    free: int | None


@dataclass(frozen=True, slots=True)
class MisplacedView:
    """Somebody whose place is wrong: by what, since when, by when it is put right, and how.

    ``discharge_due`` says why nothing lets the stay go on, where that is so: then the only ways are
    release and emergency.
    """

    id: str
    stay: str
    person: str
    facility: str
    unit: str
    unit_kind: UnitKind
    bed: str
    rules: tuple[Broken, ...]
    since: datetime
    due_at: datetime | None
    discharge_due: str | None
    discharge_due_zh: str | None
    discharge_due_en: str | None
    ways: tuple[Way, ...]
    version: int


def listed(
    conn: Connection,
    ctx: Context,
    *,
    after: str | None,
    limit: int,
    facility: str | None = None,
) -> list[MisplacedView]:
    """Open misplacements in the order they were found; a facility's key reads its own.

    Raises Forbidden for another facility's key.
    """
    if facility is not None:
        require_facility(ctx.actor, facility)
    only = facility or facility_scope(ctx.actor) or ctx.actor.facility
    found: list[MisplacedView] = []
    while len(found) < limit:
        rows = misplacements.page(conn, after=after, limit=limit, facility=only)
        known = stays.of_ids(conn, {row["stay_id"] for row in rows})
        unseen = hidden_stays(conn, ctx, known)
        found += [_view(row) for row in rows if row["stay_id"] not in unseen]
        if len(rows) < limit:
            break
        after = rows[-1]["id"]
    return found[:limit]


def with_free_beds(network: Network, views: Iterable[MisplacedView]) -> list[MisplacedView]:
    """Count on this network how many free beds each transfer leads to; rules and company judged
    as for anybody who needs a bed."""
    return [replace(it, ways=_counted(network, it)) for it in views]


def _counted(network: Network, view: MisplacedView) -> tuple[Way, ...]:
    person = network.persons.get(view.person)
    if person is None or all(it.way is not WayOut.TRANSFER for it in view.ways):
        return view.ways
    kinds: Counter[UnitKind] = Counter()
    for it in rank_person(network, person, limit=_ALL).candidates:
        kinds[network.units[it.unit].kind] += 1 + it.alike
    return tuple(
        replace(way, free=kinds[way.to]) if way.to is not None else way for way in view.ways
    )


def _view(row: RowMapping) -> MisplacedView:
    kind = UnitKind(row["kind"])
    code = row["discharge_due_code"]
    zh, en = WORDS[DueCode(code)] if code in list(DueCode) else (None, None)
    return MisplacedView(
        id=row["id"],
        stay=row["stay_id"],
        person=row["person_id"],
        facility=row["facility_id"],
        unit=row["unit_id"],
        unit_kind=kind,
        bed=row["bed_id"],
        rules=tuple(_broken(it) for it in row["rules"]),
        since=row["since"],
        due_at=row["due_at"],
        discharge_due=code,
        discharge_due_zh=zh,
        discharge_due_en=en,
        ways=tuple(_ways(kind, no_basis=code is not None)),
        version=row["version"],
    )


def _ways(kind: UnitKind, *, no_basis: bool) -> Sequence[Way]:
    always = [Way(WayOut.RELEASE, None, None), Way(WayOut.EMERGENCY, None, None)]
    if no_basis:
        return always
    return always + [
        Way(WayOut.TRANSFER, to, None) for to in UnitKind if transition_allowed(kind, to)
    ]


def _broken(id_: str) -> Broken:
    if id_ in RULES_BY_ID:
        rule = RULES_BY_ID[id_]
        return Broken(id_, rule.title("zh"), rule.title("en"), rule.source)
    if id_ in list(Relation):
        zh, en = RELATIONS[Relation(id_)]
        return Broken(id_, zh, en, None)
    return Broken(id_, id_, id_, None)
