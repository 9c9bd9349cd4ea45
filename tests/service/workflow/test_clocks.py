"""What time alone brings about is written once each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert
from structlog.testing import capture_logs

from service.lifecycle import ProposalState, RequestState, RunState, TransferState
from service.store.tables import core
from service.workflow.moves import handover, transfers
from service.workflow.placing import placement
from service.workflow.watch import clocks
from solver.codes import MoveReason, UnitKind


@pytest.mark.parametrize("accepted", [False, True])
def test_a_lapsed_hold_is_written_once_and_its_request_waits_again(world, accepted):
    bed, _ = world.unit()
    made = world.accepted(bed) if accepted else world.held(bed)
    assert world.do(clocks.lapse_holds) == clocks.Lapsed()
    world.age_hold(bed)
    assert world.do(clocks.lapse_holds).holds == 1
    assert world.do(clocks.lapse_holds).holds == 0
    assert world.do(placement.get, made.id).state is RequestState.WAITING
    data, occurred, recorded = world.sql(
        "SELECT data, occurred_at, recorded_at FROM event WHERE operation = 'hold.lapsed'"
    )[0]
    assert data == {"request": made.id, "transfer": None, "accepted": accepted}
    assert occurred < recorded


def test_each_lapse_is_written_once_however_many_workers_look(world):
    beds = world.unit(rooms=(1,) * 12)
    for bed in beds:
        world.held(bed)
        world.age_hold(bed)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: world.do(clocks.lapse_holds, limit=5), range(12)))
    assert sum(it.holds for it in found) == 12
    assert world.events().count("hold.lapsed") == 12
    assert found[0].more in (True, False)
    assert world.one("SELECT count(*) FROM placement_request WHERE state = 'waiting'") == 12


def test_a_used_or_released_hold_never_lapses(world):
    one, two = world.unit()
    world.admitted(one)
    world.do(placement.withdraw, world.held(two).id, reason="not needed")
    with world.engine.begin() as conn:
        conn.exec_driver_sql(
            "UPDATE bed_claim SET during = '[2020-01-01,2020-01-02)' WHERE kind = 'hold'"
        )
    assert world.do(clocks.lapse_holds) == clocks.Lapsed()


def test_a_transfer_whose_hold_lapses_expires_and_somebody_on_the_way_never_does(world):
    one, two, three, four = world.unit(rooms=(2, 2))
    stay, other = world.admitted(one), world.admitted(two)
    for it in (stay, other):
        world.fit_to_move(it.person, UnitKind.PSC)
    waiting = world.approved(stay.id, three)
    moving = world.on_the_way(other.id, four)
    world.age_hold(three)
    with world.engine.begin() as conn:
        conn.exec_driver_sql(
            "UPDATE bed_claim SET during = tstzrange('2020-01-01', NULL) WHERE transfer_id = %s",
            (moving.id,),
        )
    assert world.do(clocks.lapse_holds) == clocks.Lapsed(holds=1, transfers=1)
    assert world.do(transfers.get, waiting.id).state is TransferState.EXPIRED
    assert world.do(transfers.get, moving.id).state is TransferState.IN_TRANSIT
    assert world.do(handover.arrive, moving.id).state is TransferState.COMPLETED


def test_a_transfer_nobody_answered_expires(world):
    one, _, three, _ = world.unit(rooms=(2, 2))
    made = world.proposed(world.admitted(one).id, three)
    assert world.do(clocks.expire_proposals).transfers == 0
    world.set("transfer", made.id, requested_at="2020-01-01T00:00:00Z")
    assert world.do(clocks.expire_proposals).transfers == 1
    assert world.do(transfers.get, made.id).state is TransferState.EXPIRED
    assert world.do(clocks.expire_proposals).transfers == 0


def test_a_hold_that_cannot_be_written_keeps_no_other_bed_and_is_logged_by_its_id(world):
    one, two, three = world.unit(rooms=(1,) * 3)
    made = [world.held(bed) for bed in (one, two, three)]
    for bed, minutes in ((one, 600), (two, 700), (three, 500)):
        world.age_hold(bed, minutes)
    stuck = world.one("SELECT id FROM bed_claim WHERE request_id = :r", r=made[1].id)
    with world.engine.begin() as conn:
        conn.exec_driver_sql(
            f"ALTER TABLE placement_request ADD CONSTRAINT stuck CHECK"
            f" (id <> '{made[1].id}' OR state <> 'waiting') NOT VALID"
        )
    try:
        with capture_logs() as logged:
            done = world.do(clocks.lapse_holds)
            assert done == clocks.Lapsed(holds=2, failed=frozenset({stuck}))
            again = world.do(clocks.lapse_holds, limit=1)
            assert again.failed == {stuck}
            assert not world.do(clocks.lapse_holds, limit=1, skip=again.failed).more
    finally:
        with world.engine.begin() as conn:
            conn.exec_driver_sql("ALTER TABLE placement_request DROP CONSTRAINT stuck")
    assert [it["id"] for it in logged] == [stuck, stuck]
    assert set(logged[0]) == {"event", "log_level", "id", "error"}
    states = [world.do(placement.get, it.id).state for it in made]
    assert states == [RequestState.WAITING, RequestState.HELD, RequestState.WAITING]
    assert world.events().count("hold.lapsed") == 2
    assert world.do(clocks.lapse_holds).holds == 1


def test_a_run_whose_last_move_nobody_answered_is_closed(world, ago):
    beds = world.unit(rooms=(1, 1))
    long_ago = ago(60 * 24 * 365)
    with world.engine.begin() as conn:
        conn.execute(
            insert(core.planning_run).values(
                id="pr_old",
                state=RunState.SOLVED.value,
                requested_by="test",
                requested_at=long_ago,
                finished_at=long_ago,
                seed=0,
                policy_version="1",
                version=1,
            )
        )
        for number, bed in enumerate(beds):
            conn.execute(
                insert(core.plan_proposal).values(
                    id=f"pp_{number}",
                    run_id="pr_old",
                    ordinal=number,
                    move_id=f"m{number}",
                    person_id=world.person(),
                    to_bed_id=bed,
                    reason=MoveReason.PLACE_WAITING.value,
                    after=[],
                    terms={},
                    state=ProposalState.PROPOSED.value,
                    version=1,
                )
            )
    state = "SELECT state FROM planning_run"
    assert world.do(clocks.expire_proposals, limit=1) == clocks.Lapsed(proposals=1, more=True)
    assert world.one(state) == RunState.SOLVED
    assert world.do(clocks.expire_proposals).proposals == 1
    assert world.one(state) == RunState.APPLIED
    assert world.one("SELECT version FROM planning_run") == 2
    assert world.events().count("proposal.superseded") == 2
    assert world.do(clocks.expire_proposals) == clocks.Lapsed()
