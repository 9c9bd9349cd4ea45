"""What time alone brings about is written once each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from service.lifecycle import RequestState, TransferState
from service.workflow import clocks, handover, placement, transfers
from solver.codes import UnitKind


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
