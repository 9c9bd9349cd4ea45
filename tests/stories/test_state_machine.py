"""The API driven at random against a pure model of beds, claims and people."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from service.settings import Settings
from tests.service.workflow.world import World
from tests.stories.entities import OK
from tests.stories.machine import Stage
from tests.stories.scenes import SCENES
from tests.stories.servers import Desk, client_of, make_keys, serving
from tests.stories.walks_of_law import LawWalk

EXAMPLES = int(os.environ.get("WALKS", "3"))
STEPS = int(os.environ.get("STEPS", "9"))
SEED = int(os.environ.get("SEED", "7"))
"""Walks of each scene. ``WALKS=20 STEPS=40`` in the environment goes deeper, another ``SEED``
elsewhere."""


@pytest.fixture(scope="module")
def stage(
    city: World, settings_of: Callable[[str], Settings], module_database_url: str
) -> Iterator[Stage]:
    """A server process; a thousand requests are answered there while the model thinks here."""
    for unit in ("psc-1.w0", "omw-1.w0"):
        city.unit(unit, rooms=())
    keys = make_keys(city.engine, "psc-1", "omw-1")
    with serving(settings_of(module_database_url)) as (address,), client_of(address) as client:
        yield Stage(city, Desk(client, keys))


@pytest.mark.parametrize("scene", SCENES)
def test_the_api_does_what_the_model_says_where(stage: Stage, scene: str):
    walk = type("Network", (LawWalk,), {"stage": stage, "scene": scene})
    run_state_machine_as_test(
        # Walks of its own for each scene, the same ones every time.
        seed(SEED + list(SCENES).index(scene))(walk),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_every_way_was_walked(stage: Stage, capsys: pytest.CaptureFixture[str]):
    done = Counter(name for name, code in stage.done.elements() if code == OK)
    refused = stage.done.total() - done.total()
    codes = sorted({code for _, code in stage.done if code})
    with capsys.disabled():
        print(
            f"\n{stage.examples} examples, {done.total()} steps done and {refused} refused as "
            f"the model says; problems seen: {', '.join(codes)}\n"
            f"{', '.join(f'{name} {count}' for name, count in sorted(done.items()))}"
        )
    must = {
        *("admit", "arrive", "cancel admission", "cancel discharge", "return"),
        *("agree", "take the word back", "emergency", "emergency, unnamed", "merge"),
        *("escape", "found", "let go"),
    }
    assert must <= set(done), f"never walked: {must - set(done)}"
    assert "illegal-step" in codes


def test_the_log_is_gapless_once_the_sequencer_has_been_there(stage: Stage):
    deadline = time.monotonic() + 20
    while stage.world.one("SELECT count(*) FROM event WHERE pos IS NULL"):
        assert time.monotonic() < deadline, "the sequencer left events without a position"
        time.sleep(0.05)
    last, count = stage.world.sql("SELECT max(pos), count(*) FROM event")[0]
    assert last == count
