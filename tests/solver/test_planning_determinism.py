"""The same snapshot, seed and last plan give the same plan, byte for byte, wherever it is made."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solver.domain import Network
from solver.instance import network_to_json, plan_from_json, plan_to_json
from solver.planning import make_plan
from solver.synthetic import city
from tests.solver.crowded_networks import crowded_networks, last_plans

ROOMY = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
ROWS = ("facilities", "units", "rooms", "beds", "persons", "stays", "requests")
CITY = city(2, 0.96, waiting=60, movable=0.02)


def shuffled(network: Network, seed: int) -> Network:
    """The same network, every row elsewhere."""
    shuffle = Random(seed)
    changed: dict[str, Any] = {}
    for name in ROWS:
        rows = getattr(network, name)
        if isinstance(rows, tuple):
            changed[name] = tuple(shuffle.sample(rows, len(rows)))
        else:
            changed[name] = dict(shuffle.sample(list(rows.items()), len(rows)))
    return replace(network, **changed)


@settings(ROOMY, max_examples=80)
@given(st.data())
def test_rows_in_any_order_give_the_same_plan_with_a_last_plan_and_without(data: st.DataObject):
    some = data.draw(crowded_networks(most_people=6, most_beds=8))
    last = data.draw(st.none() | last_plans(some))
    turned = shuffled(some, data.draw(st.integers(0, 99)))
    plan, _ = make_plan(some, previous=last)
    assert plan_to_json(make_plan(turned, previous=last)[0]) == plan_to_json(plan)


@pytest.fixture
def busy_core() -> Iterator[int]:
    """A core with a process that leaves it no rest."""
    core = min(os.sched_getaffinity(0))
    spinning = subprocess.Popen(
        [sys.executable, "-c", f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"]
    )
    try:
        yield core
    finally:
        spinning.kill()
        spinning.wait()


def planned_elsewhere(
    network: Path, hash_seed: int, *more: str, before: Callable[[], None] | None = None
) -> bytes:
    """What a fresh process with this hash seed writes."""
    out = network.with_name(f"plan{hash_seed}{len(more)}.json")
    subprocess.run(
        [sys.executable, "-m", "solver", "plan", str(network), "--out", str(out), *more],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        timeout=120,
        preexec_fn=before,
    )
    return out.read_bytes()


def test_fresh_processes_one_of_them_on_a_busy_core_write_the_same_bytes(
    tmp_path: Path, busy_core: int
):
    (tmp_path / "rows").mkdir()
    as_they_are, turned = tmp_path / "network.json", tmp_path / "rows" / "network.json"
    as_they_are.write_text(network_to_json(CITY), encoding="utf-8")
    document = json.loads(network_to_json(CITY))
    for name in ROWS:
        document[name] = Random(5).sample(document[name], len(document[name]))
    turned.write_text(json.dumps(document), encoding="utf-8")
    assert turned.read_text() != as_they_are.read_text()

    def stay_there() -> None:
        os.sched_setaffinity(0, {busy_core})

    first = planned_elsewhere(as_they_are, 1)
    assert planned_elsewhere(turned, 2, before=stay_there) == first
    plan = plan_from_json(first.decode())
    assert any(it.from_bed is not None for it in plan.moves)

    last = tmp_path / "last.json"
    yesterday = replace(CITY, requests=CITY.requests[:-5])
    last.write_text(plan_to_json(make_plan(yesterday)[0]), encoding="utf-8")
    kept_to = planned_elsewhere(as_they_are, 3, "--previous", str(last))
    again = planned_elsewhere(turned, 4, "--previous", str(last), before=stay_there)
    assert again == kept_to
