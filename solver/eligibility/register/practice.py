"""Corrected assumptions, conditions, safeguards, privacy and status transitions."""

from solver.eligibility.register.rows import As, Lines

RULE, RELATION, TRANSITION = As.RULE, As.RELATION, As.TRANSITION
CLOCK, POLICY, SAFEGUARD, NOT = As.CLOCK, As.POLICY, As.SAFEGUARD, As.NOT_DECIDED

ASSUMPTIONS: Lines = (
    ("0.1", "", RULE, "rule:X01 rule:X01-place transition:6.4 transition:6.6", "", ""),
    ("0.2", "", RULE, "rule:L03 rule:V03 code:service.workflow.consent.withdrawals", "", ""),
    ("0.3", "", TRANSITION, "transition:6.10", "term.closed_on", ""),
    ("0.4", "", CLOCK, "clock:community_report", "community_term.kind", "Two kinds of term."),
    ("0.5", "", TRANSITION, "transition:6.11 rule:L01", "legal_basis.ground", ""),
    (
        "0.6",
        "",
        SAFEGUARD,
        "rule:V03",
        "consent.ends_on",
        "No length of stay is built in; each agreement carries its own term.",
    ),
    ("0.7", "", RULE, "rule:P18", "", "The successor's title is the one cited."),
    ("0.8", "", RULE, "rule:P01", "", "The law, not the translation."),
)

_ORDERS = "A clinician's grade and needs carry it; no diagnosis is read."
_HOSPITAL = "A doctor's grade decides between ward and hospital; no diagnosis is read."

CONDITIONS: Lines = (
    (
        "W1 W2 W3",
        "",
        RULE,
        "rule:P13-bed rule:S11",
        "",
        "A score is not turned into a bed: the clinician orders a monitored bed or hospital "
        "grade; a doubtful screening for alcohol or sedatives takes the cautious place.",
    ),
    ("CARD CVA DM LIV REN", "", RULE, "rule:S11", "", _HOSPITAL),
    ("VASC", "", RULE, "rule:P13-bed rule:S11", "", _ORDERS),
    ("TB-I", "", RULE, "rule:P10 relation:isolation_exclusivity", "", "By the ordered route."),
    ("TB-N", "", RULE, "rule:P10", "", "Without an ordered route there is no isolation."),
    (
        "HIV HBV HCV SYP",
        "",
        NOT,
        "policy:declines",
        "",
        "No diagnosis decides a place; there is no field for one.",
    ),
    (
        "PSYC DEP ANX SMD",
        "",
        RULE,
        "rule:P13-bed rule:P18-psychiatric rule:M02",
        "",
        _ORDERS,
    ),
    ("SUI0 SUI1 SUI2 SUI3", "", RULE, "rule:P13-watch rule:P13-alone rule:P13-bed", "", ""),
    ("PREG NURS", "", RULE, "rule:P01 rule:P03", "", ""),
    ("DIS ADL", "", RULE, "rule:P13-bed", "", _ORDERS),
    (
        "FB",
        "",
        SAFEGUARD,
        "code:service.workflow.emergencies.emergency.admit_emergency rule:S14-medical rule:S11",
        "request.emergency",
        "",
    ),
)

SAFEGUARDS: Lines = (
    (
        "S01",
        "",
        SAFEGUARD,
        "code:solver.cost.TERMS code:service.workflow.moves.returns.list_returns",
        "",
        "No term rewards a full bed.",
    ),
    (
        "S02",
        "",
        RULE,
        "rule:L00 rule:V01 rule:V02 rule:V03",
        "",
        "Without consent only the law's own bases and the emergency lane.",
    ),
    ("S03", "", SAFEGUARD, "rule:S11 rule:V02", "", "Ethical standards, as the rules named."),
    ("S04", "", SAFEGUARD, "code:solver.cost.TERMS clock:misplaced", "seat.security", ""),
    (
        "S05",
        "",
        SAFEGUARD,
        "code:service.workflow.plans.planning_decisions.approve",
        "",
        "Each move is decided one by one, by name, with a reason.",
    ),
    (
        "S06",
        "",
        SAFEGUARD,
        "code:service.workflow.placing.decision_records.records_of "
        "code:service.workflow.words.beside",
        "decision.reason",
        "",
    ),
    (
        "S07",
        "",
        RULE,
        "rule:S11 rule:P13-bed",
        "",
        "The same clinical rules bind in custody and outside it.",
    ),
    (
        "S08",
        "",
        CLOCK,
        "clock:intake_exam clock:doctor_sees "
        "code:service.workflow.persons.fitness.set_movement_stop",
        "assessment.assessed_at",
        "",
    ),
    (
        "S09",
        "",
        RELATION,
        "relation:one_sex_per_room relation:minors_apart relation:custody_apart rule:P05-sex "
        "clock:notify_family clock:death_notices",
        "",
        "Single rooms as a punishment are no bed state.",
    ),
    ("S11", "", RULE, "rule:S11", "", "The clinician's grade is the highest, never a mean."),
    ("S12", "", NOT, "", "", "A mapping for scoring; the placement grade is the only one read."),
    (
        "S13",
        "",
        SAFEGUARD,
        "code:service.workflow.moves.handover_papers.write_handover "
        "code:service.workflow.moves.handover.arrive",
        "transfer.handover",
        "",
    ),
    (
        "S14",
        "",
        SAFEGUARD,
        "code:service.workflow.emergencies.emergency.admit_emergency rule:S14-identity "
        "rule:S14-medical "
        "rule:S14-reserve rule:S14-referral relation:reserve clock:emergency_papers",
        "request.emergency",
        "",
    ),
    (
        "S15",
        "",
        CLOCK,
        "clock:review clock:misplaced policy:watching.review_days",
        "stay.since, review.held_at",
        "",
    ),
    (
        "S17",
        "",
        NOT,
        "",
        "",
        "A fairness audit is a report over what is stored; it decides no place.",
    ),
)

PRIVACY: Lines = (
    ("D01", "", SAFEGUARD, "code:service.access.vault", "", "Names and numbers are encrypted."),
    ("D02", "", SAFEGUARD, "code:service.workflow.privacy.visibility", "legal_basis.kind", ""),
    (
        "D03",
        "",
        SAFEGUARD,
        "code:solver.domain.Person",
        "",
        "The solver knows codes and pseudonyms only.",
    ),
    (
        "D04",
        "",
        SAFEGUARD,
        "code:solver.explain code:service.workflow.words",
        "",
        "Every answer has its reasons; a named human decides; a wish stands beside it.",
    ),
    ("D05 D06 D09 D14", "", NOT, "", "", "The operator's organisation, contracts and assessments."),
    ("D07", "", SAFEGUARD, "code:service.settings", "", "Nothing is sent abroad: no trackers."),
    ("D08", "", SAFEGUARD, "code:service.store.seals", "", "The event log is sealed and kept."),
    (
        "D10",
        "",
        SAFEGUARD,
        "code:service.access.scope code:service.workflow.privacy.access_records",
        "",
        "By role, case and facility; every reading of a named person is recorded.",
    ),
    (
        "D11 D12",
        "",
        SAFEGUARD,
        "code:service.workflow.moves.handover_papers.CareFlag code:solver.codes.Zone",
        "",
        "Care flags instead of diagnoses, neutral names of zones.",
    ),
    ("D13", "", NOT, "", "", "Records of violations are not kept here and not exported."),
    ("D15 D16", "", NOT, "", "", "Retention is set by the operator under the rules on archives."),
    (
        "D17",
        "",
        SAFEGUARD,
        "code:service.workflow.privacy.visibility",
        "",
        "An upper bound, not our law.",
    ),
    (
        "D18",
        "",
        SAFEGUARD,
        "code:service.workflow.privacy.own_cases.knows code:service.workflow.privacy.visibility",
        "legal_basis.kind",
        "",
    ),
    ("D19", "", NOT, "", "", "Published counts are made outside; occupancy here is for staff."),
    (
        "D20",
        "",
        SAFEGUARD,
        "code:service.workflow.inventory.occupancy",
        "",
        "Aggregates name nobody.",
    ),
)

_STATUS = "term.state, legal_basis.kind"

TRANSITIONS: Lines = tuple(
    (f"6.{i}", "", TRANSITION, f"transition:6.{i}", _STATUS, "") for i in range(1, 12)
)
