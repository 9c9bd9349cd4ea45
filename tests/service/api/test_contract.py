"""The contract: committed, valid, complete, and kept by the running service."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from service.api.calls import CallRoute
from service.app import resources
from service.commands.openapi import CONTRACT, contract_text
from service.store.schema import PROJECT
from solver.eligibility import RULES
from tests.service.api.conftest import Holder

METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    loaded = json.loads(contract_text())
    assert isinstance(loaded, dict)
    return loaded


def operations(contract: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in contract["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield path, method, operation


def test_the_committed_contract_is_what_the_service_serves():
    kept = CONTRACT.read_text(encoding="utf-8")
    assert kept == contract_text(), "the API changed: run 'rehab-beds openapi' and commit the file"


def test_the_contract_is_valid_openapi_3_1(contract: dict[str, Any]):
    assert contract["openapi"].startswith("3.1")
    validate(contract, cls=OpenAPIV31SpecValidator)


def test_an_operations_id_is_its_functions_name_and_unique(
    contract: dict[str, Any],
):
    names = {route.name for module in resources() for route in module.router.routes}
    ids = [operation["operationId"] for _, _, operation in operations(contract)]
    assert len(ids) == len(set(ids))
    assert set(ids) <= names


def test_every_operation_says_what_it_returns_and_what_may_go_wrong(contract: dict[str, Any]):
    for path, method, operation in operations(contract):
        where = f"{method} {path}"
        statuses = set(operation["responses"])
        assert any(status[0] in "23" for status in statuses), where
        assert operation.get("description"), where
        for status, response in operation["responses"].items():
            if status[0] in "45":
                assert response.get("$ref") == f"#/components/responses/Problem{status}", where
        if path.startswith("/api/"):
            assert {"401", "403", "500", "503"} <= statuses, where
            assert operation["security"] == [{"key": []}], where
            assert operation["x-roles"], where


def test_no_answer_is_left_undescribed(contract: dict[str, Any]):
    for path, method, operation in operations(contract):
        for status, response in operation["responses"].items():
            for kind, content in response.get("content", {}).items():
                if kind == "application/json":
                    assert content["schema"], f"{method} {path} {status}: declare a return type"


def test_every_post_but_the_emergency_lane_and_mere_questions_takes_a_key(
    contract: dict[str, Any],
):
    for module in resources():
        for route in module.router.routes:
            if isinstance(route, CallRoute) and "POST" in (route.methods or ()):
                operation = contract["paths"][route.path_format]["post"]
                named = {"$ref": "#/components/parameters/IdempotencyKey"}
                assert (named in operation.get("parameters", [])) == route.takes_key


def test_rules_and_codes_can_be_read(officer: Holder):
    rules = officer("GET", "/api/v1/rules").json()
    assert [rule["id"] for rule in rules] == [rule.id for rule in RULES]
    assert all(rule["title_zh"] and rule["title_en"] and rule["source"] for rule in rules)
    assert {rule["statutory"] for rule in rules} == {True, False}
    codes = officer("GET", "/api/v1/codes").json()
    assert codes["codes"]["Sex"] == ["male", "female"]
    assert codes["ordered"]["Grade"]["G5"] == 5
    assert "auditor" in codes["codes"]["Role"]


def test_alive_ready_and_metrics(app: FastAPI, officer: Holder):
    client = officer.client
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json()["status"] == "ready"
    officer("GET", "/api/v1/rules")
    text = client.get("/metrics").text
    assert 'rehab_beds_http_requests_total{method="GET",route="/api/v1/rules",status="200"}' in text
    assert "psc-1" not in text


def test_ready_says_when_the_schema_is_another(app: FastAPI, officer: Holder):
    shared = app.state.service.shared
    before = shared["schema_heads"]
    shared["schema_heads"] = ("0999",)
    try:
        answer = officer.client.get("/readyz")
    finally:
        shared["schema_heads"] = before
    assert answer.status_code == 503
    assert answer.json()["code"] == "schema-not-current"
    assert "rehab-beds migrate" in answer.json()["detail"]


def test_the_pages_that_load_scripts_from_elsewhere_are_off(officer: Holder):
    for path in ("/docs", "/redoc", "/docs/oauth2-redirect"):
        assert officer.client.get(path).status_code == 404


def test_the_api_loads_no_solver_wheel():
    heavy = "{'ortools', 'numpy', 'pandas'} & set(sys.modules)"
    code = f"import sys; from service.app import resources; resources(); print({heavy})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
