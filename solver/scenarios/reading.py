"""Scenarios as JSON: read strictly, every fault with its path, its value and the way out.

A step is an object whose ``step`` names it, with the fields of its class::

    {"name": "ward two closed", "steps": [{"step": "close_unit", "unit": "omw-1.w2"}]}
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, get_type_hints

from solver.codes import Isolation, UnitKind
from solver.domain import Policy
from solver.instance import InstanceError, decoded, document_of, document_text, encoded
from solver.scenarios.steps import (
    Arrivals,
    CloseUnit,
    Discharges,
    LongerStays,
    NewHospital,
    Outbreak,
    PolicyChange,
    Scenario,
    Step,
)

SCENARIOS_FORMAT: Final = "rehab-beds/scenarios"
MAX_SCENARIOS: Final = 10
MAX_STEPS: Final = 10
MAX_NAME: Final = 80
MAX_PEOPLE: Final = 5_000
MAX_DAYS: Final = 365
HOSPITALS: Final = (UnitKind.CTH, UnitKind.DTI, UnitKind.OMW, UnitKind.SEC)

STEPS: Final[Mapping[str, type[Any]]] = {
    "close_unit": CloseUnit,
    "outbreak": Outbreak,
    "arrivals": Arrivals,
    "new_hospital": NewHospital,
    "longer_stays": LongerStays,
    "discharges": Discharges,
    "change_policy": PolicyChange,
}
"""Each step by the name it has in JSON."""
_NAMES: Final = {kind: name for name, kind in STEPS.items()}
_RANGES: Final[Mapping[type[Any], Mapping[str, tuple[int, int]]]] = {
    Outbreak: {"people": (1, MAX_PEOPLE)},
    Arrivals: {"count": (1, MAX_PEOPLE), "age": (0, 150)},
    NewHospital: {
        "beds": (1, MAX_PEOPLE),
        "beds_per_room": (1, 20),
        "staffed_beds": (0, MAX_PEOPLE),
        "reserve": (0, MAX_PEOPLE),
    },
    LongerStays: {"days": (1, MAX_DAYS)},
    Discharges: {"days": (1, MAX_DAYS)},
}
_POLICY: Final = {part.name for part in fields(Policy)} - {"version"}


def scenarios_from_json(text: str) -> tuple[Scenario, ...]:
    """The scenarios in a file; raises ``InstanceError`` at the first fault."""
    raw = document_of(text, SCENARIOS_FORMAT)
    if set(raw) != {"scenarios"}:
        raise InstanceError("scenarios", sorted(raw), "give exactly one field, scenarios")
    return scenarios_from(raw["scenarios"], "scenarios")


def scenarios_to_json(scenarios: Sequence[Scenario]) -> str:
    """Scenarios as a file's text; equal scenarios give equal bytes."""
    return document_text(SCENARIOS_FORMAT, {"scenarios": [plain_scenario(it) for it in scenarios]})


def scenarios_from(raw: object, path: str) -> tuple[Scenario, ...]:
    """One to ten scenarios, each under its own name, from parsed JSON."""
    if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_SCENARIOS:
        count = len(raw) if isinstance(raw, list) else raw
        raise InstanceError(path, count, f"give a list of 1 to {MAX_SCENARIOS} scenarios")
    found = tuple(scenario_from(it, f"{path}[{i}]") for i, it in enumerate(raw))
    names = [it.name for it in found]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise InstanceError(f"{path}[{i}].name", name, "give each scenario its own name")
    return found


def scenario_from(raw: object, path: str) -> Scenario:
    """One scenario from parsed JSON."""
    given = _object(raw, path)
    for name in given:
        if name not in ("name", "steps"):
            raise InstanceError(f"{path}.{name}", given[name], "unknown field; use name, steps")
    name = decoded(str, given.get("name"), f"{path}.name")
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise InstanceError(
            f"{path}.name", name, f"give a name of 1 to {MAX_NAME} printable characters"
        )
    steps = given.get("steps")
    if not isinstance(steps, list) or not 1 <= len(steps) <= MAX_STEPS:
        count = len(steps) if isinstance(steps, list) else steps
        raise InstanceError(f"{path}.steps", count, f"give a list of 1 to {MAX_STEPS} steps")
    return Scenario(name, tuple(_step(it, f"{path}.steps[{i}]") for i, it in enumerate(steps)))


def _object(raw: object, path: str) -> dict[str, object]:
    if not isinstance(raw, dict):
        raise InstanceError(path, raw, "give an object")
    return raw


def _step(raw: object, path: str) -> Step:
    given = dict(_object(raw, path))
    name = given.pop("step", None)
    kind = STEPS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise InstanceError(f"{path}.step", name, f"give one of {', '.join(STEPS)}")
    if kind is PolicyChange:
        return _policy_change(given, path)
    step: Step = decoded(kind, given, path)
    for field, (least, most) in _RANGES.get(kind, {}).items():
        value = getattr(step, field)
        if value is not None and not least <= value <= most:
            raise InstanceError(f"{path}.{field}", value, f"give {least} to {most}")
    if isinstance(step, Outbreak) and step.route in (Isolation.NONE, Isolation.UNKNOWN):
        raise InstanceError(f"{path}.route", step.route.value, "give contact, droplet or airborne")
    if isinstance(step, NewHospital) and step.kind not in HOSPITALS:
        kinds = ", ".join(HOSPITALS)
        raise InstanceError(f"{path}.kind", step.kind.value, f"give a kind of hospital: {kinds}")
    return step


def _policy_change(given: Mapping[str, object], path: str) -> PolicyChange:
    if set(given) != {"policy"}:
        raise InstanceError(path, sorted(given), "give exactly one more field, policy")
    changes = _object(given["policy"], f"{path}.policy")
    if not changes:
        raise InstanceError(f"{path}.policy", {}, "name at least one field")
    hints = get_type_hints(Policy)
    for name in changes:
        if name not in _POLICY:
            ways = f"unknown field; use {', '.join(sorted(_POLICY))}"
            raise InstanceError(f"{path}.policy.{name}", changes[name], ways)
    return PolicyChange(
        tuple(
            (name, decoded(hints[name], changes[name], f"{path}.policy.{name}"))
            for name in sorted(changes)
        )
    )


def plain_scenario(scenario: Scenario) -> dict[str, object]:
    """A scenario as the plain JSON values that ``scenario_from`` reads."""
    return {"name": scenario.name, "steps": [_plain_step(it) for it in scenario.steps]}


def _plain_step(step: Step) -> dict[str, object]:
    name = _NAMES[type(step)]
    if isinstance(step, PolicyChange):
        return {"step": name, "policy": {field: encoded(value) for field, value in step.policy}}
    plain: dict[str, object] = encoded(step)
    return {"step": name, **plain}
