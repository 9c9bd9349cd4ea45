"""Transactions: commit before return, one retry of a lost race, typed errors, session settings."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import QueuePool

from service.store import engine as store_engine
from service.store.engine import (
    database_url as normalised,
)
from service.store.engine import (
    in_savepoint,
    make_async_engine,
    make_engine,
    now,
    run,
    run_async,
)
from service.store.postgres_errors import (
    BadDatabaseUrl,
    Busy,
    Conflict,
    Refused,
    ServerGone,
    StoreError,
    UnsupportedServer,
)

SCHEMA = """
CREATE EXTENSION btree_gist;
CREATE TABLE claim (
    id int PRIMARY KEY,
    bed text NOT NULL,
    during tstzrange NOT NULL,
    CONSTRAINT claim_nonempty CHECK (NOT isempty(during)),
    CONSTRAINT claim_one_per_bed EXCLUDE USING gist (bed WITH =, during WITH &&)
        DEFERRABLE INITIALLY IMMEDIATE
);
CREATE TABLE bed (id text PRIMARY KEY);
INSERT INTO bed VALUES ('a'), ('b');
"""
INSERT = text("INSERT INTO claim VALUES (:id, :bed, tstzrange('2026-01-01', '2026-01-02'))")


@pytest.fixture(scope="module")
def module_engine(server) -> Iterator[Engine]:
    with server.scratch() as address:
        made = make_engine(address, lock_timeout_ms=2_000, statement_timeout_ms=3_000)
        with made.begin() as conn:
            conn.execute(text(SCHEMA))
        yield made
        made.dispose()


@pytest.fixture
def claims(module_engine: Engine) -> Engine:
    """An engine on a database with an empty table of claims and the beds a and b."""
    with module_engine.begin() as conn:
        conn.execute(text("TRUNCATE claim"))
    return module_engine


def claim(conn: Connection, id_: int, bed: str = "a") -> int:
    conn.execute(INSERT, {"id": id_, "bed": bed})
    return id_


def stored(engine: Engine) -> set[int]:
    with engine.connect() as conn:
        return set(conn.execute(text("SELECT id FROM claim")).scalars())


def test_a_use_case_is_committed_when_run_returns(claims):
    assert run(claims, claim, 1, bed="b") == 1
    assert stored(claims) == {1}


async def _run_on_async_engine(url: str, *args: Any) -> int:
    engine = make_async_engine(url)
    try:
        return await run_async(engine, claim, *args)
    finally:
        await engine.dispose()


def address_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def test_a_use_case_on_the_async_engine_is_committed_when_awaited(claims):
    assert asyncio.run(_run_on_async_engine(address_of(claims), 1)) == 1
    assert stored(claims) == {1}


def test_a_conflict_on_the_async_engine_carries_its_constraint(claims):
    run(claims, claim, 1)
    with pytest.raises(Conflict) as caught:
        asyncio.run(_run_on_async_engine(address_of(claims), 2))
    assert caught.value.constraint == "claim_one_per_bed"


def test_what_the_use_case_raises_rolls_back_and_passes_through(claims):
    def fail(conn: Connection) -> None:
        claim(conn, 1)
        raise LookupError("no such person")

    with pytest.raises(LookupError, match="no such person"):
        run(claims, fail)
    assert stored(claims) == set()


def test_a_lost_race_is_looked_at_a_second_time_in_a_new_transaction(claims):
    run(claims, claim, 1, "a")
    seen: list[int] = []

    def first_free(conn: Connection) -> int:
        seen.append(conn.execute(text("SELECT pg_current_xact_id()::text::bigint")).scalar_one())
        return claim(conn, 2, "a" if len(seen) == 1 else "b")

    assert run(claims, first_free) == 2
    assert len(set(seen)) == 2
    assert stored(claims) == {1, 2}


def test_a_race_lost_twice_is_a_conflict_with_the_constraint_and_nothing_of_the_row(claims):
    run(claims, claim, 1)
    tries: list[int] = []

    def stubborn(conn: Connection) -> None:
        tries.append(1)
        claim(conn, 2)

    with pytest.raises(Conflict) as caught:
        run(claims, stubborn)
    assert len(tries) == 2
    assert caught.value.constraint == "claim_one_per_bed"
    assert caught.value.sqlstate == "23P01"
    assert caught.value.__cause__ is None
    assert "2026" not in str(caught.value)
    assert stored(claims) == {1}


def test_an_exclusion_broken_only_at_commit_is_a_conflict_too(claims):
    run(claims, claim, 1)

    def deferred(conn: Connection) -> str:
        conn.execute(text("SET CONSTRAINTS ALL DEFERRED"))
        claim(conn, 2)
        return "said yes"

    with pytest.raises(Conflict) as caught:
        run(claims, deferred)
    assert caught.value.constraint == "claim_one_per_bed"


def test_of_two_that_deadlock_both_get_through(claims):
    meet = threading.Barrier(2, timeout=10)
    tries: list[str] = []
    errors: list[StoreError] = []

    def cross(conn: Connection, first: str, second: str) -> None:
        tries.append(first)
        lock = text("SELECT id FROM bed WHERE id = :id FOR UPDATE")
        conn.execute(lock, {"id": first})
        if len(tries) <= 2:
            meet.wait()
        conn.execute(lock, {"id": second})

    def attempt(first: str, second: str) -> None:
        try:
            run(claims, cross, first, second)
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=attempt, args=pair) for pair in ("ab", "ba")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert errors == []
    assert sorted(tries[:2]) == ["a", "b"]
    assert len(tries) == 3


def test_a_duplicate_key_is_a_conflict_and_is_not_retried(claims):
    tries: list[int] = []

    def twice(conn: Connection) -> None:
        tries.append(1)
        claim(conn, 1, "a")
        claim(conn, 1, "b")

    with pytest.raises(Conflict) as caught:
        run(claims, twice)
    assert (caught.value.constraint, caught.value.sqlstate) == ("claim_pkey", "23505")
    assert len(tries) == 1


def test_a_row_that_breaks_a_check_is_refused_with_the_name_of_the_check(claims):
    def empty(conn: Connection) -> None:
        conn.execute(text("INSERT INTO claim VALUES (1, 'a', 'empty')"))

    with pytest.raises(Refused) as caught:
        run(claims, empty)
    assert caught.value.constraint == "claim_nonempty"


def test_a_savepoint_undoes_its_own_work_and_leaves_the_transaction_usable(claims):
    run(claims, claim, 1, "a")

    def decide(conn: Connection) -> str:
        claim(conn, 2, "b")
        try:
            in_savepoint(conn, claim, 3, "a")
        except Conflict as conflict:
            return str(conflict.constraint)
        return "no conflict"

    assert run(claims, decide) == "claim_one_per_bed"
    assert stored(claims) == {1, 2}


def test_a_statement_that_takes_too_long_is_busy(claims):
    engine = make_engine(claims.url, statement_timeout_ms=100)
    with pytest.raises(Busy):
        run(engine, lambda conn: conn.execute(text("SELECT pg_sleep(10)")))
    engine.dispose()


def test_a_lock_that_is_not_freed_in_time_is_busy(claims):
    engine = make_engine(claims.url, lock_timeout_ms=100)
    lock = text("SELECT id FROM bed WHERE id = 'a' FOR UPDATE")
    with claims.begin() as conn:
        conn.execute(lock)
        with pytest.raises(Busy):
            run(engine, lambda other: other.execute(lock))
    engine.dispose()


def test_a_pool_with_no_connection_left_is_busy(claims, monkeypatch):
    engine = make_engine(claims.url, pool_size=1, max_overflow=0)
    monkeypatch.setattr(engine.pool, "_timeout", 0.05)
    with engine.connect(), pytest.raises(Busy):
        run(engine, now)
    engine.dispose()


def test_a_transaction_that_stands_still_is_ended_by_the_server(claims):
    engine = make_engine(claims.url, idle_in_transaction_ms=100)

    def dawdle(conn: Connection) -> None:
        now(conn)
        threading.Event().wait(0.5)
        now(conn)

    with pytest.raises(ServerGone):
        run(engine, dawdle)
    engine.dispose()


def test_a_connection_cut_while_idle_is_replaced_unnoticed(claims):
    engine = make_engine(claims.url, pool_size=1)
    pid = run(engine, lambda conn: conn.execute(text("SELECT pg_backend_pid()")).scalar_one())
    end = text("SELECT pg_terminate_backend(:pid, 5000)")
    assert run(claims, lambda conn: conn.execute(end, {"pid": pid}).scalar_one())
    assert run(engine, now).tzinfo is UTC
    engine.dispose()


def test_a_connection_cut_in_mid_work_is_a_server_gone(claims):
    end = text("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(ServerGone):
        run(claims, lambda conn: conn.execute(end))


def test_a_server_that_does_not_answer_is_a_server_gone(tmp_path):
    engine = make_engine(f"postgresql://postgres@/none?host={tmp_path}")
    with pytest.raises(ServerGone, match="check that it runs"):
        run(engine, now)


def test_a_fault_of_our_own_sql_is_not_disguised_and_shows_no_values(claims):
    wrong = text("SELECT nothing FROM claim WHERE bed = :bed")
    with pytest.raises(ProgrammingError) as caught:
        run(claims, lambda conn: conn.execute(wrong, {"bed": "a private matter"}))
    assert "a private matter" not in str(caught.value)


def test_a_session_speaks_utc_and_has_its_limits_and_name(claims):
    engine = make_engine(claims.url, application_name="planner", statement_timeout_ms=0)
    with engine.connect() as conn:

        def show(setting: str) -> str:
            return str(conn.execute(text(f"SHOW {setting}")).scalar_one())

        assert show("timezone") == "UTC"
        assert show("application_name") == "planner"
        assert show("statement_timeout") == "0"
        assert show("lock_timeout") == "3s"
        assert show("idle_in_transaction_session_timeout") == "5s"
        assert show("transaction_isolation") == "read committed"
    engine.dispose()


def test_options_in_the_address_are_kept_beside_ours(claims):
    engine = make_engine(claims.url.update_query_dict({"options": "-c work_mem=7MB"}))
    with engine.connect() as conn:
        assert conn.execute(text("SHOW work_mem")).scalar_one() == "7MB"
        assert conn.execute(text("SHOW statement_timeout")).scalar_one() == "5s"
    engine.dispose()


def test_now_is_the_databases_clock_and_moves_within_a_transaction(claims):
    with claims.begin() as conn:
        first, second = now(conn), now(conn)
        began = conn.execute(text("SELECT now()")).scalar_one()
    assert first.tzinfo is UTC
    assert began < first < second
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)


def test_a_server_older_than_fifteen_is_refused_with_the_way_out(claims, monkeypatch):
    monkeypatch.setattr(store_engine, "OLDEST_SERVER", 99)
    engine = make_engine(claims.url)
    with pytest.raises(UnsupportedServer, match="99 or later is needed: upgrade it"):
        run(engine, now)
    assert isinstance(engine.pool, QueuePool)
    assert engine.pool.checkedin() == 0

    async def connect() -> None:
        other = make_async_engine(claims.url)
        try:
            await run_async(other, now)
        finally:
            await other.dispose()

    with pytest.raises(UnsupportedServer):
        asyncio.run(connect())


@pytest.mark.parametrize(
    ("found", "accepted"), [(140_019, False), (150_000, True), (150_018, True), (180_006, True)]
)
def test_the_oldest_server_accepted_is_fifteen(found, accepted):
    closed: list[bool] = []
    driver = SimpleNamespace(info=SimpleNamespace(server_version=found))
    connection = SimpleNamespace(close=lambda: closed.append(True))
    entry: Any = SimpleNamespace(driver_connection=driver)
    if accepted:
        store_engine.check_version(connection, entry)
    else:
        with pytest.raises(UnsupportedServer, match="PostgreSQL 14; 15 or later"):
            store_engine.check_version(connection, entry)
    assert closed == ([] if accepted else [True])


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_address_gets_our_driver(scheme):
    url = normalised(f"{scheme}://officer:s%40crt@db:5433/beds?sslmode=require")
    assert url.drivername == "postgresql+psycopg"
    assert (url.password, url.port, url.database) == ("s@crt", 5433, "beds")
    assert url.query["sslmode"] == "require"


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("mysql://officer:secret@db/beds", "is for 'mysql', not PostgreSQL"),
        ("sqlite:///beds.db", "is for 'sqlite', not PostgreSQL"),
        ("postgresql://officer:secret@db", "names no database"),
        ("officer:secret@db/beds", "is not an address"),
        ("postgresql://officer:secret@db:port/beds", "is not an address"),
    ],
)
def test_an_address_we_cannot_use_is_refused_without_quoting_it(address, fault):
    with pytest.raises(BadDatabaseUrl, match=fault) as caught:
        normalised(address)
    assert "postgresql://user:password@host:5432/database" in str(caught.value)
    assert "secret" not in str(caught.value)
