"""Places: facilities, their units, rooms and beds."""

from dataclasses import dataclass
from datetime import datetime

from solver.codes import (
    BedKind,
    BedState,
    Grade,
    Isolation,
    LegalBasis,
    Licence,
    Observation,
    Owner,
    Security,
    Sex,
    UnitKind,
    Zone,
)


@dataclass(frozen=True, slots=True)
class Facility:
    """A centre, ward site or hospital. ``position`` is (east, north) in km on the city's plane."""

    id: str
    position: tuple[float, float] = (0.0, 0.0)
    external: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """A ward, brigade or zone: kind, licences, both owners and accepted bases live here.

    ``min_age`` to ``max_age`` are full years, both inclusive. ``level_of_care`` is the highest
    placement grade the unit may care for. ``staffed_beds`` is how many people today's staff can
    look after (None: all beds). The last ``reserve`` of them are kept for emergencies.
    """

    id: str
    facility: str
    kind: UnitKind
    sex: Sex | None = None
    min_age: int = 18
    max_age: int = 150
    zone: Zone = Zone.GENERAL
    level_of_care: Grade = Grade.G1
    security: Security = Security.OPEN
    observation: Observation = Observation.NONE
    licences: frozenset[Licence] = frozenset()
    bases: frozenset[LegalBasis] = frozenset()
    security_owner: Owner = Owner.NONE
    medical_owner: Owner = Owner.HEALTH
    staffed_beds: int | None = None
    reserve: int = 0

    @property
    def custodial(self) -> bool:
        """Whether people are held here: some police or justice organ owns its security."""
        return self.security_owner in (Owner.PUBLIC_SECURITY, Owner.JUSTICE)


@dataclass(frozen=True, slots=True)
class Room:
    """A room; ``isolation`` is the strongest route it can isolate, ``cohort`` lets people of one
    route share it. ``sex`` narrows the unit's."""

    id: str
    unit: str
    sex: Sex | None = None
    isolation: Isolation = Isolation.NONE
    cohort: bool = False


@dataclass(frozen=True, slots=True)
class Bed:
    """One bed. ``promised``: a live ``next`` stands on it. ``held_for``: the person of a live
    hold. ``stale``: its status is older than the facility's time to live. ``expected_free`` is a
    forecast (out-of-service end, housekeeping, expected departure), None when nobody said."""

    id: str
    room: str
    kind: BedKind = BedKind.GEN
    features: frozenset[BedKind] = frozenset()
    state: BedState = BedState.IN_SERVICE
    promised: bool = False
    held_for: str | None = None
    stale: bool = False
    expected_free: datetime | None = None

    @property
    def provides(self) -> frozenset[BedKind]:
        """Everything the bed is equipped for: its kind and its features."""
        return self.features | {self.kind}
