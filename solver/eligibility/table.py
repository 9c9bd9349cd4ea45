"""The table of rules; ``python -m solver.eligibility.table > docs/rules.md`` writes it."""

from solver.eligibility import RULES, Rule

_HEAD = """# Rules about one person and one place

Written by `python -m solver.eligibility.table > docs/rules.md`; a test fails when it is out of
date. A statutory rule is lifted by nobody. A rule of papers does not hold up an emergency into
open medical care; what it asks for falls due afterwards. A rule about offers binds when a bed is
given out and does not make a present place wrong. `tests/data/eligibility.csv` has the cases.

| Rule | Lifted by | Binds | Source | 中文 | English | Reads |
|---|---|---|---|---|---|---|
"""


def markdown() -> str:
    """The page, one row a rule in the order refusals are listed."""
    return _HEAD + "".join(f"| {' | '.join(_cells(rule))} |\n" for rule in RULES)


def _cells(rule: Rule) -> tuple[str, ...]:
    binds = "emergencies later" if rule.papers else "offers" if rule.offer_only else "always"
    return (
        f"`{rule.id}` {rule.title('en')} ({', '.join(rule.cites)})",
        "nobody (statutory)" if rule.lifted_by is None else rule.lifted_by.value,
        binds,
        rule.source,
        rule.zh,
        rule.en,
        ", ".join(rule.reads),
    )


if __name__ == "__main__":
    print(markdown(), end="")
