"""Every step and every step that is none, of everything that has a state."""

from __future__ import annotations

from itertools import product

import pytest

from service.errors import Conflict
from service.lifecycle import (
    CORRECTIONS,
    KINDS,
    LIVE_REQUEST_STATES,
    LIVE_TRANSFER_STATES,
    STEPS,
    advance,
    possible,
)

ALLOWED = {
    "request": """
        waiting: held withdrawn refused no_lawful_bed
        held: accepted waiting withdrawn refused
        accepted: admitted waiting not_arrived withdrawn refused
    """,
    "transfer": """
        proposed: approved rejected cancelled superseded expired escaped died
        approved: accepted declined cancelled superseded expired escaped died
        accepted: in_transit declined cancelled superseded expired escaped died
        in_transit: completed turned_back diverted escaped died
    """,
    "stay": """
        active: on_leave discharge_due ended
        on_leave: active ended
        discharge_due: active on_leave ended
    """,
    "bed": """
        in_service: housekeeping contaminated closing closed
        housekeeping: in_service contaminated closing closed
        contaminated: in_service housekeeping closed
        closing: in_service closed
        closed: in_service housekeeping contaminated
    """,
    "run": """
        queued: running failed
        running: solved failed queued
        solved: applied superseded
    """,
    "proposal": """
        proposed: approved rejected superseded
    """,
}
CORRECTED = {
    "request": "admitted: waiting withdrawn",
    "transfer": "completed: cancelled",
    "stay": "ended: active on_leave",
    "bed": "closed: closing",
}


def table(text: str) -> dict[str, set[str]]:
    lines = (line.split(":") for line in text.strip().splitlines())
    return {present.strip(): set(asked.split()) for present, asked in lines}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("correcting", [False, True])
def test_each_step_is_possible_or_answered_with_what_is(kind, correcting):
    allowed = table((CORRECTED if correcting else ALLOWED).get(kind, "x: y"))
    for present, asked in product(KINDS[kind], repeat=2):
        if asked in allowed.get(present, set()):
            assert advance(kind, present, asked, correcting=correcting) is asked
            continue
        with pytest.raises(Conflict) as caught:
            advance(kind, present, asked, correcting=correcting)
        assert caught.value.code == "illegal-step"
        assert caught.value.members == {
            "kind": kind,
            "present": present.value,
            "asked": asked.value,
            "possible": sorted(allowed.get(present, set())),
        }


def test_the_sentence_names_the_way_on():
    with pytest.raises(Conflict, match="illegal-step") as caught:
        advance("request", "admitted", KINDS["request"]("held"))
    assert caught.value.detail == (
        "a request that is admitted cannot become held; from here it can become: nothing, "
        "this is a final state"
    )


@pytest.mark.parametrize(
    ("kind", "live"), [("request", LIVE_REQUEST_STATES), ("transfer", LIVE_TRANSFER_STATES)]
)
def test_what_is_live_is_what_can_go_on(kind, live):
    assert set(live) == {state for state in KINDS[kind] if possible(kind, state)}


def test_a_state_of_another_kind_is_a_mistake_in_the_program():
    with pytest.raises(ValueError, match="in_transit"):
        possible("request", "in_transit")


def test_no_correction_is_an_everyday_step():
    for states, steps in CORRECTIONS.items():
        for present, asked in steps.items():
            assert not asked & STEPS[states].get(present, frozenset())
