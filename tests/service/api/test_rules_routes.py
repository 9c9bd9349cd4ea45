"""The rules, the register and the transitions, for whoever must explain an answer."""

from solver.eligibility import RULES_BY_ID, TRANSITIONS
from solver.eligibility.register import REGISTER
from tests.service.api.conftest import Holder


def test_a_rule_tells_its_words_who_lifts_it_who_sets_it_and_what_it_reads(officer: Holder):
    rules = {it["id"]: it for it in officer("GET", "/api/v1/rules").json()}
    assert rules.keys() == RULES_BY_ID.keys()
    motherhood = rules["P03"]
    assert motherhood["reads"] == ["person.basis", "person.mother"]
    assert (motherhood["statutory"], motherhood["lifted_by"], motherhood["papers"]) == (
        True,
        None,
        True,
    )
    reserve = rules["S14-reserve"]
    assert (reserve["statutory"], reserve["lifted_by"], reserve["owner"]) == (
        False,
        None,
        "network",
    )
    assert rules["S11"]["lifted_by"] == "clinician"
    assert all(it["zh"] and it["en"] and it["reads"] for it in rules.values())


def test_every_row_of_the_law_says_what_it_became(officer: Holder):
    rows = officer("GET", "/api/v1/rules/register").json()
    assert [it["id"] for it in rows] == [row.id for row in REGISTER]
    by_id = {it["id"]: it for it in rows}
    assert by_id["T02"]["became"] == "clock"
    assert "clock:term_end" in by_id["T02"]["where"]
    assert by_id["P01"]["fed_by"] == "person.basis, person.mother"
    assert by_id["M10"]["became"] == "not_decided"
    assert by_id["M10"]["reason"]


def test_every_change_of_status_says_what_it_needs(officer: Holder):
    changes = officer("GET", "/api/v1/rules/transitions").json()
    assert len(changes) == len(TRANSITIONS)
    pairs = {(it["source"], it["target"]): it for it in changes}
    assert ("constrained", "community_rehab") not in pairs
    assert pairs["constrained", "compulsory_psc"]["row"] == "6.11"
    assert "ground" in pairs["constrained", "compulsory_psc"]["needs"]


def test_whoever_has_no_key_reads_no_rule(officer: Holder):
    for path in ("rules", "rules/register", "rules/transitions"):
        assert officer.client.get(f"/api/v1/{path}").status_code == 401
