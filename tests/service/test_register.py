"""The register's clocks, policy settings and code exist in the service."""

from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from service.policy import DEFAULT_POLICY, PolicyError, default_policy, load_policy
from solver.codes import Grade
from solver.eligibility.register import REGISTER

PLACES = sorted({place for row in REGISTER for place in row.where})


def _named(kind: str) -> list[str]:
    return [it.removeprefix(f"{kind}:") for it in PLACES if it.startswith(f"{kind}:")]


def _resolved(dotted: str) -> Any:
    """A module, or a name in one. Raises ImportError or AttributeError for what is not there."""
    try:
        return import_module(dotted)
    except ModuleNotFoundError:
        module, _, name = dotted.rpartition(".")
        return getattr(import_module(module), name)


@pytest.mark.parametrize("kind", _named("clock"))
def test_a_clock_of_the_register_has_its_length_owner_and_source_in_the_policy(kind: str):
    clock = default_policy().due[kind]
    assert clock.minutes
    assert clock.owner
    assert clock.source


@pytest.mark.parametrize("setting", _named("policy"))
def test_a_policy_setting_of_the_register_is_one(setting: str):
    document = default_policy().model_dump(mode="json")
    value = reduce(lambda at, name: at[name], setting.split("."), document)
    assert value is not None


@pytest.mark.parametrize("dotted", _named("code"))
def test_code_named_in_the_register_is_there(dotted: str):
    assert _resolved(dotted) is not None


def test_a_name_that_is_not_there_is_found():
    with pytest.raises(AttributeError):
        _resolved("service.policy.NOTHING")


@pytest.mark.parametrize(
    ("line", "wrong", "named"),
    [
        ("psc_max_months = 12", "psc_max_months = 13", "rules.psc_max_months"),
        ("psc_min_months = 3", "psc_min_months = -1", "rules.psc_min_months"),
        ("psc_max_months = 12", "psc_max_months = 2", "rules.psc_min_months: 3 - give no more"),
        ("cleared_grade = 1", "cleared_grade = 9", "rules.cleared_grade"),
        ("cleared_grade = 1", "cleared_grade = 4", "rules.cleared_grade: G4 - give no more"),
    ],
)
def test_no_policy_keeps_anybody_in_a_police_centre_longer_than_the_law(
    tmp_path: Path, line: str, wrong: str, named: str
):
    text = DEFAULT_POLICY.read_text(encoding="utf-8")
    assert text.count(line) == 1
    changed = tmp_path / "policy.toml"
    changed.write_text(text.replace(line, wrong), encoding="utf-8")
    with pytest.raises(PolicyError, match=named):
        load_policy(changed)


def test_the_rules_read_the_figures_of_the_policy_file():
    solver = default_policy().solver()
    assert (solver.psc_min_months, solver.psc_max_months, solver.cleared_grade) == (3, 12, Grade.G1)


def test_every_clock_of_the_policy_that_the_law_sets_stands_in_the_register():
    by_law = {
        name for name, clock in default_policy().due.items() if _cites_a_row(clock.source)
    } - {"discharge_due"}
    assert by_law <= set(_named("clock"))


def _cites_a_row(source: str) -> bool:
    return any(word.strip(";,.") in {row.id for row in REGISTER} for word in source.split())
