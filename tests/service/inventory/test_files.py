"""Files of places and bed states: rows in, rows out, and every way a file can be wrong."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, text

from service.commands.files import export_lines, import_file
from service.errors import Malformed
from service.store.engine import make_engine, now, run
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.files.file_resources import RESOURCES
from service.workflow.files.file_rows import FileFormat, FileRow, RowReader, header_line, written
from service.workflow.files.imports import ImportMode, ImportSummary, RowOutcome
from service.workflow.inventory.beds import get_bed
from service.workflow.inventory.out_of_service import NewPeriod, open_period
from solver.codes import BedState
from tests.service.inventory.places import ADMIN, build, context, fingerprint

CSV, NDJSON = FileFormat.CSV, FileFormat.NDJSON
STAGING = ("import_job", "import_row")
BEDS = RESOURCES["beds"]


@pytest.fixture
def network(engine: Engine) -> Engine:
    with engine.begin() as conn:
        build(conn)
    return engine


@pytest.fixture(scope="module")
def shared(module_database_url: str) -> Iterator[Engine]:
    """For tests that change nothing."""
    engine = make_engine(module_database_url)
    with engine.begin() as conn:
        build(conn)
        conn.execute(text("UPDATE facility SET name = '=1+1', duty_phone = '+86 27 0000'"))
        conn.execute(text("UPDATE room SET name = '甲, \"东\"'"))
    yield engine
    engine.dispose()


def send(
    engine: Engine,
    resource: str,
    content: str | bytes,
    how: FileFormat = CSV,
    ctx: Context | None = None,
    **options: Any,
) -> tuple[ImportSummary, list[RowOutcome]]:
    data = content.encode() if isinstance(content, str) else content
    kind = RESOURCES[resource]
    return import_file(engine, ctx or context(), kind, how, io.BytesIO(data), **options)


def counts(done: ImportSummary) -> tuple[int, int, int, int]:
    return (done.created, done.changed, done.unchanged, done.refused)


def inventory(engine: Engine) -> dict[str, str | None]:
    with engine.connect() as conn:
        return {name: it for name, it in fingerprint(conn).items() if name not in STAGING}


def exported(engine: Engine, resource: str, how: FileFormat) -> str:
    return "".join(export_lines(engine, context(), RESOURCES[resource], how))


@pytest.mark.parametrize("how", list(FileFormat))
@pytest.mark.parametrize("resource", list(RESOURCES))
def test_what_was_exported_is_taken_back_without_a_change(
    shared: Engine, resource: str, how: FileFormat
):
    file = exported(shared, resource, how)
    before = inventory(shared)
    done, refused = send(shared, resource, file, how, dry_run=True)
    assert refused == []
    assert done.unchanged == len(file.splitlines()) - (how is CSV) > 0
    assert counts(done)[:2] == (0, 0)
    assert inventory(shared) == before


def test_an_empty_database_filled_from_files_exports_the_same_files(shared: Engine, engine: Engine):
    for resource in RESOURCES:
        done, refused = send(engine, resource, exported(shared, resource, CSV))
        assert refused == []
        assert done.applied == (resource != "bed_states")
    for resource in RESOURCES:
        assert exported(engine, resource, NDJSON) == exported(shared, resource, NDJSON)


def test_five_thousand_rows_with_one_bad_one_are_applied_but_for_that_row(network: Engine):
    with network.begin() as conn:
        conn.execute(
            text(
                "INSERT INTO bed (id, room_id, unit_id, facility_id, name, kind, features, state, "
                "state_since, confirmed_at, confirmed_by, version) "
                "SELECT 'psc-1.w1.r02.x' || n, 'psc-1.w1.r02', 'psc-1.w1', 'psc-1', 'x' || n, "
                "'NUR', '{}', 'in_service', now(), now(), 'test', 1 FROM generate_series(0, 4699) n"
            )
        )
    rows = [f"psc-1.w1.r02.x{number},psc-1.w1.r02,NUR" for number in range(5_000)]
    rows[3_210] = "psc-1.w1.r02.x3210,psc-1.w1.r02,SEAVIEW"
    done, refused = send(network, "beds", "id,room,kind\n" + "\n".join(rows) + "\n")
    assert counts(done) == (300, 0, 4_699, 1)
    [row] = refused
    assert (row.line, row.errors[0].pointer, row.errors[0].value) == (3_212, "/kind", "SEAVIEW")
    assert "'NUR'" in row.errors[0].message
    with network.connect() as conn:
        beds = conn.execute(select(func.count()).select_from(core.bed)).scalar_one()
    assert beds == 5 + 5_000


@pytest.mark.parametrize(
    ("resource", "file", "start"),
    [
        (
            "units",
            "id,facility,name,kind\npsc-11.w2,psc-1,2区,PSC\n",
            "psc-1.",
        ),
        ("rooms", "id,unit\npsc-1.w2.r03,psc-1.w1\n", "psc-1.w1."),
        ("beds", "id,room\npsc-1.w1.r02.b9,psc-1.w1.r01\n", "psc-1.w1.r01."),
        ("beds", "id,room\npsc-1.w1.r20.b9,psc-1.w1.r02\n", "psc-1.w1.r02."),
    ],
)
def test_a_typing_error_in_a_file_makes_no_place_that_does_not_exist(
    network: Engine, resource: str, file: str, start: str
):
    before = inventory(network)
    done, [row] = send(network, resource, file)
    assert (counts(done), row.line) == ((0, 0, 0, 1), 2)
    assert (row.errors[0].pointer, row.errors[0].code) == ("/id", "id-not-within")
    assert f"'{start}'" in row.errors[0].message
    assert inventory(network) == before


def test_all_or_nothing_applies_nothing_when_one_row_is_bad(network: Engine):
    file = "id,room,kind\npsc-1.w1.r02.x1,psc-1.w1.r02,NUR\npsc-1.w1.r02.x2,psc-9.w1.r02,NUR\n"
    before = inventory(network)
    done, refused = send(network, "beds", file, mode=ImportMode.ALL)
    assert [(it.line, it.code) for it in refused] == [(3, "room-not-found")]
    assert not done.applied
    assert inventory(network) == before
    good, none = send(network, "beds", file.replace("psc-9", "psc-1"), mode=ImportMode.ALL)
    assert none == []
    assert (good.applied, counts(good)) == (True, (2, 0, 0, 0))


def test_a_dry_run_says_what_would_happen_and_changes_nothing(network: Engine):
    file = (
        "id,room,kind\npsc-1.w1.r01.b1,psc-1.w1.r01,NUR\n"
        "psc-1.w1.r01.b2,psc-1.w1.r01,GEN\npsc-1.w1.r01.b3,psc-1.w1.r01,GEN\n"
    )
    before = inventory(network)
    done, _ = send(network, "beds", file, dry_run=True)
    assert (done.applied, counts(done)) == (False, (1, 1, 1, 0))
    assert inventory(network) == before
    done, _ = send(network, "beds", file)
    assert (done.applied, counts(done)) == (True, (1, 1, 1, 0))
    again, _ = send(network, "beds", file)
    assert counts(again) == (0, 0, 3, 0)


def test_columns_left_out_stay_and_an_empty_cell_says_none(network: Engine):
    send(network, "units", "id,facility,sex,staffed_beds\npsc-1.w1,psc-1,female,3\n")
    send(network, "units", "id,facility,staffed_beds\npsc-1.w1,psc-1,\n")
    with network.connect() as conn:
        row = conn.execute(select(core.unit).where(core.unit.c.id == "psc-1.w1")).one()
    assert (row.sex, row.staffed_beds, row.bases) == ("female", None, ["compulsory"])


BAD_ROWS = [
    ("beds", "id,room\n,psc-1.w1.r01", "/id", "names its id"),
    ("beds", "id,room\nPSC 1,psc-1.w1.r01", "/id", "pattern"),
    ("beds", "id,room,features\npsc-1.w1.r01.b9,psc-1.w1.r01,ACC;POOL", "/features/1", "'ACC'"),
    ("beds", "id,room,unit\npsc-1.w1.r01.b9,psc-1.w1.r01,cth-1.w1", "/room", "cth-1.w1"),
    ("beds", "id,room\npsc-1.w1.r01.b1,psc-1.w1.r02", "/room", "never leaves"),
    ("beds", "id,room,kind\next-1.w1.r01.b1,ext-1.w1.r01,GEN", "/kind", "SURGE"),
    ("beds", "id,room\npsc-1.w1.r01.b9", "", "2 columns and this row 1"),
    ("units", "id,facility,name,kind,min_age\npsc-1.w9,psc-1,x,PSC,old", "/min_age", "integer"),
    ("units", "id,min_age,max_age\npsc-1.w1,60,18", "", "youngest first"),
    ("facilities", "id,name,operator\npsc-8,x,health", "/duty_phone", "required"),
    ("bed_states", "bed,state\npsc-1.w1.r01.b1,broken", "/state", "'contaminated'"),
    ("bed_states", "bed,state\npsc-1.w1.r01.b1,closed", "/reason", "infection_control"),
    (
        "bed_states",
        "bed,state,expected_end\npsc-1.w1.r01.b1,housekeeping,2027-01-01T08:00:00",
        "/expected_end",
        "",
    ),
]


@pytest.mark.parametrize(("resource", "file", "pointer", "words"), BAD_ROWS)
def test_a_bad_row_is_reported_with_its_line_its_field_and_the_way_out(
    shared: Engine, resource: str, file: str, pointer: str, words: str
):
    before = inventory(shared)
    done, refused = send(shared, resource, file)
    assert counts(done) == (0, 0, 0, 1)
    assert (refused[0].line, refused[0].errors[0].pointer) == (2, pointer)
    assert words in refused[0].errors[0].message
    assert inventory(shared) == before


def test_an_id_that_stands_twice_is_refused_the_second_time(network: Engine):
    file = "id,room\n" + "psc-1.w1.r02.x1,psc-1.w1.r02\n" * 2
    done, refused = send(network, "beds", file)
    assert counts(done) == (1, 0, 0, 1)
    assert (refused[0].line, refused[0].errors[0].code) == (3, "named-twice")
    assert "line 2" in refused[0].errors[0].message


@pytest.mark.parametrize(
    ("content", "how", "code", "words"),
    [
        (b"id,room,colour\n", CSV, "file-columns", "features"),
        (b"id,room,room\n", CSV, "file-columns", "room stands twice"),
        ("id,room\n床,一".encode("gbk"), CSV, "file-not-utf8", "UTF-8"),
        (b"", CSV, "file-empty", "id, room"),
        (b'id,room\n"' + b"x" * 70_000, CSV, "file-row-too-long", "quote"),
        (b'{"id": "' + b"x" * 70_000, NDJSON, "file-row-too-long", ""),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(
    shared: Engine, content: bytes, how: FileFormat, code: str, words: str
):
    before = inventory(shared)
    with pytest.raises(Malformed) as caught:
        send(shared, "beds", content, how)
    assert caught.value.code == code
    assert words in caught.value.detail
    assert inventory(shared) == before


def test_lines_that_are_no_objects_are_reported_and_the_rest_is_taken(network: Engine):
    good = json.dumps({"id": "psc-1.w1.r02.x1", "room": "psc-1.w1.r02", "features": ["ACC"]})
    unknown = json.dumps({"id": "psc-1.w1.r02.x2", "room": "psc-1.w1.r02", "colour": "blue"})
    done, refused = send(network, "beds", f"[1]\n{{oops\n\n{good}\n{unknown}", NDJSON)
    assert counts(done) == (1, 0, 0, 3)
    assert [(it.line, it.errors[0].code) for it in refused] == [
        (1, "not-an-object"),
        (2, "not-json"),
        (5, "unknown-column"),
    ]


def test_a_facilitys_own_key_brings_in_its_own_rows_only(network: Engine):
    file = "id,room\npsc-1.w1.r02.x1,psc-1.w1.r02\ncth-1.w1.r01.x1,cth-1.w1.r01\n"
    done, refused = send(network, "beds", file, ctx=context(ADMIN))
    assert counts(done) == (1, 0, 0, 1)
    assert (refused[0].line, refused[0].code) == (3, "other-facility")
    states = "bed,state\npsc-1.w1.r01.b1,in_service\ncth-1.w1.r01.b1,in_service\n"
    done, refused = send(network, "bed_states", states, ctx=context(ADMIN))
    assert (counts(done), refused[0].code) == ((0, 0, 1, 1), "other-facility")


def test_a_state_that_stands_already_is_confirmed_by_the_file(network: Engine):
    with network.begin() as conn:
        conn.execute(text("UPDATE bed SET confirmed_at = confirmed_at - interval '13 hours'"))
    done, _ = send(network, "bed_states", "bed,state\npsc-1.w1.r01.b1,in_service\n")
    assert counts(done) == (0, 0, 1, 0)
    assert not run(network, get_bed, context(), "psc-1.w1.r01.b1").stale
    assert run(network, get_bed, context(), "psc-1.w1.r01.b2").stale


def test_bed_states_from_a_file_obey_the_same_rules(network: Engine):
    run(
        network,
        open_period,
        context(),
        "psc-1.w1.r01.b1",
        NewPeriod.model_validate(
            {"reason": "repair", "expected_end": run(network, now) + timedelta(days=1)}
        ),
    )
    file = (
        "bed,state,reason\npsc-1.w1.r01.b1,in_service,\npsc-1.w1.r01.b2,closed,repair\n"
        "psc-1.w1.r01.b77,closed,repair\n"
    )
    done, refused = send(network, "bed_states", file)
    assert counts(done) == (0, 1, 0, 2)
    assert [(it.line, it.code) for it in refused] == [(2, "out-of-service"), (4, "bed-not-found")]
    assert run(network, get_bed, context(), "psc-1.w1.r01.b2").state is BedState.CLOSED


def test_cells_that_a_spreadsheet_would_run_are_guarded_and_read_back(shared: Engine):
    file = exported(shared, "facilities", CSV)
    assert file.startswith("\ufeffid,name")
    assert ",'=1+1," in file
    assert ",'+86 27 0000," in file
    numbers = exported(shared, "units", NDJSON)
    assert '"min_age": 18' in numbers


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.text(
                st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12
            ),
            "id": st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True),
        }
    ),
    max_size=6,
)


@given(rows=ROWS, how=st.sampled_from(list(FileFormat)), size=st.integers(1, 40))
@example(rows=[{"name": "'=1+1", "id": "a"}, {"name": "''@x", "id": "b"}], how=CSV, size=7)
@example(rows=[{"name": "甲\u2028乙\x85丙", "id": "a"}], how=NDJSON, size=3)
@example(rows=[{"name": '"\r\n,', "id": "a"}], how=CSV, size=1)
def test_what_is_written_is_read_whatever_the_text_and_however_it_is_cut(
    rows: list[dict[str, str]], how: FileFormat, size: int
):
    columns = ("id", "name")
    lines = [header_line(columns, how), *written(rows, columns, frozenset({"name"}), how)]
    data = "".join(lines).encode()
    reader = RowReader(how, columns)
    read: list[FileRow] = []
    for start in range(0, len(data), size):
        read += reader.feed(data[start : start + size])
    read += reader.finish()
    assert [it.members for it in read] == rows
    assert all(it.error is None for it in read)


def test_a_quote_that_is_never_closed_is_reported_at_its_first_line():
    reader = RowReader(CSV, BEDS.columns)
    rows = [*reader.feed(b'id,room\na,b\nc,"d\ne,f\n'), *reader.finish()]
    assert [(it.line, it.error.code if it.error else None) for it in rows] == [
        (2, None),
        (3, "unclosed-quote"),
    ]
