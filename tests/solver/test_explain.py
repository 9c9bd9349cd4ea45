"""Words for codes, in Chinese and in English."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from solver.codes import MoveReason, Relation
from solver.cost import TERMS
from solver.domain import Unplaced
from solver.eligibility import RULES, Approver
from solver.eligibility.registry import Language
from solver.explain import (
    approver_words,
    move_words,
    reason_words,
    relation_words,
    term_words,
    unplaced_words,
)
from tests.solver.builders import NOW
from tests.solver.plans import back_and_in, the_ward

BOTH: tuple[Language, Language] = ("zh", "en")


@pytest.mark.parametrize("language", BOTH)
def test_every_code_has_words_of_its_own(language: Language):
    for said in (
        [reason_words(it, language) for it in MoveReason],
        [relation_words(it, language) for it in Relation],
        [approver_words(it, language) for it in Approver],
        [term_words(it.name, language) for it in TERMS],
        [rule.title(language) for rule in RULES],
    ):
        assert all(said)
        assert len(set(said)) == len(said)


def test_a_move_tells_its_reason_and_each_term():
    move, _ = back_and_in(the_ward())
    assert move_words(move, "en") == (
        "makes room so that a waiting person can be placed (in a ward without ward-grade need -2, "
        "moves of residents +1, care above the grade needed -5, how full the unit is -10)"
    )
    assert move_words(move, "zh").startswith("为候床人员腾出床位（")
    assert move_words(replace(move, terms=()), "en") == (
        "makes room so that a waiting person can be placed"
    )


def test_an_unplaced_request_tells_what_removed_most_beds_first_and_who_may_lift_it():
    unplaced = Unplaced("rq-1", (("capacity", 3), ("P13-bed", 1), ("L07", 40)), NOW)
    assert unplaced_words(unplaced, "en") == (
        "L07 custody needs a custodial unit: 40 beds",
        "capacity taken, or no staffed bed left: 3 beds",
        "P13-bed bed equipment: 1 bed; a doctor may lift it",
        "a bed is forecast for 23 Nov 2026 09:00",
    )
    assert unplaced_words(unplaced, "zh")[2] == "P13-bed 床位设施：1张床；可由医生附理由放行"


@pytest.mark.parametrize(
    ("instant", "zh", "en"),
    [
        (datetime(2026, 11, 24, 7, 29, 59, tzinfo=UTC), "2026年11月24日15:29", "24 Nov 2026 15:29"),
        (datetime(2026, 12, 31, 16, 5, tzinfo=UTC), "2027年1月1日00:05", "1 Jan 2027 00:05"),
        (
            datetime(2026, 7, 1, 9, 0, tzinfo=timezone(timedelta(hours=2))),
            "2026年7月1日15:00",
            "1 Jul 2026 15:00",
        ),
    ],
)
def test_an_instant_is_said_as_the_clock_on_the_wall_in_shanghai_shows_it(
    instant: datetime, zh: str, en: str
):
    unplaced = Unplaced("rq-1", (), instant)
    assert unplaced_words(unplaced, "zh")[0].endswith(zh)
    assert unplaced_words(unplaced, "en")[0] == f"a bed is forecast for {en}"


@pytest.mark.parametrize("language", BOTH)
def test_no_forecast_is_said_to_be_none(language: Language):
    (only,) = unplaced_words(Unplaced("rq-1", ()), language)
    assert only == {"zh": "尚无预计空床时间", "en": "no bed is forecast to be free"}[language]
