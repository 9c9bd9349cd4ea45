"""Why a request has the bed a plan gives it, or none: from the newest plan, or ranked now."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from service.access.caller import Role
from service.access.scope import facility_scope
from service.api.calls import resource
from service.api.placements import RankReader, rank_now
from service.api.ranked import RankingShown, ranked
from service.lifecycle import RunState
from service.workflow.placing import placement
from service.workflow.plans import run_explanations
from service.workflow.plans.run_explanations import ExplanationShown
from service.workflow.privacy.refusal_records import keep_refusal
from solver.domain import Unplaced
from solver.explain import unplaced_words
from solver.ranking import Ranking

router = resource("placement")

BEDS_SHOWN = 5


class Source(StrEnum):
    """Where an explanation comes from."""

    PLAN = "plan"
    RANKING = "ranking"


@dataclass(frozen=True, slots=True)
class RequestExplanation:
    """Why a request is placed as it is, or not.

    ``source`` ``plan``: from the newest explained plan, ``run``; ``ranking``: no plan knows the
    request, so free beds were ranked for it now. ``position``, ``at``: what part of the event log
    it rests on, and when that was. ``zh``, ``en``: in words, a line each.
    """

    request: str
    source: Source
    run: str | None
    run_state: RunState | None
    position: int
    at: datetime
    explanation: ExplanationShown | None
    ranking: RankingShown | None
    zh: tuple[str, ...]
    en: tuple[str, ...]


@router.get("/placement-requests/{request_id}/explanation")
async def explain_placement_request(request_id: str, call: RankReader) -> RequestExplanation:
    """Why this person gets the bed a plan gives them, or has none: the terms that decided, the beds
    each rule removed, who may lift which, when a bed is expected.

    Whoever may read the request may read this. A hospital's own administrator is shown a ranking
    of that hospital's beds, never a plan for others'.
    """
    await call.read(placement.get, request_id)
    if facility_scope(call.actor) is None:
        found = await call.read(run_explanations.of_request, request_id)
        if found is not None:
            return RequestExplanation(
                request=request_id,
                source=Source.PLAN,
                run=found.run,
                run_state=found.state,
                position=found.position,
                at=found.at,
                explanation=found.explanation,
                ranking=None,
                zh=found.explanation.zh,
                en=found.explanation.en,
            )
    asked = await rank_now(call, request_id, BEDS_SHOWN)
    if asked.none_is_lawful and call.actor.role is not Role.AUDITOR:
        await call.write(keep_refusal, request_id, asked.rules)
    return RequestExplanation(
        request=request_id,
        source=Source.RANKING,
        run=None,
        run_state=None,
        position=asked.ranking.position,
        at=asked.at,
        explanation=None,
        ranking=ranked(asked.ranking),
        zh=_ranked_words(asked.ranking)[0],
        en=_ranked_words(asked.ranking)[1],
    )


def _ranked_words(found: Ranking) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A ranking in Chinese and English: how many beds fit, or what keeps every bed away."""
    if found.fitting:
        return (
            (f"现有{found.fitting}张空床符合条件；尚无规划安排此申请",),
            (f"free beds that fit now: {found.fitting}; no plan has placed this request yet",),
        )
    left = Unplaced(
        found.request or "",
        (*found.by_rule, *((relation.value, beds) for relation, beds in found.by_relation)),
        min((at for _, at in found.expected), default=None),
    )
    return unplaced_words(left, "zh"), unplaced_words(left, "en")
