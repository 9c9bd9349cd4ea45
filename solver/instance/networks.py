"""A network snapshot as one file, and what must hold before anybody plans on it."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from solver.domain import (
    Bed,
    Facility,
    Network,
    Person,
    Policy,
    Request,
    Room,
    Stay,
    Unit,
)
from solver.instance.documents import (
    NETWORK_FORMAT,
    decoded,
    document_of,
    lines_of,
    members_at,
    uncollected,
)
from solver.instance.faults import Fault, InstanceError
from solver.instance.reading import Reading
from solver.instance.writing import Writing

_COLLECTIONS: Mapping[str, type[Any]] = {
    "facilities": Facility,
    "units": Unit,
    "rooms": Room,
    "beds": Bed,
    "persons": Person,
    "stays": Stay,
    "requests": Request,
}
_REST: Mapping[str, type[Any]] = {"position": int, "policy": Policy, "now": datetime, "on": date}
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
    """The snapshot as text, each thing on one line; equal snapshots give equal text, whatever order
    they were built in."""
    writing = Writing()
    texts: dict[str, str | list[str]] = {
        name: writing.writer(kind)(getattr(network, name)) for name, kind in _REST.items()
    }
    with uncollected():
        for name, kind in _COLLECTIONS.items():
            held: Any = getattr(network, name)
            things: Iterable[Any] = held.values() if isinstance(held, Mapping) else held
            write = writing.writer(kind)
            texts[name] = [write(it) for it in sorted(things, key=lambda it: str(it.id))]
        return lines_of(NETWORK_FORMAT, texts)


def network_from_json(text: str) -> Network:
    """The snapshot in a file; raises ``InstanceError`` at the first fault, in file order."""
    with uncollected():
        return _network(document_of(text, NETWORK_FORMAT))


def _network(raw: dict[str, object]) -> Network:
    known = {*_REST, *_COLLECTIONS}
    for name in raw:
        if name not in known:
            raise InstanceError(name, raw[name], f"unknown field; use {', '.join(sorted(known))}")
    for name in ("now", "on"):
        if name not in raw:
            raise InstanceError(name, None, "this field is required")
    reading = Reading()
    found: dict[str, dict[str, Any]] = {
        name: _collection(reading, name, raw.pop(name, [])) for name in _COLLECTIONS
    }
    _sensible_numbers(found)
    for name, field, target in _REFERENCES:
        _refers(found, name, field, found[target], target)
    _one_claim_each(found["stays"])
    _one_request_each(found["requests"])
    read = {
        name: decoded(kind, raw[name], name, reading) for name, kind in _REST.items() if name in raw
    }
    policy: Policy = read.pop("policy", Policy())
    for it in policy.contradictions(len(found["persons"])):
        raise InstanceError(f"policy.{it.field}", it.value, it.way_out)
    return Network(
        facilities=found["facilities"],
        units=found["units"],
        rooms=found["rooms"],
        beds=found["beds"],
        persons=found["persons"],
        stays=tuple(found["stays"][key] for key in sorted(found["stays"])),
        requests=tuple(found["requests"][key] for key in sorted(found["requests"])),
        policy=policy,
        **read,
    )


def _collection(reading: Reading, name: str, raw: object) -> dict[str, Any]:
    read = reading.reader(_COLLECTIONS[name])
    found: dict[str, Any] = {}
    i = 0
    try:
        for i, item in enumerate(members_at(raw, name)):  # noqa: B007
            thing: Any = read(item)
            if found.setdefault(thing.id, thing) is not thing or not thing.id:
                raise _same_id(thing, found[thing.id])
    except Fault as fault:
        raise fault.error(f"{name}[{i}]") from None
    return found


def _same_id(thing: Any, other: Any) -> Fault:
    if isinstance(thing, Bed) and thing.id and thing.room != other.room:
        way_out = f"bed {thing.id} stands in two rooms, also in {other.room}; keep one"
        return Fault(thing.room, way_out, ".room")
    return Fault(thing.id, "give each its own, non-empty id", ".id")


def _refers(
    found: Mapping[str, Mapping[str, Any]],
    name: str,
    field: str,
    targets: Mapping[str, Any],
    target: str,
) -> None:
    for i, thing in enumerate(found[name].values()):
        wanted = getattr(thing, field)
        if wanted is not None and wanted not in targets:
            raise InstanceError(f"{name}[{i}].{field}", wanted, f"no such id in {target}")


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
