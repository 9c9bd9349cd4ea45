"""The policy's section on planning again: what it may say, and that it speaks of real events."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import service
from service.lifecycle import RunTrigger
from service.policy import default_policy
from service.policy_replanning import Replanning

GIVEN: dict[str, Any] = {
    "enabled": True,
    "spacing_seconds": 5,
    "undisturbed_minutes": 15,
    "keep_days": 7,
    "urgent": ["closure"],
    "triggers": {"closure": ["unit.changed"], "arrival": ["request.submitted:emergency=false"]},
}


def test_every_operation_of_the_shipped_policy_is_written_somewhere_by_that_name():
    written = " ".join(
        path.read_text(encoding="utf-8")
        for path in (Path(service.__file__).parent / "workflow").rglob("*.py")
    )
    ends = set(re.findall(r'"([a-z_]+\.[a-z_]+)"', written))
    assert default_policy().replanning.calls.keys() <= ends


def test_a_condition_is_met_by_its_value_alone():
    policy = Replanning.model_validate(GIVEN)
    assert policy.trigger_of("request.submitted", {"emergency": False}) is RunTrigger.ARRIVAL
    assert policy.trigger_of("request.submitted", {"emergency": True}) is None
    assert policy.trigger_of("request.submitted", {}) is None
    assert policy.trigger_of("unit.changed", {}) is RunTrigger.CLOSURE
    assert policy.trigger_of("stay.ended", {}) is None


def test_of_two_meanings_of_an_event_the_more_urgent_counts():
    both = {"arrival": ["request.submitted"], "emergency": ["request.submitted:emergency=true"]}
    policy = Replanning.model_validate({**GIVEN, "urgent": [], "triggers": both})
    assert policy.trigger_of("request.submitted", {"emergency": True}) is RunTrigger.EMERGENCY
    assert policy.trigger_of("request.submitted", {"emergency": False}) is RunTrigger.ARRIVAL


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spacing_seconds": 0}, "spacing_seconds"),
        ({"undisturbed_minutes": -1}, "undisturbed_minutes"),
        ({"keep_days": 0}, "keep_days"),
        ({"urgent": ["emergency"]}, "emergency"),
        ({"urgent": ["asked"]}, "asked"),
        ({"triggers": {"asked": ["unit.changed"]}, "urgent": []}, "asked"),
        ({"triggers": {"arrival": ["unit changed"]}, "urgent": []}, "subject.verb"),
        ({"triggers": {"arrival": ["unit.changed:x"]}, "urgent": []}, "subject.verb"),
        ({"triggers": {"arrival": ["planning_run.solved"]}, "urgent": []}, "planner's own"),
        ({"triggers": {"arrival": ["proposal.approved"]}, "urgent": []}, "planner's own"),
        ({"triggers": {"a_storm": ["unit.changed"]}, "urgent": []}, "a_storm"),
        (
            {"triggers": {"arrival": ["unit.changed"], "facts": ["unit.changed"]}, "urgent": []},
            "twice",
        ),
        ({"often": True}, "often"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused_by_field(change: dict[str, Any], said: str):
    with pytest.raises(ValidationError) as caught:
        Replanning.model_validate({**GIVEN, **change})
    assert said in str(caught.value)
