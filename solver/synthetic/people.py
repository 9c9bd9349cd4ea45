"""The people of a synthetic city: residents who are lawfully where they are, and who waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from random import Random
from typing import TypeVar

from solver.codes import (
    COMPULSORY_CENTRES,
    BedKind,
    BedState,
    ConsentBy,
    DangerCase,
    Grade,
    Ground,
    Isolation,
    LegalBasis,
    Observation,
    Organ,
    Screening,
    Sex,
    Tri,
    UnitKind,
    Zone,
)
from solver.domain import (
    SHANGHAI,
    Bed,
    Consent,
    Decision,
    Need,
    Person,
    Psychiatric,
    Request,
    Room,
    Stay,
    Unit,
)
from solver.synthetic.places import CITY_KM, Inventory

TOO_ILL = 0.01  # of people in a centre: they now need the off-site ward
STEPPED_DOWN = 0.12  # of people in the off-site ward: a doctor's statement supports the centre
PASSING_ON = 0.12  # of people three months or more in the police-run centre: fit to pass on
INVOLUNTARY = 0.05  # of people in a hospital's psychiatric ward
NOT_EXAMINED = 0.04  # of requests: only an officer's screening yet
AGREED_TO_MOVE = 0.05  # of people in a partner hospital: agreed to move to a named other one
FEMALE = 0.14
COMPULSORY_SHARE = 0.45  # of requests
PSYCHIATRIC = 0.08  # of requests, all of grade G2 or more (35 %)
GRADE_MIX: Mapping[Grade, int] = {
    Grade.G0: 35,
    Grade.G1: 30,
    Grade.G2: 20,
    Grade.G3: 10,
    Grade.G4: 5,
}

_GROUNDS = tuple(Ground)
_CONSENSUAL = (LegalBasis.CONSTRAINED, LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY)
_WELL = {Grade.G0: 55, Grade.G1: 45}
_IN_PSC = (1, 350)  # days since the decision; after twelve months the justice-run centre
_IN_JSC = (120, 700)
_IN_WARD = (110, 340)
_DUE_TO_PASS_ON = 93  # days: three months, whichever they are

T = TypeVar("T")


def legal_day(now: datetime) -> date:
    """The day it is in Asia/Shanghai at ``now``."""
    return now.astimezone(SHANGHAI).date()


@dataclass
class Draw:
    """One seeded drawing of people into places; the lists fill as its methods are called."""

    rng: Random
    now: datetime
    places: Inventory
    persons: dict[str, Person] = field(default_factory=dict)
    stays: list[Stay] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.on = legal_day(self.now)
        self.rooms_of: dict[str, list[Room]] = {unit: [] for unit in self.places.units}
        for room in self.places.rooms.values():
            self.rooms_of[room.unit].append(room)
        self.beds_of: dict[str, list[Bed]] = {room: [] for room in self.places.rooms}
        for bed in self.places.beds.values():
            self.beds_of[bed.room].append(bed)

    def _one(self, shares: Mapping[T, int]) -> T:
        return self.rng.choices(list(shares), weights=list(shares.values()))[0]

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share

    def _new_id(self) -> str:
        while (name := f"p-{self.rng.getrandbits(32):08x}") in self.persons:
            pass
        return name

    def fill(self, unit: Unit, occupancy: float) -> None:
        """Put residents into the unit's beds, each bed with the chance ``occupancy``."""
        for room in self.rooms_of[unit.id]:
            sex = unit.sex or (Sex.FEMALE if self._chance(FEMALE) else Sex.MALE)
            for bed in self.beds_of[room.id]:
                if self._chance(occupancy):
                    self._settle(unit, room, bed, sex)
                else:
                    self.places.beds[bed.id] = self._empty(bed)

    def _empty(self, bed: Bed) -> Bed:
        state = self._one({BedState.IN_SERVICE: 88, BedState.HOUSEKEEPING: 8, BedState.CLOSED: 4})
        hours = {BedState.IN_SERVICE: 0, BedState.HOUSEKEEPING: 3, BedState.CLOSED: 72}[state]
        return replace(
            bed,
            state=state,
            stale=self._chance(0.03),
            expected_free=self.now + timedelta(hours=hours) if hours else None,
        )

    def _settle(self, unit: Unit, room: Room, bed: Bed, sex: Sex) -> None:
        custodial = unit.kind is not UnitKind.CTH
        need = self._resident_need(unit, room, bed)
        basis = LegalBasis.COMPULSORY if custodial else self.rng.choice(_CONSENSUAL)
        if unit.zone is Zone.PSYCHIATRIC and not custodial and self._chance(INVOLUNTARY):
            basis = LegalBasis.INVOLUNTARY_PSYCHIATRIC
        days = self.rng.randint(*_days_here(unit.kind))
        may: frozenset[UnitKind] = frozenset()
        agreed: frozenset[str] | None = None
        origin: str | None = None
        isolates = room.isolation is not Isolation.NONE
        adults = unit.min_age >= 18
        if unit.kind in COMPULSORY_CENTRES and adults and not isolates and self._chance(TOO_ILL):
            need = _need(Grade.G3, frozenset({BedKind.NUR}))
            may = frozenset({UnitKind.OMW})
        elif unit.kind is UnitKind.OMW and not isolates and self._chance(STEPPED_DOWN):
            need = _need(self._one(_WELL), frozenset())
            may = COMPULSORY_CENTRES
            origin = self._origin(unit, sex)
        elif unit.kind is UnitKind.PSC and days >= _DUE_TO_PASS_ON and self._chance(PASSING_ON):
            may = frozenset({UnitKind.JSC})
        elif basis in _CONSENSUAL and self._chance(AGREED_TO_MOVE):
            may = frozenset({UnitKind.CTH})
            agreed = frozenset({self._other_hospital(unit)})
        elif unit.kind is UnitKind.OMW:
            origin = self._origin(unit, sex)
        age = self._age(unit.min_age, unit.max_age)
        person = self._person(sex, age, basis, need, days, self._city(unit))
        held_since = person.decision.starts_on if person.decision else None
        person = replace(person, origin_unit=origin, psc_since=held_since)
        self.persons[person.id] = person
        in_ward = unit.kind in (UnitKind.OMW, UnitKind.SEC)
        here = self.rng.randint(1, 40) if in_ward else days
        since = self.now - timedelta(days=here, minutes=self.rng.randint(0, 1439))
        end = person.decision.ends_on if person.decision else self.on + timedelta(days=30)
        end = person.consents[0].ends_on if person.consents else end
        self.stays.append(
            Stay(
                id=f"st_{person.id[2:]}",
                person=person.id,
                bed=bed.id,
                since=since,
                may_move_to=may,
                agreed_units=agreed,
                expected_end=_end_of(end),
            )
        )

    def _resident_need(self, unit: Unit, room: Room, bed: Bed) -> Need:
        grades = {
            grade: share
            for grade, share in GRADE_MIX.items()
            if unit.level_of_care >= grade >= unit.level_of_care - 1
        }
        grade = self._one(grades)
        route = room.isolation
        needs: set[BedKind] = set()
        if bed.kind in (BedKind.PSY, BedKind.NUR, BedKind.DTX) and grade >= Grade.G2:
            needs.add(bed.kind)
        if BedKind.ACC in bed.features and self._chance(0.5):
            needs.add(BedKind.ACC)
        watch = unit.observation if self._chance(0.1) else Observation.NONE
        return Need(grade, frozenset(needs), route, watch, Tri.NO, Tri.NO)

    def _origin(self, unit: Unit, sex: Sex) -> str:
        city = unit.facility.removesuffix("omw-1")
        zones = (Zone.WOMEN,) if sex is Sex.FEMALE else (Zone.GENERAL, Zone.ADAPTATION)
        return self.rng.choice(
            [
                it.id
                for it in self.places.units.values()
                if it.kind in COMPULSORY_CENTRES
                and it.zone in zones
                and it.facility in (f"{city}psc-1", f"{city}jsc-1")
            ]
        )

    def _city(self, unit: Unit) -> tuple[float, float]:
        """The middle of the city a unit is in."""
        east, _ = self.places.facilities[unit.facility].position
        return CITY_KM * round(east / CITY_KM), 0.0

    def _other_hospital(self, unit: Unit) -> str:
        city = unit.facility.rpartition("cth-")[0]
        here = unit.id.removeprefix(unit.facility)
        names = [f"{city}cth-{i}{here}" for i in range(1, 10)]
        return self.rng.choice([name for name in names if name != unit.id])

    def _age(self, youngest: int, oldest: int) -> int:
        band = self._one({(18, 35): 556, (36, 59): 430, (60, 74): 8})
        return max(youngest, min(oldest, self.rng.randint(*band)))

    def _person(
        self,
        sex: Sex,
        age: int,
        basis: LegalBasis,
        need: Need,
        days: int,
        around: Sequence[float] = (0.0, 0.0),
    ) -> Person:
        """Somebody whose papers are in order and ``days`` days old."""
        starts = self.on - timedelta(days=days)
        decision: Decision | None = None
        consents: tuple[Consent, ...] = ()
        if basis is LegalBasis.COMPULSORY:
            decision = Decision(
                body=self._one({Organ.COUNTY_POLICE: 8, Organ.CITY_POLICE: 2}),
                ground=self.rng.choice(_GROUNDS),
                starts_on=starts,
                ends_on=starts + timedelta(days=729),
                served_at=self.now - timedelta(days=days, hours=30),
            )
        elif basis is not LegalBasis.INVOLUNTARY_PSYCHIATRIC:
            kinds = frozenset({UnitKind.CTH})
            ends = starts + timedelta(days=62)
            consents = tuple(
                Consent(by, kinds, starts, ends, agreement=by is ConsentBy.PERSON)
                for by in (ConsentBy.PERSON, ConsentBy.FAMILY)
            )
        home = (
            round(around[0] + self.rng.gauss(0, 12), 1),
            round(around[1] + self.rng.gauss(0, 12), 1),
        )
        found = Person(self._new_id(), sex, age, basis, decision, consents, need, home)
        if basis is LegalBasis.INVOLUNTARY_PSYCHIATRIC:
            found = replace(found, psychiatric=Psychiatric(severe=True, case=DangerCase.OTHERS))
        return found

    def request(self, east: float) -> None:
        """One more waiting person, living around ``east`` km on the city's plane."""
        sex = Sex.FEMALE if self._chance(FEMALE) else Sex.MALE
        basis = (
            LegalBasis.COMPULSORY
            if self._chance(COMPULSORY_SHARE)
            else self.rng.choice(_CONSENSUAL)
        )
        age = self.rng.randint(16, 17) if self._chance(0.003) else self._age(18, 80)
        need = self._waiting_need(sex)
        person = self._person(sex, age, basis, need, self.rng.randint(0, 14), (east, 0.0))
        self.persons[person.id] = person
        self.requests.append(
            Request(
                id=f"rq_{person.id[2:]}",
                person=person.id,
                since=self.now - timedelta(minutes=self.rng.randint(5, 20 * 1440)),
                emergency=need.grade is Grade.G4 and self._chance(0.2),
            )
        )

    def _waiting_need(self, sex: Sex) -> Need:
        grade = self._one(GRADE_MIX)
        needs: frozenset[BedKind] = frozenset()
        watch = Observation.NONE
        if grade >= Grade.G2 and self._chance(PSYCHIATRIC / 0.35):
            needs, watch = frozenset({BedKind.PSY}), Observation.FREQUENT
        elif grade >= Grade.G2:
            needs = frozenset({BedKind.NUR})
        if self._chance(0.03):
            needs, watch = needs | {BedKind.OBS}, Observation.CONSTANT
        if self._chance(0.02):
            needs |= {BedKind.ACC}
        route = self._one(
            {
                Isolation.NONE: 960,
                Isolation.AIRBORNE: 5,
                Isolation.CONTACT: 15,
                Isolation.UNKNOWN: 20,
            }
        )
        pregnant = Tri.NO
        if sex is Sex.FEMALE:
            pregnant = self._one({Tri.NO: 94, Tri.YES: 3, Tri.UNKNOWN: 3})
        if self._chance(NOT_EXAMINED):
            clear = self._chance(0.7)
            return Need(
                pregnant=pregnant,
                nursing=Tri.NO,
                screening=Screening.CLEAR if clear else Screening.CAUTION,
                examined=False,
            )
        known = None if self._chance(0.01) else grade
        return Need(known, needs, route, watch, pregnant, Tri.NO)


def _days_here(kind: UnitKind) -> tuple[int, int]:
    """How many days ago the papers of somebody in a unit of this kind may have begun."""
    if kind is UnitKind.CTH:
        return (1, 40)
    return {UnitKind.PSC: _IN_PSC, UnitKind.JSC: _IN_JSC}.get(kind, _IN_WARD)


def _need(grade: Grade, needs: frozenset[BedKind]) -> Need:
    return Need(grade, needs, Isolation.NONE, Observation.NONE, Tri.NO, Tri.NO)


def _end_of(day: date) -> datetime:
    """24:00 of a legal day in Asia/Shanghai."""
    after = day + timedelta(days=1)
    return datetime(after.year, after.month, after.day, tzinfo=SHANGHAI)
