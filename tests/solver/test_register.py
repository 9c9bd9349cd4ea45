"""Every row of the collected law and practice lives somewhere, and that place exists."""

import csv
import inspect
from enum import StrEnum
from importlib import import_module
from pathlib import Path

import pytest

from solver import codes, domain
from solver.codes import Relation
from solver.domain import Policy
from solver.eligibility import RULES, RULES_BY_ID, TRANSITIONS, Facts, Place
from solver.eligibility.register import REGISTER, As, Row
from solver.eligibility.table import fed_by

COLLECTED = Path(__file__).parent.parent / "data" / "domain_rows.csv"
KNOWN = {
    "rule": set(RULES_BY_ID),
    "relation": {it.value for it in Relation},
    "transition": {it.id for it in TRANSITIONS},
}
LED_BY = {
    As.RULE: "rule",
    As.RELATION: "relation",
    As.TRANSITION: "transition",
    As.CLOCK: "clock",
    As.POLICY: "policy",
}


def collected() -> list[tuple[str, str]]:
    with COLLECTED.open(encoding="utf-8", newline="") as rows:
        return [(row["id"], row["enforcement"]) for row in csv.DictReader(rows)]


def unresolved(row: Row) -> list[str]:
    """The names of a row that the solver should know and does not."""
    lost = []
    for place in row.where:
        kind, _, name = place.partition(":")
        if kind in KNOWN:
            lost += [] if name in KNOWN[kind] else [place]
        elif kind == "code" and name.startswith("solver."):
            lost += [] if exists(name) else [place]
        elif kind not in ("clock", "policy", "code"):
            lost.append(place)
    return lost


def exists(dotted: str) -> bool:
    try:
        import_module(dotted)
    except ModuleNotFoundError:
        module, _, name = dotted.rpartition(".")
        return hasattr(import_module(module), name)
    return True


def test_no_row_of_the_collection_is_missing_and_each_keeps_its_mark():
    assert {(row.id, row.enforcement) for row in REGISTER} == set(collected())
    assert len(REGISTER) == len(collected())


@pytest.mark.parametrize("row", REGISTER, ids=[row.id for row in REGISTER])
def test_a_row_says_where_it_lives_or_why_it_lives_nowhere(row: Row):
    if row.as_ is As.NOT_DECIDED:
        assert row.reason
    else:
        assert row.where
        assert fed_by(row) or row.reason
    assert unresolved(row) == []


@pytest.mark.parametrize("row", REGISTER, ids=[row.id for row in REGISTER])
def test_a_row_names_a_place_of_the_kind_it_became(row: Row):
    kind = LED_BY.get(row.as_)
    # What a clock or a transition rests on may be the code that keeps it.
    led = [it for it in row.where if kind is None or it.startswith((f"{kind}:", "code:"))]
    assert led or row.as_ is As.NOT_DECIDED


def test_a_place_that_does_not_exist_is_found():
    row = Row("L01", "H", As.RULE, ("rule:L99", "code:solver.cost.NOTHING", "paper:L01"))
    assert unresolved(row) == list(row.where)


def test_every_rule_stands_in_the_register_and_cites_rows_that_exist():
    named = {it.removeprefix("rule:") for row in REGISTER for it in row.where}
    assert set(RULES_BY_ID) <= named
    ids = {row.id for row in REGISTER}
    for rule in RULES:
        assert set(rule.cites) <= ids, rule.id
    for change in TRANSITIONS:
        assert set(change.cites) <= ids, change


LABELS = ("hiv", "hbv", "hcv", "syphilis", "diagnos", "drug_use", "risk_grade", "offence", "hukou")


def test_no_rule_can_read_a_disease_a_drug_a_risk_grade_or_an_offence():
    fields = [name for kind in (Facts, Place, domain.Person, domain.Need) for name in _names(kind)]
    assert len(fields) > 30
    assert not [name for name in fields for label in LABELS if label in name.lower()]
    coded = [
        it.value
        for kind in vars(codes).values()
        if inspect.isclass(kind) and issubclass(kind, StrEnum)
        for it in kind
    ]
    assert not [it for it in coded for label in ("hiv", "hbv", "hcv", "syp") if label in it.lower()]


def test_the_longest_months_in_a_police_centre_are_the_laws():
    assert Policy().psc_max_months == 12
    assert Policy().psc_min_months == 3


def _names(kind: type) -> list[str]:
    return list(getattr(kind, "__dataclass_fields__", {}))
