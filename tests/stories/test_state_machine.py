"""The API driven at random against a pure model of beds, claims and people."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.service.workflow.world import World
from tests.stories.entities import OK
from tests.stories.machine import Stage
from tests.stories.servers import Desk
from tests.stories.walks import SCENES, Walk

EXAMPLES, STEPS = 4, 30
"""A scene."""


@pytest.fixture(scope="module")
def stage(city: World, desk: Desk) -> Stage:
    return Stage(city, desk)


@pytest.mark.parametrize("scene", SCENES)
def test_the_api_does_what_the_model_says_where(stage: Stage, scene: str):
    run_state_machine_as_test(
        type("Network", (Walk,), {"stage": stage, "scene": scene}),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
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
            f"the model says; problems seen: {', '.join(codes)}"
        )
    never = {"admit", "arrive", "cancel admission", "cancel discharge", "return"}
    assert never <= set(done), "a way was never walked"
    assert "illegal-step" in codes


def test_the_log_is_gapless_once_the_sequencer_has_been_there(stage: Stage):
    deadline = time.monotonic() + 20
    while stage.world.one("SELECT count(*) FROM event WHERE pos IS NULL"):
        assert time.monotonic() < deadline, "the sequencer left events without a position"
        time.sleep(0.05)
    last, count = stage.world.sql("SELECT max(pos), count(*) FROM event")[0]
    assert last == count
