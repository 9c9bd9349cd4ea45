"""What if: another network made of today's, planned like today's, and set beside it.

Pure definitions, their application to a network and the figures that are compared; nothing here
plans. ``python -m solver scenarios`` and the service's worker do, on what ``apply`` gives.
"""

from solver.scenarios.answers import (
    Answer,
    Breaks,
    Comparison,
    Difference,
    Outcome,
    Removed,
    answers_from_json,
    answers_to_json,
    compared,
    outcome,
)
from solver.scenarios.applying import apply
from solver.scenarios.reading import (
    MAX_DAYS,
    MAX_NAME,
    MAX_PEOPLE,
    MAX_SCENARIOS,
    MAX_STEPS,
    plain_scenario,
    scenario_from,
    scenarios_from,
    scenarios_from_json,
    scenarios_to_json,
)
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

__all__ = [
    "MAX_DAYS",
    "MAX_NAME",
    "MAX_PEOPLE",
    "MAX_SCENARIOS",
    "MAX_STEPS",
    "Answer",
    "Arrivals",
    "Breaks",
    "CloseUnit",
    "Comparison",
    "Difference",
    "Discharges",
    "LongerStays",
    "NewHospital",
    "Outbreak",
    "Outcome",
    "PolicyChange",
    "Removed",
    "Scenario",
    "Step",
    "answers_from_json",
    "answers_to_json",
    "apply",
    "compared",
    "outcome",
    "plain_scenario",
    "scenario_from",
    "scenarios_from",
    "scenarios_from_json",
    "scenarios_to_json",
]
