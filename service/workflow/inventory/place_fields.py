"""What is recorded of a facility, unit, room or bed, and which values the trade knows.

One model a kind of place serves the API's bodies, the files in and out, and the use cases: a value
refused at one door is refused at all of them. Ages are full years, both ends inclusive; positions
are km east and north on the city's plane.
"""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from service.store.tables.inventory import OutOfServiceReason
from service.workflow.instants import AwareInstant
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

PlaceId = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,79}$"),
    Field(
        description="Readable id: lower-case letters, digits, dots and dashes; a unit's begins "
        "with its facility's and a dot, a room's with its unit's, a bed's with its room's",
        examples=["psc-1.w2"],
    ),
]
# No control characters: a text column cannot hold NUL, and none of the others is ever meant.
Line = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
Note = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
DutyPhone = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, pattern=r"^\+?[0-9][0-9 ()-]{2,24}( ?(x|ext\.?) ?[0-9]{1,6})?$"
    ),
    Field(description="Answered 24 hours", examples=["027-0000-0110"]),
]
Km = Annotated[float, Field(ge=-10_000, le=10_000, allow_inf_nan=False)]
Age = Annotated[int, Field(ge=0, le=150)]
Places = Annotated[int, Field(ge=0, le=10_000)]
Version = Annotated[int, Field(ge=1, le=2_147_483_647)]


class Strict(BaseModel):
    """A body whose unknown members are refused by name."""

    model_config = ConfigDict(extra="forbid")


class FacilityFields(Strict):
    """A centre, ward site or hospital; an ``external`` one lies outside the network and has a
    duty phone and surge places only."""

    name: Line
    operator: Owner
    external: bool = False
    duty_phone: DutyPhone
    east_km: Km = 0.0
    north_km: Km = 0.0
    status_ttl_minutes: Annotated[int, Field(ge=1, le=20_160)] = 720


class NewFacility(FacilityFields):
    """A facility and the id its maker gives it."""

    id: PlaceId


class FacilityChange(Strict):
    """The members given are changed, the others stay."""

    name: Line | None = None
    operator: Owner | None = None
    external: bool | None = None
    duty_phone: DutyPhone | None = None
    east_km: Km | None = None
    north_km: Km | None = None
    status_ttl_minutes: Annotated[int, Field(ge=1, le=20_160)] | None = None


class FacilityRecord(NewFacility):
    """A facility as it stands; ``version`` is what If-Match compares."""

    retired_at: datetime | None
    version: int


class UnitFields(Strict):
    """A ward, brigade or zone: kind, licences, both owners and accepted bases live here."""

    name: Line
    kind: UnitKind
    sex: Sex | None = None
    min_age: Age = 18
    max_age: Age = 150
    zone: Zone = Zone.GENERAL
    level_of_care: Grade = Grade.G1
    security: Security = Security.OPEN
    observation: Observation = Observation.NONE
    licences: frozenset[Licence] = frozenset()
    bases: frozenset[LegalBasis] = frozenset()
    security_owner: Owner = Owner.NONE
    medical_owner: Owner = Owner.HEALTH
    staffed_beds: Places | None = None
    reserve: Places = 0

    @model_validator(mode="after")
    def _make_sense(self) -> Self:
        if self.min_age > self.max_age:
            raise PydanticCustomError(
                "ages_reversed",
                "min_age {youngest} is above max_age {oldest}: give full years, youngest first",
                {"youngest": self.min_age, "oldest": self.max_age},
            )
        if self.observation is Observation.UNKNOWN:
            raise PydanticCustomError(
                "observation_unknown",
                "observation of a unit is what its staff can give: none, frequent or constant",
            )
        return self


class NewUnit(UnitFields):
    """A unit, its id and its facility, which it never leaves."""

    id: PlaceId
    facility: PlaceId


class UnitChange(Strict):
    """The members given are changed, the others stay; ``null`` where nothing shall bind."""

    name: Line | None = None
    kind: UnitKind | None = None
    sex: Sex | None = None
    min_age: Age | None = None
    max_age: Age | None = None
    zone: Zone | None = None
    level_of_care: Grade | None = None
    security: Security | None = None
    observation: Observation | None = None
    licences: frozenset[Licence] | None = None
    bases: frozenset[LegalBasis] | None = None
    security_owner: Owner | None = None
    medical_owner: Owner | None = None
    staffed_beds: Places | None = None
    reserve: Places | None = None


class UnitRecord(NewUnit):
    """A unit as it stands; ``version`` is what If-Match compares."""

    retired_at: datetime | None
    version: int


class RoomFields(Strict):
    """A room: ``isolation`` is the strongest route it can isolate, ``sex`` narrows the unit's,
    ``cohort`` lets people of one route share it."""

    name: Line | None = Field(default=None, description="By default the last part of the id")
    sex: Sex | None = None
    isolation: Isolation = Isolation.NONE
    cohort: bool = False

    @model_validator(mode="after")
    def _make_sense(self) -> Self:
        if self.isolation is Isolation.UNKNOWN:
            raise PydanticCustomError(
                "isolation_unknown",
                "isolation of a room is what it can do: none, contact, droplet or airborne",
            )
        return self


class NewRoom(RoomFields):
    """A room, its id and its unit, which it never leaves. ``facility`` may be named as a check."""

    id: PlaceId
    unit: PlaceId
    facility: PlaceId | None = None


class RoomChange(Strict):
    """The members given are changed, the others stay; ``null`` where nothing shall bind."""

    name: Line | None = None
    sex: Sex | None = None
    isolation: Isolation | None = None
    cohort: bool | None = None


class RoomRecord(NewRoom):
    """A room as it stands; ``version`` is what If-Match compares."""

    retired_at: datetime | None
    version: int


class BedFields(Strict):
    """What a bed is equipped for: its kind, and further features."""

    name: Line | None = Field(default=None, description="By default the last part of the id")
    kind: BedKind = BedKind.GEN
    features: frozenset[BedKind] = frozenset()


class NewBed(BedFields):
    """A bed, its id and its room, which it never leaves. ``unit`` and ``facility`` may be named
    as a check that the room is the one meant."""

    id: PlaceId
    room: PlaceId
    unit: PlaceId | None = None
    facility: PlaceId | None = None


class BedChange(Strict):
    """The members given are changed, the others stay."""

    name: Line | None = None
    kind: BedKind | None = None
    features: frozenset[BedKind] | None = None


class BedRecord(NewBed):
    """A bed as it stands, with its own state; who is in it is another question.

    ``stale``: last confirmed longer ago than its facility's time to live. ``expected_end`` is a
    forecast of when it is fit again.
    """

    state: BedState
    state_reason: OutOfServiceReason | None
    state_since: datetime
    expected_end: datetime | None
    confirmed_at: datetime
    confirmed_by: str
    stale: bool
    retired_at: datetime | None
    version: int


class BedStateFields(Strict):
    """A bed's own state as somebody reports it: closing and closed with a coded reason, a
    forecast end in the future for every state but in service."""

    state: BedState
    reason: OutOfServiceReason | None = None
    expected_end: AwareInstant | None = None


class BedStateRow(BedStateFields):
    """One bed's reported state among many; ``version`` where the reporter read one."""

    bed: PlaceId
    version: Version | None = None
