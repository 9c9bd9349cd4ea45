"""Occupancy: one aggregate that equals a plain recount of rows, and a ladder always in order."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, select, text, update

from service.policy import default_policy
from service.store.network import load_network
from service.store.tables import core
from service.workflow.inventory.bed_letter import BedLetter, bed_letter
from service.workflow.inventory.occupancy import (
    Measured,
    Occupancy,
    UnitRows,
    ladder_of,
    measure,
    occupancy_of,
)
from solver.codes import BedKind, BedState
from tests.service.random_changes import ChangingCity
from tests.service.random_city import RandomCity


def whole_city(measured: Measured) -> Occupancy:
    return occupancy_of("city", "city", measured.units.values())


def rows_of(conn: Connection, table: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in conn.execute(select(table)).mappings()]


def recount(conn: Connection, now: datetime) -> dict[str, Any]:
    """The definitions of the module's text once more, bed by bed in plain Python."""
    facilities = {r["id"]: r for r in rows_of(conn, core.facility) if r["retired_at"] is None}
    units = {
        r["id"]: r
        for r in rows_of(conn, core.unit)
        if r["retired_at"] is None and r["facility_id"] in facilities
    }
    rooms = {
        r["id"]: r
        for r in rows_of(conn, core.room)
        if r["retired_at"] is None and r["unit_id"] in units
    }
    beds = [r for r in rows_of(conn, core.bed) if r["retired_at"] is None and r["room_id"] in rooms]
    standing = defaultdict(set)
    for claim in rows_of(conn, core.bed_claim):
        span = claim["during"]
        begun, over = span.lower <= now, span.upper is not None and span.upper <= now
        if claim["voided_at"] is None and begun and not over and claim["used_at"] is None:
            standing[claim["bed_id"]].add(claim["kind"])
    for promise in rows_of(conn, core.bed_next):
        if promise["state"] == "live":
            standing[promise["bed_id"]].add("next")
    out = {
        r["bed_id"]: r["reason"]
        for r in rows_of(conn, core.out_of_service_period)
        if r["ended_at"] is None and r["began_at"] <= now
    }
    totals: Counter[str] = Counter()
    by_kind: dict[str, Counter[str]] = defaultdict(Counter)
    by_sex: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: Counter[str] = Counter()
    for unit in units.values():
        mine = [bed for bed in beds if rooms[bed["room_id"]]["unit_id"] == unit["id"]]
        in_service = empty = empty_fresh = claimed = 0
        for bed in mine:
            kinds = standing[bed["id"]]
            surge = bed["kind"] == "SURGE"
            serves = bed["state"] == "in_service" and bed["id"] not in out
            ttl = timedelta(minutes=facilities[unit["facility_id"]]["status_ttl_minutes"])
            fresh = bed["confirmed_at"] + ttl > now
            sex = rooms[bed["room_id"]]["sex"] or unit["sex"] or "any"
            if not serves:
                reasons[out.get(bed["id"], bed["state"])] += 1
            for group in (totals, by_kind[bed["kind"]], by_sex[sex]):
                group["licensed"] += not surge
                group["in_service"] += serves and not surge
                group["claimed"] += bool(kinds)
                group["open"] += serves and not surge and not kinds
                group["open_fresh"] += serves and not surge and not kinds and fresh
            totals["occupied"] += "stay" in kinds
            totals["on_leave"] += "leave" in kinds
            totals["held"] += "hold" in kinds
            totals["promised"] += "next" in kinds
            totals["surge_in_use"] += surge and bool(kinds)
            in_service += serves and not surge
            empty += serves and not surge and not kinds
            empty_fresh += serves and not surge and not kinds and fresh
            claimed += bool(kinds)
        staff = unit["staffed_beds"]
        can_take = empty if staff is None else min(empty, max(0, staff - claimed))
        totals["staffed"] += in_service if staff is None else min(in_service, staff)
        totals["unclaimed"] += can_take
        totals["fresh"] += min(can_take, empty_fresh)
    return {"totals": totals, "by_kind": by_kind, "by_sex": by_sex, "reasons": reasons}


def assert_equal(found: Occupancy, expected: dict[str, Any]) -> None:
    totals = expected["totals"]
    ladder = found.ladder
    for rung in ("licensed", "in_service", "staffed", "unclaimed", "fresh"):
        assert getattr(ladder, rung) == totals[rung], rung
    for name in ("occupied", "on_leave", "held", "promised", "surge_in_use"):
        assert getattr(found, name) == totals[name], name
    assert found.out_of_service == dict(expected["reasons"])
    for groups, counts in ((found.by_kind, "by_kind"), (found.by_sex, "by_sex")):
        assert {group.code for group in groups} == set(expected[counts])
        for group in groups:
            for name in ("licensed", "in_service", "claimed", "open", "open_fresh"):
                assert getattr(group, name) == expected[counts][group.code][name], name


@pytest.mark.parametrize("seed", range(8))
def test_the_aggregate_equals_a_plain_recount_of_the_rows(conn: Connection, seed: int) -> None:
    city = ChangingCity(conn, seed).build(facilities=3, units=2, rooms=4, beds=3, full=0.6)
    for _ in range(30):
        city.change()
    for later in (timedelta(0), timedelta(minutes=20), timedelta(hours=2), timedelta(days=1)):
        now = city.now + timedelta(seconds=1) + later
        measured = measure(conn, now=now)
        assert_equal(whole_city(measured), recount(conn, now))


@pytest.mark.parametrize("seed", range(3))
def test_the_beds_it_calls_open_are_the_beds_the_ranking_may_offer(
    conn: Connection, seed: int
) -> None:
    city = ChangingCity(conn, seed + 50).build(facilities=3, units=2, rooms=4, beds=3, full=0.5)
    for _ in range(30):
        city.change()
    now = datetime.now(UTC)
    network = load_network(conn, default_policy(), now=now)
    free = Counter(bed.kind for bed in network.beds.values() if network.is_free(bed.id))
    stale = sum(bed.stale for bed in network.beds.values() if network.is_free(bed.id))
    free_surge = free.pop(BedKind.SURGE, 0)
    groups = {group.code: group for group in whole_city(measure(conn, now=now)).by_kind}
    assert {code: group.open for code, group in groups.items() if group.open} == dict(free)
    assert free_surge + sum(free.values()) - stale >= sum(
        group.open_fresh or 0 for group in groups.values()
    )


def unit(staffed: int | None, *rows: dict[str, Any]) -> UnitRows:
    blank = {
        "kind": "GEN", "sex": "any", "condition": "in_service", "beds": 0, "claimed": 0,
        "unclaimed_fresh": 0,
    }  # fmt: skip
    return UnitRows(
        "u", "u", "f", False, staffed, tuple(SimpleNamespace(**blank | r) for r in rows)
    )


@st.composite
def aggregate_rows(draw: st.DrawFn) -> dict[str, Any]:
    beds = draw(st.integers(0, 9))
    claimed = draw(st.integers(0, beds))
    return {
        "kind": draw(st.sampled_from(["GEN", "NUR", "SURGE"])),
        "condition": draw(st.sampled_from(["in_service", "closed", "repair"])),
        "beds": beds,
        "claimed": claimed,
        "unclaimed_fresh": draw(st.integers(0, beds - claimed)),
    }


@settings(deadline=None)
@given(st.lists(aggregate_rows(), max_size=6), st.none() | st.integers(0, 30))
def test_each_rung_is_at_most_the_one_above_and_none_is_negative(
    rows: list[dict[str, Any]], staffed: int | None
) -> None:
    it = ladder_of(unit(staffed, *rows))
    assert it.unclaimed is not None
    assert it.fresh is not None
    assert it.licensed >= it.in_service >= it.staffed >= it.unclaimed >= it.fresh >= 0


@pytest.mark.parametrize(
    ("staffed", "rows", "unclaimed", "why"),
    [
        (None, [{"beds": 10, "claimed": 4}], 6, "no number named: every bed"),
        (8, [{"beds": 10, "claimed": 4}], 4, "staffed less claimed"),
        (4, [{"beds": 10, "claimed": 4}], 0, "the staff has all it can look after"),
        (2, [{"beds": 10, "claimed": 4}], 0, "already too many: never below zero"),
        (8, [{"beds": 6, "claimed": 2}, {"kind": "SURGE", "beds": 3, "claimed": 3}], 3,
         "people in surge places need staff"),
        (8, [{"beds": 6, "claimed": 2}, {"condition": "repair", "beds": 3, "claimed": 3}], 3,
         "and so do people in beds out of service"),
        (None, [{"kind": "SURGE", "beds": 3}], 0, "an empty surge place is no bed to count on"),
    ],
)  # fmt: skip
def test_unclaimed_is_how_many_more_people_the_unit_can_take(
    staffed: int | None, rows: list[dict[str, Any]], unclaimed: int, why: str
) -> None:
    assert ladder_of(unit(staffed, *rows)).unclaimed == unclaimed, why


def test_the_next_change_is_the_first_instant_at_which_time_alone_changes_a_number(
    conn: Connection,
) -> None:
    city = ChangingCity(conn, 71).build(facilities=2, units=2, rooms=3, beds=3)
    now = city.now + timedelta(seconds=1)
    for _ in range(40):
        measured = measure(conn, now=now)
        turn = measured.next_change_at
        if turn is None:
            break
        assert turn > now
        just_before = measure(conn, now=turn - timedelta(microseconds=1))
        assert whole_city(just_before) == whole_city(measured)
        now = turn
    assert turn is None or now > city.now + timedelta(hours=1)


def test_places_without_beds_and_external_hospitals_are_shown_with_nothing_licensed(
    conn: Connection,
) -> None:
    city = RandomCity(conn, 1).build(facilities=2, units=1, rooms=1, beds=2, full=-1)
    conn.execute(update(core.bed).where(core.bed.c.unit_id == "f1.w0").values(kind="SURGE"))
    conn.execute(update(core.bed).where(core.bed.c.unit_id == "f0.w0").values(retired_at=city.now))
    measured = measure(conn)
    assert set(measured.facilities) == {"f0", "f1"}
    for id_ in ("f0.w0", "f1.w0"):
        assert occupancy_of(id_, id_, [measured.units[id_]]).ladder.licensed == 0
    assert measured.units["f0.w0"].rows == ()


def test_who_waits_is_counted_by_the_newest_grade_and_by_the_side_of_the_newest_basis(
    conn: Connection,
) -> None:
    city = RandomCity(conn, 9).build(facilities=1, units=1, full=-1)
    for table in (core.bed_claim, core.placement_request):
        conn.execute(text(f"TRUNCATE {table.name} CASCADE"))
    conn.execute(core.assessment.delete())
    conn.execute(core.legal_basis.delete())
    cases = [
        ("compulsory", None, "custodial"), ("constrained", None, "consensual"),
        ("voluntary", None, "consensual"), ("out_medical", None, "custodial"),
        (None, None, "unknown"),
    ]  # fmt: skip
    for number, (kind, revoked, _) in enumerate(cases):
        person = city.people[number] if number < len(city.people) else city.person()
        conn.execute(core.legal_basis.delete().where(core.legal_basis.c.person_id == person))
        conn.execute(core.assessment.delete().where(core.assessment.c.person_id == person))
        for age, grade in ((2, 1), (1, 3 if number else None)):
            conn.execute(
                insert(core.assessment).values(
                    id=f"as_{number}_{age}", person_id=person, dimensions={}, grade=grade, needs=[],
                    isolation="none", observation="none", pregnant="no", nursing="no",
                    assessed_at=city.now - timedelta(hours=age), assessed_by="x",
                    recorded_at=city.now,
                )
            )  # fmt: skip
        if kind is not None:
            conn.execute(
                insert(core.legal_basis).values(
                    id=f"lb_{number}", person_id=person, kind=kind, starts_on=city.now.date(),
                    ends_on=city.now.date(), under_16_reasons=False, revoked_at=revoked,
                    recorded_by="x", recorded_at=city.now, version=1,
                )
            )  # fmt: skip
        city.request(person)
    held = city.person()
    city.request(held, "held")
    found = {(it.grade, it.side): it.people for it in measure(conn).waiting}
    assert found == {
        ("unknown", "custodial"): 1,
        ("G3", "consensual"): 2,
        ("G3", "custodial"): 1,
        ("G3", "unknown"): 1,
    }


def test_every_bed_is_counted_in_one_statement_and_whoever_waits_in_one_more(
    engine: Engine,
) -> None:
    from sqlalchemy import event

    with engine.begin() as conn:
        RandomCity(conn, 1).build(facilities=2)
    seen: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    with engine.connect() as conn:
        measure(conn, now=datetime.now(UTC))
    counting = [it for it in seen if "FROM bed_claim" in it or "FROM placement_request" in it]
    assert len(counting) == 2


LETTERS = {
    # state: (occupied, isolated, out_of_service) -> letter
    (BedState.IN_SERVICE, False, False, False): "U",
    (BedState.IN_SERVICE, False, True, False): "I",
    (BedState.HOUSEKEEPING, False, False, False): "H",
    (BedState.HOUSEKEEPING, False, True, False): "H",
    (BedState.CONTAMINATED, False, False, False): "K",
    (BedState.CONTAMINATED, False, True, False): "K",
    (BedState.CLOSING, False, False, False): "C",
    (BedState.CLOSED, False, False, False): "C",
    (BedState.CLOSED, False, True, False): "C",
    (BedState.IN_SERVICE, False, False, True): "C",
    (BedState.CONTAMINATED, False, False, True): "C",
}


@pytest.mark.parametrize(("facts", "letter"), list(LETTERS.items()))
def test_the_letter_of_an_empty_bed_is_the_first_that_fits(
    facts: tuple[BedState, bool, bool, bool], letter: str
) -> None:
    state, occupied, isolated, out = facts
    found = bed_letter(state, occupied=occupied, isolated=isolated, out_of_service=out)
    assert found.value == letter


@pytest.mark.parametrize(("state", "out"), list(product(BedState, [True, False])))
def test_somebody_in_the_bed_comes_before_every_other_letter(state: BedState, out: bool) -> None:
    assert bed_letter(state, occupied=True, out_of_service=out) is BedLetter.OCCUPIED
    assert bed_letter(state, occupied=True, isolated=True, out_of_service=out) is BedLetter.ISOLATED
