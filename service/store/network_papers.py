"""Papers as the solver sees them: decision and term, consents, approvals, doctors' opinions.

A refusal is no consent, one that was said again sober does not lapse, and the last day of a term
counts its extension and its escape days. Of an organ's answers and of doctors' opinions the newest
that was not revoked counts; about a term only what was said under it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Date, Text, case, cast, func, null, select
from sqlalchemy.dialects.postgresql import distinct_on

from service.store.network_places import among, listed
from service.store.tables import core
from service.store.tables.law import ApprovalKind, OpinionKind, TermEnd
from solver.codes import (
    ConsentBy,
    DangerCase,
    Ground,
    LegalBasis,
    Organ,
    OutMedicalPart,
    Tri,
    UnitKind,
)
from solver.domain import Consent, Decision, Psychiatric

_basis, _consent, _term = core.legal_basis.c, core.consent.c, core.term.c
_approval, _opinion = core.approval.c, core.opinion.c

NEWEST_BASIS_FIRST: Final = (
    _basis.revoked_at.is_not(None),
    _basis.recorded_at.desc(),
    _basis.id.desc(),
)
"""Which legal basis counts: the newest that was not revoked, else the newest."""
LATER_WORDS: Final = (
    OpinionKind.REDIAGNOSIS,
    OpinionKind.EXPERT_OPINION,
    OpinionKind.REASSESSMENT,
)
"""What may end an involuntary stay after its diagnosis (Mental Health Law arts. 32, 35, 44)."""

_NEWEST_BASES = (
    select(_basis.person_id, _basis.kind)
    .ext(distinct_on(_basis.person_id))
    .where(listed(_basis.person_id, "people"))
    .order_by(_basis.person_id, *NEWEST_BASIS_FIRST)
)
_RAN_OUT = _term.end_code.in_(
    [it.value for it in (TermEnd.EXPIRED, TermEnd.RELEASED_EARLY, TermEnd.CHANGED_TO_COMMUNITY)]
)
_DAY_BEFORE_END = cast(func.timezone("Asia/Shanghai", _term.closed_at), Date) - 1
_BASES = (
    select(
        _basis.person_id,
        _basis.kind,
        _basis.body,
        _basis.ground,
        _basis.served_at,
        _basis.starts_on,
        case((_RAN_OUT, func.least(_term.ends_on, _DAY_BEFORE_END))).label("ran_out"),
        func.coalesce(_term.ends_on, _basis.ends_on).label("ends_on"),
        _basis.under_16_reasons,
        func.coalesce(_basis.revoked_at, _term.closed_at).label("revoked_at"),
        _term.psc_since,
    )
    .outerjoin(core.term, _term.basis_id == _basis.id)
    .where(among(_basis.person_id, "ids"))
    .order_by(*NEWEST_BASIS_FIRST)
)
_CONSENTS = (
    select(
        _consent.person_id,
        _consent.given_by,
        _consent.kinds,
        _consent.agreement,
        _consent.starts_on,
        _consent.ends_on,
        _consent.withdrawn_at,
        case((_consent.repeated_at.is_(None), _consent.lapses_at)).label("lapses_at"),
        _consent.refused,
        _consent.capable,
        func.coalesce(_consent.capacity_at, _consent.recorded_at).label("found_at"),
    )
    .where(among(_consent.person_id, "ids"))
    .order_by(_consent.starts_on, _consent.id)
)
_FED_APPROVALS: Final = {
    ApprovalKind.VOLUNTARY_IN_CENTRE.value: None,
    ApprovalKind.OUT_MEDICAL.value: OutMedicalPart.APPROVED,
    ApprovalKind.OUT_MEDICAL_FILING.value: OutMedicalPart.FILED,
}
_APPROVED = select(
    _approval.person_id,
    _approval.kind,
    _approval.decided_on.label("day"),
    _approval.valid_until.label("until"),
    cast(null(), _opinion.stated_at.type).label("at"),
    _approval.granted.label("yes"),
    cast(null(), _opinion.severe.type).label("severe"),
    cast(null(), Text).label("code"),
    _approval.recorded_at,
    _approval.id,
).where(
    among(_approval.person_id, "ids"),
    _approval.kind.in_(sorted(_FED_APPROVALS)),
    _approval.revoked_at.is_(None),
)
_yes = case(
    (_opinion.kind.in_([it.value for it in LATER_WORDS]), _opinion.confirmed),
    else_=_opinion.at_risk,
)
_STATED = select(
    _opinion.person_id,
    _opinion.kind,
    cast(null(), _approval.decided_on.type),
    cast(null(), _approval.decided_on.type),
    _opinion.stated_at,
    _yes,
    _opinion.severe,
    func.coalesce(_opinion.danger_case, _opinion.capable),
    _opinion.recorded_at,
    _opinion.id,
).where(among(_opinion.person_id, "ids"), _opinion.revoked_at.is_(None))
_SAID = _APPROVED.union_all(_STATED)
_APPROVAL_ORDER = attrgetter("day", "recorded_at", "id")
_OPINION_ORDER = attrgetter("at", "recorded_at", "id")


@dataclass(slots=True)
class Papers:
    """Everything on paper about one person. ``approvals`` and ``opinions`` by kind, newest first;
    ``capacity``: each doctor's finding, and when."""

    bases: list[Any] = field(default_factory=list)
    consents: list[Consent] = field(default_factory=list)
    capacity: list[tuple[datetime, Tri]] = field(default_factory=list)
    approvals: dict[str, list[Any]] = field(default_factory=dict)
    opinions: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def basis(self) -> LegalBasis | None:
        """What the person is here on."""
        return LegalBasis(self.bases[0].kind) if self.bases else None

    @property
    def decision_row(self) -> Any | None:
        """The compulsory decision a stay in a centre, or out of it for treatment, rests on."""
        if self.basis not in (LegalBasis.COMPULSORY, LegalBasis.OUT_MEDICAL):
            return None
        ordered = (it for it in self.bases if it.kind == LegalBasis.COMPULSORY)
        return next(ordered, None)

    @property
    def capable(self) -> Tri:
        """Whether the person can decide on treatment, by the newest finding."""
        return max(self.capacity)[1] if self.capacity else Tri.UNKNOWN

    @property
    def joint_opinion(self) -> Tri:
        """Whether the jointly appointed hospital sees life in danger without treatment outside."""
        newest = self._newest(OpinionKind.JOINT_HOSPITAL)
        if newest is None or newest.yes is None:
            return Tri.UNKNOWN
        return Tri.YES if newest.yes else Tri.NO

    @property
    def psychiatric(self) -> Psychiatric | None:
        """What psychiatrists found; one later word against the need is enough to end it."""
        newest = self._newest(OpinionKind.PSYCHIATRIC_DIAGNOSIS)
        if newest is None:
            return None
        against = any(
            it.yes is False and it.at >= newest.at
            for kind in LATER_WORDS
            for it in self.opinions.get(kind, ())
        )
        return Psychiatric(
            severe=bool(newest.severe),
            case=DangerCase(newest.code) if newest.code is not None else None,
            confirmed=not against,
        )

    def agreed(self, kind: ApprovalKind, on: date, *, since: date | None = None) -> bool:
        """Whether the newest answer to a question is a yes that is in force on the day, and not
        older than ``since``."""
        answers = self.approvals.get(kind, ())
        if not answers:
            return False
        newest = answers[0]
        in_force = newest.day <= on and (newest.until is None or on <= newest.until)
        return bool(newest.yes) and in_force and (since is None or newest.day >= since)

    def out_medical(self, on: date, zone: ZoneInfo) -> frozenset[OutMedicalPart]:
        """Which parts of out-of-centre treatment are there, under the present decision."""
        decision = self.decision_row
        if decision is None:
            return frozenset()
        since = decision.starts_on
        parts = {
            part
            for kind, part in _FED_APPROVALS.items()
            if part is not None and self.agreed(ApprovalKind(kind), on, since=since)
        }
        need = self._newest(OpinionKind.OUT_MEDICAL_NEED)
        if need is not None and need.at.astimezone(zone).date() >= since:
            parts |= {OutMedicalPart.SEVERE_ILLNESS} if need.severe else set()
            parts |= {OutMedicalPart.LIFE_AT_RISK} if need.yes else set()
        return frozenset(parts)

    def turns(self) -> tuple[list[date], list[datetime]]:
        """The last days on which an organ's yes counts, and the instants at which a word given
        under intoxication lapses."""
        days = [
            rows[0].until for rows in self.approvals.values() if rows and rows[0].until is not None
        ]
        return days, [it.lapses_at for it in self.consents if it.lapses_at is not None]

    def _newest(self, kind: OpinionKind) -> Any | None:
        return next(iter(self.opinions.get(kind, ())), None)


NO_PAPERS: Final = Papers()
"""Somebody nothing on paper is known of."""


def read_papers(conn: Connection, given: Mapping[str, Any]) -> dict[str, Papers]:
    """The papers of these people; ``given`` binds ``ids``. Nobody that has none."""
    found: dict[str, Papers] = {}

    def of(person: str) -> Papers:
        papers = found.get(person)
        if papers is None:
            papers = found[person] = Papers()
        return papers

    for basis in conn.execute(_BASES, given).all():
        of(basis.person_id).bases.append(basis)
    for row in conn.execute(_CONSENTS, given).all():
        papers = of(row.person_id)
        if row.capable is not None:
            papers.capacity.append((row.found_at, Tri(row.capable)))
        if not row.refused:
            papers.consents.append(_consent_of(row))
    said = conn.execute(_SAID, given).all()
    approved = (it for it in said if it.day is not None)
    for row in sorted(approved, key=_APPROVAL_ORDER, reverse=True):
        of(row.person_id).approvals.setdefault(row.kind, []).append(row)
    stated = (it for it in said if it.day is None)
    for row in sorted(stated, key=_OPINION_ORDER, reverse=True):
        papers = of(row.person_id)
        if row.kind == OpinionKind.CAPACITY:
            papers.capacity.append((row.at, Tri(row.code)))
        else:
            papers.opinions.setdefault(row.kind, []).append(row)
    return found


def basis_kinds(conn: Connection, persons: Collection[str]) -> dict[str, LegalBasis]:
    """What each of these people is here on: the kind of the legal basis that counts."""
    rows = conn.execute(_NEWEST_BASES, {"people": sorted(set(persons))})
    return {row.person_id: LegalBasis(row.kind) for row in rows}


def decision_of(row: Any | None) -> Decision | None:
    """A compulsory decision as its row and its term say; a closed term supports nothing more. One
    that ended by release ran out on the day before; one that was set aside, or may not be applied
    to its person, is revoked."""
    if row is None:
        return None
    return Decision(
        body=Organ(row.body) if row.body else None,
        ground=Ground(row.ground) if row.ground else None,
        starts_on=row.starts_on,
        ends_on=row.ran_out if row.ran_out is not None else row.ends_on,
        served_at=row.served_at,
        revoked=row.revoked_at is not None and row.ran_out is None,
        under_16_reasons=row.under_16_reasons,
    )


def _consent_of(row: Any) -> Consent:
    return Consent(
        by=ConsentBy(row.given_by),
        kinds=unit_kinds(tuple(row.kinds)),
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        agreement=row.agreement,
        withdrawn=row.withdrawn_at is not None,
        lapses_at=row.lapses_at,
    )


@lru_cache(maxsize=512)
def unit_kinds(codes: tuple[str, ...]) -> frozenset[UnitKind]:
    """Kinds of unit from their codes; a city has few distinct sets."""
    return frozenset(map(UnitKind, codes))
