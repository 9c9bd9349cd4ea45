"""People: the papers they are here on, what they need, where they are and what they wait for."""

from dataclasses import dataclass
from datetime import date, datetime

from solver.codes import (
    BedKind,
    ConsentBy,
    DangerCase,
    Grade,
    Ground,
    Isolation,
    LegalBasis,
    Observation,
    Organ,
    OutMedicalPart,
    Screening,
    Sex,
    Tri,
    UnitKind,
)


@dataclass(frozen=True, slots=True)
class Decision:
    """A compulsory isolation decision 强制隔离戒毒决定书; ``ends_on`` is the term's last day."""

    body: Organ | None
    ground: Ground | None
    starts_on: date
    ends_on: date
    served_at: datetime | None = None
    revoked: bool = False
    under_16_reasons: bool = False


@dataclass(frozen=True, slots=True)
class Consent:
    """Somebody's word that this treatment, in these kinds of unit, may go on until ``ends_on``
    (that day included). ``agreement``: the written agreement of Regulations art. 10 is signed.
    ``lapses_at``: given under intoxication, and over at that instant unless repeated sober."""

    by: ConsentBy
    kinds: frozenset[UnitKind]
    starts_on: date
    ends_on: date
    agreement: bool = False
    withdrawn: bool = False
    lapses_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Psychiatric:
    """What licensed psychiatrists found for an involuntary admission (Mental Health Law art. 30).

    ``severe``: a severe mental disorder. ``confirmed``: no re-diagnosis or expert opinion has
    found otherwise, and the last periodic assessment saw the need.
    """

    severe: bool
    case: DangerCase | None
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Need:
    """What the newest assessment says; ``None`` grade and ``unknown`` are honest answers.

    ``screening``: what an officer's questions came to when no assessment followed them.
    ``examined``: a clinician has seen the person since they came.
    """

    grade: Grade | None = None
    needs: frozenset[BedKind] = frozenset()
    isolation: Isolation = Isolation.UNKNOWN
    observation: Observation = Observation.UNKNOWN
    pregnant: Tri = Tri.UNKNOWN
    nursing: Tri = Tri.UNKNOWN  # nursing an own baby under one year
    screening: Screening = Screening.NONE
    examined: bool = True

    @property
    def cleared(self) -> bool:
        """Whether every screening question was answered no and nobody has graded since."""
        return self.grade is None and self.screening is Screening.CLEAR

    @property
    def route(self) -> Isolation:
        """The isolation route that counts: a cleared screening leaves nothing to isolate for."""
        unknown = self.isolation is Isolation.UNKNOWN
        return Isolation.NONE if unknown and self.cleared else self.isolation

    @property
    def watch(self) -> Observation:
        """The observation that counts: a cleared screening leaves nothing to watch for."""
        unknown = self.observation is Observation.UNKNOWN
        return Observation.NONE if unknown and self.cleared else self.observation


@dataclass(frozen=True, slots=True)
class Person:
    """A pseudonymous person. ``age`` in full years on the snapshot's day. ``home`` in km as
    ``Facility.position``. ``origin_unit``: the unit to return to after a ward or hospital.

    ``sex`` is None only for somebody not yet ``identified``. ``capable``: able to decide on
    treatment, as a doctor found. ``police_consent``: to a voluntary stay in a centre (Anti-Drug
    Law art. 38). ``psc_since``: first day in a police-run centre under this decision.
    ``joint_opinion``: a jointly appointed hospital says that life is in danger without treatment
    outside. ``out_medical``: which parts of out-of-centre treatment are there.
    """

    id: str
    sex: Sex | None
    age: int
    basis: LegalBasis | None = None
    decision: Decision | None = None
    consents: tuple[Consent, ...] = ()
    need: Need = Need()
    home: tuple[float, float] | None = None
    origin_unit: str | None = None
    identified: bool = True
    capable: Tri = Tri.YES
    police_consent: bool = False
    psc_since: date | None = None
    joint_opinion: Tri = Tri.UNKNOWN
    out_medical: frozenset[OutMedicalPart] = frozenset()
    psychiatric: Psychiatric | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """A person's present claim on a bed. ``on_leave``: the bed is kept while they are elsewhere.

    ``may_move_to``: unit kinds an unexpired doctor's statement supports (empty: not movable).
    ``agreed_units``: for a consensual stay, the units the patient agreed to move to; None when
    agreement is not what binds. ``pinned``: a started transfer, accepted hold or movement stop.
    """

    id: str
    person: str
    bed: str
    since: datetime
    on_leave: bool = False
    may_move_to: frozenset[UnitKind] = frozenset()
    agreed_units: frozenset[str] | None = None
    pinned: bool = False
    expected_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A waiting placement request. ``declined_units`` have declined this request with a code."""

    id: str
    person: str
    since: datetime
    emergency: bool = False
    declined_units: frozenset[str] = frozenset()
