"""Whatever goes wrong is a problem that names the field and the way out."""

from __future__ import annotations

import ast
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from service.api.problem_pages import load_texts
from service.api.problems import MEDIA_TYPE, pointer_of, problem_for, shown
from service.store import postgres_errors as store
from service.store.schema import PROJECT
from tests.service.api.conftest import Holder

MARKS = "/api/v1/probe/marks"
Count = Callable[[str], int]


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"/problems/{code}"
    assert body["code"] == code
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


def test_an_unknown_path_is_a_problem(client: TestClient):
    problem(client.get("/api/v1/nothing"), 404, "no-such-path")


def test_a_path_with_a_slash_too_many_is_not_redirected(client: TestClient):
    problem(client.get("/livez/"), 404, "no-such-path")


@pytest.mark.parametrize(
    ("path", "allow"),
    [(MARKS, "GET, POST"), (f"{MARKS}/m1", "PUT"), ("/livez", "GET")],
)
def test_allow_lists_the_methods_of_all_routes_of_a_path(client: TestClient, path: str, allow: str):
    body = problem(client.delete(path), 405, "method-not-allowed")
    assert client.delete(path).headers["allow"] == allow
    assert body["allow"] == allow.split(", ")


def test_each_wrong_field_is_named_with_its_value_and_way_out(officer: Holder, marks: Count):
    answer = officer("POST", MARKS, json={"text": "", "seconds": 9, "colour": "red"})
    body = problem(answer, 422, "invalid-request")
    by_pointer = {fault["pointer"]: fault for fault in body["errors"]}
    assert by_pointer["/text"]["value"] == ""
    assert by_pointer["/seconds"]["value"] == 9
    assert "5" in by_pointer["/seconds"]["message"]
    assert by_pointer["/colour"]["code"] == "extra-forbidden"
    assert marks("") == 0


def test_a_missing_field_is_named(officer: Holder):
    body = problem(officer("POST", MARKS, json={}), 422, "invalid-request")
    assert body["errors"] == [
        {"pointer": "/text", "code": "missing", "message": "this field is required", "value": None}
    ]


def test_a_long_value_comes_back_shortened(officer: Holder):
    body = problem(officer("POST", MARKS, json={"text": "x" * 5000}), 422, "invalid-request")
    assert len(body["errors"][0]["value"]) == 121


def test_a_wrong_query_parameter_is_named(officer: Holder):
    body = problem(officer("GET", f"{MARKS}?limit=0"), 422, "invalid-request")
    assert body["errors"][0]["pointer"] == "query/limit"


@pytest.mark.parametrize("body", [b"{", b'{"text": "x",}', b"\xff\xfe", b"nonsense", b"[" * 99_999])
def test_what_is_not_json_cannot_be_read(officer: Holder, body: bytes):
    answer = officer("POST", MARKS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    problem(answer, 400, answer.json()["code"])


def test_malformed_json_says_where(officer: Holder):
    answer = officer(
        "POST", MARKS, content=b'{"text": ?}', headers={"Content-Type": "application/json"}
    )
    assert "character 9" in problem(answer, 400, "malformed-json")["detail"]


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", ""])
def test_a_body_of_another_media_type_is_refused(officer: Holder, media_type: str):
    answer = officer("POST", MARKS, content=b"{}", headers={"Content-Type": media_type})
    body = problem(answer, 415, "unsupported-media-type")
    assert body["accepts"] == ["application/json"]
    assert answer.headers["accept"] == "application/json"


def test_json_with_a_charset_is_json(officer: Holder):
    answer = officer(
        "POST",
        MARKS,
        content='{"text": "病区"}'.encode(),
        headers={"Content-Type": "application/json; charset=utf-8"},
    )
    assert answer.status_code == 201
    assert answer.json()["text"] == "病区"


def test_a_streaming_route_reads_its_own_media_type_and_more_bytes(officer: Holder):
    path = "/api/v1/probe/files"
    csv = {"Content-Type": "text/csv"}
    assert officer("POST", path, content=b"x" * 2_000_000, headers=csv).json() == 2_000_000
    problem(officer("POST", path, content=b"x" * 3_000_001, headers=csv), 413, "body-too-large")
    problem(officer("POST", path, json={}), 415, "unsupported-media-type")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(officer: Holder, chunked: bool):
    body = json.dumps({"text": "x" * 1_100_000}).encode()
    content = iter([body[:500_000], body[500_000:]]) if chunked else body
    answer = officer("POST", MARKS, content=content, headers={"Content-Type": "application/json"})
    assert problem(answer, 413, "body-too-large")["limit_bytes"] == 1024 * 1024
    assert answer.headers["connection"] == "close"


def test_a_large_body_without_a_key_is_not_read_at_all(client: TestClient):
    def never() -> bytes:
        raise AssertionError("the body was read")

    class Unread(httpx.SyncByteStream):
        def __iter__(self):
            yield never()

    request = client.build_request("POST", MARKS, headers={"Content-Length": "50000000"})
    assert request.headers["content-length"] == "50000000"
    problem(client.send(request), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [('{"text": "a\\u0000b"}', "/text"), ('{"text": "x", "a/b": ["\\u0000"]}', "/a~1b/0")],
)
def test_nul_is_refused_where_it_stands(officer: Holder, body: str, pointer: str):
    answer = officer("POST", MARKS, content=body, headers={"Content-Type": "application/json"})
    assert problem(answer, 422, "invalid-field")["errors"][0]["pointer"] == pointer


def test_a_backslash_before_u0000_is_not_nul(officer: Holder):
    answer = officer(
        "POST", MARKS, content=r'{"text": "\\u0000"}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize("path", ["/api/v1/probe/numbers/%00", f"{MARKS}?cursor=a%00"])
def test_nul_in_path_or_query_is_refused(officer: Holder, path: str):
    problem(officer("GET", path), 422, "invalid-field")


def test_a_lone_surrogate_is_refused_in_valid_utf8(officer: Holder):
    answer = officer(
        "POST", MARKS, content=rb'{"text": "\ud800"}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    answer.content.decode("utf-8")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 400])
def test_numbers_json_cannot_hold_are_refused_in_valid_json(officer: Holder, number: str):
    answer = officer(
        "POST",
        MARKS,
        content=f'{{"text": "x", "seconds": {number}}}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    json.loads(answer.content, parse_constant=lambda name: pytest.fail(name))


def test_what_the_database_cannot_hold_is_no_fault_of_ours(officer: Holder):
    problem(officer("GET", f"/api/v1/probe/numbers/{2**40}"), 422, "cannot-be-stored")


def test_nothing_of_an_exception_leaves_the_process_and_the_log_has_its_place(
    officer: Holder, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.ERROR)
    answer = officer("POST", "/api/v1/probe/failures")
    body = problem(answer, 500, "internal-error")
    assert "patient" not in answer.text
    assert "RuntimeError" not in answer.text
    assert len(caplog.records) == 1
    logged = caplog.records[0].msg
    assert isinstance(logged, dict)
    assert logged["error_id"] == body["error_id"]
    assert logged["exception"]["type"] == "builtins.RuntimeError"
    assert any("probe.py" in frame and "fail" in frame for frame in logged["exception"]["frames"])
    assert "patient" not in json.dumps(logged, default=str)


def test_a_broken_connection_is_503_and_says_to_repeat(officer: Holder):
    gone = store.ServerGone("the address of a server")
    with patch("service.api.calls.run_async", side_effect=gone):
        answer = officer("GET", "/api/v1/probe/numbers/1")
    assert "address" not in answer.text
    problem(answer, 503, "database-unavailable")
    assert answer.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (store.Conflict("x", constraint="c", sqlstate="23P01"), 409, "lost-race"),
        (store.Refused("x", constraint="c", sqlstate="23514"), 409, "breaks-a-constraint"),
        (store.Busy("x"), 503, "database-busy"),
        (store.OutOfSpace("x"), 503, "database-unavailable"),
        (store.ServerGone("x"), 503, "database-unavailable"),
    ],
)
def test_every_failure_of_the_store_has_its_problem(error: Exception, status: int, code: str):
    trouble = problem_for(error)
    assert trouble is not None
    assert (trouble.status, trouble.code) == (status, code)


def test_an_unforeseen_error_has_no_problem_of_its_own():
    assert problem_for(RuntimeError("x")) is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(anything)
def test_any_received_value_can_be_shown_in_json(value: object):
    text = json.dumps(shown(value), allow_nan=False, ensure_ascii=False)
    assert len(text.encode("utf-8", "replace")) < 1000


@pytest.mark.parametrize(
    ("location", "pointer"),
    [
        (("body", "beds", 0, "room/1", "~x"), "/beds/0/room~11/~0x"),
        (("query", "limit"), "query/limit"),
        (("header", "if-match"), "header/if-match"),
        (("body",), ""),
    ],
)
def test_locations_become_json_pointers(location: tuple[str | int, ...], pointer: str):
    assert pointer_of(location) == pointer


def test_a_name_that_is_not_one_of_those_known_is_pointed_at_itself():
    assert pointer_of(("body", "dimensions", "somatik", "[key]")) == "/dimensions/somatik"


def test_a_problems_type_can_be_opened(client: TestClient):
    code = client.get("/api/v1/nothing").json()["type"]
    text = client.get(code).json()
    assert text["code"] == "no-such-path"
    assert text["zh"]
    assert text["en"]
    problem(client.get("/problems/made-up"), 404, "no-such-problem")
    assert text in client.get("/problems").json()


ERRORS = frozenset(
    {
        *("Malformed", "Unauthenticated", "Forbidden", "NotFound", "Conflict", "Refused"),
        *("PreconditionFailed", "TooLarge", "Invalid", "PreconditionRequired", "Unavailable"),
        *("UnsupportedMediaType", "_unavailable", "_not_ready"),
    }
)


def raised_codes(path: Path) -> set[str]:
    """The codes of the errors a module makes, wherever they are written out."""
    codes = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            first = node.args[0] if node.args else None
            if name in ERRORS and isinstance(first, ast.Constant) and isinstance(first.value, str):
                codes.add(first.value)
    return codes


def test_every_code_that_is_raised_is_explained_in_both_languages():
    texts = load_texts()
    raised = {
        code: path.relative_to(PROJECT)
        for path in (PROJECT / "service").rglob("*.py")
        for code in raised_codes(path)
    }
    assert len(raised) > 20
    missing = {code: str(path) for code, path in raised.items() if code not in texts}
    assert not missing, f"add zh and en to service/api/problems.toml for {missing}"
