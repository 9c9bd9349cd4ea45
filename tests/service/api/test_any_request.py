"""Whatever is sent, no request breaks the service, and every answer is one the contract names.

Schemathesis makes requests up from the contract, against a real server over a seeded city. Half
of them name records that exist, so that more than 404 is seen.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import Engine, select

from service.access.caller import FACILITY_ROLES, Role
from service.commands.database import context_of
from service.commands.openapi import CONTRACT
from service.settings import Settings
from service.store.engine import run
from service.store.tables import core
from service.workflow.context import Context
from service.workflow.keys import create_key
from service.workflow.seeds.seed import seed_network
from solver.synthetic import city
from tests.service.api.processes import served

EXAMPLES = 6
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
PARTS = ("facility", "unit", "room", "bed", "person", "stay", "placement_request", "transfer")


def operation_ids() -> list[str]:
    """Every operation that answers and ends; event streams do not."""
    paths = json.loads(CONTRACT.read_text(encoding="utf-8"))["paths"]
    return [
        operation["operationId"]
        for item in paths.values()
        for operation in item.values()
        if "text/event-stream" not in operation["responses"].get("200", {}).get("content", {})
    ]


@pytest.fixture(scope="module")
def seeded(api_engine: Engine, api_settings: Settings) -> Mapping[str, list[str]]:
    """Ids that exist, by kind of record."""
    ctx = context_of(api_settings)
    run(api_engine, seed_network, ctx, city(7, 0.9, 20, 1, NOW))
    with api_engine.connect() as conn:
        tables = {part: getattr(core, part) for part in PARTS}
        return {
            part: list(conn.execute(select(table.c.id).limit(20)).scalars())
            for part, table in tables.items()
        }


@pytest.fixture(scope="module")
def keys_of_roles(api_engine: Engine, ctx: Context, seeded: Mapping[str, list[str]]):
    return {
        role.value: run(
            api_engine,
            create_key,
            ctx,
            name="made-up requests",
            role=role,
            facility=seeded["facility"][0] if role in FACILITY_ROLES else None,
        ).text
        for role in Role
    }


@pytest.fixture(scope="module")
def serving(api_settings: Settings, seeded: Mapping[str, list[str]]) -> Iterator[httpx.Client]:
    with served(api_settings) as client:
        yield client


@pytest.fixture(scope="module")
def contract(serving: httpx.Client) -> Any:
    made = schemathesis.openapi.from_url(f"{serving.base_url}/openapi.json")
    made.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    return made


@pytest.mark.parametrize("operation_id", operation_ids())
def test_no_request_breaks_it_and_every_answer_is_in_the_contract(
    operation_id: str,
    contract: Any,
    seeded: Mapping[str, list[str]],
    keys_of_roles: Mapping[str, str],
):
    operation = contract.find_operation_by_id(operation_id)
    roles = operation.definition.raw.get("x-roles", [Role.AUDITOR.value])

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        luck = zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode())
        for name in case.path_parameters or {}:
            known = seeded.get(name.removesuffix("_id")) or seeded.get(f"placement_{name}"[:-3])
            if known and luck % 2:
                case.path_parameters[name] = known[luck % len(known)]
        key = keys_of_roles[roles[luck % len(roles)]]
        case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, checks=CHECKS)

    send()
