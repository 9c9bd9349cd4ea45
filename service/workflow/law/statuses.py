"""Where somebody stands in law now, and which change of it may be recorded.

The status follows from what is on record: an open term first, then an involuntary admission or an
agreement in force, then a community measure, then a term that is over. The table of lawful changes
is ``solver.eligibility.transitions``; everything else is refused with the rule that says so.
"""

from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, func, select

from service.access.caller import Role
from service.errors import Conflict
from service.lifecycle import TermState
from service.store import terms
from service.store.tables import core
from service.store.tables.claims import ClaimKind
from service.store.tables.law import CommunityKind, TermEnd
from service.workflow.context import Context
from service.workflow.privacy.own_cases import HIDDEN_FROM_POLICE
from solver.codes import LegalBasis, UnitKind
from solver.eligibility import TRANSITIONS, Status, Transition, no_transition, status_transition

_basis, _stay = core.legal_basis.c, core.stay.c
_claim, _unit = core.bed_claim.c, core.unit.c
_measure = core.community_measure.c

_OF_BASIS: Final = {
    LegalBasis.INVOLUNTARY_PSYCHIATRIC: Status.INVOLUNTARY_PSYCHIATRIC,
    LegalBasis.CONSTRAINED: Status.CONSTRAINED,
    LegalBasis.VOLUNTARY: Status.VOLUNTARY,
    LegalBasis.VOLUNTARY_IN_CENTRE: Status.VOLUNTARY_IN_CENTRE,
}
_OF_MEASURE: Final = {
    CommunityKind.COMMUNITY_DETOX: Status.COMMUNITY_DETOX,
    CommunityKind.COMMUNITY_REHAB: Status.COMMUNITY_REHAB,
}
_OF_KIND: Final = {UnitKind.JSC: Status.JSC, UnitKind.OMW: Status.OMW}
TARGETS: Final = {LegalBasis.COMPULSORY: Status.PSC, LegalBasis.OUT_MEDICAL: Status.OUT_MEDICAL} | (
    _OF_BASIS
)
"""The status a newly recorded basis leads to."""
CONSENSUAL: Final = frozenset({Status.VOLUNTARY, Status.CONSTRAINED, Status.VOLUNTARY_IN_CENTRE})
"""Statuses that rest on the person's own agreement."""
UNDER_TERM: Final = frozenset({Status.PSC, Status.JSC, Status.OMW, Status.OUT_MEDICAL})
"""Statuses in which a compulsory term runs."""
_AFTER: Final = (TermEnd.EXPIRED, TermEnd.RELEASED_EARLY)
"""How a term ended that community rehabilitation may follow (Anti-Drug Law art. 48)."""


def status_of(conn: Connection, person: str, on: date, *, medical: bool = True) -> Status:
    """Where the person stands in law on a legal day. Without ``medical`` it is what police know
    of: agreements and admissions on the medical side count for nothing."""
    term = terms.term_of(conn, person)
    if term is not None and not _basis_revoked(conn, term.basis):
        if term.state is TermState.OUT_MEDICAL:
            return Status.OUT_MEDICAL
        return _OF_KIND.get(_custody(conn, person), Status.PSC)
    kinds = _in_force(conn, person, on)
    for kind, status in _OF_BASIS.items():
        if kind in kinds and (medical or kind not in HIDDEN_FROM_POLICE):
            return status
    measure = conn.execute(
        select(_measure.kind).where(_measure.person_id == person, _measure.ended_at.is_(None))
    ).scalar_one_or_none()
    if measure is not None:
        return _OF_MEASURE[CommunityKind(measure)]
    return Status.RELEASED if released_before(conn, person) else Status.NONE


def released_before(conn: Connection, person: str) -> bool:
    """Whether a compulsory term of theirs ended by release."""
    return any(it.end in _AFTER for it in terms.ended_terms(conn, person))


def require_transition(
    conn: Connection, ctx: Context, person: str, target: Status, on: date
) -> Transition:
    """The lawful change to ``target`` and what it needs.

    Raises Conflict ``no-such-transition`` naming the rule, and what may be recorded instead.
    """
    source = status_of(conn, person, on, medical=ctx.actor.role is not Role.INTAKE_OFFICER)
    found = status_transition(source, target)
    if found is not None:
        return found
    why = no_transition(source, target)
    raise refused(why.rule, why.en, source, target, zh=why.zh)


def refused(rule: str, en: str, source: Status, target: Status, **more: Any) -> Conflict:
    """The refusal of a change of status, with the lawful ways out."""
    ways = sorted({it.target.value for it in TRANSITIONS if it.source is source})
    return Conflict(
        "no-such-transition",
        f"{en} From here the record may go on to: {', '.join(ways)}.",
        rule=rule,
        present=source.value,
        asked=target.value,
        possible=ways,
        **more,
    )


def _basis_revoked(conn: Connection, basis: str) -> bool:
    return bool(
        conn.execute(select(_basis.revoked_at.is_not(None)).where(_basis.id == basis)).scalar_one()
    )


def _custody(conn: Connection, person: str) -> UnitKind:
    """The kind of unit the person lies in, or was last in, under their term."""
    kind = conn.execute(
        select(_unit.kind)
        .join(core.bed_claim, _claim.unit_id == _unit.id)
        .where(
            _claim.person_id == person,
            _claim.voided_at.is_(None),
            _claim.kind.in_([ClaimKind.STAY.value, ClaimKind.LEAVE.value]),
            _unit.kind.in_([kind.value for kind in (UnitKind.PSC, UnitKind.JSC, UnitKind.OMW)]),
        )
        .order_by(func.lower(_claim.during).desc())
        .limit(1)
    ).scalar_one_or_none()
    return UnitKind(kind) if kind is not None else UnitKind.PSC


def _in_force(conn: Connection, person: str, on: date) -> frozenset[LegalBasis]:
    """The kinds of basis that hold on a day: not revoked, not over, and the treatment that began
    on them has not ended."""
    stays = select(_stay.id).where(_stay.basis_id == _basis.id).correlate(core.legal_basis)
    under_way = stays.where(_stay.ended_at.is_(None))
    rows = conn.execute(
        select(_basis.kind).where(
            _basis.person_id == person,
            _basis.revoked_at.is_(None),
            _basis.ends_on >= on,
            ~stays.exists() | under_way.exists(),
        )
    )
    return frozenset(LegalBasis(kind) for kind in rows.scalars())
