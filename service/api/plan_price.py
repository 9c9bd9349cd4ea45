"""What a plan made or edited by hand costs, and every rule it breaks. Nothing is written."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.live import live
from service.api.state import State
from service.workflow.plans import hand_plans
from service.workflow.plans.hand_plans import PlanPriced, RunSnapshot
from solver.codes import MoveReason
from solver.domain import Network
from solver.hand_plans import HandMove, HandPlan

MAX_MOVES: Final = 1_000
_KEPT_SNAPSHOTS: Final = 2
_NAME: Final = "plan_price"

router = resource("planning")

Id = Annotated[str, Field(min_length=1, max_length=80)]


@dataclass(slots=True)
class _Pricing:
    """One plan is priced at a time, so that others find the interpreter; the snapshots asked for
    last stay read."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    read: OrderedDict[str, Network] = field(default_factory=OrderedDict)


class PricedMove(BaseModel):
    """A person to a bed. What is left out is worked out: their waiting request, the earlier moves
    it has to wait for, the first reason that holds."""

    model_config = ConfigDict(extra="forbid")

    person: Id
    to_bed: Id
    id: Id | None = None
    request: Id | None = None
    after: Annotated[list[Id], Field(max_length=MAX_MOVES)] | None = None
    displaced_for: Id | None = None
    reason: MoveReason | None = None


class PlanToPrice(BaseModel):
    """Moves in the order they are to be made, on the live network or on the snapshot of the
    planning run ``run``. Requests without a move stay without a bed."""

    model_config = ConfigDict(extra="forbid")

    moves: Annotated[list[PricedMove], Field(max_length=MAX_MOVES)]
    run: Id | None = None


@asynccontextmanager
async def serving(state: State) -> AsyncIterator[None]:
    """Keep the turn and the snapshots of this process."""
    state.shared[_NAME] = _Pricing()
    try:
        yield
    finally:
        del state.shared[_NAME]


@router.post("/plans/price")
async def price_hand_plan(
    body: PlanToPrice, call: Annotated[Call, calling(Role.COORDINATOR, keyed=False)]
) -> PlanPriced:
    """What a plan costs by term and level, and every rule it breaks, by name; nothing is written.

    A move that may not be made is priced all the same and its violations are named; one that
    names a person or bed the snapshot does not have is a violation and left out of the price.
    """
    given = HandPlan(
        tuple(
            HandMove(
                person=it.person,
                to_bed=it.to_bed,
                request=it.request,
                id=it.id,
                reason=it.reason,
                after=None if it.after is None else tuple(it.after),
                displaced_for=it.displaced_for,
            )
            for it in body.moves
        )
    )
    here: _Pricing = call.state.shared[_NAME]
    snapshot = None
    if body.run is not None:
        snapshot = await call.read(hand_plans.snapshot_of, body.run)
    async with here.turn:
        if snapshot is None:
            network = live(call.state).network.current()
        else:
            network = await _network_of(here, snapshot)
        return await asyncio.to_thread(hand_plans.priced, network, given, snapshot)


async def _network_of(here: _Pricing, snapshot: RunSnapshot) -> Network:
    known = here.read.pop(snapshot.run, None)
    if known is None:
        known = await asyncio.to_thread(hand_plans.unpacked, snapshot)
    here.read[snapshot.run] = known
    while len(here.read) > _KEPT_SNAPSHOTS:
        here.read.popitem(last=False)
    return known
