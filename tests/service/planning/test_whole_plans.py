"""Whole plans carried out in the database, move by move in their order: it ends as planned."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine

from service.errors import Conflict
from service.lifecycle import RequestState
from service.store.engine import run
from service.store.network import load_network
from service.store.requests import request as read_request
from service.workflow.context import Context
from service.workflow.moves import handover
from service.workflow.placing import answers
from service.workflow.placing.admission import admit
from service.workflow.plans import planning_decisions, planning_runs
from service.workflow.plans.planning_decisions import ProposalShown
from service.workflow.seeds.seed import seed_network
from solver.check import violations
from solver.codes import BedState
from solver.domain import Network, Plan
from solver.instance import network_from_json
from solver.planning import make_plan
from tests.database import Server, engine_on
from tests.service.planning.plan_scenes import SCENES, part_of_a_city
from tests.service.workflow.world import World

OFFICER = {"officer": "Coordinator Li", "reason": "as planned tonight"}
OVERLAPS = """
SELECT count(*) FROM bed_claim a JOIN bed_claim b ON a.id < b.id AND a.during && b.during
 WHERE a.voided_at IS NULL AND b.voided_at IS NULL
   AND (a.bed_id = b.bed_id
        OR a.person_id = b.person_id AND a.kind = 'stay' AND b.kind = 'stay')
"""


@dataclass(frozen=True)
class Planned:
    """A database with a plan for it, and the world the plan saw."""

    engine: Engine
    ctx: Context
    before: Network
    plan: Plan
    proposals: list[ProposalShown]

    @property
    def world(self) -> World:
        return World(self.engine, self.ctx)

    def now(self) -> Network:
        with self.engine.connect() as conn:
            return load_network(conn, self.ctx.policy)

    def approve(self, it: ProposalShown) -> ProposalShown:
        return run(self.engine, planning_decisions.approve, self.ctx, it.id, **OFFICER)

    def request_state(self, request: str) -> RequestState:
        with self.engine.connect() as conn:
            return read_request(conn, request).state

    def carry_out(self, it: ProposalShown) -> None:
        """An approved move, to its end: the person is there, the bed they left is fit again."""
        world = self.world
        if it.transfer is None:
            assert it.request is not None
            world.do(answers.accept, it.request)
            world.do(admit, it.request)
            return
        world.do(handover.accept_transfer, it.transfer)
        world.depart(it.transfer)
        world.do(handover.arrive, it.transfer)
        assert it.from_bed is not None
        room = self.before.beds[it.from_bed].room
        for bed in self.before.beds_of_room[room]:
            state = world.one("SELECT state FROM bed WHERE id = :bed", bed=bed)
            if state in (BedState.HOUSEKEEPING, BedState.CONTAMINATED):
                world.fit(bed)


@contextmanager
def planned(server: Server, template: str, ctx: Context, network: Network) -> Iterator[Planned]:
    """The network in a database of its own, planned as the database shows it."""
    with server.scratch(template) as address, engine_on(address) as engine:
        run(engine, seed_network, ctx, network)
        asked = run(engine, planning_runs.request_run, ctx)
        taken = run(engine, planning_runs.take_up, ctx, asked.id)
        assert taken is not None
        seen = network_from_json(taken.snapshot.decode())
        plan, stats = make_plan(seen)
        assert violations(seen, plan) == ()
        run(engine, planning_runs.finish, ctx, taken, plan, stats.seconds)
        proposals = run(engine, planning_decisions.list_proposals, ctx, asked.id)
        assert [it.person for it in proposals] == [it.person for it in plan.moves]
        yield Planned(engine, ctx, seen, plan, proposals)


@pytest.fixture(params=sorted(SCENES))
def scene(
    request: pytest.FixtureRequest, server: Server, template: str, ctx: Context
) -> Iterator[Planned]:
    """Each scene, planned."""
    with planned(server, template, ctx, SCENES[request.param]()) as found:
        yield found


def landed(it: Planned) -> None:
    """Everybody moved is where the plan wanted them, nobody else has moved, nobody is doubled."""
    after = it.now()
    expected = {who: stay.bed for who, stay in it.before.stay_of.items()}
    expected |= {move.person: move.to_bed for move in it.plan.moves}
    assert {who: stay.bed for who, stay in after.stay_of.items()} == expected
    placed = {move.request for move in it.plan.moves}
    assert {one.id for one in after.requests} == it.before.request_by_id.keys() - placed
    assert it.world.one(OVERLAPS) == 0
    assert not any(bed.held_for or bed.promised for bed in after.beds.values())
    people = after.people_in_unit
    for unit, before in it.before.people_in_unit.items():
        assert people[unit] <= max(before, after.staffed_beds[unit])


def test_a_plan_carried_out_move_by_move_lands_where_planned_and_leaves_nothing_to_plan(
    scene: Planned,
):
    assert any(it.after for it in scene.proposals)
    for it in scene.proposals:
        scene.carry_out(scene.approve(it))
    landed(scene)
    again, _ = make_plan(scene.now())
    assert [it.value for it in again.levels][:2] == [it.value for it in scene.plan.levels][:2]
    assert again.moves == ()


def test_out_of_order_a_move_is_refused_and_nothing_changes(scene: Planned):
    world = scene.world
    later = [it for it in scene.proposals if it.after]
    assert later
    for it in reversed(later):
        with world.refuses(Conflict, "earlier-move-first"):
            scene.approve(it)


@pytest.mark.parametrize("name", ["a full ward", "a chain"])
def test_beds_of_a_plan_approved_as_a_whole_are_promised_and_follow_as_they_come_free(
    name: str, server: Server, template: str, ctx: Context
):
    with planned(server, template, ctx, SCENES[name]()) as found:
        approved = [found.approve(it) for it in found.proposals]
        waiting = [it for it in approved if it.request is not None]
        for it in waiting:
            assert it.request is not None
            with found.world.refuses(Conflict, "illegal-step"):
                found.world.do(answers.accept, it.request)
        for it in approved:
            found.carry_out(it)
        landed(found)


@pytest.mark.parametrize("name", ["a room for women", "a ward short of staff"])
def test_a_move_into_a_room_or_unit_not_yet_left_is_refused_until_it_is(
    name: str, server: Server, template: str, ctx: Context
):
    with planned(server, template, ctx, SCENES[name]()) as found:
        leaving = [it for it in found.proposals if it.transfer is None and it.from_bed]
        first = [found.approve(it) for it in leaving]
        newcomers = [it for it in found.proposals if it.request is not None]
        free = [it for it in newcomers if it.to_bed not in found.before.stay_in_bed]
        assert free
        for it in free:
            with found.world.refuses(Conflict, "superseded"):
                found.approve(it)
        for it in first:
            found.carry_out(it)
        for it in newcomers:
            found.carry_out(found.approve(it))
        landed(found)


@pytest.mark.parametrize("seed", [0, 2])
def test_the_plan_of_a_part_of_a_city_lands_where_it_was_planned(
    seed: int, server: Server, template: str, ctx: Context
):
    with planned(server, template, ctx, part_of_a_city(seed)) as found:
        assert sum(it.from_bed is not None for it in found.proposals) > 1
        for it in found.proposals:
            found.carry_out(found.approve(it))
        landed(found)
