"""A plan that somebody made or edited by hand: its price and every rule it breaks.

Looked at beside a snapshot alone; nothing is written and nothing comes of it. Whoever wants it
carried out approves proposals of a run, or decides on requests and transfers, one by one.
"""

import gzip
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from service.errors import Conflict, NotFound
from service.lifecycle import RunState
from service.store.tables.core import planning_run
from service.workflow.context import Context
from solver.check import Violation
from solver.codes import MoveReason, Relation
from solver.cost import TERMS, move_terms
from solver.domain import Move, Network, Plan
from solver.explain import term_words, violation_words
from solver.hand_plans import HandPlan, hand_made
from solver.instance import network_from_json
from solver.pricing import Priced, price_plan

_WITHOUT: Final = {
    True: (
        "no worker has taken this run up yet, so it has no snapshot; "
        "wait until it is running, or price on the live network"
    ),
    False: (
        "a newer plan replaced this run's long ago and its snapshot was let go of; "
        "price on the newest run's, or on the live network"
    ),
}
"""Why a run has no snapshot, by whether it is still queued."""


_OF_THE_PERSON: Final = frozenset({Relation.ELIGIBILITY, Relation.MOVABILITY})
"""Relations whose own texts tell findings, papers and consents of the person moved."""


@dataclass(frozen=True, slots=True)
class TermPriced:
    """One named cost of the whole plan, and the level it counts on; lower is better."""

    term: str
    level: int
    value: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class MovePriced:
    """One move with what was worked out for it, and its own price; null where it names a person
    or bed that the snapshot does not have, or comes twice: then it is left out of the sums."""

    id: str
    person: str
    from_bed: str | None
    to_bed: str
    request: str | None
    reason: MoveReason
    after: tuple[str, ...]
    ready_at: datetime | None
    displaced_for: str | None
    terms: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class ViolationShown:
    """A rule the plan breaks: its name in both languages, the moves, people, beds or units it is
    about (never who is there already), and what is wrong.

    A rule about one person is told by its id and title alone. Anybody could be tried against any
    bed, so what a rule needed of them and what it found is not for this answer.
    """

    relation: Relation
    subjects: tuple[str, ...]
    zh: str
    en: str
    detail: str


@dataclass(frozen=True, slots=True)
class PlanPriced:
    """What a hand-made plan costs on a snapshot, by term and by level, and what it breaks.

    ``run``: the planning run whose snapshot it is, null for the network as this process keeps it.
    ``run_levels``: what that run's own plan costs, where it is solved. ``clean``: it breaks
    nothing. ``unplaced``: how many requests it leaves without a bed.
    """

    run: str | None
    network_position: int
    clean: bool
    levels: tuple[int, ...]
    run_levels: tuple[int, ...] | None
    terms: tuple[TermPriced, ...]
    moves: tuple[MovePriced, ...]
    unplaced: int
    violations: tuple[ViolationShown, ...]


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """A planning run's stored snapshot, packed, and its plan's level values if there is one."""

    run: str
    packed: bytes
    levels: tuple[int, ...] | None


def snapshot_of(conn: Connection, ctx: Context, run: str) -> RunSnapshot:
    """The snapshot a planning run was made from.

    Raises:
        NotFound: no run by that id.
        Conflict: ``run-without-snapshot``, no worker has taken it up yet, or the snapshot was let
            go of since.
    """
    row = conn.execute(
        select(planning_run.c.state, planning_run.c.snapshot, planning_run.c.levels).where(
            planning_run.c.id == run
        )
    ).one_or_none()
    if row is None:
        raise NotFound("planning-run-not-found", f"there is no planning run {run}")
    if row.snapshot is None:
        raise Conflict("run-without-snapshot", _WITHOUT[row.state == RunState.QUEUED], run=run)
    levels = None if row.levels is None else tuple(it["value"] for it in row.levels)
    return RunSnapshot(run, row.snapshot, levels)


def unpacked(snapshot: RunSnapshot) -> Network:
    """The network of a stored snapshot; some tenths of a second of CPU for a city."""
    return network_from_json(gzip.decompress(snapshot.packed).decode())


def priced(network: Network, given: HandPlan, snapshot: RunSnapshot | None = None) -> PlanPriced:
    """Price a hand-made plan on a network; some hundredths of a second of CPU for a city."""
    plan = hand_made(network, given)
    found = price_plan(network, plan)
    return PlanPriced(
        run=None if snapshot is None else snapshot.run,
        network_position=network.position,
        clean=not found.violations,
        levels=found.levels,
        run_levels=None if snapshot is None else snapshot.levels,
        terms=tuple(
            TermPriced(
                it.name,
                it.level,
                found.terms[it.name],
                term_words(it.name, "zh"),
                term_words(it.name, "en"),
            )
            for it in TERMS
        ),
        moves=tuple(_move(network, it, found) for it in plan.moves),
        unplaced=len(plan.unplaced),
        violations=tuple(dict.fromkeys(_shown(network, plan, it) for it in found.violations)),
    )


def _shown(network: Network, plan: Plan, it: Violation) -> ViolationShown:
    zh, en = (violation_words(network, plan, it, language) for language in ("zh", "en"))
    return ViolationShown(
        it.relation, it.subjects, zh, en, en if it.relation in _OF_THE_PERSON else it.text
    )


def _move(network: Network, it: Move, found: Priced) -> MovePriced:
    counted = it.id not in found.unpriced
    terms = move_terms(network, it.person, it.from_bed, it.to_bed) if counted else ()
    return MovePriced(
        it.id,
        it.person,
        it.from_bed,
        it.to_bed,
        it.request,
        it.reason,
        it.after,
        it.ready_at,
        it.displaced_for,
        dict(terms) if counted else None,
    )
