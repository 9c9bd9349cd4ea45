"""What a refusal must look like, and what must not have changed."""

from __future__ import annotations

from typing import Any

import httpx

from service.store.tables import metadata
from tests.service.workflow.world import World

KEPT_APART = {"event", "event_batch", "idempotency_record", "access_record"}
"""The log of refusals that were decisions, and of readings, may grow."""


def contents(world: World, *without: str) -> list[Any]:
    """A hash of every table whose change would mean that something happened."""
    tables = sorted(metadata.tables.keys() - KEPT_APART - set(without))
    query = " UNION ALL ".join(
        f"SELECT '{name}', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t"
        for name in tables
    )
    return [tuple(row) for row in world.sql(f"{query} ORDER BY 1")]


def problem(
    answer: httpx.Response, status: int, code: str, pointer: str | None = None
) -> dict[str, Any]:
    """The problem, which must be of this kind and name this field with a way out."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["code"] == code, found
    assert found["type"] == f"/problems/{code}"
    assert found["status"] == status
    assert len(found["detail"]) > 15
    if pointer is not None:
        faults = {it["pointer"]: it for it in found["errors"]}
        assert pointer in faults, found
        assert len(faults[pointer]["message"]) > 8
    return found
