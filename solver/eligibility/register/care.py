"""Medical moves of a term, treatment by agreement, psychiatric admission, community stages."""

from solver.eligibility.register.rows import As, Lines

RULE, TRANSITION, CLOCK = As.RULE, As.TRANSITION, As.CLOCK
POLICY, SAFEGUARD, NOT = As.POLICY, As.SAFEGUARD, As.NOT_DECIDED

MOVES: Lines = (
    ("X01", "H", RULE, "rule:X01 rule:X01-place transition:6.6 clock:out_medical_review", "", ""),
    (
        "X02",
        "H",
        SAFEGUARD,
        "code:service.workflow.emergencies.emergency.admit_emergency clock:emergency_papers "
        "rule:S14-medical "
        "transition:6.8",
        "request.emergency",
        "",
    ),
    (
        "X03",
        "A",
        TRANSITION,
        "transition:6.5 clock:fitness_return code:service.workflow.moves.returns.on_fitness",
        "fitness_statement.kinds",
        "",
    ),
    ("X04", "A", TRANSITION, "transition:6.7 clock:change_answer", "term_change.kind", ""),
    ("X05", "H", RULE, "rule:X05 transition:6.4", "", ""),
    (
        "X06",
        "W",
        NOT,
        "",
        "",
        "A duty to build zones; the ones there are stand in the network as data.",
    ),
    (
        "X07",
        "H",
        RULE,
        "rule:P18-psychiatric rule:P13-bed",
        "",
        "Treatment during the term: in the centre where it can, else in a ward that may.",
    ),
    (
        "X08",
        "W",
        NOT,
        "",
        "",
        "Which tests an intake exam holds is clinical practice; T16 is the clock of the exam.",
    ),
    (
        "X10",
        "H",
        CLOCK,
        "clock:restraint_check clock:restraint_approval policy:restraints",
        "restraint.reason",
        "",
    ),
    (
        "X11",
        "W",
        POLICY,
        "policy:transfers.escorts code:service.workflow.moves.journeys.require_escorts "
        "code:service.workflow.moves.handover_papers.write_handover",
        "transfer.escorts",
        "",
    ),
    (
        "X12",
        "A",
        SAFEGUARD,
        "code:service.workflow.law.term_changes.propose clock:diagnosis_file",
        "term_change.parts",
        "",
    ),
    (
        "X13",
        "H",
        SAFEGUARD,
        "code:service.workflow.law.term_changes.propose",
        "term.absences: escape",
        "",
    ),
)

AGREEMENT: Lines = (
    ("V01", "H", RULE, "rule:V01 rule:V03 transition:6.1", "", ""),
    ("V02", "H", RULE, "rule:V02 rule:V02-capacity clock:consent_sober", "", ""),
    (
        "V03",
        "H",
        RULE,
        "rule:V03 transition:6.9 clock:consent_end clock:consent_withdrawn",
        "",
        "",
    ),
    (
        "V04",
        "W",
        NOT,
        "",
        "",
        "The text of the city's opinion on eligible groups was not found; whoever agrees may be "
        "treated, and limits of visits are M08's.",
    ),
    (
        "V05",
        "A",
        CLOCK,
        "clock:restraint_check clock:restraint_approval policy:restraints",
        "restraint.began_at",
        "",
    ),
    (
        "V06",
        "W",
        SAFEGUARD,
        "code:service.workflow.consent.consent_forms.check_form",
        "consent.no_adverse_effect",
        "Reporting of use during treatment is the hospital's own duty and carries no bed state.",
    ),
    (
        "V07",
        "W",
        SAFEGUARD,
        "code:service.workflow.consent.withdrawals.withdraw_consent rule:L03",
        "consent.withdrawn_at",
        "A warning from scholarship: consent stays revocable by anybody's hand, never custody.",
    ),
)

PSYCHIATRIC: Lines = (
    ("M01", "H", RULE, "rule:M01 rule:V01 rule:V02", "", ""),
    ("M02", "H", RULE, "rule:M02 rule:P18-psychiatric transition:6.9", "", ""),
    ("M03", "H", RULE, "rule:M03", "", ""),
    ("M04", "K", CLOCK, "clock:rediagnosis", "psychiatric.rediagnosis_asked_at", ""),
    (
        "M05",
        "A",
        SAFEGUARD,
        "code:service.workflow.emergencies.emergency.admit_emergency policy:declines",
        "request.emergency",
        "Police bring, the hospital keeps and diagnoses at once: the emergency lane; no decline "
        "code lets a hospital refuse for a mental disorder.",
    ),
    ("M06", "H/K", RULE, "rule:M06 clock:reassessment clock:involuntary_over", "", ""),
    (
        "M07",
        "H",
        RULE,
        "rule:M02",
        "",
        "No rule reads a drug, a test result or a risk grade.",
    ),
    (
        "M08",
        "A",
        NOT,
        "",
        "",
        "Visits and communication are the ward's daily decisions and change no bed.",
    ),
    (
        "M09",
        "H",
        CLOCK,
        "clock:restraint_check code:service.workflow.privacy.access_records",
        "restraint.began_at",
        "The medical record itself, and its thirty years, are the hospital's.",
    ),
    (
        "M10",
        "H",
        NOT,
        "",
        "",
        "A court decides it, its own hospital carries it out and the procuratorate oversees it; no "
        "bed of the network is given on it and no date of it is kept here.",
    ),
)

COMMUNITY: Lines = (
    (
        "C01",
        "A",
        NOT,
        "transition:C01",
        "",
        "Where community detox is served is the police's order; it takes no bed.",
    ),
    (
        "C02",
        "A",
        NOT,
        "",
        "",
        "Breach is found by the deciding organ and comes here as the ground of a decision (L01).",
    ),
    (
        "C03",
        "K",
        CLOCK,
        "transition:C03 clock:community_end_notice",
        "community_term.ends_on",
        "Its other ends are outside a bed service.",
    ),
    ("C04", "W", NOT, "", "", "Urine tests in the community are the street office's calendar."),
    (
        "C05",
        "W",
        NOT,
        "",
        "",
        "A policing grade of people in society; never stored and never read here (C06).",
    ),
    (
        "C06",
        "H",
        SAFEGUARD,
        "code:solver.domain.Person code:solver.eligibility.Facts",
        "",
        "There is no field for a risk grade, so nothing can read one.",
    ),
)
