"""A network snapshot or a plan as one JSON file: what the planner's command line reads and writes.

The same value always gives the same bytes: keys sorted, every list of identified things in id
order, sets sorted, instants in UTC, codes by their names. Reading is strict: an unknown, missing
or ill-typed field, an unknown code, a naive instant, a repeated or dangling id is an
``InstanceError`` that names the field, the value and the way out; nothing is guessed.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum, IntEnum, StrEnum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from solver.domain import (
    Bed,
    Facility,
    Network,
    Person,
    Plan,
    Policy,
    Request,
    Room,
    Stay,
    Unit,
)

NETWORK_FORMAT = "rehab-beds/network"
PLAN_FORMAT = "rehab-beds/plan"
VERSION = 1

T = TypeVar("T")


class InstanceError(ValueError):
    """A file that is no network or plan of this version; ``field`` is the path to the fault."""

    def __init__(self, field: str, value: object, way_out: str) -> None:
        shown = json.dumps(value, ensure_ascii=False, default=str)
        super().__init__(f"{field}: {shown[:80]} - {way_out}")
        self.field = field
        self.value = value
        self.way_out = way_out


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _encode(value: object) -> object:
    if isinstance(value, IntEnum):
        return value.name
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, frozenset):
        return sorted((_encode(item) for item in value), key=str)
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: _encode(getattr(value, part.name)) for part in fields(value)}
    return value


def _expect(kind: type[T], raw: object, path: str, word: str) -> T:
    if not isinstance(raw, kind) or (isinstance(raw, bool) and kind is not bool):
        raise InstanceError(path, raw, f"give {word}")
    return raw


def _instant(raw: object, path: str) -> datetime:
    text = _expect(str, raw, path, "an instant such as 2026-11-23T08:00:00Z")
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InstanceError(path, raw, "give an instant such as 2026-11-23T08:00:00Z") from None
    if instant.tzinfo is None:
        raise InstanceError(path, raw, "add the offset, for example Z for UTC")
    return instant.astimezone(UTC)


def _day(raw: object, path: str) -> date:
    text = _expect(str, raw, path, "a day such as 2026-11-23")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InstanceError(path, raw, "give a day such as 2026-11-23") from None


def _number(raw: object, path: str) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        raise InstanceError(path, raw, "give a finite number")
    return float(raw)


def _seconds(raw: object, path: str) -> timedelta:
    seconds = _number(raw, path)
    if seconds < 0 or seconds > 366 * 86_400:
        raise InstanceError(path, raw, "give seconds between 0 and one year")
    return timedelta(seconds=seconds)


def _code(kind: type[Enum], raw: object, path: str) -> Enum:
    text = _expect(str, raw, path, "a code")
    by_name = issubclass(kind, IntEnum)
    known = {(item.name if by_name else str(item.value)): item for item in kind}
    if text not in known:
        raise InstanceError(path, raw, f"give one of {', '.join(known)}")
    return known[text]


_SCALARS: Mapping[object, Callable[[object, str], object]] = {
    str: lambda raw, path: _expect(str, raw, path, "a text"),
    bool: lambda raw, path: _expect(bool, raw, path, "true or false"),
    int: lambda raw, path: _expect(int, raw, path, "a whole number"),
    float: _number,
    datetime: _instant,
    date: _day,
    timedelta: _seconds,
}


def _decode(kind: Any, raw: object, path: str) -> Any:
    if kind in _SCALARS:
        return _SCALARS[kind](raw, path)
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        inner = next(part for part in parts if part is not type(None))
        return None if raw is None else _decode(inner, raw, path)
    if origin is frozenset:
        items = _items(raw, path)
        found = [_decode(parts[0], item, f"{path}[{i}]") for i, item in enumerate(items)]
        if len(set(found)) != len(found):
            raise InstanceError(path, raw, "name each member once")
        return frozenset(found)
    if origin is tuple:
        items = _items(raw, path)
        kinds = parts[:1] * len(items) if parts[-1] is Ellipsis else parts
        if len(items) != len(kinds):
            raise InstanceError(path, raw, f"give exactly {len(kinds)} members")
        pairs = zip(kinds, items, strict=True)
        return tuple(_decode(part, item, f"{path}[{i}]") for i, (part, item) in enumerate(pairs))
    if is_dataclass(kind):
        return _record(kind, raw, path)
    return _code(kind, raw, path)


def _items(raw: object, path: str) -> list[object]:
    return _expect(list, raw, path, "a list")


def _record(kind: Any, raw: object, path: str) -> Any:
    given = _expect(dict, raw, path, "an object")
    hints = _hints(kind)
    known = {part.name: part for part in fields(kind)}
    for name in given:
        if name not in known:
            raise InstanceError(
                f"{path}.{name}", given[name], f"unknown field; use {', '.join(known)}"
            )
    for name, part in known.items():
        if name not in given and part.default is MISSING and part.default_factory is MISSING:
            raise InstanceError(f"{path}.{name}", None, "this field is required")
    return kind(**{name: _decode(hints[name], given[name], f"{path}.{name}") for name in given})


def _dump(document: Mapping[str, object]) -> str:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n"


def _parse(text: str, wanted: str) -> dict[str, object]:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InstanceError(twice, twice, "a field stands twice in one object; keep one")
        return found

    try:
        document = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as fault:
        at = f"line {fault.lineno}, column {fault.colno}"
        shown = text[fault.pos : fault.pos + 20]
        raise InstanceError(at, shown, f"give JSON ({fault.msg})") from None
    except RecursionError:
        raise InstanceError("document", "...", "the file is nested too deeply") from None
    document = _expect(dict, document, "document", f"a {wanted} object")
    if document.get("format") != wanted:
        raise InstanceError("format", document.get("format"), f"give a file of format {wanted}")
    if document.get("version") != VERSION or isinstance(document.get("version"), bool):
        raise InstanceError(
            "version", document.get("version"), f"this program reads version {VERSION}"
        )
    return {name: value for name, value in document.items() if name not in ("format", "version")}


_COLLECTIONS: Mapping[str, type] = {
    "facilities": Facility,
    "units": Unit,
    "rooms": Room,
    "beds": Bed,
    "persons": Person,
    "stays": Stay,
    "requests": Request,
}
_REFERENCES = (
    ("units", "facility", "facilities"),
    ("rooms", "unit", "units"),
    ("beds", "room", "rooms"),
    ("beds", "held_for", "persons"),
    ("stays", "person", "persons"),
    ("stays", "bed", "beds"),
    ("requests", "person", "persons"),
)


def network_to_json(network: Network) -> str:
    """The snapshot as text; equal snapshots give equal text, whatever order they were built in."""
    document: dict[str, object] = {
        "format": NETWORK_FORMAT,
        "version": VERSION,
        "now": _encode(network.now),
        "on": _encode(network.on),
        "policy": _encode(network.policy),
        "position": network.position,
    }
    for name in _COLLECTIONS:
        held: Any = getattr(network, name)
        things = held.values() if isinstance(held, Mapping) else held
        document[name] = [_encode(thing) for thing in sorted(things, key=lambda it: it.id)]
    return _dump(document)


def network_from_json(text: str) -> Network:
    """The snapshot in a file; raises ``InstanceError`` at the first fault, in file order."""
    raw = _parse(text, NETWORK_FORMAT)
    known = {"now", "on", "policy", "position", *_COLLECTIONS}
    for name in raw:
        if name not in known:
            raise InstanceError(name, raw[name], f"unknown field; use {', '.join(sorted(known))}")
    for name in ("now", "on"):
        if name not in raw:
            raise InstanceError(name, None, "this field is required")
    found: dict[str, dict[str, Any]] = {}
    for name, kind in _COLLECTIONS.items():
        found[name] = {}
        for i, item in enumerate(_items(raw.get(name, []), name)):
            thing = _record(kind, item, f"{name}[{i}]")
            if not thing.id or thing.id in found[name]:
                raise InstanceError(f"{name}[{i}].id", thing.id, "give each its own, non-empty id")
            found[name][thing.id] = thing
    _sensible_numbers(found)
    for name, field, target in _REFERENCES:
        for i, thing in enumerate(found[name].values()):
            wanted = getattr(thing, field)
            if wanted is not None and wanted not in found[target]:
                raise InstanceError(f"{name}[{i}].{field}", wanted, f"no such id in {target}")
    _one_claim_each(found["stays"])
    _one_request_each(found["requests"])
    position = _decode(int, raw.get("position", 0), "position")
    policy = _decode(Policy, raw["policy"], "policy") if "policy" in raw else Policy()
    if not 0 <= policy.psc_min_months <= policy.psc_max_months <= 12:
        months = f"{policy.psc_min_months} to {policy.psc_max_months}"
        raise InstanceError("policy.psc_min_months", months, "give months from 0 to 12, in order")
    return Network(
        now=_instant(raw["now"], "now"),
        on=_day(raw["on"], "on"),
        facilities=found["facilities"],
        units=found["units"],
        rooms=found["rooms"],
        beds=found["beds"],
        persons=found["persons"],
        stays=tuple(found["stays"][key] for key in sorted(found["stays"])),
        requests=tuple(found["requests"][key] for key in sorted(found["requests"])),
        policy=policy,
        position=position,
    )


def _sensible_numbers(found: Mapping[str, Mapping[str, Any]]) -> None:
    for i, unit in enumerate(found["units"].values()):
        for name in ("reserve", "staffed_beds"):
            value = getattr(unit, name)
            if value is not None and value < 0:
                raise InstanceError(f"units[{i}].{name}", value, "give 0 or more")
        if not 0 <= unit.min_age <= unit.max_age:
            raise InstanceError(
                f"units[{i}].min_age", unit.min_age, "give an age from 0 to max_age"
            )
    for i, person in enumerate(found["persons"].values()):
        if not 0 <= person.age <= 150:
            raise InstanceError(f"persons[{i}].age", person.age, "give an age from 0 to 150")
        if person.sex is None and person.identified:
            raise InstanceError(
                f"persons[{i}].sex", None, "give the sex, or mark the person as not identified"
            )


def _one_claim_each(stays: Mapping[str, Stay]) -> None:
    beds: set[str] = set()
    present: set[str] = set()
    for i, stay in enumerate(stays.values()):
        if stay.bed in beds:
            raise InstanceError(f"stays[{i}].bed", stay.bed, "another stay claims this bed")
        beds.add(stay.bed)
        if not stay.on_leave:
            if stay.person in present:
                raise InstanceError(
                    f"stays[{i}].person", stay.person, "this person is in another bed; mark a leave"
                )
            present.add(stay.person)


def _one_request_each(requests: Mapping[str, Request]) -> None:
    waiting: set[str] = set()
    for i, request in enumerate(requests.values()):
        if request.person in waiting:
            raise InstanceError(
                f"requests[{i}].person", request.person, "one waiting request a person"
            )
        waiting.add(request.person)


def plan_to_json(plan: Plan) -> str:
    """The plan as text: moves in their order, the rest as the planner sorted it."""
    body: Any = _encode(plan)
    return _dump({"format": PLAN_FORMAT, "version": VERSION, "plan": body})


def plan_from_json(text: str) -> Plan:
    """The plan in a file; raises ``InstanceError`` at the first fault. Says nothing on whether
    the plan is clean: that is ``check.violations``."""
    raw = _parse(text, PLAN_FORMAT)
    if set(raw) != {"plan"}:
        raise InstanceError("plan", sorted(raw), "give exactly one field, plan")
    plan: Plan = _record(Plan, raw["plan"], "plan")
    ids = [move.id for move in plan.moves]
    for i, name in enumerate(ids):
        if name in ids[:i]:
            raise InstanceError(f"plan.moves[{i}].id", name, "give each move its own id")
    return plan
