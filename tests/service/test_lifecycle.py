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
    NEXT_ACTION,
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
    "scenario": """
        queued: running failed
        running: solved failed
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
            "next": NEXT_ACTION[kind][present],
        }


def test_the_sentence_names_the_way_on():
    with pytest.raises(Conflict, match="illegal-step") as caught:
        advance("request", "held", KINDS["request"]("held"))
    assert caught.value.detail == (
        "a request that is held cannot become held; what can be done now: the receiving facility "
        "accepts the person or declines; or release the hold to decide for another bed, withdraw "
        "the request, or record the person's refusal"
    )
    with pytest.raises(Conflict, match="illegal-step") as caught:
        advance("request", "withdrawn", KINDS["request"]("held"))
    assert caught.value.detail == (
        "a request that is withdrawn cannot become held; what can be done now: submit a new "
        "request if the person needs a bed"
    )


ACTIONS = {
    "request": """
        held: decide
        accepted: accepts
        waiting: declines release
        withdrawn: withdraw
        refused: refusal
        no_lawful_bed: no_lawful_bed
        admitted: admission
        not_arrived: did_not_arrive
    """,
    "transfer": """
        approved: approve
        rejected: reject
        cancelled: cancel
        accepted: accepts
        declined: declines
        in_transit: departure
        completed: arrival
        turned_back: return
    """,
    "stay": """
        on_leave: leave
        discharge_due: due
        ended: discharge
    """,
    "bed": """
        in_service: in_service
        housekeeping: housekeeping
        contaminated: contaminated
        closing: closing
        closed: closed
    """,
    "run": """
        solved: solved
        failed: failed
        applied: approve
        superseded: supersedes
    """,
    "scenario": """
        solved: solved
        failed: failed
    """,
    "proposal": """
        approved: approve
        rejected: reject
        superseded: supersedes
    """,
}
OF_THEMSELVES = {
    ("transfer", "superseded"),  # a newer decision
    ("transfer", "expired"),  # the clock
    ("transfer", "diverted"),  # an emergency
    ("transfer", "escaped"),  # the stay's discharge
    ("transfer", "died"),
    ("run", "running"),  # the worker
    ("run", "queued"),
    ("scenario", "running"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_has_words_for_what_to_do_next(kind):
    assert set(NEXT_ACTION[kind]) == set(KINDS[kind])
    assert all(words.strip() for words in NEXT_ACTION[kind].values())


@pytest.mark.parametrize("kind", KINDS)
def test_the_words_name_the_action_behind_each_possible_step(kind):
    actions = table(ACTIONS[kind])
    # Nobody takes back that a discharge is due: a return from leave makes the stay active.
    actions["active"] = {"return"}
    for present in KINDS[kind]:
        for asked in possible(kind, present):
            if (kind, asked) in OF_THEMSELVES or (present, asked) == ("discharge_due", "active"):
                continue
            for action in actions[asked]:
                assert action.replace("_", " ") in NEXT_ACTION[kind][present], (present, asked)


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
