"""Row locks are taken in one order by everybody, and the clock is read after the last."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import event

from service.errors import NotFound
from service.store import engine as store_engine
from service.store.locks import lock

SERVICE = Path(__file__).resolve().parents[3] / "service"


def test_rows_are_locked_persons_first_then_places_from_above_each_by_id(world):
    world.unit("psc-1.w1", rooms=(2,))
    world.unit("psc-1.w2", rooms=(1,))
    people = sorted(world.person() for _ in range(2))
    seen: list[tuple[str, list[str]]] = []

    def watch(conn, cursor, statement, parameters, context, executemany):
        if "FOR " in statement:
            found = re.search(r"FROM (\w+).* FOR (.+)$", statement.strip(), re.DOTALL)
            assert found is not None
            seen.append((f"{found[1]} {found[2]}", list(parameters["ids"])))

    event.listen(world.engine, "before_cursor_execute", watch)
    try:
        with world.engine.begin() as conn:
            lock(
                conn,
                beds=["psc-1.w1.r1.b2", "psc-1.w1.r1.b1"],
                rooms=["psc-1.w1.r1"],
                units=["psc-1.w2"],
                units_exclusive=["psc-1.w1"],
                facilities=["psc-1"],
                persons=reversed(people),
            )
    finally:
        event.remove(world.engine, "before_cursor_execute", watch)
    assert seen == [
        ("person NO KEY UPDATE", people),
        ("facility SHARE", ["psc-1"]),
        ("unit NO KEY UPDATE", ["psc-1.w1"]),
        ("unit SHARE", ["psc-1.w2"]),
        ("room NO KEY UPDATE", ["psc-1.w1.r1"]),
        ("bed NO KEY UPDATE", ["psc-1.w1.r1.b1", "psc-1.w1.r1.b2"]),
    ]


def test_the_clock_is_read_after_the_last_lock(world):
    person = world.person()
    got = threading.Event()
    times = {}

    def second() -> None:
        got.wait(10)
        with world.engine.begin() as conn:
            times["second"] = lock(conn, persons=[person])

    waiter = threading.Thread(target=second)
    waiter.start()
    with world.engine.begin() as conn:
        lock(conn, persons=[person])
        got.set()
        time.sleep(0.3)
        times["released"] = store_engine.now(conn)
    waiter.join()
    assert times["second"] >= times["released"]


def test_what_does_not_exist_is_named(world):
    world.unit()
    with world.engine.begin() as conn, pytest.raises(NotFound) as caught:
        lock(conn, beds=["psc-1.w1.r1.b1", "psc-1.w1.r1.b9"])
    assert (caught.value.code, caught.value.members) == (
        "bed-not-found",
        {"bed": ["psc-1.w1.r1.b9"]},
    )


def test_a_unit_is_shared_by_readers_of_its_rules_and_alone_where_it_binds_as_a_whole(world):
    world.unit()
    with world.engine.begin() as one, world.engine.begin() as two:
        lock(one, units=["psc-1.w1"])
        lock(two, units=["psc-1.w1"])
        two.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
        with pytest.raises(Exception, match="lock timeout"):
            lock(two, units_exclusive=["psc-1.w1"])
        two.rollback()


def test_nothing_else_in_the_service_takes_a_row_lock():
    takes = re.compile(r"with_for_update|FOR (NO KEY )?UPDATE\b(?! SKIP)|FOR (KEY )?SHARE\b")
    # Planning locks the rows of runs or proposals, after the people and before any place.
    # A clock's row is locked by whoever ticks it off or rings it, last and without any other row;
    # the ringing leaves out what is taken, so that neither is part of a circle.
    allowed = {
        "store/locks.py",
        "store/due.py",
        "workflow/plans/planning_decisions.py",
        "workflow/plans/planning_runs.py",
        "workflow/plans/run_explanations.py",
        "workflow/plans/superseding.py",
    }
    found = {
        str(path.relative_to(SERVICE))
        for path in SERVICE.rglob("*.py")
        if takes.search(re.sub(r'""".*?"""|#.*', "", path.read_text(), flags=re.DOTALL))
    }
    assert "store/locks.py" in found
    assert found <= allowed
