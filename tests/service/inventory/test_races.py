"""Several people at one bed or one place at once, on connections of their own."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, bindparam, func, literal, select, update

from service.errors import ServiceError
from service.store.engine import now, run
from service.store.tables import core
from service.workflow.inventory import bed_state
from service.workflow.inventory.bed_state import record_bed_state
from service.workflow.inventory.beds import change_bed, create_bed, get_bed, retire_bed
from service.workflow.inventory.out_of_service import NewPeriod, open_period
from service.workflow.inventory.place_fields import BedChange, BedStateFields
from service.workflow.inventory.units import retire_unit
from solver.codes import BedKind, BedState
from tests.service.inventory.places import bed, build, context

DIRTY = BedStateFields(state=BedState.HOUSEKEEPING)
BED = "psc-1.w1.r01.b1"


@pytest.fixture
def network(engine: Engine) -> Engine:
    with engine.begin() as conn:
        build(conn)
    return engine


def at_once(calls: list[Callable[[], Any]]) -> Counter[str]:
    """How often each answer came: the use case's name, or the code of its refusal."""

    def answer(call: Callable[[], Any]) -> str:
        try:
            call()
        except ServiceError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(len(calls)) as people:
        return Counter(people.map(answer, calls))


def test_of_many_who_read_the_same_version_one_records_and_the_others_are_told(network: Engine):
    ctx = context()
    for bed_id in (BED, "psc-1.w1.r01.b2", "psc-1.w1.r02.b1"):
        record = partial(run, network, record_bed_state, ctx, bed_id, DIRTY, version=1)
        assert at_once([record] * 8) == {"done": 1, "version-stale": 7}
        assert run(network, get_bed, ctx, bed_id).version == 2


def test_without_the_guard_one_of_two_states_is_lost(
    network: Engine, monkeypatch: pytest.MonkeyPatch
):
    """The control: both write what they saw, and neither learns of the other."""
    unguarded = (
        update(core.bed)
        .where(core.bed.c.id == bindparam("bed"))
        .values(state=bindparam("to_state"), version=bindparam("to_version"))
        .returning(core.bed, literal(None).label("holds"))
    )
    monkeypatch.setattr(bed_state, "_WRITE", unguarded)
    ctx = context()
    with network.connect() as first, network.connect() as second:
        at = now(first)
        seen, also = (bed_state.look(it, [BED])[BED] for it in (first, second))
        bed_state.record_seen(first, ctx, seen, DIRTY, 1, at)
        first.commit()
        contaminated = BedStateFields(state=BedState.CONTAMINATED)
        bed_state.record_seen(second, ctx, also, contaminated, 1, at)
        second.commit()
    assert run(network, get_bed, ctx, BED).version == 2


def test_one_of_many_periods_opened_at_once_stands(network: Engine):
    out = NewPeriod.model_validate({"reason": "repair"})
    answers = at_once([lambda: run(network, open_period, context(), BED, out)] * 6)
    assert answers == {"done": 1, "overlapping-period": 5}


def test_an_id_asked_for_by_many_is_given_once(network: Engine):
    new = bed("psc-1.w1.r02.b9")
    answers = at_once([lambda: run(network, create_bed, context(), new)] * 6)
    assert answers == {"done": 1, "id-taken": 5}


def test_nothing_enters_or_changes_in_a_unit_once_it_is_retired(network: Engine):
    ctx = context()
    calls: list[Callable[[], Any]] = [
        partial(run, network, create_bed, ctx, bed(f"psc-1.w1.r02.x{number}"))
        for number in range(4)
    ]
    calls += [lambda: run(network, change_bed, ctx, BED, BedChange(kind=BedKind.NUR))]
    calls += [lambda: run(network, retire_bed, ctx, "psc-1.w1.r01.b2")]
    calls += [lambda: run(network, retire_unit, ctx, "psc-1.w1")] * 2
    assert set(at_once(calls)) <= {"done", "retired"}
    with network.connect() as conn:
        left = conn.execute(
            select(func.count()).where(
                core.bed.c.unit_id == "psc-1.w1", core.bed.c.retired_at.is_(None)
            )
        ).scalar_one()
    assert left == 0
