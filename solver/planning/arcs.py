"""The arcs of a model while it is being put together."""

from dataclasses import dataclass, field

import numpy as np

from solver.planning.engine import Ints

Lent = list[tuple[int, int]]
"""Uses of rooms or units, and how much one of each lends."""


@dataclass
class Arcs:
    """Arcs as they are found; ``cost`` is one array a batch, of shape (levels, arcs)."""

    levels: int
    meaning: list[Ints] = field(default_factory=list)
    owner: list[Ints] = field(default_factory=list)
    target: list[Ints] = field(default_factory=list)
    tail: list[Ints] = field(default_factory=list)
    head: list[Ints] = field(default_factory=list)
    upper: list[Ints] = field(default_factory=list)
    cost: list[Ints] = field(default_factory=list)
    coupled: list[int] = field(default_factory=list)
    base: list[int] = field(default_factory=list)
    lent: list[Lent] = field(default_factory=list)
    count: int = 0

    def add(
        self,
        meaning: int,
        owner: Ints,
        target: Ints,
        ends: tuple[Ints, Ints],
        upper: Ints,
        cost: Ints | None = None,
    ) -> int:
        """A batch of arcs of one meaning; the number of its first."""
        first, many = self.count, len(owner)
        self.meaning.append(np.full(many, meaning, dtype=np.int64))
        for column, values in (
            (self.owner, owner),
            (self.target, target),
            (self.tail, ends[0]),
            (self.head, ends[1]),
            (self.upper, upper),
        ):
            column.append(np.asarray(values, dtype=np.int64))
        self.cost.append(np.zeros((self.levels, many), dtype=np.int64) if cost is None else cost)
        self.count += many
        return first

    def one(
        self, meaning: int, owner: int, target: int, ends: tuple[int, int], upper: int, cost: Ints
    ) -> int:
        """A single arc; its number."""
        it = [np.array([value]) for value in (owner, target, *ends, upper)]
        return self.add(meaning, it[0], it[1], (it[2], it[3]), it[4], cost.reshape(-1, 1))

    def couple(self, arc: int, base: int, lent: Lent) -> None:
        """The arc carries no more than ``base`` and what the uses lend it."""
        if lent:
            self.coupled.append(arc)
            self.base.append(base)
            self.lent.append(lent)
