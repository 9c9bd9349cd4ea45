"""Networks of several regions: small ones put 100 km apart under names of their own."""

from dataclasses import replace

from solver.domain import Facility, Network


def apart(*parts: Network, km: float = 100.0) -> Network:
    """The networks side by side, their ids behind ``a-``, ``b-`` and so on; the first's policy."""
    named = [_named(part, f"{chr(97 + i)}-", km * i) for i, part in enumerate(parts)]
    return replace(
        parts[0],
        facilities={it.id: it for part in named for it in part.facilities.values()},
        units={it.id: it for part in named for it in part.units.values()},
        rooms={it.id: it for part in named for it in part.rooms.values()},
        beds={it.id: it for part in named for it in part.beds.values()},
        persons={it.id: it for part in named for it in part.persons.values()},
        stays=tuple(it for part in named for it in part.stays),
        requests=tuple(it for part in named for it in part.requests),
    )


def _named(part: Network, prefix: str, east: float) -> Network:
    def new(name: str | None) -> str:
        return "" if name is None else prefix + name

    def maybe(name: str | None) -> str | None:
        return None if name is None else prefix + name

    def many(names: frozenset[str]) -> frozenset[str]:
        return frozenset(prefix + it for it in names)

    facilities = {}
    for it in part.facilities.values():
        at = (it.position[0] + east, it.position[1])
        facilities[new(it.id)] = Facility(new(it.id), at, it.external)
    persons = {}
    for who in part.persons.values():
        home = None if who.home is None else (who.home[0] + east, who.home[1])
        changed = replace(who, id=new(who.id), home=home, origin_unit=maybe(who.origin_unit))
        persons[changed.id] = changed
    return replace(
        part,
        facilities=facilities,
        units={
            new(it.id): replace(it, id=new(it.id), facility=new(it.facility))
            for it in part.units.values()
        },
        rooms={
            new(it.id): replace(it, id=new(it.id), unit=new(it.unit)) for it in part.rooms.values()
        },
        beds={
            new(it.id): replace(it, id=new(it.id), room=new(it.room), held_for=maybe(it.held_for))
            for it in part.beds.values()
        },
        persons=persons,
        stays=tuple(
            replace(
                it,
                id=new(it.id),
                person=new(it.person),
                bed=new(it.bed),
                agreed_units=None if it.agreed_units is None else many(it.agreed_units),
            )
            for it in part.stays
        ),
        requests=tuple(
            replace(
                it, id=new(it.id), person=new(it.person), declined_units=many(it.declined_units)
            )
            for it in part.requests
        ),
    )
