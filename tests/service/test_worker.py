"""The worker: clocks once each however many run, positions, seals, and an end when told."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, distinct, func, select, text

from service.commands.serve import environment_of
from service.settings import Settings, load_keys
from service.store.event_reader import last_position, read_unplaced
from service.store.schema import PROJECT
from service.store.seals import verify
from service.store.tables import core
from service.worker import Worker, worker_beside
from tests.service.random_city import RandomCity


def until(engine: Engine, condition, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        with engine.connect() as conn:
            if condition(conn):
                return
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def lapses(conn: Connection) -> int:
    found = select(func.count()).where(core.event.c.operation == "hold.lapsed")
    return int(conn.execute(found).scalar_one())


def test_three_workers_write_each_lapse_once_place_it_and_seal_it(
    engine: Engine, settings: Settings
) -> None:
    quick = settings.model_copy(update={"clock_interval_s": 0.02})
    with engine.begin() as conn:
        city = RandomCity(conn, 5).build(facilities=2, units=2, rooms=5, beds=3, full=-1)
        conn.execute(core.bed_claim.delete())
        conn.execute(core.placement_request.delete())
        city.now = datetime.now(UTC)
        for number, bed in enumerate(city.beds):
            city.hold(bed, city.person(), minutes=0.005 + 0.0005 * number)
    held = len(city.beds)
    with ExitStack() as workers:
        for _ in range(3):
            workers.enter_context(worker_beside(quick))
        until(engine, lambda conn: lapses(conn) >= held)
        until(engine, lambda conn: not read_unplaced(conn))
        key = load_keys(settings).seal
        until(engine, lambda conn: verify(conn, key).sealed_to == last_position(conn))
    with engine.connect() as conn:
        assert lapses(conn) == held
        each = select(func.count(distinct(core.event.c.subject_id))).where(
            core.event.c.operation == "hold.lapsed"
        )
        assert conn.execute(each).scalar_one() == held
        states = conn.execute(select(core.placement_request.c.state).distinct()).scalars().all()
        assert states == ["waiting"]
        assert verify(conn, key).faults == ()


def test_a_round_that_fails_is_followed_by_the_next(engine: Engine, settings: Settings) -> None:
    quick = settings.model_copy(update={"clock_interval_s": 0.05})
    with engine.begin() as conn:
        conn.execute(text("ALTER TABLE bed_claim RENAME TO bed_claim_away"))
    with worker_beside(quick):
        time.sleep(0.5)
        with engine.begin() as conn:
            conn.execute(text("ALTER TABLE bed_claim_away RENAME TO bed_claim"))
        with engine.begin() as conn:
            city = RandomCity(conn, 5).build(facilities=1, units=1, rooms=1, beds=1, full=-1)
            city.hold(city.beds[0], city.person(), minutes=0.001)
        until(engine, lambda conn: lapses(conn) == 1)


def test_a_worker_ends_soon_after_it_is_told(settings: Settings) -> None:
    began = time.monotonic()
    with worker_beside(settings):
        time.sleep(0.3)
    assert time.monotonic() - began < 10


def test_a_worker_that_was_told_before_it_began_does_nothing(settings: Settings) -> None:
    import asyncio

    worker = Worker(settings, planning=False)
    worker.stop()
    asyncio.run(worker.work())


def test_the_worker_process_ends_cleanly_on_sigterm(engine: Engine, settings: Settings) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "worker"],
        cwd=PROJECT,
        env={**os.environ, **environment_of(settings)},
        stderr=subprocess.PIPE,
    )
    try:
        leads = text(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        until(engine, lambda conn: conn.execute(leads).all())
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert process.returncode == 0
    assert b"worker_stopped" in said
    assert b"Traceback" not in said
