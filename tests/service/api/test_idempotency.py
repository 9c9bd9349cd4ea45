"""A repeated POST has one effect and one answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from unittest.mock import patch
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine, func, select, update
from starlette.testclient import TestClient

from service.access.caller import Role
from service.settings import Settings
from service.store.engine import run
from service.store.idempotency import purge
from service.store.tables.core import idempotency_record as record
from tests.service.api.conftest import Holder, Keys
from tests.service.api.processes import served

Count = Callable[[str], int]
MARKS = "/api/v1/probe/marks"


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


def test_a_post_without_a_key_is_told_to_send_one(officer: Holder):
    answer = officer.client.post(
        MARKS, json={"text": "x"}, headers={"Authorization": f"Bearer {officer.key}"}
    )
    assert answer.status_code == 400
    assert answer.json()["code"] == "idempotency-key-missing"


@pytest.mark.parametrize("bad", ["short", "a" * 201, "white space", '""'])
def test_a_key_that_is_no_key_is_refused(officer: Holder, bad: str):
    answer = officer("POST", MARKS, json={"text": "x"}, headers={"Idempotency-Key": bad})
    assert answer.json()["code"] == "idempotency-key-malformed"


def test_a_repeat_gets_the_same_answer_and_no_second_effect(
    officer: Holder, key: dict[str, str], marks: Count
):
    first = officer("POST", MARKS, json={"text": "repeated"}, headers=key)
    second = officer("POST", MARKS, json={"text": "repeated"}, headers=key)
    assert (first.status_code, "idempotency-replayed" in first.headers) == (201, False)
    assert second.headers["idempotency-replayed"] == "true"
    assert second.status_code == 201
    assert second.content == first.content
    for name in ("location", "etag", "content-type"):
        assert second.headers[name] == first.headers[name]
    assert marks("repeated") == 1


def test_the_same_key_with_another_body_is_refused_and_changes_nothing(
    officer: Holder, key: dict[str, str], marks: Count
):
    first = officer("POST", MARKS, json={"text": "one"}, headers=key)
    other = officer("POST", MARKS, json={"text": "other"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert other.json()["title"] == "Idempotency-Key used before"
    assert marks("other") == 0
    again = officer("POST", MARKS, json={"text": "one"}, headers=key)
    assert again.content == first.content


def test_the_same_key_on_another_path_is_refused(officer: Holder, key: dict[str, str]):
    officer("POST", MARKS, json={"text": "here"}, headers=key)
    other = officer("POST", "/api/v1/probe/refusals", json={"text": "here"}, headers=key)
    assert other.json()["code"] == "idempotency-key-reused"


def test_two_callers_may_happen_on_the_same_key(
    holders: Mapping[Role, Holder], key: dict[str, str], marks: Count
):
    path = "/api/v1/probe/scoped/psc-1"
    mine = holders[Role.INTAKE_OFFICER]("POST", path, headers=key)
    theirs = holders[Role.FACILITY_ADMIN]("POST", path, headers=key)
    assert mine.status_code == theirs.status_code == 200
    assert mine.json() != theirs.json()
    assert marks("psc-1") == 2


def test_a_refusal_is_kept_although_the_world_moved_on(
    officer: Holder, key: dict[str, str], marks: Count
):
    path = "/api/v1/probe/refusals"
    refused = officer("POST", path, json={"text": "late"}, headers=key)
    assert (refused.status_code, refused.json()["candidates"]) == (409, ["a", "b"])
    assert marks("late") == 0
    officer("POST", MARKS, json={"text": "opens"})
    again = officer("POST", path, json={"text": "late"}, headers=key)
    assert again.status_code == 409
    assert again.content == refused.content
    assert again.headers["content-type"] == "application/problem+json"
    assert marks("late") == 0
    anew = officer("POST", path, json={"text": "late"})
    assert anew.status_code == 200
    assert marks("late") == 1


def test_not_found_is_a_decision_and_kept(officer: Holder, key: dict[str, str]):
    first = officer("POST", "/api/v1/probe/missing", headers=key)
    again = officer("POST", "/api/v1/probe/missing", headers=key)
    assert first.status_code == again.status_code == 404
    assert again.headers["idempotency-replayed"] == "true"


def test_what_the_key_may_not_do_is_undone_and_not_kept(
    holders: Mapping[Role, Holder], key: dict[str, str], marks: Count
):
    admin = holders[Role.FACILITY_ADMIN]
    for _ in range(2):
        answer = admin("POST", "/api/v1/probe/scoped/cth-2", headers=key)
        assert answer.status_code == 403
        assert "idempotency-replayed" not in answer.headers
    assert marks("cth-2") == 0


def test_a_fault_of_ours_is_undone_and_not_kept(officer: Holder, key: dict[str, str], marks: Count):
    for _ in range(2):
        answer = officer("POST", "/api/v1/probe/failures", headers=key)
        assert answer.status_code == 500
        assert "idempotency-replayed" not in answer.headers
    assert marks("failed") == 0


def test_a_body_of_the_wrong_shape_leaves_its_key_free(
    officer: Holder, key: dict[str, str], marks: Count
):
    assert officer("POST", MARKS, json={"text": 1}, headers=key).status_code == 422
    assert officer("POST", MARKS, json={"text": "mended"}, headers=key).status_code == 201
    assert marks("mended") == 1


def test_effect_and_answer_are_stored_together_or_not_at_all(
    officer: Holder, key: dict[str, str], marks: Count
):
    with patch("service.api.idempotency.keep", side_effect=RuntimeError):
        assert officer("POST", MARKS, json={"text": "torn"}, headers=key).status_code == 500
    assert marks("torn") == 0
    assert officer("POST", MARKS, json={"text": "torn"}, headers=key).status_code == 201
    assert marks("torn") == 1


def test_the_stored_answer_cannot_be_read_in_the_database(
    officer: Holder, key: dict[str, str], api_engine: Engine
):
    answer = officer("POST", MARKS, json={"text": "Zhang San"}, headers=key)
    with api_engine.connect() as conn:
        row = conn.execute(select(record).where(record.c.key == key["Idempotency-Key"])).one()
    assert row.status == 201
    assert b"Zhang" not in bytes(row.body)
    assert answer.content not in bytes(row.body)
    assert row.request_hash != hashlib.sha256(b"").hexdigest()


def test_a_day_later_the_key_is_free_again(
    officer: Holder, key: dict[str, str], api_engine: Engine, marks: Count
):
    officer("POST", MARKS, json={"text": "daily"}, headers=key)
    with api_engine.begin() as conn:
        age = update(record).where(record.c.key == key["Idempotency-Key"])
        conn.execute(age.values(created_at=record.c.created_at - timedelta(hours=24)))
    anew = officer("POST", MARKS, json={"text": "daily"}, headers=key)
    assert "idempotency-replayed" not in anew.headers
    assert marks("daily") == 2


def test_old_answers_are_purged_and_young_ones_kept(
    officer: Holder, key: dict[str, str], api_engine: Engine
):
    officer("POST", MARKS, json={"text": "old"}, headers=key)
    officer("POST", MARKS, json={"text": "young"})
    with api_engine.begin() as conn:
        before = conn.execute(select(func.count()).select_from(record)).scalar_one()
        age = update(record).where(record.c.key == key["Idempotency-Key"])
        conn.execute(age.values(created_at=record.c.created_at - timedelta(hours=25)))
    assert run(api_engine, purge) == 1
    with api_engine.connect() as conn:
        after = conn.execute(select(func.count()).select_from(record)).scalar_one()
    assert after == before - 1


def _together(clients: list[httpx.Client], path: str, headers: dict[str, str], text: str):
    def ask(number: int) -> httpx.Response:
        return clients[number % len(clients)].post(
            path, json={"text": text, "seconds": 0.02}, headers=headers
        )

    with ThreadPoolExecutor(12) as pool:
        return list(pool.map(ask, range(12)))


def test_without_the_claim_repeats_at_once_have_many_effects(
    client: TestClient, officer: Holder, key: dict[str, str], marks: Count
):
    headers = {"Authorization": f"Bearer {officer.key}", **key}
    with patch("service.api.idempotency.claim", return_value=None):
        answers = _together([client], MARKS, headers, "control")
    assert {answer.status_code for answer in answers} == {201}
    assert marks("control") == 12


def test_twelve_repeats_at_once_in_one_process_have_one_effect(
    client: TestClient, officer: Holder, key: dict[str, str], marks: Count
):
    headers = {"Authorization": f"Bearer {officer.key}", **key}
    answers = _together([client], MARKS, headers, "threads")
    _one_effect(answers)
    assert marks("threads") == 1


def test_twelve_repeats_at_once_over_two_processes_have_one_effect(
    api_settings: Settings, api_keys: Keys, key: dict[str, str], marks: Count
):
    headers = {"Authorization": f"Bearer {api_keys[Role.INTAKE_OFFICER]}", **key}
    with served(api_settings) as one, served(api_settings) as other:
        for round_ in range(5):
            headers["Idempotency-Key"] = str(uuid4())
            answers = _together([one, other], MARKS, headers, f"processes-{round_}")
            _one_effect(answers)
            assert marks(f"processes-{round_}") == 1


def _one_effect(answers: list[httpx.Response]) -> None:
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
