"""Every rule over many people and many places at once.

A rule is a function of the fields it declares to read, so it is asked once per distinct
combination of those fields and the answers are spread over the rest: a city of 4,000 people and
100 kinds of place takes thousands of questions instead of millions.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from solver.codes import UnitKind
from solver.eligibility import RULES, care
from solver.eligibility.facts import Facts, Place
from solver.eligibility.registry import Rule

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
L = TypeVar("L")
R = TypeVar("R")


class Projection:
    """Things of one kind, told apart by any of their fields: ``parts`` groups them by some."""

    def __init__(self, things: Sequence[object]) -> None:
        self.things = things
        self._codes: dict[str, Ints] = {}

    def _code(self, name: str) -> Ints:
        if name not in self._codes:
            known: dict[object, int] = {}
            path = name.split(".")
            values = []
            for thing in self.things:
                value: object = thing
                for part in path:
                    value = getattr(value, part)
                values.append(known.setdefault(value, len(known)))
            self._codes[name] = np.array(values, dtype=np.int64)
        return self._codes[name]

    def parts(self, names: Sequence[str]) -> tuple[Ints, Ints]:
        """For each thing the number of its group, and of each group one thing: things equal in
        the fields named are one group."""
        group = np.zeros(len(self.things), dtype=np.int64)
        for name in names:
            code = self._code(name)
            both = group * (int(code.max(initial=0)) + 1) + code
            group = np.unique(both, return_inverse=True)[1].reshape(-1)
        return group, np.unique(group, return_index=True)[1]


def spread(
    left: Projection,
    right: Projection,
    reads: tuple[Sequence[str], Sequence[str]],
    asked: Callable[[int, int], int],
) -> Ints:
    """``asked(i, j)`` for every pair of things, asked once per distinct pair of what it reads."""
    rows, row_of = left.parts(reads[0])
    columns, column_of = right.parts(reads[1])
    answers = np.array(
        [[asked(int(i), int(j)) for j in column_of] for i in row_of], dtype=np.int64
    ).reshape(len(row_of), len(column_of))
    return answers[np.ix_(rows, columns)]


def lawful(people: Sequence[Facts], places: Sequence[Place]) -> Flags:
    """``eligible`` for every pair: one row a person, one column a place."""
    who, where = Projection(people), Projection(places)
    fit = np.ones((len(people), len(places)), dtype=np.bool_)
    if not fit.size:
        return fit
    urgent = np.array([it.emergency for it in people], dtype=np.bool_)
    custodial = np.array([it.custodial for it in places], dtype=np.bool_)
    external = np.array([it.kind is UnitKind.EXT for it in places], dtype=np.bool_)
    waived = urgent[:, None] & ~custodial[None, :]
    for rule in RULES:
        reads = _split(rule.reads)

        def refuses(i: int, j: int, rule: Rule = rule) -> int:
            return rule.compare(people[i], places[j]) is not None

        refused = spread(who, where, reads, refuses).astype(np.bool_)
        if rule.papers:
            refused &= ~waived
        if rule.id != care.referral_only.id:
            refused &= ~external[None, :]
        fit &= ~refused
    return fit


def _split(reads: Sequence[str]) -> tuple[list[str], list[str]]:
    who = [it.removeprefix("person.") for it in reads if it.startswith("person.")]
    where = [it.removeprefix("place.") for it in reads if it.startswith("place.")]
    return who, where
