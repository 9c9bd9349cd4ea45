"""Values of the domain as JSON text: one writer a type, put together once.

Keys are sorted, sets are sorted, instants are in UTC, codes go by their names; so equal values
give equal text. Equal small values (days, sets, needs, decisions) are written once and copied.
"""

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from json.encoder import encode_basestring
from math import isfinite
from operator import attrgetter
from typing import Any, get_args, get_origin

from solver.domain import Consent, Decision, Need, Psychiatric
from solver.instance.reading import code_names, optional, type_hints

Write = Callable[[Any], str]

_SHARED: frozenset[object] = frozenset({Need, Decision, Consent, Psychiatric, datetime, date})


class Writing:
    """The writers of one document and the texts they share; nothing outlives it."""

    def __init__(self) -> None:
        self._made: dict[Any, Write] = {
            str: encode_basestring,
            bool: lambda value: "true" if value else "false",
            int: repr,
            float: _number,
            datetime: _shared(_instant),
            date: _shared(lambda value: f'"{value.isoformat()}"'),
            timedelta: lambda value: repr(value.total_seconds()),
        }

    def writer(self, kind: Any) -> Write:
        """What writes values of this type."""
        found = self._made.get(kind)
        if found is None:
            made = self._make(kind)
            found = self._made[kind] = _shared(made) if kind in _SHARED else made
        return found

    def _make(self, kind: Any) -> Write:
        origin, parts = get_origin(kind), get_args(kind)
        if (inner := optional(kind)) is not None:
            write = self.writer(inner)
            return lambda value: "null" if value is None else write(value)
        if origin is frozenset:
            return _shared(_set(parts[0]))
        if origin is tuple:
            return self._row(parts)
        return self._record(kind) if is_dataclass(kind) else _code(kind)

    def _row(self, parts: tuple[Any, ...]) -> Write:
        if parts[-1] is Ellipsis:
            one = self.writer(parts[0])
            return lambda value: "[" + ",".join([one(it) for it in value]) + "]"
        writers = tuple(self.writer(part) for part in parts)

        def write(value: Any) -> str:
            texts = [one(it) for one, it in zip(writers, value, strict=True)]
            return "[" + ",".join(texts) + "]"

        return write

    def _record(self, kind: Any) -> Write:
        hints = type_hints(kind)
        names = sorted(part.name for part in fields(kind))
        writers = tuple(self.writer(hints[name]) for name in names)
        shape = "{" + ",".join(f'"{name}":%s' for name in names) + "}"
        values = attrgetter(*names)
        if len(names) == 1:
            return lambda value: shape % writers[0](values(value))

        def write(value: Any) -> str:
            return shape % tuple([one(it) for one, it in zip(writers, values(value), strict=True)])

        return write


def _shared(write: Write) -> Write:
    known: dict[Any, str] = {}

    def write_once(value: Any) -> str:
        found = known.get(value)
        if found is None:
            found = known[value] = write(value)
        return found

    return write_once


def _set(kind: Any) -> Write:
    if isinstance(kind, type) and issubclass(kind, Enum):
        names = {it: name for name, it in code_names(kind).items()}
        return lambda value: json.dumps(
            sorted(names[it] for it in value), separators=(",", ":"), ensure_ascii=False
        )
    return lambda value: json.dumps(sorted(value), separators=(",", ":"), ensure_ascii=False)


def _code(kind: type[Enum]) -> Write:
    texts = {it: encode_basestring(name) for name, it in code_names(kind).items()}
    return texts.__getitem__


def _number(value: float) -> str:
    return repr(float(value)) if isfinite(value) else json.dumps(value)


def _instant(value: datetime) -> str:
    return f'"{value.astimezone(UTC).isoformat().replace("+00:00", "Z")}"'
