"""Files of this program: JSON objects that name their format and version.

Raises ``InstanceError`` for what is no such file: text that is no JSON, a field that stands twice
in one object, another format, a version this program does not read.
"""

import gc
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from solver.instance.faults import Fault, InstanceError
from solver.instance.reading import Reading, expect
from solver.instance.writing import Writing

NETWORK_FORMAT = "rehab-beds/network"
PLAN_FORMAT = "rehab-beds/plan"
VERSION = 1

T = TypeVar("T")


@contextmanager
def uncollected() -> Iterator[None]:
    """Building millions of values that all stay: the collector would look at each again and
    again, for nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InstanceError(twice, twice, "a field stands twice in one object; keep one")
    return found


def document_of(text: str, wanted: str) -> dict[str, object]:
    """The fields of a file of format ``wanted`` in this version; raises ``InstanceError``."""
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as fault:
        at = f"line {fault.lineno}, column {fault.colno}"
        shown = text[fault.pos : fault.pos + 20]
        raise InstanceError(at, shown, f"give JSON ({fault.msg})") from None
    except RecursionError:
        raise InstanceError("document", "...", "the file is nested too deeply") from None
    if not isinstance(document, dict):
        raise InstanceError("document", document, f"give a {wanted} object")
    if document.get("format") != wanted:
        raise InstanceError("format", document.get("format"), f"give a file of format {wanted}")
    version = document.get("version")
    if version != VERSION or isinstance(version, bool):
        raise InstanceError("version", version, f"this program reads version {VERSION}")
    return {name: value for name, value in document.items() if name not in ("format", "version")}


def document_text(wanted: str, fields: Mapping[str, object]) -> str:
    """A file of format ``wanted`` in this version: the same fields, the same bytes."""
    document = {"format": wanted, "version": VERSION, **fields}
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n"


def lines_of(wanted: str, texts: Mapping[str, str | list[str]]) -> str:
    """A large file of format ``wanted``: JSON text by field, a list with one line a member; the
    same fields, the same bytes."""
    return object_lines({"format": f'"{wanted}"', "version": str(VERSION), **texts}) + "\n"


def object_lines(texts: Mapping[str, str | list[str]]) -> str:
    """One JSON object from the text of its fields, as ``lines_of`` writes it."""
    parts = []
    for name in sorted(texts):
        text = texts[name]
        if isinstance(text, list):
            text = "[\n" + ",\n".join(text) + "\n]" if text else "[]"
        parts.append(f'"{name}":{text}')
    return "{\n" + ",\n".join(parts) + "\n}"


def decoded(kind: type[T], raw: object, path: str, reading: Reading | None = None) -> T:
    """A value of the domain from parsed JSON, as strictly as a file is read; ``path`` names it in
    the ``InstanceError`` of whatever is wrong with it. ``reading``: the readers of a whole
    document, to share equal values with the rest of it."""
    try:
        value: T = (reading or Reading()).reader(kind)(raw)
    except Fault as fault:
        raise fault.error(path) from None
    return value


def members_at(raw: object, path: str) -> list[object]:
    """A list as it was parsed."""
    try:
        found: list[object] = expect(list, raw, "a list")
    except Fault as fault:
        raise fault.error(path) from None
    return found


def encoded(value: object) -> Any:
    """A value of the domain as JSON has it: what ``decoded`` reads."""
    if value is None or isinstance(value, tuple):
        return None if value is None else [encoded(it) for it in value]
    if isinstance(value, frozenset):
        return sorted((encoded(it) for it in value), key=str)
    return json.loads(Writing().writer(type(value))(value))
