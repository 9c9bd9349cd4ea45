"""Every row of the collected law and practice, and where each one lives in this software.

Nothing is left out: a row is a rule, a relation, a transition, a clock, a policy setting, a
safeguard, or is not decided by a bed service, with the reason. A test reads the ids of the
collection and fails on one missing, another looks up every name given here.
"""

from itertools import chain

from solver.eligibility.register import care, law, practice
from solver.eligibility.register.rows import As, Row, read

REGISTER: tuple[Row, ...] = tuple(
    chain.from_iterable(
        read(lines)
        for lines in (
            practice.ASSUMPTIONS,
            law.BASIS,
            law.PLACES,
            law.CLOCKS,
            care.MOVES,
            care.AGREEMENT,
            care.PSYCHIATRIC,
            care.COMMUNITY,
            practice.CONDITIONS,
            practice.SAFEGUARDS,
            practice.PRIVACY,
            practice.TRANSITIONS,
        )
    )
)
"""All rows, in the collection's order."""

__all__ = ["REGISTER", "As", "Row"]
