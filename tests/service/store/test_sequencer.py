"""One gapless order for everybody: positions, who gives them, and readers that miss nothing."""

import asyncio
import multiprocessing
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import Connection, Engine, select, text

from service.access.caller import SYSTEM
from service.store import events
from service.store.engine import database_url as driver_url
from service.store.engine import make_engine
from service.store.event_reader import (
    EventListener,
    last_position,
    read_since,
    read_unplaced,
)
from service.store.sequencer import CHANNEL, Sequencer, give_positions
from service.store.tables.core import event


def write(conn: Connection, subject: str, **data: str) -> int:
    return events.append(conn, SYSTEM, "bed.state_changed", "bed", subject, bed=subject, data=data)


@contextmanager
def sequencing(engine: Engine, **options: float) -> Iterator[Sequencer]:
    stop, sequencer = threading.Event(), Sequencer(engine, **options)
    thread = threading.Thread(target=sequencer.run, args=(stop,))
    thread.start()
    try:
        yield sequencer
    finally:
        stop.set()
        thread.join(10)


def until(condition, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def positions(engine: Engine) -> list[int | None]:
    with engine.connect() as conn:
        return list(conn.execute(select(event.c.pos).order_by(event.c.pos)).scalars())


def test_following_seq_misses_an_event_that_committed_late(engine: Engine) -> None:
    """The control: why readers follow ``pos``."""
    with engine.connect() as slow, engine.connect() as quick:
        late = write(slow, "b-slow")
        early = write(quick, "b-quick")
        assert late < early
        quick.commit()
        with engine.connect() as reader:
            seen = list(reader.execute(select(event.c.seq).where(event.c.seq > 0)).scalars())
        slow.commit()
    with engine.connect() as reader:
        seen += list(reader.execute(select(event.c.seq).where(event.c.seq > max(seen))).scalars())
    assert late not in seen


def test_following_pos_sees_the_event_that_committed_late(engine: Engine) -> None:
    with engine.connect() as slow, engine.connect() as quick:
        late = write(slow, "b-slow")
        write(quick, "b-quick")
        quick.commit()
        with engine.begin() as conn:
            assert give_positions(conn) == 1
            seen = [it.seq for it in read_since(conn, 0, 10)]
        slow.commit()
    with engine.begin() as conn:
        assert give_positions(conn) == 1
        seen += [it.seq for it in read_since(conn, 1, 10)]
    assert late in seen
    assert positions(engine) == [1, 2]


def test_a_rolled_back_event_leaves_no_hole(engine: Engine) -> None:
    for number in range(6):
        with engine.connect() as conn:
            write(conn, f"b-{number}")
            if number % 2:
                conn.commit()
    with engine.begin() as conn:
        give_positions(conn)
    assert positions(engine) == [1, 2, 3]


def test_a_long_backlog_is_placed_in_small_transactions(engine: Engine) -> None:
    with engine.begin() as conn:
        for _ in range(25):
            write(conn, "b-1")
    sizes = []
    for _ in range(4):
        with engine.begin() as conn:
            sizes.append(give_positions(conn, batch=10))
    assert sizes == [10, 10, 5, 0]
    with engine.connect() as conn:
        placed = read_since(conn, 0, 100)
    assert [it.pos for it in placed] == list(range(1, 26))
    assert [it.seq for it in placed] == sorted(it.seq for it in placed)


def sequence_for_ever(url: str) -> None:
    Sequencer(make_engine(url), poll_s=0.01, standby_s=0.05).run(threading.Event())


def test_eight_writers_and_two_sequencers_give_every_reader_each_event_once_without_a_hole(
    engine: Engine, database_url: str
) -> None:
    writers, each = 8, 40
    with engine.begin() as conn:
        conn.execute(text("CREATE TABLE subject (id text PRIMARY KEY)"))
        conn.execute(text("INSERT INTO subject SELECT 'b-' || g FROM generate_series(0, 4) g"))
    pool = make_engine(database_url, pool_size=writers + 2)

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(each):
            with pool.connect() as conn:
                subject = f"b-{rng.randrange(5)}"
                conn.execute(
                    text("SELECT 1 FROM subject WHERE id = :id FOR UPDATE"), {"id": subject}
                )
                write(conn, subject)
                time.sleep(rng.random() * 0.004)
                if rng.random() < 0.9:
                    conn.commit()

    seen: list[tuple[int | None, int, str]] = []
    done = threading.Event()

    def follow() -> None:
        last = 0
        while True:
            finished = done.is_set()
            with pool.connect() as conn:
                found = read_since(conn, last, 7)
            seen.extend((it.pos, it.seq, it.subject_id) for it in found)
            last = found[-1].pos or 0 if found else last
            if finished and not found:
                return

    spawn = multiprocessing.get_context("spawn")
    sequencers = [
        spawn.Process(target=sequence_for_ever, args=(database_url,), daemon=True) for _ in range(2)
    ]
    reader = threading.Thread(target=follow)
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(writers)]
    try:
        for process in sequencers:
            process.start()
        for thread in (reader, *threads):
            thread.start()
        time.sleep(1.0)
        # Whoever leads is killed in mid-work; the other goes on.
        with engine.connect() as conn:
            conn.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks "
                    "WHERE locktype = 'advisory' AND pid <> pg_backend_pid() "
                    "AND database = (SELECT oid FROM pg_database WHERE datname = "
                    "current_database())"
                )
            )
        for thread in threads:
            thread.join()

        def all_placed() -> bool:
            with pool.connect() as conn:
                return not read_unplaced(conn)

        until(all_placed)
        done.set()
        reader.join()
    finally:
        done.set()
        for process in sequencers:
            process.kill()
            process.join()
        pool.dispose()
    committed = positions(engine)
    assert len(committed) > writers * each // 2
    assert committed == list(range(1, len(committed) + 1))
    assert [pos for pos, _, _ in seen] == committed
    for subject in {subject for _, _, subject in seen}:
        order = [seq for _, seq, about in seen if about == subject]
        assert order == sorted(order), "the order within a subject is the order of its locks"


def test_only_one_sequencer_leads_and_the_other_takes_over_when_it_stops(engine: Engine) -> None:
    with sequencing(engine, poll_s=0.01, standby_s=0.05) as second_in_line:
        until(lambda: second_in_line.leading)
        with sequencing(engine, poll_s=0.01, standby_s=0.05) as standby:
            time.sleep(0.3)
            assert not standby.leading
            first_stops = second_in_line
            with engine.connect() as conn:
                conn.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                        " AND database = (SELECT oid FROM pg_database WHERE datname = "
                        "current_database())"
                    )
                )
                conn.commit()
            with engine.begin() as conn:
                write(conn, "b-1")
            until(lambda: positions(engine) == [1])
            assert standby.leading != first_stops.leading


def test_no_writer_notifies_and_the_sequencer_does(engine: Engine, database_url: str) -> None:
    plain = driver_url(database_url).set(drivername="postgresql")
    with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as ears:
        ears.execute(f"LISTEN {CHANNEL}")
        with engine.begin() as conn:
            write(conn, "b-1")
        assert [it.payload for it in ears.notifies(timeout=0.3)] == []
        with engine.begin() as conn:
            give_positions(conn)
        assert [it.payload for it in ears.notifies(timeout=2, stop_after=1)] == ["1"]
        with engine.begin() as conn:
            assert give_positions(conn) == 0
        assert [it.payload for it in ears.notifies(timeout=0.3)] == []


def test_a_listener_wakes_its_readers_and_comes_back_after_its_connection_was_lost(
    engine: Engine, database_url: str
) -> None:
    def placed() -> int:
        with engine.begin() as conn:
            write(conn, "b-1")
        with engine.begin() as conn:
            give_positions(conn)
            return last_position(conn)

    async def scenario() -> None:
        listener = EventListener(database_url)
        task = asyncio.create_task(listener.run())
        try:
            first = await asyncio.to_thread(placed)
            readers = [asyncio.create_task(listener.beyond(0, 10)) for _ in range(3)]
            assert await asyncio.gather(*readers) == [first] * 3
            assert await listener.beyond(first, 0.05) == first, "nothing new: the time is up"
            with engine.connect() as conn:
                conn.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE application_name = 'rehab-beds-listener' "
                        "AND datname = current_database()"
                    )
                )
            second = await asyncio.to_thread(placed)
            assert await listener.beyond(first, 10) == second
        finally:
            task.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_a_reader_resumes_from_any_position(engine: Engine, limit: int) -> None:
    with engine.begin() as conn:
        for number in range(7):
            write(conn, f"b-{number}")
    with engine.begin() as conn:
        give_positions(conn)
        read: list[int | None] = []
        while found := read_since(conn, len(read), limit):
            read += [it.pos for it in found]
    assert read == list(range(1, 8))
