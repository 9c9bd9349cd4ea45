"""A bed's own state: what may follow what, what a person in the bed forbids, what it keeps."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection, select, text, update

from service.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from service.lifecycle import possible
from service.store.engine import now
from service.store.tables import core
from service.store.tables.inventory import OutOfServiceReason
from service.workflow.context import Context
from service.workflow.inventory.bed_rounds import (
    LARGEST_BATCH,
    confirm_bed,
    confirm_unit,
    record_bed_states,
)
from service.workflow.inventory.bed_state import StateRecorded, record_bed_state
from service.workflow.inventory.beds import get_bed, retire_bed
from service.workflow.inventory.out_of_service import (
    NewPeriod,
    PeriodChange,
    PeriodEnd,
    change_period,
    end_period,
    list_periods,
    open_period,
)
from service.workflow.inventory.place_fields import BedStateFields, BedStateRow
from solver.codes import BedState
from tests.service.inventory.people import claim, promise
from tests.service.inventory.places import ADMIN, STRANGER, context, refused, run

WARD, BED, SECOND = "psc-1.w1", "psc-1.w1.r01.b1", "psc-1.w1.r01.b2"
REPAIR = OutOfServiceReason.REPAIR
OUT = NewPeriod(reason=REPAIR)


def state(to: str, **more: Any) -> BedStateFields:
    if to in ("closed", "closing"):
        more = {"reason": "repair", **more}
    return BedStateFields.model_validate({"state": to, **more})


def put(conn: Connection, bed: str, to: str) -> None:
    """Set the stage: the bed is in this state."""
    conn.execute(update(core.bed).where(core.bed.c.id == bed).values(state=to))


@pytest.mark.parametrize("before", list(BedState))
@pytest.mark.parametrize("after", list(BedState))
@pytest.mark.parametrize("occupied", [False, True], ids=["empty", "occupied"])
def test_every_step_is_taken_or_refused_as_the_lifecycle_and_the_person_in_bed_say(
    network: Connection, admin: Context, before: BedState, after: BedState, occupied: bool
):
    put(network, BED, before)
    if occupied:
        claim(network, BED)
    free_only = {BedState.HOUSEKEEPING, BedState.CONTAMINATED, BedState.CLOSED}
    allowed = after == before or after in possible("bed", before)
    allowed = allowed and not (occupied and after in free_only)
    allowed = allowed and not (not occupied and after is BedState.CLOSING)
    if allowed:
        done = run(network, record_bed_state, admin, BED, state(after))
        assert (done.bed.state, done.bed.stale) == (after, False)
    else:
        error = refused(network, Conflict, record_bed_state, admin, BED, state(after))
        assert error.code in ("illegal-step", "somebody-in-bed", "nobody-in-bed")


def test_a_bed_whose_person_is_on_leave_can_be_cleaned(network: Connection, admin: Context):
    claim(network, BED, kind="leave")
    done = run(network, record_bed_state, admin, BED, state("housekeeping"))
    assert done.bed.state is BedState.HOUSEKEEPING


def test_the_state_recorded_again_confirms_without_a_new_version(
    network: Connection, admin: Context
):
    age(network)
    first = run(network, get_bed, admin, BED)
    again = run(network, record_bed_state, admin, BED, state("in_service"), version=first.version)
    assert again.bed.version == first.version
    assert again.bed.state_since == first.state_since
    assert again.bed.confirmed_at > first.confirmed_at
    assert newest_events(network, 1) == ["bed.confirmed"]


def age(conn: Connection) -> None:
    conn.execute(text("UPDATE bed SET confirmed_at = confirmed_at - interval '13 hours'"))


def newest_events(conn: Connection, count: int) -> list[str]:
    column = core.event.c
    rows = conn.execute(select(column.operation).order_by(column.seq.desc()).limit(count))
    return list(rows.scalars())


def test_a_reason_and_a_forecast_are_kept_and_go_with_the_state(
    network: Connection, admin: Context
):
    end = now(network) + timedelta(days=2)
    closed = run(network, record_bed_state, admin, BED, state("closed", expected_end=end))
    assert (closed.bed.state_reason, closed.bed.expected_end) == (REPAIR, end)
    fit = run(network, record_bed_state, admin, BED, state("in_service"))
    assert (fit.bed.state_reason, fit.bed.expected_end) == (None, None)


@pytest.mark.parametrize(
    ("reported", "pointer"),
    [
        (lambda at: BedStateFields(state=BedState.CLOSED), "/reason"),
        (lambda at: state("housekeeping", reason="repair"), "/reason"),
        (lambda at: state("in_service", expected_end=at + timedelta(hours=1)), "/expected_end"),
        (lambda at: state("closed", expected_end=at - timedelta(hours=1)), "/expected_end"),
    ],
    ids=["closed for no reason", "a reason for cleaning", "an end of service", "a past forecast"],
)
def test_a_reason_or_forecast_that_does_not_go_with_the_state_is_refused(
    network: Connection,
    admin: Context,
    reported: Callable[[datetime], BedStateFields],
    pointer: str,
):
    given = reported(now(network))
    error = refused(network, Invalid, record_bed_state, admin, BED, given)
    assert error.errors[0].pointer == pointer


@pytest.mark.parametrize("when", ["2026-12-01T08:00:00", "2026-12-01", 1790000000])
def test_a_naive_forecast_is_refused(when: Any):
    with pytest.raises(ValidationError) as caught:
        state("closed", expected_end=when)
    assert caught.value.errors()[0]["loc"] == ("expected_end",)


def test_an_unknown_state_names_those_there_are():
    with pytest.raises(ValidationError) as caught:
        state("broken")
    assert "'contaminated'" in caught.value.errors()[0]["msg"]


def test_a_state_recorded_on_an_older_version_is_refused(network: Connection, admin: Context):
    run(network, record_bed_state, admin, BED, state("housekeeping"))
    fit = state("in_service")
    refused(network, PreconditionFailed, record_bed_state, admin, BED, fit, version=1)


def test_another_facility_cannot_record_it_and_nobody_a_bed_that_is_not_there(
    network: Connection, admin: Context
):
    dirty = state("housekeeping")
    refused(network, Forbidden, record_bed_state, context(STRANGER), BED, dirty)
    refused(network, NotFound, record_bed_state, admin, "psc-1.w1.r01.b99", dirty)
    run(network, retire_bed, admin, BED)
    assert refused(network, Conflict, record_bed_state, admin, BED, dirty).code == "retired"


def test_a_live_hold_on_a_bed_that_is_closed_is_told(network: Connection, admin: Context):
    hold = claim(network, BED, kind="hold", until=timedelta(minutes=20))
    done: StateRecorded = run(network, record_bed_state, admin, BED, state("closed"))
    assert done.holds == (hold,)


def test_a_bed_recorded_fit_keeps_its_promise_in_the_same_step(network: Connection, admin: Context):
    put(network, BED, "housekeeping")
    request = promise(network, BED)
    done = run(network, record_bed_state, admin, BED, state("in_service"))
    hold = network.execute(
        select(core.bed_claim).where(core.bed_claim.c.id == done.promoted_hold)
    ).one()
    assert (hold.bed_id, hold.kind, hold.request_id) == (BED, "hold", request)
    told = [it for it in newest_events(network, 8) if not it.startswith("due.")]
    assert told[:2] == ["bed.state_changed", "hold.placed"]


def test_a_round_confirms_every_bed_of_the_unit_and_nothing_else(
    network: Connection, admin: Context
):
    age(network)
    assert run(network, get_bed, admin, BED).stale
    done = run(network, confirm_unit, admin, WARD)
    assert done.beds == 4
    beds = network.execute(select(core.bed.c.id, core.bed.c.confirmed_at)).all()
    fresh = {it.id for it in beds if it.confirmed_at == done.confirmed_at}
    assert fresh == {it.id for it in beds if it.id.startswith(WARD)}
    assert newest_events(network, 2)[0] == "unit.beds_confirmed"
    assert not run(network, get_bed, admin, BED).stale
    assert run(network, confirm_bed, admin, BED).beds == 1
    refused(network, Forbidden, confirm_unit, context(STRANGER), WARD)


def test_many_states_are_recorded_each_for_itself(network: Connection, admin: Context):
    claim(network, SECOND)
    rows = [
        BedStateRow(bed=BED, state=BedState.HOUSEKEEPING),
        BedStateRow(bed=SECOND, state=BedState.HOUSEKEEPING),
        BedStateRow(bed="psc-1.w1.r09.b1", state=BedState.HOUSEKEEPING),
        BedStateRow(bed="cth-1.w1.r01.b1", state=BedState.HOUSEKEEPING),
        BedStateRow(bed="psc-1.w1.r02.b1", state=BedState.HOUSEKEEPING, version=9),
        BedStateRow(bed="psc-1.w1.r02.b2", state=BedState.CONTAMINATED),
    ]
    results = run(network, record_bed_states, admin, rows)
    assert [(it.outcome, it.code) for it in results] == [
        ("recorded", None),
        ("refused", "somebody-in-bed"),
        ("refused", "bed-not-found"),
        ("refused", "other-facility"),
        ("refused", "version-stale"),
        ("recorded", None),
    ]
    states = network.execute(select(core.bed.c.state).order_by(core.bed.c.id)).scalars().all()
    assert states == ["in_service", "housekeeping", "in_service", "in_service", "contaminated"]


def test_a_batch_that_names_a_bed_twice_or_is_too_long_is_refused_whole(
    network: Connection, admin: Context
):
    row = BedStateRow(bed=BED, state=BedState.HOUSEKEEPING)
    error = refused(network, Invalid, record_bed_states, admin, [row, row])
    assert (error.errors[0].pointer, error.errors[0].code) == ("/rows/1/bed", "named-twice")
    refused(network, Invalid, record_bed_states, admin, [row] * (LARGEST_BATCH + 1))


def test_out_of_service_closes_an_empty_bed_and_ends_only_when_recorded(
    network: Connection, admin: Context
):
    opened = run(network, open_period, admin, BED, OUT)
    assert opened.recorded.bed.state is BedState.CLOSED
    error = refused(network, Conflict, record_bed_state, admin, BED, state("in_service"))
    assert error.code == "out-of-service"
    ended = run(network, end_period, admin, opened.period.id, PeriodEnd())
    assert ended.recorded.bed.state is BedState.HOUSEKEEPING
    assert ended.period.ended_at is not None
    fit = run(network, record_bed_state, admin, BED, state("in_service"))
    assert fit.bed.state is BedState.IN_SERVICE


def test_out_of_service_under_a_person_makes_the_bed_closing_and_they_stay(
    network: Connection, admin: Context
):
    stay = claim(network, BED)
    opened = run(network, open_period, admin, BED, OUT)
    assert opened.recorded.bed.state is BedState.CLOSING
    live = network.execute(select(core.bed_claim).where(core.bed_claim.c.id == stay)).one()
    assert live.voided_at is None
    ended = run(network, end_period, admin, opened.period.id, PeriodEnd())
    assert ended.recorded.bed.state is BedState.IN_SERVICE


def test_overlapping_periods_are_refused_naming_the_other(network: Connection, admin: Context):
    first = run(network, open_period, admin, BED, OUT)
    error = refused(network, Conflict, open_period, admin, BED, OUT)
    assert (error.code, error.members["period"]) == ("overlapping-period", first.period.id)
    run(network, end_period, admin, first.period.id, PeriodEnd())
    before = NewPeriod(reason=REPAIR, began_at=first.period.began_at - timedelta(hours=1))
    assert refused(network, Conflict, open_period, admin, BED, before).code == error.code
    assert run(network, open_period, admin, BED, OUT).period.ended_at is None


@pytest.mark.parametrize(
    ("offsets", "pointer"),
    [({"began_at": 1}, "/began_at"), ({"expected_end": -1}, "/expected_end")],
)
def test_a_period_ahead_of_time_or_with_a_past_forecast_is_refused(
    network: Connection, admin: Context, offsets: dict[str, int], pointer: str
):
    at = now(network)
    instants = {name: at + timedelta(hours=hours) for name, hours in offsets.items()}
    wrong = NewPeriod.model_validate({"reason": "repair", **instants})
    error = refused(network, Invalid, open_period, admin, BED, wrong)
    assert error.errors[0].pointer == pointer


def test_an_unknown_reason_names_those_there_are():
    with pytest.raises(ValidationError) as caught:
        NewPeriod.model_validate({"reason": "haunted"})
    assert "'infection_control'" in caught.value.errors()[0]["msg"]


def test_a_new_forecast_is_recorded_and_an_old_version_is_not(network: Connection, admin: Context):
    period = run(network, open_period, admin, BED, OUT).period
    later = PeriodChange(expected_end=now(network) + timedelta(days=3))
    changed = run(network, change_period, admin, period.id, later, version=1)
    assert changed.period.expected_end == later.expected_end
    assert changed.recorded.bed.expected_end == later.expected_end
    refused(network, PreconditionFailed, change_period, admin, period.id, later, version=1)
    refused(network, PreconditionFailed, end_period, admin, period.id, PeriodEnd(), version=1)
    cleared = run(network, change_period, admin, period.id, PeriodChange(expected_end=None))
    assert cleared.period.expected_end is None


def test_a_period_ends_once_within_itself_and_into_a_usable_state(
    network: Connection, admin: Context
):
    period = run(network, open_period, admin, BED, OUT).period
    early = PeriodEnd(ended_at=period.began_at - timedelta(minutes=1))
    late = PeriodEnd(ended_at=now(network) + timedelta(hours=1))
    closed = PeriodEnd(state=BedState.CLOSED)
    for wrong in (early, late, closed):
        refused(network, Invalid, end_period, admin, period.id, wrong)
    run(network, end_period, admin, period.id, PeriodEnd())
    error = refused(network, Conflict, end_period, admin, period.id, PeriodEnd())
    assert error.code == "period-ended"


def test_the_end_of_a_period_that_makes_the_bed_fit_keeps_its_promise(
    network: Connection, admin: Context
):
    period = run(network, open_period, admin, BED, OUT).period
    promise(network, BED)
    back = PeriodEnd(state=BedState.IN_SERVICE)
    ended = run(network, end_period, admin, period.id, back)
    assert ended.recorded.promoted_hold is not None


def test_periods_of_another_facility_are_neither_listed_nor_touched(
    network: Connection, admin: Context
):
    period = run(network, open_period, admin, BED, OUT).period
    stranger = context(STRANGER)
    assert run(network, list_periods, stranger, limit=9) == []
    assert [it.id for it in run(network, list_periods, admin, limit=9)] == [period.id]
    refused(network, Forbidden, end_period, stranger, period.id, PeriodEnd())
    refused(network, Forbidden, open_period, stranger, SECOND, OUT)
    assert run(network, list_periods, context(ADMIN), limit=9, bed_id=SECOND) == []
