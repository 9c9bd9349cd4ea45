"""A past that was changed is found, and said which part of it."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, delete, select, update

from service.access.caller import SYSTEM
from service.store import events
from service.store.seals import (
    Fault,
    SealFault,
    Verification,
    export_heads,
    head_line,
    read_head,
    seal_next,
    unsealed,
    verify,
)
from service.store.sequencer import give_positions
from service.store.tables.core import event, event_seal

KEY = b"k" * 32


@pytest.fixture
def log(conn: Connection) -> Connection:
    """Twelve events in three sealed batches of four, and one that no seal covers yet."""
    for number in range(13):
        events.append(
            conn, SYSTEM, "bed.state_changed", "bed", f"b-{number}", bed=f"b-{number}",
            data={"to": "closed", "beds": ["b-1", "b-2"], "count": number},
        )  # fmt: skip
    give_positions(conn)
    assert [seal_next(conn, KEY, batch=4) for _ in range(3)] == [4, 4, 4]
    return conn


def test_an_untouched_log_has_no_fault(log: Connection) -> None:
    assert verify(log, KEY) == Verification(sealed_to=12, last_pos=13, faults=())
    assert unsealed(log) == 1
    assert seal_next(log, KEY) == 1
    assert seal_next(log, KEY) == 0
    assert verify(log, KEY).faults == ()


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"to": "in_service"}},
        {"actor": "somebody-else"},
        {"operation": "bed.confirmed"},
        {"person_id": "p-1"},
        {"facility_id": "f-1"},
        {"occurred_at": event.c.occurred_at - timedelta(microseconds=1)},
        {"recorded_at": event.c.recorded_at + timedelta(seconds=1)},
    ],
    ids=lambda it: next(iter(it)),
)
def test_a_changed_row_breaks_its_batch_and_no_other(log: Connection, change) -> None:
    log.execute(update(event).where(event.c.pos == 6).values(**change))
    assert verify(log, KEY).faults == (Fault(SealFault.ROWS_CHANGED, 5, 8),)


def test_a_removed_row_is_missed(log: Connection) -> None:
    log.execute(delete(event).where(event.c.pos == 6))
    assert verify(log, KEY).faults == (Fault(SealFault.ROWS_MISSING, 5, 8),)


def test_two_rows_that_changed_places_are_found(log: Connection) -> None:
    for old, new in ((6, 600), (7, 6), (600, 7)):
        log.execute(update(event).where(event.c.pos == old).values(pos=new))
    assert verify(log, KEY).faults == (Fault(SealFault.ROWS_CHANGED, 5, 8),)


def test_a_removed_seal_leaves_a_gap_in_the_chain(log: Connection) -> None:
    log.execute(delete(event_seal).where(event_seal.c.last_pos == 8))
    kinds = {fault.kind for fault in verify(log, KEY).faults}
    assert Fault(SealFault.SEAL_MISSING, 5, 8) in verify(log, KEY).faults
    assert kinds == {SealFault.SEAL_MISSING, SealFault.ROWS_CHANGED}


def test_a_log_cut_off_at_its_end_is_found_by_the_exported_heads(log: Connection) -> None:
    heads = [read_head(head_line(head)) for head in export_heads(log)]
    assert [head.last_pos for head in heads] == [4, 8, 12]
    assert [head.last_pos for head in export_heads(log, after=4)] == [8, 12]
    log.execute(delete(event).where(event.c.pos > 8))
    log.execute(delete(event_seal).where(event_seal.c.last_pos > 8))
    assert verify(log, KEY).faults == (), "without the heads the cut cannot be seen"
    assert verify(log, KEY, heads).faults == (Fault(SealFault.HEAD_MISSING, 12, 12),)


def test_a_log_sealed_anew_with_the_stolen_key_differs_from_the_exported_heads(
    log: Connection,
) -> None:
    heads = list(export_heads(log))
    log.execute(update(event).where(event.c.pos == 6).values(actor="somebody-else"))
    log.execute(delete(event_seal))
    while seal_next(log, KEY, batch=4):
        pass
    assert verify(log, KEY).faults == ()
    kinds = {fault.kind for fault in verify(log, KEY, heads).faults}
    assert kinds == {SealFault.HEAD_CHANGED}


def test_another_key_opens_nothing(log: Connection) -> None:
    assert len(verify(log, b"x" * 32).faults) == 3


@pytest.mark.parametrize("line", ["", "{}", "[]", '{"last_pos": "x"}', "not json"])
def test_a_line_that_is_no_head_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_head(line)


def test_two_sealers_at_once_make_one_chain(engine: Engine) -> None:
    with engine.begin() as conn:
        for number in range(40):
            events.append(conn, SYSTEM, "bed.confirmed", "bed", f"b-{number}")
        give_positions(conn)

    def seal() -> None:
        more = True
        while more:
            with engine.begin() as conn:
                more = seal_next(conn, KEY, batch=3) > 0

    threads = [threading.Thread(target=seal) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as conn:
        assert verify(conn, KEY).faults == ()
        ends = list(conn.execute(select(event_seal.c.last_pos)).scalars())
    assert sorted(ends) == [*range(3, 40, 3), 40]
