"""The Network read from rows, whole, in part, and kept current from the event log."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, insert, select, text, update

from service.errors import Unavailable
from service.policy import default_policy
from service.store.network import load_network
from service.store.network_keeper import NetworkKeeper
from service.store.network_people import age_on
from service.store.sequencer import give_positions
from service.store.tables import core
from solver.codes import BedState, DecisionStatus, LegalBasis, UnitKind
from solver.domain import Network
from tests.service.random_changes import ChangingCity
from tests.service.random_city import RandomCity

POLICY = default_policy()


def load(conn: Connection, **more) -> Network:
    return load_network(conn, POLICY, **more)


@pytest.fixture
def city(conn: Connection) -> RandomCity:
    """One unit of six in-service beds in one facility, all empty and fresh."""
    made = RandomCity(conn, 5)
    made.build(facilities=1, units=1, rooms=2, beds=3, full=-1)
    conn.execute(update(core.bed).values(state="in_service", retired_at=None, kind="GEN"))
    conn.execute(update(core.bed).values(confirmed_at=made.now, expected_end=None))
    conn.execute(update(core.room).values(retired_at=None))
    return made


def test_a_free_bed_is_free_until_a_hold_a_stay_or_a_promise_stands_on_it(
    conn: Connection, city: RandomCity
) -> None:
    held, occupied, promised, free = city.beds[:4]
    holder, resident, waiting = city.person(), city.person(), city.person()
    city.hold(held, holder)
    city.admit(occupied, resident)
    city.request(waiting)
    city.stays[resident] = (promised[0], "")
    city.promised.clear()
    conn.execute(
        insert(core.bed_next).values(
            id="bn_1", bed_id=promised[0], person_id=waiting, request_id=city.waiting[waiting],
            state="live", created_at=city.now, created_by="x",
        )
    )  # fmt: skip
    network = load(conn)
    assert network.beds[held[0]].held_for == holder
    assert network.stay_in_bed[occupied[0]].person == resident
    assert network.beds[promised[0]].promised
    assert [network.is_free(bed[0]) for bed in (held, occupied, promised, free)] == [
        False, False, False, True,
    ]  # fmt: skip
    assert {holder, resident, waiting} <= network.persons.keys()
    assert waiting not in {request.person for request in network.requests}


def test_a_hold_stops_counting_at_its_end_and_not_before(
    conn: Connection, city: RandomCity
) -> None:
    bed = city.beds[0]
    city.hold(bed, city.person(), minutes=30)
    end = conn.execute(select(text("upper(during)")).select_from(core.bed_claim)).scalar_one()
    just_before = load(conn, now=end - timedelta(microseconds=1))
    assert not just_before.is_free(bed[0])
    assert load(conn, now=end).is_free(bed[0])


def test_a_status_is_stale_when_it_is_as_old_as_the_facility_allows(
    conn: Connection, city: RandomCity
) -> None:
    conn.execute(update(core.facility).values(status_ttl_minutes=60))
    bed = city.beds[0][0]
    then = city.now + timedelta(hours=1)
    assert not load(conn, now=then - timedelta(microseconds=1)).beds[bed].stale
    assert load(conn, now=then).beds[bed].stale


def test_an_open_out_of_service_period_rules_over_a_bed_that_says_in_service(
    conn: Connection, city: RandomCity
) -> None:
    empty, used = city.beds[:2]
    city.admit(used, city.person())
    for number, bed in enumerate((empty, used)):
        conn.execute(
            insert(core.out_of_service_period).values(
                id=f"oo_{number}", bed_id=bed[0], reason="repair", note="", opened_by="x",
                began_at=city.now, expected_end=city.now + timedelta(hours=2),
                recorded_at=city.now, version=1,
            )
        )  # fmt: skip
    network = load(conn)
    assert network.beds[empty[0]].state is BedState.CLOSED
    assert network.beds[empty[0]].expected_free == city.now + timedelta(hours=2)
    assert network.beds[used[0]].state is BedState.CLOSING


def test_retired_places_and_all_below_them_are_left_out(conn: Connection, city: RandomCity) -> None:
    room = city.beds[0][1]
    conn.execute(update(core.room).where(core.room.c.id == room).values(retired_at=city.now))
    network = load(conn)
    assert room not in network.rooms
    assert {bed.room for bed in network.beds.values()} == set(network.rooms)
    conn.execute(update(core.facility).values(retired_at=city.now))
    gone = load(conn)
    assert (gone.facilities, gone.units, gone.rooms, gone.beds) == ({}, {}, {}, {})


def test_the_newest_basis_that_was_not_revoked_counts(conn: Connection, city: RandomCity) -> None:
    person = city.person()
    conn.execute(core.legal_basis.delete())
    common = {
        "person_id": person, "body": "city_police", "ground": "relapse_after",
        "starts_on": date(2026, 1, 1), "ends_on": date(2028, 1, 1), "under_16_reasons": False,
        "recorded_by": "x", "version": 1, "served_at": city.now,
    }  # fmt: skip
    for number, (kind, revoked) in enumerate(
        [("constrained", None), ("compulsory", None), ("voluntary", city.now)]
    ):
        conn.execute(
            insert(core.legal_basis).values(
                id=f"lb_{number}", kind=kind, revoked_at=revoked,
                recorded_at=city.now + timedelta(minutes=number), **common,
            )
        )  # fmt: skip
    found = load(conn, persons=[person]).persons[person]
    assert found.basis is LegalBasis.COMPULSORY
    assert found.decision is not None
    assert found.decision.ends_on == date(2028, 1, 1)
    conn.execute(update(core.legal_basis).values(revoked_at=city.now))
    only_revoked = load(conn, persons=[person]).persons[person]
    assert only_revoked.basis is LegalBasis.VOLUNTARY, DecisionStatus.REVOKED


def test_a_movement_stop_a_started_transfer_or_a_hold_pins_a_resident(
    conn: Connection, city: RandomCity
) -> None:
    stopped, moving, proposed, held = (city.person() for _ in range(4))
    for bed, person in zip(city.beds, (stopped, moving, proposed, held), strict=False):
        city.admit(bed, person)
    conn.execute(
        insert(core.movement_stop).values(
            id="ms_1", person_id=stopped, reason="x", set_by="x", set_at=city.now
        )
    )
    for person, state in ((moving, "approved"), (proposed, "proposed")):
        stay = conn.execute(
            select(core.stay.c.id).where(core.stay.c.person_id == person)
        ).scalar_one()
        conn.execute(
            insert(core.transfer).values(
                id=f"tr_{state}", person_id=person, stay_id=stay, from_bed_id=city.stays[person][0],
                to_bed_id=city.beds[5][0], state=state, reason="step_down", reason_text="",
                requested_by="x", requested_at=city.now, recorded_at=city.now, version=1,
            )
        )  # fmt: skip
    city.hold(city.beds[5], held)
    pinned = {stay.person: stay.pinned for stay in load(conn).stays}
    assert pinned == {stopped: True, moving: True, proposed: False, held: True}


def test_a_doctors_statement_supports_a_move_to_its_last_legal_day_and_no_longer(
    conn: Connection, city: RandomCity
) -> None:
    person = city.person()
    conn.execute(core.fitness_statement.delete())
    city.admit(city.beds[0], person)
    conn.execute(
        insert(core.fitness_statement).values(
            id="fs_1", person_id=person, kinds=["PSC"], ends_on=date(2026, 5, 1), stated_by="x",
            recorded_at=city.now,
        )
    )  # fmt: skip
    # A claim with an open end in the future of these instants: begin it long ago.
    conn.execute(text("UPDATE bed_claim SET during = tstzrange('2020-01-01', NULL)"))
    last = datetime(2026, 5, 1, 15, 59, 59, tzinfo=UTC)  # 23:59:59 in Shanghai
    assert load(conn, now=last).stays[0].may_move_to == {UnitKind.PSC}
    assert load(conn, now=last + timedelta(seconds=1)).stays[0].may_move_to == frozenset()


@pytest.mark.parametrize(
    ("birth", "on", "years"),
    [
        (date(2010, 6, 15), date(2026, 6, 14), 15),
        (date(2010, 6, 15), date(2026, 6, 15), 16),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
    ],
)
def test_age_is_full_years_on_the_legal_day(birth: date, on: date, years: int) -> None:
    assert age_on(birth, on) == years


def test_the_legal_day_turns_at_midnight_in_shanghai(conn: Connection, city: RandomCity) -> None:
    person = city.person()
    conn.execute(update(core.person).values(birth_date=date(2010, 6, 15)))
    eve = datetime(2026, 6, 14, 15, 59, 59, tzinfo=UTC)
    network = load(conn, persons=[person], now=eve)
    assert (network.on, network.persons[person].age) == (date(2026, 6, 14), 15)
    assert load(conn, persons=[person], now=eve + timedelta(seconds=1)).persons[person].age == 16


def test_a_merged_record_is_left_out_and_its_bed_stays_taken(
    conn: Connection, city: RandomCity
) -> None:
    gone, kept = city.person(), city.person()
    city.admit(city.beds[0], gone)
    conn.execute(update(core.person).where(core.person.c.id == gone).values(merged_into=kept))
    network = load(conn, persons=[gone, kept])
    assert gone not in network.persons
    assert kept in network.persons
    assert not network.is_free(city.beds[0][0])


def test_a_part_of_the_network_equals_that_part_of_the_whole(conn: Connection) -> None:
    city = RandomCity(conn, 11).build(facilities=3, units=2, rooms=4, beds=3)
    asked = city.request(city.person()), city.people[-1]
    now = datetime.now(UTC)
    whole = load(conn, now=now)
    for unit in whole.units:
        part = load(conn, now=now, units=[unit], persons=[asked[1]])
        assert set(part.units) == {unit}
        assert set(part.facilities) == {whole.units[unit].facility}
        assert dict(part.rooms) == {k: v for k, v in whole.rooms.items() if v.unit == unit}
        assert dict(part.beds) == {k: v for k, v in whole.beds.items() if v.room in part.rooms}
        assert part.stays == tuple(stay for stay in whole.stays if stay.bed in part.beds)
        assert part.persons.items() <= whole.persons.items()
        assert {stay.person for stay in part.stays} | {asked[1]} <= part.persons.keys()
        assert asked[0] in {request.id for request in part.requests}


@pytest.mark.parametrize("seed", range(4))
def test_the_kept_network_equals_a_fresh_one_after_any_changes(engine: Engine, seed: int) -> None:
    with engine.begin() as conn:
        city = ChangingCity(conn, seed).build(facilities=3, units=2, rooms=3, beds=3)
    keeper = NetworkKeeper(engine, POLICY)
    keeper.refresh()
    done: list[str] = []
    for step in range(20):
        with engine.begin() as conn:
            city.conn, city.now = conn, datetime.now(UTC)
            done += [city.change() for _ in range(city.random.randrange(1, 4))]
        if step % 3:
            with engine.begin() as conn:
                give_positions(conn)
        kept = keeper.refresh()
        with engine.connect() as conn:
            fresh = load_network(conn, POLICY, now=kept.now)
        assert kept == fresh, f"after {done}"


def test_time_alone_brings_the_kept_network_up_to_date(engine: Engine) -> None:
    with engine.begin() as conn:
        city = RandomCity(conn, 3).build(facilities=1, units=1, rooms=2, beds=2, full=-1)
        conn.execute(update(core.bed).values(state="in_service", retired_at=None))
        conn.execute(update(core.bed).values(confirmed_at=city.now))
        conn.execute(update(core.room).values(retired_at=None))
        bed = city.beds[0]
        city.hold(bed, city.person(), minutes=0.005)
    keeper = NetworkKeeper(engine, POLICY)
    assert not keeper.refresh().is_free(bed[0])
    assert keeper.next_change_at is not None
    assert keeper.seconds_to_next_change() < 1
    time.sleep(0.35)
    assert keeper.refresh().is_free(bed[0])


def test_a_refresh_with_nothing_new_gives_back_the_same_network(engine: Engine) -> None:
    with engine.begin() as conn:
        RandomCity(conn, 4).build(facilities=1, units=1)
    keeper = NetworkKeeper(engine, POLICY)
    with pytest.raises(Unavailable):
        keeper.current()
    first = keeper.refresh()
    assert keeper.refresh() is first
    assert keeper.current() is first


def test_a_city_of_any_size_is_read_in_a_fixed_number_of_queries(
    engine: Engine,
) -> None:
    from sqlalchemy import event

    counts = []
    for size in (1, 4):
        with engine.begin() as conn:
            for table in reversed(core.bed.metadata.sorted_tables):
                conn.execute(text(f"TRUNCATE {table.name} CASCADE"))
            RandomCity(conn, 2).build(facilities=size, units=2, rooms=3, beds=3)
        seen: list[str] = []

        def note(conn, cursor, statement, *rest, seen=seen):
            seen.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        with engine.connect() as conn:
            load(conn)
        event.remove(engine, "before_cursor_execute", note)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 20
