"""Each rule is held by the decision table: take it away and a row turns red."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given

from solver.eligibility import RULES, Facts, Place, Rule, evaluate
from tests.solver.cases import cases
from tests.solver.test_eligibility import any_facts, any_place

CASES = cases()
IDS = [rule.id for rule in RULES]


def red_rows(rules: tuple[Rule, ...]) -> list[str]:
    """The cases these rules answer otherwise than the table says."""
    return [
        case.id
        for case in CASES
        if {it.rule for it in evaluate(rules, case.facts, case.place)} != case.refused_by
    ]


def mutated(rule: Rule, **changes: Any) -> tuple[Rule, ...]:
    return tuple(replace(it, **changes) if it is rule else it for it in RULES)


def test_the_unmutated_rules_are_green():
    assert red_rows(RULES) == []


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_rule_that_never_refuses_turns_a_row_red(rule: Rule):
    assert red_rows(mutated(rule, compare=lambda facts, place: None))


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_rule_that_always_refuses_turns_a_row_red(rule: Rule):
    assert red_rows(mutated(rule, compare=lambda facts, place: ("yes", "no")))


@pytest.mark.parametrize("rule", [it for it in RULES if it.papers], ids=lambda it: it.id)
def test_a_question_of_papers_that_held_up_an_emergency_turns_a_row_red(rule: Rule):
    assert red_rows(mutated(rule, papers=False))


class Recorder:
    """Stands for a value and writes down which of its fields are read."""

    def __init__(self, value: Facts | Place, prefix: str, seen: set[str]) -> None:
        self._value, self._prefix, self._seen = value, prefix, seen

    def __getattr__(self, name: str) -> Any:
        # A property of Facts reads fields of its own.
        for read in {"minor": ("age",), "represented": ("age", "capable")}.get(name, (name,)):
            self._seen.add(f"{self._prefix}.{read}")
        return getattr(self._value, name)


@given(any_facts, any_place)
def test_a_rule_reads_only_the_fields_it_declares(person: Facts, bed: Place):
    for rule in RULES:
        seen: set[str] = set()
        rule.compare(Recorder(person, "person", seen), Recorder(bed, "place", seen))  # type: ignore[arg-type]
        assert seen <= set(rule.reads), rule.id


def test_every_field_is_declared_by_some_rule_and_every_declared_field_exists():
    known = {f"person.{it.name}" for it in fields(Facts)}
    known |= {f"place.{it.name}" for it in fields(Place)}
    assert {name for rule in RULES for name in rule.reads} == known
