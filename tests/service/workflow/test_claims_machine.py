"""Any sequence of use cases leaves beds, people, terms and words in agreement: random walks over a
real database.

A centre, a ward, a hospital and one outside the network; every verb at any time. After each step
every invariant is asked of the rows, whether the step was done or refused. A deeper walk:

    WALKS=200 STEPS=60 SEED=any python -m pytest tests/service/workflow/test_claims_machine.py -s
"""

from __future__ import annotations

import os
import time

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine

from tests.service.workflow.ways_walk import Ways
from tests.service.workflow.world import World

WALKS = int(os.environ.get("WALKS", "8"))
STEPS = int(os.environ.get("STEPS", "36"))
USUAL = "SEED" not in os.environ
"""Whether the same walks are gone every time; set ``SEED`` to anything for others."""

MUST = {
    *("accept", "admit", "agree", "begin_leave", "cancel_admission", "decide", "discharged"),
    *("end_leave", "escaped", "evacuate", "fit", "rekey", "submit", "withdraw_consent"),
}
"""Verbs that a run must really have done. The walks go many more ways, printed with ``-s``; how
often a rarer one comes off depends on the hour and the ids, so it is not asked of each run."""


def test_any_sequence_of_use_cases_keeps_beds_people_terms_and_words_in_agreement(
    shared_engine: Engine,
) -> None:
    Ways.world = World(shared_engine)
    Ways.reached.clear()
    Ways.asked.clear()
    since = time.monotonic()
    run_state_machine_as_test(
        Ways,
        settings=settings(
            # A walk takes seconds: one that fails is shown as it was, not shortened.
            phases=[Phase.generate],
            max_examples=WALKS,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=USUAL,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    never = sorted(Ways.asked.keys() - Ways.reached)
    print(f"\n{WALKS} walks, {Ways.asked.total()} use cases asked, {len(Ways.reached)} kinds done,")
    print(f"never done: {', '.join(never) or 'none'}; {time.monotonic() - since:.0f} s")
    print(", ".join(f"{name} {count}" for name, count in sorted(Ways.reached.items())))
    assert Ways.reached.keys() >= MUST
