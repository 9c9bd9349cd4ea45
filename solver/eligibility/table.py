"""The page of rules; ``python -m solver.eligibility.table > docs/rules.md`` writes it."""

from collections.abc import Iterable

from solver.eligibility import RULES, RULES_BY_ID, TRANSITIONS, Rule
from solver.eligibility.register import REGISTER, Row
from solver.eligibility.transitions import Transition

_HEAD = """# Rules, their sources, and where every row of the law lives

Written by `python -m solver.eligibility.table > docs/rules.md`; a test fails when it is out of
date.

## Rules about one person and one place

A statutory rule is lifted by nobody; a local rule is set by its owner and lifted by nobody for one
person unless it says so. A rule of papers does not hold up an emergency into open medical care;
what it asks for falls due afterwards. A rule about offers binds when a bed is given out and does
not make a present place wrong. `tests/data/eligibility.csv` has the cases.

"""
_REGISTER = """
## Every row of the collected law and practice

What each row became: a rule above, a relation between several people (`solver/check`), a
transition below, a clock with an owner (`[due.*]` of the policy), a policy setting, a safeguard in
how the software behaves, or nothing a bed service decides, with the reason. H hard, A a named
approver, K a clock, W a warning, as collected.

"""
_TRANSITIONS = """
## Changes of legal status

Nothing else is recorded; whatever is asked for beyond this is answered with the row that refuses
it.

"""


def markdown() -> str:
    """The whole page: rules in the order refusals are listed, register, transitions."""
    rules = ("Rule", "Lifted by", "Binds", "Source", "中文", "English", "Reads")
    rows = ("Row", "Marked", "Became", "Where", "Fed by", "Why")
    changes = ("Row", "From", "To", "Needs", "Cites")
    return "".join(
        (
            _HEAD,
            _table(rules, map(_rule, RULES)),
            _REGISTER,
            _table(rows, map(_row, REGISTER)),
            _TRANSITIONS,
            _table(changes, map(_transition, TRANSITIONS)),
        )
    )


def fed_by(row: Row) -> str:
    """The fields that feed a row: those named, else those that its rules read."""
    if row.fed_by:
        return row.fed_by
    rules = (it.removeprefix("rule:") for it in row.where if it.startswith("rule:"))
    return ", ".join(sorted({name for id_ in rules for name in RULES_BY_ID[id_].reads}))


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    head = tuple(head)
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _rule(rule: Rule) -> tuple[str, ...]:
    binds = "emergencies later" if rule.papers else "offers" if rule.offer_only else "always"
    lifted = "nobody" if rule.lifted_by is None else rule.lifted_by.value
    if rule.owner is not None:
        lifted += f" (local, set by: {rule.owner.value})"
    elif rule.statutory:
        lifted += " (statutory)"
    return (
        f"`{rule.id}` {rule.title('en')} ({', '.join(rule.cites)})",
        lifted,
        binds,
        rule.source,
        rule.zh,
        rule.en,
        ", ".join(rule.reads),
    )


def _row(row: Row) -> tuple[str, ...]:
    where = ", ".join(f"`{it}`" for it in row.where)
    return (row.id, row.enforcement, row.as_.value, where, fed_by(row), row.reason)


def _transition(it: Transition) -> tuple[str, ...]:
    return (it.id, it.source.value, it.target.value, ", ".join(it.needs), ", ".join(it.cites))


if __name__ == "__main__":
    print(markdown(), end="")
