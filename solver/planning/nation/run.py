"""The plan of a network of many regions; its steps read as the method."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import hypot
from typing import cast

import numpy as np

from solver.check import violations
from solver.codes import PlanStatus
from solver.cost import (
    LEVELS,
    level_totals,
    misplaced_weight,
    price,
    seat,
    unplaced_term,
    waiting_weight,
)
from solver.domain import LevelResult, Network, Plan, Request
from solver.planning.engine import Floats
from solver.planning.levels import Limits
from solver.planning.nation.bounds import POOLED, Settling
from solver.planning.nation.census import Census, Kinds, PersonKind, Slot, take, unit_kind
from solver.planning.nation.crew import Crew, cores
from solver.planning.nation.exchange import Assignment, assign
from solver.planning.nation.fit import (
    UPPER,
    Away,
    Prices,
    above_empty,
    elsewhere,
    marginal,
    priced,
)
from solver.planning.nation.fit import Region as FitRegion
from solver.planning.nation.fits import Fits
from solver.planning.nation.merge import merged
from solver.planning.nation.pooled import Pooled
from solver.planning.nation.regions import Region, network_of, regions
from solver.planning.nation.sketch import sketches
from solver.planning.run import DirtyPlanError, RunStats, make_plan

ONE_PLAN = 6_000
"""Up to so many beds a network is one city, however far apart its places lie, and planned whole:
nobody is kept from a place by the way regions are cut."""
PROVINCE = 5
"""Regions whose uses are settled together: more see further and take longer."""
PATIENCE = 10
"""How many times the last resort of one solve the national program's solves may take."""
SAMPLE = 3
"""Regions whose plans together set the prices for level 4's bound."""


@dataclass(frozen=True)
class Shared:
    """What every worker reads."""

    network: Network
    regions: tuple[Region, ...]
    kinds: Kinds
    seed: int
    limits: Limits
    previous: Plan | None


@dataclass(frozen=True)
class Task:
    """One region to plan: who is planned there, and how many residents it may move."""

    region: int
    requests: tuple[str, ...]
    budget: int


def plan_nation(
    network: Network,
    seed: int = 0,
    limits: Limits | None = None,
    *,
    workers: int | None = None,
    previous: Plan | None = None,
    stop: Callable[[], bool] | None = None,
    report: Callable[[str], None] | None = None,
    keep: Callable[[Plan], None] | None = None,
) -> tuple[Plan, RunStats]:
    """Plan a network of any number of regions for now; one region is ``make_plan``'s.

    The same network and seed give the same plan whatever the number of ``workers`` (None: the
    cores this process may use), unless its status is ``STOPPED``: when ``stop()`` says so the
    regions planned so far are the plan, and nobody moves in the others. ``keep`` gets each plan
    that is clean and better than the one before. Raises ``DirtyPlanError`` as ``make_plan`` does,
    ``WorkerDiedError`` when a worker process dies; then there is no plan.
    """
    limits = limits or Limits()
    parts = regions(network)
    if len(parts) < 2 or len(network.beds) <= ONE_PLAN:
        plan, stats = make_plan(network, seed, limits, previous=previous, stop=stop, report=report)
        if keep is not None:
            keep(plan)
        return plan, stats
    shared = Shared(network, parts, Kinds(network, located=False), seed, limits, previous)
    workers = min(workers or cores(), len(parts))
    with Crew(shared, workers) as crew:
        return _Run(shared, crew, stop, report or (lambda _: None), keep).plan()


class _Run:
    def __init__(
        self,
        shared: Shared,
        crew: Crew,
        stop: Callable[[], bool] | None,
        report: Callable[[str], None],
        keep: Callable[[Plan], None] | None,
    ) -> None:
        self.shared, self.crew, self.stop = shared, crew, stop
        self.report, self.keep, self.stats = report, keep, RunStats(rounds=1)

    def plan(self) -> tuple[Plan, RunStats]:
        shared, stats, count = self.shared, self.stats, len(self.shared.regions)
        with stats.timed("census"):
            found = dict(self.crew.each(_census, range(count)))
            censuses = [found[i] for i in range(count)]
        self.report(f"{count} regions, {len(shared.network.requests)} waiting")
        with stats.timed("exchange"):
            kinds = {it.id: unit_kind(it) for it in shared.network.units.values()}
            program = Pooled(censuses, kinds, shared.network.policy)
            self.report(f"{len(program.cost)} kinds of ways to be placed in the nation")
            x, late = self._uses(program)
            given = self._assigned(program, x)
        with stats.timed("regions"):
            plans = self._plan_regions(given)
        stopped = len(plans) < count
        bounds = _trivial(censuses)
        with stats.timed("explain and check"):
            plan = self._checked(plans, bounds, stopped or late)
        if self.keep is not None:
            self.keep(plan)
        if stopped:
            return plan, stats
        with stats.timed("bounds"):
            values = [it.value for it in plan.levels]
            settling = Settling(program, PATIENCE * shared.limits.seconds)
            pooled = settling.bounds(values)
            bounds[:POOLED] = [max(it) for it in zip(bounds, pooled, strict=False)]
            bounds[UPPER] = max(bounds[UPPER], self._fit(program, plan, values))
        plan = _bounded(plan, bounds, late or settling.timed_out)
        if self.keep is not None:
            self.keep(plan)
        return plan, stats

    def _uses(self, program: Pooled) -> tuple[np.ndarray | None, bool]:
        """The uses of open rooms and reserves the nation wants, settled by provinces of a few
        regions each, as a point of the national program; None where one has none. Whether a wall
        clock ended a solve."""
        count = len(self.shared.regions)
        asked = [
            (tuple(range(first, min(first + PROVINCE, count))), program.kinds)
            for first in range(0, count, PROVINCE)
        ]
        found = dict(self.crew.each(_settle, asked))
        parts = [found[i][0] for i in range(len(asked))]
        late = any(it[1] for it in found.values())
        whole = np.concatenate(parts)
        if len(whole) != len(program.whole):
            return None, late
        x = np.zeros(len(program.cost))
        x[program.whole] = whole
        return x, late

    def _assigned(self, program: Pooled, x: np.ndarray | None) -> list[Task]:
        network, parts = self.shared.network, self.shared.regions
        own = {it.person: number for number, part in enumerate(parts) for it in part.requests}
        budget = network.policy.move_budget
        found = Assignment({}, tuple(0 for _ in parts))
        if x is not None:
            kinds = program.unit_kind
            far, busy = _far(network, parts), _busy(network, program.fits)
            found = assign(sketches(program, x), kinds, program.fits, far, busy, budget)
        asked: list[list[Request]] = [[] for _ in parts]
        for request in sorted(network.requests, key=lambda it: it.id):
            asked[found.region.get(request.person, own[request.person])].append(request)
        spare, more = divmod(max(0, budget - sum(found.moves)), len(parts))
        return [
            Task(i, tuple(it.id for it in asked[i]), found.moves[i] + spare + (i < more))
            for i in range(len(parts))
        ]

    def _plan_regions(self, tasks: Sequence[Task]) -> dict[int, Plan]:
        plans: dict[int, Plan] = {}
        totals = np.zeros(LEVELS, np.int64)
        for number, (plan, stats) in self.crew.each(_plan, tasks, self.stop):
            plans[number] = plan
            totals += [it.value for it in plan.levels]
            self.stats.classes += stats.classes
            self.stats.slots += stats.slots
            self.stats.arcs += stats.arcs
            self.stats.open_rooms += stats.open_rooms
            self.stats.dropped += stats.dropped
            self.report(
                f"region {len(plans)} of {len(tasks)}: {len(plan.moves)} moves, "
                f"{len(plan.unplaced)} unplaced; so far {', '.join(str(it) for it in totals)}"
            )
        return {number: plans[number] for number in sorted(plans)}

    def _fit(self, program: Pooled, plan: Plan, values: Sequence[int]) -> float:
        """The bound of level 4 at the prices of a few regions taken together."""
        shared, count = self.shared, len(self.shared.regions)
        likes = tuple(program.likes)
        sample = sorted({i * count // SAMPLE for i in range(SAMPLE)})
        alone = [network_of(shared.network, shared.regions[i]) for i in sample]
        given = [_with_homes(shared, one, i, likes) for i, one in zip(sample, alone, strict=True)]
        those = [_share(shared.network, one, plan) for one in alone]
        prices = marginal(given, [sum(it) for it in zip(*those, strict=True)])
        asked = [(i, likes, prices) for i in range(count)]
        found = dict(self.crew.each(_fit_of, asked, self.stop))
        if len(found) < count:
            return -np.inf
        total = sum(found[i] for i in range(count))
        total -= sum(a * b for a, b in zip(prices.levels, values[:UPPER], strict=True))
        return float(np.ceil(total - 1e-3))

    def _checked(self, plans: dict[int, Plan], bounds: Sequence[float], stopped: bool) -> Plan:
        """One plan of all regions, priced and judged as a whole."""
        network = self.shared.network
        plan = merged(network, plans.values(), self.shared.seed)
        levels = tuple(
            LevelResult(i, value, value) for i, value in enumerate(price(network, plan).levels)
        )
        late = any(it.status is PlanStatus.STOPPED for it in plans.values())
        plan = _bounded(replace(plan, levels=levels), bounds, stopped or late)
        broken = violations(network, plan)
        if broken:
            raise DirtyPlanError(broken)
        return plan


def _bounded(plan: Plan, bounds: Sequence[float], stopped: bool) -> Plan:
    """The plan with these bounds, and the status they give it."""
    levels = tuple(
        replace(it, bound=min(float(bound), float(it.value)) + 0.0)
        for it, bound in zip(plan.levels, bounds, strict=True)
    )
    if stopped or plan.status is PlanStatus.STOPPED:
        status = PlanStatus.STOPPED
    elif any(it.gap > 0 for it in levels):
        status = PlanStatus.WITHIN_GAP
    elif plan.moves or plan.unplaced:
        status = PlanStatus.OPTIMAL
    else:
        status = PlanStatus.NOTHING_TO_DO
    return replace(plan, levels=levels, status=status)


def _census(shared: Shared, number: object) -> Census:
    assert isinstance(number, int)
    return take(network_of(shared.network, shared.regions[number]), shared.kinds)


def region_network(shared: Shared, task: Task) -> Network:
    """A region with the people planned there, under its share of the move budget."""
    network, region = shared.network, shared.regions[task.region]
    requests = tuple(network.request_by_id[it] for it in task.requests)
    asked = {it.person for it in region.requests} - {it.person for it in region.stays}
    held = {who for it in region.beds if (who := network.beds[it].held_for) is not None}
    people = (set(region.persons) - asked) | {it.person for it in requests} | held
    part = replace(region, requests=requests, persons=tuple(sorted(people)))
    given = network_of(network, part)
    return replace(given, policy=replace(network.policy, move_budget=task.budget))


def _settle(shared: Shared, asked: object) -> tuple[Floats, bool]:
    """The uses a few regions want, in the order of their columns."""
    numbers, kinds = cast(tuple[Sequence[int], Sequence[PersonKind]], asked)
    censuses = [_census(shared, number) for number in numbers]
    unit_kinds = {it.id: unit_kind(it) for it in shared.network.units.values()}
    share = shared.network.policy.move_budget * len(numbers) // len(shared.regions)
    policy = replace(shared.network.policy, move_budget=share)
    program = Pooled(censuses, unit_kinds, policy, kinds=kinds)
    settling = Settling(program, PATIENCE * shared.limits.seconds)
    uses = settling.uses()
    return uses, settling.timed_out


def _plan(shared: Shared, task: object) -> tuple[Plan, RunStats]:
    assert isinstance(task, Task)
    network, previous = region_network(shared, task), shared.previous
    if previous is not None:
        mine = tuple(it for it in previous.moves if it.person in network.persons)
        previous = replace(previous, moves=mine)
    return make_plan(network, shared.seed, shared.limits, previous=previous)


def _busy(network: Network, fits: Fits) -> dict[str, tuple[int, int]]:
    """What a bed of each unit costs more at level 4 than one of its kind in an empty unit: for an
    emergency, for anybody else."""
    found = {}
    for unit, rooms in network.rooms_of_unit.items():
        beds = [bed for room in rooms[:1] for bed in network.beds_of_room[room]]
        if beds:
            here = seat(network, beds[0])
            found[unit] = above_empty(fits, here, True), above_empty(fits, here, False)
    return found


def _share(whole: Network, region: Network, plan: Plan) -> tuple[int, ...]:
    """What a plan of the whole network costs for the people of one region, by level."""
    moves = [it for it in plan.moves if it.person in region.persons]
    moved, placed = {it.person for it in moves}, {it.request for it in moves}
    terms = [term for it in moves for term in it.terms]
    terms += [
        (unplaced_term(it), waiting_weight(whole, it))
        for it in region.requests
        if it.id not in placed
    ]
    terms += [
        ("misplaced_left", misplaced_weight(whole, it))
        for it in region.stays
        if it.person not in moved
    ]
    return level_totals(terms)


def _with_homes(shared: Shared, network: Network, number: int, likes: Sequence[Slot]) -> FitRegion:
    """The program of a region with homes, for level 4."""
    whole, part = shared.network, shared.regions[number]
    unit_kinds = {it.id: unit_kind(it) for it in whole.units.values()}
    away = Away(
        likes,
        frozenset(part.units),
        elsewhere(whole, part.facilities),
        Fits(whole.policy),
        unit_kinds,
    )
    census = take(network, Kinds(whole, located=True))
    return FitRegion(census, unit_kinds, whole.policy, away)


def _fit_of(shared: Shared, asked: object) -> float:
    number, likes, prices = cast(tuple[int, Sequence[Slot], Prices], asked)
    network = network_of(shared.network, shared.regions[number])
    return priced(_with_homes(shared, network, number, likes), prices)


def _far(network: Network, parts: Sequence[Region]) -> dict[str, float]:
    """How far from the middle of their own region's places everybody who waits lives, in km."""
    found = {}
    for part in parts:
        at = np.array([network.facilities[it].position for it in part.facilities])
        east, north = at.mean(axis=0)
        for request in part.requests:
            home = network.persons[request.person].home
            if home is not None:
                found[request.person] = hypot(home[0] - east, home[1] - north)
    return found


def _trivial(censuses: Sequence[Census]) -> list[float]:
    """Bounds that need no program: nobody who can be placed is left, every move is all gain."""
    settled = [float(sum(it.settled[i] for it in censuses)) for i in (0, 1)]
    gain = [-float(sum(it.leaving[level] for it in censuses)) for level in range(LEVELS)]
    return [*settled, gain[2], 0.0, gain[4]]
