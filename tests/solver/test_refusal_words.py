"""What a refusal tells: a missing paper or test, a local rule's owner; never what to change."""

import re

import pytest

from solver.codes import LegalBasis
from solver.domain import Unplaced
from solver.eligibility import RULES, RULES_BY_ID, PolicyOwner, Refusal, Rule, evaluate
from solver.eligibility.registry import owner_words
from solver.explain import unplaced_words
from tests.solver.cases import cases

URGING = re.compile(
    r"\b(should|must be changed|change (it|the|his|her|their)|obtain|ask (for|him|her|them)|get "
    r"(a|the)|persuade|instead of|try|apply for|request|re-?assess (him|her|them|the)|sign (it|the|"
    r"again)|lower|raise|downgrade)\b|改为|改成|更改|修改|变更为|建议|请|劝|说服|补签|重新签|降低|提高|申请"
)
OUTCOMES = re.compile(
    r"\b(positive|negative|severe disorder|is capable|is not capable|not able)\b|阳性|阴性"
)
"""Outcomes of tests and findings, that a refusal for a missing one must not give away."""
ABOUT_CONSENT = {"V01", "V02", "V02-capacity", "V03", "M03", "L03-police"}
ABOUT_GROUNDS = {"L00", "L01", "L02", "L10", "M02", "M06", "X01", "P16"}
ABOUT_FINDINGS = {"P01", "P03", "P10", "P13-watch", "P13-alone", "P13-bed", "S11", "T15"}


def all_refusals() -> list[Refusal]:
    """Every refusal that any case of the decision table brings about."""
    found = {it for case in cases() for it in evaluate(RULES, case.facts, case.place)}
    return sorted(found, key=lambda it: (it.rule, it.needed, it.offered))


REFUSALS = all_refusals()


def test_every_rule_is_among_the_refusals_looked_at():
    assert {it.rule for it in REFUSALS} == set(RULES_BY_ID)
    assert set(RULES_BY_ID) >= ABOUT_CONSENT | ABOUT_GROUNDS | ABOUT_FINDINGS


@pytest.mark.parametrize("refusal", REFUSALS, ids=[f"{i}" for i in range(len(REFUSALS))])
def test_no_refusal_says_what_finding_consent_or_ground_to_change(refusal: Refusal):
    for language in ("zh", "en"):
        said = refusal.message(language)
        assert not URGING.search(said), said
        assert said.endswith(("。", "）", "."))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_urging_words_are_found(language: str):
    urged = {"zh": "建议降低收治等级。", "en": "Lower the grade or obtain the consent."}
    assert URGING.search(urged[language].lower())


@pytest.mark.parametrize("refusal", [it for it in REFUSALS if it.offered == "missing"])
def test_what_is_missing_is_named_without_its_outcome(refusal: Refusal):
    for language in ("zh", "en"):
        assert not OUTCOMES.search(refusal.message(language)), refusal.message(language)


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_a_local_rule_names_its_owner_and_a_statutory_one_has_none(rule: Rule):
    said = [it for it in REFUSALS if it.rule == rule.id]
    for refusal in said:
        named = {
            language: [it for it in PolicyOwner if owner_words(it, language) in said_in]
            for language in ("zh", "en")
            if (said_in := refusal.message(language))
        }
        assert named == {
            language: [] if rule.owner is None else [rule.owner] for language in ("zh", "en")
        }
        assert refusal.owner is rule.owner
    assert rule.statutory is (rule.owner is None and rule.lifted_by is None)


def test_nobody_lifts_the_reserve_and_its_owner_is_named():
    reserve = RULES_BY_ID["S14-reserve"]
    assert reserve.lifted_by is None
    lines = unplaced_words(Unplaced("rq-1", (("S14-reserve", 2), ("reserve", 1))), "en")
    assert lines[0] == (
        "S14-reserve emergency reserve: 2 beds; a local rule, set by the network's owner"
    )
    assert lines[1] == "reserve the unit's last beds are kept for emergencies: 1 bed"


def test_a_rule_about_consent_a_ground_or_a_finding_of_law_is_lifted_by_nobody_here():
    for id_ in ABOUT_CONSENT | ABOUT_GROUNDS | {"P01", "P03"}:
        assert RULES_BY_ID[id_].lifted_by is None, id_


def test_what_a_person_is_here_on_is_told_in_words_for_every_basis():
    for basis in LegalBasis:
        for language in ("zh", "en"):
            assert "_" not in Refusal("L10", True, basis, "none").message(language)


def test_no_refusal_leaks_a_code_as_it_is_written_inside():
    for refusal in REFUSALS:
        for language in ("zh", "en"):
            said = refusal.message(language)
            assert not re.search(r"[a-z]_[a-z]|True|False", said), said
