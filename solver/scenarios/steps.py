"""The steps of a scenario: each one thing that a coordinator asks "what if" about."""

from dataclasses import dataclass

from solver.codes import BedKind, Grade, Isolation, LegalBasis, Observation, Sex, UnitKind


@dataclass(frozen=True, slots=True)
class CloseUnit:
    """A unit takes nobody any more, and whoever is in it has to leave.

    Its beds are closed; holds and promises on them fall, and whom a bed was held for waits again.
    Its residents count as wrongly placed (level 0), each until the plan moves them. Only whom a
    doctor's unexpired statement lets move can be moved: the others count as left. ``movable``
    supposes that nothing but a pin stands in the way, neither a doctor's statement nor a
    patient's agreement, and so asks whether there is room at all.
    """

    unit: str
    movable: bool = False


@dataclass(frozen=True, slots=True)
class Outbreak:
    """``people`` residents of a unit must be isolated by one route, from this moment on.

    Taken room by room in the order of their beds, as contacts are: room-mates first. ``movable``
    as for ``CloseUnit``.
    """

    unit: str
    route: Isolation
    people: int
    movable: bool = False


@dataclass(frozen=True, slots=True)
class Arrivals:
    """``count`` more people of one kind wait from this moment on, their papers in order.

    Whatever their legal basis rests on is there, for every kind of unit that takes it, so that a
    refusal is one of place, never of papers. Nobody knows where they live.
    """

    basis: LegalBasis
    grade: Grade
    sex: Sex
    count: int
    needs: frozenset[BedKind] = frozenset()
    isolation: Isolation = Isolation.NONE
    observation: Observation = Observation.NONE
    age: int = 35
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class NewHospital:
    """One more ward or hospital of one unit, empty, licensed and open from this moment on.

    ``kind``: ``CTH`` and ``DTI`` treat by consent, ``OMW`` and ``SEC`` hold a term. ``beds`` in
    rooms of ``beds_per_room``, each room able to isolate by the route ``isolation``, people of
    one route sharing it unless the route is airborne. ``position`` in km on the city's plane.
    ``staffed_beds``: as of a unit, None for all of them.
    """

    beds: int
    kind: UnitKind = UnitKind.CTH
    bed_kind: BedKind = BedKind.NUR
    features: frozenset[BedKind] = frozenset()
    beds_per_room: int = 2
    isolation: Isolation = Isolation.NONE
    level_of_care: Grade = Grade.G4
    position: tuple[float, float] = (0.0, 0.0)
    staffed_beds: int | None = None
    reserve: int = 0


@dataclass(frozen=True, slots=True)
class LongerStays:
    """Everybody in units of a kind leaves ``days`` later than forecast.

    A plan for now counts on no forecast departure, so this changes no placement of today's by
    itself: it changes when beds are expected, and who ``Discharges`` after it still finds there.
    Nobody is held past a term: a stay under a compulsory decision ends with it at the latest.
    """

    kind: UnitKind
    days: int


@dataclass(frozen=True, slots=True)
class Discharges:
    """Everybody whose stay is forecast to end within ``days`` has left, their beds clean.

    The clock stays where it is: nobody waits longer for it, no paper runs out. Whoever waits for
    another bed, is on leave or has no forecast is not counted on. ``kind``: only such units.
    """

    days: int
    kind: UnitKind | None = None


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """Local practice changed: fields of ``solver.domain.Policy`` and their new values."""

    policy: tuple[tuple[str, object], ...]


Step = CloseUnit | Outbreak | Arrivals | NewHospital | LongerStays | Discharges | PolicyChange
"""Any of the steps."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Steps taken one after the other on a network, under a name of its own."""

    name: str
    steps: tuple[Step, ...]
