"""From which legal status to which, on what; anything else is refused, with the rule that says so.

A status is where somebody stands in law, apart from the bed: a move between beds of one status is
a transfer, see ``transition_allowed``. Source: the status transitions collected for the network
(Anti-Drug Law arts. 33, 38, 39, 48; Regulations arts. 27, 31, 34, 37; Mental Health Law art. 30).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from solver.codes import UnitKind


class Status(StrEnum):
    """Where somebody stands in law."""

    NONE = "none"
    COMMUNITY_DETOX = "community_detox"  # 社区戒毒, fixed three years
    COMMUNITY_REHAB = "community_rehab"  # 社区康复, at most three years, after a compulsory term
    VOLUNTARY = "voluntary"  # 自愿戒毒
    CONSTRAINED = "constrained"  # 约束性戒治
    VOLUNTARY_IN_CENTRE = "voluntary_in_centre"  # 自愿入强戒所
    PSC = "compulsory_psc"  # 强制隔离戒毒 in a police-run centre
    JSC = "compulsory_jsc"  # in a justice-run centre
    OMW = "compulsory_ward"  # in a custodial ward, the term running
    OUT_MEDICAL = "out_medical"  # 所外就医
    EMERGENCY = "emergency"  # in a hospital that an emergency led to
    INVOLUNTARY_PSYCHIATRIC = "involuntary_psychiatric"  # 非自愿住院
    RELEASED = "released"  # 解除, a compulsory term behind them


_COMPULSORY = (Status.PSC, Status.JSC, Status.OMW)
_UNDER_TERM = (*_COMPULSORY, Status.OUT_MEDICAL)
_BY_AGREEMENT = (Status.VOLUNTARY, Status.CONSTRAINED)
_CONSENSUAL = (*_BY_AGREEMENT, Status.VOLUNTARY_IN_CENTRE)
_COMMUNITY = (Status.COMMUNITY_DETOX, Status.COMMUNITY_REHAB)
_AT_LARGE = (Status.NONE, Status.RELEASED, *_COMMUNITY)


@dataclass(frozen=True, slots=True)
class Transition:
    """A lawful change of status. ``id``: the row of the collected table; ``needs``: what must be
    on record first, as codes; ``cites``: the rows that ask for it."""

    id: str
    source: Status
    target: Status
    needs: tuple[str, ...]
    cites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoTransition:
    """Why a change of status cannot be recorded, in both languages, and the row that says so."""

    rule: str
    zh: str
    en: str


_AGREEMENT = ("agreement", "consents_with_end", "drug_treatment_licence")
_DECISION = ("decision", "ground", "served", "not_exempt", "intake_exam", "family_notice")
_FIT = ("fitness_statement", "receiving_check")
_FINDINGS = ("psychiatric_findings", "guardian_in_case_a", "psychiatric_licence")
_OUTSIDE = ("severe_illness", "life_at_risk", "approved", "filed")

_Rows = tuple[str, Collection[Status], Collection[Status], tuple[str, ...], tuple[str, ...]]
_ROWS: tuple[_Rows, ...] = (
    ("6.1", _AT_LARGE, _BY_AGREEMENT, _AGREEMENT, ("V01", "V02", "V03", "P18")),
    (
        "6.1",
        _AT_LARGE,
        (Status.VOLUNTARY_IN_CENTRE,),
        ("police_consent", "agreement", "consents_with_end"),
        ("L03", "V01", "V03"),
    ),
    (
        "6.2",
        _AT_LARGE,
        (Status.PSC,),
        _DECISION,
        ("L01", "L02", "P01", "P02", "P03", "T01", "T16"),
    ),
    (
        "6.3",
        (Status.PSC,),
        (Status.JSC,),
        ("months_in_psc", "no_joint_opinion", "file", "health_summary"),
        ("T03", "P16", "S13"),
    ),
    (
        "6.4",
        (Status.PSC, Status.JSC),
        (Status.OMW,),
        ("doctors_need", "both_owners_accept", "centre_approval", "review_date"),
        ("0.1", "X05", "S15"),
    ),
    ("6.5", (Status.OMW,), (Status.PSC, Status.JSC), _FIT, ("X03",)),
    ("6.6", _COMPULSORY, (Status.OUT_MEDICAL,), _OUTSIDE, ("X01", "L10")),
    ("6.7", (Status.OUT_MEDICAL,), _COMPULSORY, ("ground_gone", *_FIT), ("T08", "X03")),
    (
        "6.7",
        (Status.OUT_MEDICAL,),
        (Status.COMMUNITY_DETOX,),
        ("unfit_to_return", "change_decision"),
        ("T07", "X04"),
    ),
    ("6.8", tuple(Status), (Status.EMERGENCY,), (), ("X02", "S14")),
    # Back from an emergency, on the basis that never ended meanwhile.
    ("6.8", (Status.EMERGENCY,), _COMPULSORY, ("decision", "served", *_FIT), ("X03", "L01")),
    ("6.8", (Status.EMERGENCY,), _BY_AGREEMENT, _AGREEMENT, ("V01", "V02", "V03", "P18")),
    (
        "6.8",
        (Status.EMERGENCY,),
        (Status.VOLUNTARY_IN_CENTRE,),
        ("police_consent", "agreement", "consents_with_end"),
        ("L03", "V01", "V03"),
    ),
    ("6.8", (Status.EMERGENCY,), (Status.OUT_MEDICAL,), _OUTSIDE, ("X01",)),
    ("6.8", (Status.EMERGENCY,), _AT_LARGE, ("no_running_term",), ("X02", "V03", "L01")),
    ("6.9", _CONSENSUAL, (Status.NONE,), (), ("V03",)),
    ("6.9", _CONSENSUAL, (Status.COMMUNITY_DETOX,), ("community_order",), ("0.3", "C01", "T12")),
    (
        "6.9",
        (*_BY_AGREEMENT, *_AT_LARGE, Status.EMERGENCY),
        (Status.INVOLUNTARY_PSYCHIATRIC,),
        _FINDINGS,
        ("M02", "M03", "M04"),
    ),
    ("6.9", (Status.INVOLUNTARY_PSYCHIATRIC,), (Status.NONE,), (), ("M03", "M06")),
    ("6.9", (Status.INVOLUNTARY_PSYCHIATRIC,), _BY_AGREEMENT, _AGREEMENT, ("M01", "V01", "V03")),
    (
        "6.10",
        _UNDER_TERM,
        (Status.RELEASED,),
        ("assessment", "approval", "notices"),
        ("T04", "T05", "T06", "T10", "T11"),
    ),
    ("6.10", _COMPULSORY, (Status.COMMUNITY_DETOX,), ("change_decision",), ("P01", "T07", "L10")),
    (
        "6.10",
        (Status.RELEASED,),
        (Status.COMMUNITY_REHAB,),
        ("rehab_order",),
        ("0.3", "T12"),
    ),
    ("6.11", _CONSENSUAL, (Status.PSC,), _DECISION, ("0.5", "L01", "L02")),
    (
        "6.11",
        (Status.INVOLUNTARY_PSYCHIATRIC,),
        (Status.PSC,),
        _DECISION,
        ("0.5", "M06", "L01", "L02"),
    ),
    (
        "C01",
        (Status.NONE, Status.RELEASED),
        (Status.COMMUNITY_DETOX,),
        ("community_order",),
        ("C01", "T12"),
    ),
    ("C03", (Status.COMMUNITY_DETOX,), (Status.NONE,), (), ("C03",)),
    ("C03", (Status.COMMUNITY_REHAB,), (Status.RELEASED,), (), ("C03",)),
)


def _spread() -> Iterator[Transition]:
    for row, sources, targets, needs, cites in _ROWS:
        for source, target in product(sources, targets):
            if source is not target:
                yield Transition(row, source, target, needs, cites)


TRANSITIONS: tuple[Transition, ...] = tuple(_spread())
"""Every lawful change of status, each pair once."""

_BY_PAIR = {(it.source, it.target): it for it in TRANSITIONS}


def status_transition(source: Status, target: Status) -> Transition | None:
    """The lawful change between two statuses and what it needs; None when there is none, then
    ``no_transition`` says why."""
    return _BY_PAIR.get((source, target))


def no_transition(source: Status, target: Status) -> NoTransition:
    """Why this change of status cannot be recorded. Raises ValueError for one that can."""
    if (source, target) in _BY_PAIR:
        raise ValueError(f"{source.value} to {target.value} is a lawful transition")
    return _refusal(source, target)


def _refusal(source: Status, target: Status) -> NoTransition:
    if source is target:
        return NoTransition(
            "6",
            "当前法律状态与申请登记的状态相同。",
            "This is the present status; there is nothing to record.",
        )
    if target is Status.COMMUNITY_REHAB:
        return NoTransition(
            "0.3",
            "社区康复只适用于已被解除强制隔离戒毒的人员。",
            "Community rehabilitation is ordered only after release from a compulsory term.",
        )
    if source in _UNDER_TERM and target in (*_CONSENSUAL, *_AT_LARGE):
        return NoTransition(
            "L01",
            "强制隔离戒毒期限未依法终结，不得登记为其他状态。",
            "A compulsory term ends by release or by a decision to change it, not by another "
            "status.",
        )
    if target is Status.INVOLUNTARY_PSYCHIATRIC:
        return NoTransition(
            "X07",
            "强制隔离戒毒人员的精神障碍由所在场所保障治疗，期限继续计算。",
            "During a compulsory term the centre ensures psychiatric treatment and the term runs "
            "on.",
        )
    if target is Status.OUT_MEDICAL:
        return NoTransition(
            "X01",
            "所外就医只适用于正在执行强制隔离戒毒的人员，并须具备全部文书。",
            "Out-of-centre treatment exists within a compulsory term alone, on its full set of "
            "papers.",
        )
    if target is Status.JSC:
        return NoTransition(
            "T03",
            "强制隔离戒毒先在公安强戒所执行，之后才转入司法强戒所。",
            "A compulsory term begins in a police-run centre; a justice-run one takes over later.",
        )
    if target is Status.OMW:
        return NoTransition(
            "0.1",
            "所外医疗专区只收治正在强戒所执行的人员。",
            "The custodial ward treats people whose term runs in a centre, and nobody else.",
        )
    if target is Status.PSC:
        return NoTransition(
            "T03",
            "已转入司法强戒所的，不再转回公安强戒所。",
            "Who has passed on to a justice-run centre does not go back to a police-run one.",
        )
    if target is Status.RELEASED:
        return NoTransition(
            "T10",
            "解除只适用于正在执行强制隔离戒毒的人员。",
            "Release ends a compulsory term; there is none to end.",
        )
    if source in _CONSENSUAL or source is Status.INVOLUNTARY_PSYCHIATRIC:
        return NoTransition(
            "V03",
            "此次治疗按照原协议结束之后，才能登记新的法律状态。",
            "The present treatment ends first, on its own papers; another status is recorded then.",
        )
    return NoTransition(
        "6",
        "法律未规定这两种状态之间的转换。",
        "The law knows no such change of status.",
    )


_CUSTODIAL_CARE = (UnitKind.OMW, UnitKind.SEC, UnitKind.AKH)
_ALLOWED = frozenset(
    {
        (UnitKind.PSC, UnitKind.JSC),  # Regulations art. 27
        (UnitKind.OMW, UnitKind.PSC),  # with a doctor's fitness statement
        (UnitKind.OMW, UnitKind.JSC),
    }
).union(
    # Custodial wards treat within the running term: the off-site ward, a hospital's secure ward
    # and, for mental disorder, the police psychiatric hospital (rows 6.4, X05, X07).
    (centre, ward)
    for centre in (UnitKind.PSC, UnitKind.JSC, UnitKind.OMW)
    for ward in _CUSTODIAL_CARE
    if centre is not ward
)
_BACK_FROM_HOSPITAL = frozenset({UnitKind.SEC, UnitKind.AKH, UnitKind.EXT})


def transition_allowed(from_kind: UnitKind, to_kind: UnitKind) -> bool:
    """Whether a move between these kinds of unit can be a transfer within one legal status.

    Within one kind always; from a centre into a custodial ward; back from a hospital that took
    somebody in (rule X03) to any kind of the network, where the other rules decide; never into a
    hospital outside the network, which is reached by an emergency or on leave.
    """
    if to_kind is UnitKind.EXT:
        return False
    return (
        from_kind is to_kind or from_kind in _BACK_FROM_HOSPITAL or (from_kind, to_kind) in _ALLOWED
    )
