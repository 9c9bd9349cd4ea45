"""What one row of the collected law and practice became in this software."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class As(StrEnum):
    """What a row became."""

    RULE = "rule"  # about one person and one place
    RELATION = "relation"  # about several people
    TRANSITION = "transition"  # of legal status
    CLOCK = "clock"  # with an owner and a due time
    POLICY = "policy"  # a setting of local practice
    SAFEGUARD = "safeguard"  # how the software itself behaves
    NOT_DECIDED = "not_decided"  # not decided by a bed service, with the reason


@dataclass(frozen=True, slots=True)
class Row:
    """One row. ``enforcement``: H hard, A named approver, K clock, W warning, as the collection
    marks it, empty where it marks nothing. ``where``: ``rule:``, ``relation:``, ``transition:``,
    ``clock:`` or ``policy:`` and its name, or ``code:`` and a dotted name. ``fed_by``: the field
    that feeds it; for rules the fields they read. ``reason``: why, where that is not plain."""

    id: str
    enforcement: str
    as_: As
    where: tuple[str, ...] = ()
    fed_by: str = ""
    reason: str = ""


Lines = tuple[tuple[str, str, As, str, str, str], ...]
"""Rows as written: ids and places separated by blanks."""


def read(lines: Lines) -> Iterator[Row]:
    """One row for each id of a line."""
    for ids, enforcement, as_, where, fed_by, reason in lines:
        for id_ in ids.split():
            yield Row(id_, enforcement, as_, tuple(where.split()), fed_by, reason)
