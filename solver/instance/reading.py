"""Values of the domain from parsed JSON: one reader a type, put together once and strict.

Equal small values (codes, days, needs, decisions, sets) are read into one object: a nation of
360,000 residents has a few thousand of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum, IntEnum
from functools import cache
from math import isfinite
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from solver.domain import Consent, Decision, Need, Psychiatric
from solver.instance.faults import Fault

Read = Callable[[Any], Any]

_SHARED: tuple[type, ...] = (Need, Decision, Consent, Psychiatric)
_INSTANT = "give an instant such as 2026-11-23T08:00:00Z"
_DAY = "give a day such as 2026-11-23"


@cache
def type_hints(kind: type) -> Mapping[str, Any]:
    """The resolved types of a dataclass's fields."""
    return get_type_hints(kind)


def optional(kind: Any) -> Any:
    """What may stand there instead of null; None when null may not."""
    if get_origin(kind) not in (Union, UnionType):
        return None
    return next(part for part in get_args(kind) if part is not type(None))


def code_names(kind: type[Enum]) -> Mapping[str, Enum]:
    """The members of an enumeration by what files call them: grades and the like by their names,
    the others by their codes."""
    by_name = issubclass(kind, IntEnum)
    return {(it.name if by_name else str(it.value)): it for it in kind}


def expect(kind: type, raw: object, word: str) -> Any:
    """The value, if it is of that JSON type. Raises: Fault."""
    if not isinstance(raw, kind) or (isinstance(raw, bool) and kind is not bool):
        raise Fault(raw, f"give {word}")
    return raw


class Reading:
    """The readers of one document and the values they share; nothing outlives it."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._instants: dict[str, datetime] = {}
        self._days: dict[str, date] = {}
        self._made: dict[Any, Read] = {
            str: self._text,
            bool: lambda raw: raw if type(raw) is bool else expect(bool, raw, "true or false"),
            int: lambda raw: raw if type(raw) is int else expect(int, raw, "a whole number"),
            float: _number,
            datetime: self._instant,
            date: self._day,
            timedelta: _seconds,
        }

    def reader(self, kind: Any) -> Read:
        """What reads values of this type. It raises ``Fault``."""
        found = self._made.get(kind)
        if found is None:
            found = self._made[kind] = self._make(kind)
        return found

    def _make(self, kind: Any) -> Read:
        origin, parts = get_origin(kind), get_args(kind)
        if (inner := optional(kind)) is not None:
            read = self.reader(inner)
            return lambda raw: None if raw is None else read(raw)
        if origin is frozenset:
            return _set(self.reader(parts[0]))
        if origin is tuple:
            if parts[-1] is Ellipsis:
                return _list(self.reader(parts[0]))
            return _row(tuple(self.reader(part) for part in parts))
        return self._record(kind) if is_dataclass(kind) else _code(kind)

    def _record(self, kind: Any) -> Read:
        hints = type_hints(kind)
        readers = {part.name: self.reader(hints[part.name]) for part in fields(kind)}
        in_order = tuple(readers.items())
        needed = [
            part.name
            for part in fields(kind)
            if part.default is MISSING and part.default_factory is MISSING
        ]
        make = _sharing(kind) if kind in _SHARED else kind

        def read(raw: Any) -> Any:
            if type(raw) is dict and len(raw) == len(in_order):
                try:
                    return make(*[read(raw[name]) for name, read in in_order])
                except (Fault, KeyError):
                    pass  # told below with its path, the first one in file order
            return in_file_order(raw)

        def in_file_order(raw: Any) -> Any:
            given = expect(dict, raw, "an object")
            for name in given:
                if name not in readers:
                    way_out = f"unknown field; use {', '.join(readers)}"
                    raise Fault(given[name], way_out, f".{name}")
            for name in needed:
                if name not in given:
                    raise Fault(None, "this field is required", f".{name}")
            values = {}
            for name, value in given.items():
                try:
                    values[name] = readers[name](value)
                except Fault as fault:
                    fault.steps.append(f".{name}")
                    raise
            return kind(**values)

        return read

    def _text(self, raw: Any) -> str:
        if type(raw) is not str:
            expect(str, raw, "a text")
        return self._texts.setdefault(raw, raw)

    def _instant(self, raw: Any) -> datetime:
        known = self._instants.get(raw) if type(raw) is str else None
        if known is None:
            known = self._instants[raw] = _instant(raw)
        return known

    def _day(self, raw: Any) -> date:
        known = self._days.get(raw) if type(raw) is str else None
        if known is None:
            known = self._days[raw] = _day(raw)
        return known


def _sharing(kind: Callable[..., Any]) -> Read:
    known: dict[tuple[Any, ...], Any] = {}

    def make(*values: Any) -> Any:
        found = known.get(values)
        if found is None:
            found = known[values] = kind(*values)
        return found

    return make


def _list(read: Read) -> Read:
    def read_list(raw: Any) -> tuple[Any, ...]:
        return tuple(_members(raw, read))

    return read_list


def _row(parts: tuple[Read, ...]) -> Read:
    def read_row(raw: Any) -> tuple[Any, ...]:
        items = expect(list, raw, "a list")
        if len(items) != len(parts):
            raise Fault(raw, f"give exactly {len(parts)} members")
        found = []
        for read, item in zip(parts, items, strict=True):
            try:
                found.append(read(item))
            except Fault as fault:
                fault.steps.append(f"[{len(found)}]")
                raise
        return tuple(found)

    return read_row


def _set(read: Read) -> Read:
    known: dict[tuple[Any, ...], frozenset[Any]] = {}

    def read_set(raw: Any) -> frozenset[Any]:
        if type(raw) is list:
            try:
                return known[tuple(raw)]
            except (KeyError, TypeError):
                pass
        found = _members(raw, read)
        if len(set(found)) != len(found):
            raise Fault(raw, "name each member once")
        return known.setdefault(tuple(raw), frozenset(found))

    return read_set


def _members(raw: Any, read: Read) -> list[Any]:
    found: list[Any] = []
    for item in expect(list, raw, "a list"):
        try:
            found.append(read(item))
        except Fault as fault:
            fault.steps.append(f"[{len(found)}]")
            raise
    return found


def _code(kind: type[Enum]) -> Read:
    known = code_names(kind)

    def read(raw: Any) -> Enum:
        try:
            return known[raw]
        except (KeyError, TypeError):
            expect(str, raw, "a code")
            raise Fault(raw, f"give one of {', '.join(known)}") from None

    return read


def _instant(raw: object) -> datetime:
    text = expect(str, raw, _INSTANT.removeprefix("give "))
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Fault(raw, _INSTANT) from None
    if instant.tzinfo is None:
        raise Fault(raw, "add the offset, for example Z for UTC")
    return instant.astimezone(UTC)


def _day(raw: object) -> date:
    text = expect(str, raw, _DAY.removeprefix("give "))
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Fault(raw, _DAY) from None


def _number(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not isfinite(raw):
        raise Fault(raw, "give a finite number")
    return float(raw)


def _seconds(raw: object) -> timedelta:
    seconds = _number(raw)
    if seconds < 0 or seconds > 366 * 86_400:
        raise Fault(raw, "give seconds between 0 and one year")
    return timedelta(seconds=seconds)
