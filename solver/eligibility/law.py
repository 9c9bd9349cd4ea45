"""Rules of legal basis, consent and custody: whether this person may lie in this bed at all."""

from solver.codes import (
    COMPULSORY_CENTRES,
    CONSENSUAL_BASES,
    ConsentStatus,
    DecisionStatus,
    LegalBasis,
    Tri,
    UnitKind,
)
from solver.eligibility.facts import UNDER_TERM, Facts, Place, Word
from solver.eligibility.registry import Answer, Approver, rule

CONSENT_FIELDS = (
    "person.basis",
    "person.age",
    "person.capable",
    "person.own",
    "person.family",
    "person.guardian",
)


@rule(
    "L00",
    title=("没有法定依据", "no legal basis"),
    cites=("L01", "V01"),
    source="Anti-Drug Law art. 38; Drug Rehabilitation Regulations art. 10",
    zh="没有法定依据或协议，任何床位都不得收治。",
    en="Without a legal basis or an agreement no bed may be used.",
    reads=("person.basis",),
    papers=True,
)
def no_legal_basis(facts: Facts, place: Place) -> Answer:
    """No bed without a legal basis."""
    return ("valid", "missing") if facts.basis is None else None


@rule(
    "L01",
    title=("强制隔离戒毒决定", "compulsory decision in force"),
    cites=("L01",),
    source="Anti-Drug Law art. 38; Drug Rehabilitation Regulations art. 25",
    zh="须有县级或设区的市级公安机关载明法定情形、当日有效的强制隔离戒毒决定书；现状：{offered}。",
    en="Needs a decision of a county or city police organ, naming a legal ground and valid on the "
    "day; it is: {offered}.",
    reads=("person.basis", "person.decision"),
    papers=True,
)
def decision_in_force(facts: Facts, place: Place) -> Answer:
    """A compulsory term rests on a decision in force, inside the centre and outside it."""
    if facts.basis not in UNDER_TERM or facts.decision is DecisionStatus.VALID:
        return None
    return "valid", facts.decision


@rule(
    "L02",
    title=("决定送达", "decision served first"),
    cites=("L02",),
    source="Anti-Drug Law art. 40",
    zh="决定书送达之前不得执行。",
    en="The decision is served before it is carried out.",
    reads=("person.basis", "person.decision", "person.served"),
    papers=True,
)
def served_first(facts: Facts, place: Place) -> Answer:
    """No admission earlier than service of the decision."""
    if facts.basis not in UNDER_TERM or facts.decision is DecisionStatus.MISSING or facts.served:
        return None
    return "served", "not_served"


@rule(
    "L03",
    title=("自愿人员不入监管单位", "consent is kept out of custody"),
    cites=("L03",),
    source="Anti-Drug Law art. 38(3); Drug Rehabilitation Regulations art. 25; "
    "Shandong Anti-Drug Ordinance art. 45",
    zh="自愿戒治人员不得安置在监管单位；自愿入所者只能在强戒所。",
    en="A consensual stay is never in a custodial unit; a voluntary stay in a centre only there.",
    reads=("person.basis", "place.custodial", "place.kind"),
)
def consent_is_not_custody(facts: Facts, place: Place) -> Answer:
    """Consensual treatment is kept out of custody; only a centre takes its voluntary entrants."""
    if facts.basis is LegalBasis.VOLUNTARY_IN_CENTRE:
        return None if place.kind in COMPULSORY_CENTRES else ("PSC,JSC", place.kind)
    if facts.basis in CONSENSUAL_BASES and place.custodial:
        return "open", "custodial"
    return None


@rule(
    "L07",
    title=("监管须在监管单位", "custody needs a custodial unit"),
    cites=("L07",),
    source="Administrative Compulsion Law art. 17",
    zh="强制隔离戒毒只能在监管单位执行；合同医院无权羁押。",
    en="Compulsory isolation is carried out in custodial units alone; a contract hospital cannot "
    "detain.",
    reads=("person.basis", "place.custodial"),
    papers=True,
)
def custody_needs_its_organ(facts: Facts, place: Place) -> Answer:
    """The power to hold somebody is not delegated."""
    if facts.basis is LegalBasis.COMPULSORY and not place.custodial:
        return "custodial", "open"
    return None


@rule(
    "L10",
    title=("单位接收的法定依据", "legal basis the unit takes"),
    cites=("L01", "L03", "L10", "V01"),
    source="Anti-Drug Law arts. 38, 47; Drug Rehabilitation Regulations arts. 10, 31",
    zh="该单位不接收此类法定依据：{needed}；接收：{offered}。",
    en="The unit does not take people on this legal basis: {needed}; it takes: {offered}.",
    reads=("person.basis", "place.bases"),
    papers=True,
)
def basis_accepted(facts: Facts, place: Place) -> Answer:
    """A unit takes people on the legal bases it is set up for."""
    if facts.basis is None or facts.basis in place.bases:
        return None
    return facts.basis, ",".join(sorted(place.bases)) or "none"


@rule(
    "P01",
    title=("怀孕或者哺乳", "pregnant or nursing"),
    cites=("P01",),
    source="Anti-Drug Law art. 39; Drug Rehabilitation Regulations art. 26",
    zh="怀孕或者正在哺乳自己不满一周岁婴儿的，不适用强制隔离戒毒。",
    en="Compulsory isolation never applies to a woman who is pregnant or nurses her own baby "
    "under one year.",
    reads=("person.basis", "person.mother"),
    papers=True,
)
def never_a_mother_in_custody(facts: Facts, place: Place) -> Answer:
    """Pregnancy and nursing exclude compulsory isolation absolutely."""
    if facts.basis is LegalBasis.COMPULSORY and facts.mother is Tri.YES:
        return "no", Tri.YES
    return None


@rule(
    "P03",
    title=("怀孕或者哺乳尚未查明", "pregnancy or nursing not established"),
    cites=("P03", "P01"),
    source="Anti-Drug Law art. 39; MOJ Order 127 (intake examination)",
    zh="是否怀孕或者哺乳尚未查明，查明之前不得强制收治。",
    en="Whether she is pregnant or nursing has not been established; until then there is no "
    "compulsory placement.",
    reads=("person.basis", "person.mother"),
    papers=True,
)
def motherhood_established(facts: Facts, place: Place) -> Answer:
    """Unknown is not no: a woman's status is established before custody."""
    if facts.basis is LegalBasis.COMPULSORY and facts.mother is Tri.UNKNOWN:
        return "no", Tri.UNKNOWN
    return None


@rule(
    "P02",
    title=("不满十六周岁", "under 16"),
    cites=("P02",),
    source="Anti-Drug Law art. 39",
    zh="不满十六周岁的，可以不适用强制隔离戒毒；须有决定机关载明的理由。",
    en="Under 16 a person is not placed compulsorily unless the deciding organ has recorded its "
    "reasons.",
    reads=("person.basis", "person.age", "person.under_16_reasons"),
    lifted_by=Approver.DECIDING_ORGAN,
    papers=True,
)
def under_sixteen(facts: Facts, place: Place) -> Answer:
    """Exemption under 16 is the default; the deciding organ may decide otherwise, in writing."""
    if facts.basis is LegalBasis.COMPULSORY and facts.age < 16 and not facts.under_16_reasons:
        return "reasons", "missing"
    return None


@rule(
    "V01",
    title=("书面协议", "written agreement"),
    cites=("V01",),
    source="Drug Rehabilitation Regulations art. 10",
    zh="须与本人或者监护人签订载明期限的书面协议。",
    en="A written agreement with a term is signed with the person or the guardian.",
    reads=(
        "person.basis",
        "person.age",
        "person.capable",
        "person.own",
        "person.guardian",
        "place.kind",
    ),
    papers=True,
)
def written_agreement(facts: Facts, place: Place) -> Answer:
    """No agreement, no bed; whether it still runs and covers this unit is V03's question."""
    if facts.basis not in CONSENSUAL_BASES:
        return None
    words = (facts.own, facts.guardian) if facts.represented else (facts.own,)
    if any(_agreed(word, place.kind) for word in words):
        return None
    return "signed", "missing"


@rule(
    "V02",
    title=("分别同意", "consents recorded apart"),
    cites=("V02",),
    source="Drug Rehabilitation Regulations art. 10; Wuhan practice of constrained treatment",
    zh="须分别记录下列同意：{needed}；未提供：{offered}。家属同意不能代替有行为能力成年人本人的同意。",
    en="These consents are recorded apart: {needed}; not given: {offered}. A family's consent "
    "never replaces a capable adult's.",
    reads=CONSENT_FIELDS,
    papers=True,
)
def consents_given(facts: Facts, place: Place) -> Answer:
    """Constrained treatment needs the person's word and the family's; for a minor, and for an
    adult not able to decide, the guardian's takes the place of both."""
    signers = _signers(facts)
    missing = [who for who, word in signers.items() if word.status is ConsentStatus.MISSING]
    return (",".join(signers), ",".join(missing)) if missing else None


@rule(
    "V02-capacity",
    title=("决定能力", "capacity to decide"),
    cites=("V02", "V01"),
    source="Civil Code arts. 21, 22; Mental Health Law art. 83; "
    "Drug Rehabilitation Regulations art. 10",
    zh="尚无本院医生关于本人能否就治疗作出决定的检查结果；查明之前本人的同意尚不足以收治。",
    en="A hospital doctor's finding on whether the person is able to decide on treatment is not on "
    "record; until it is, the person's own word does not carry a stay.",
    reads=("person.basis", "person.age", "person.capable"),
    papers=True,
)
def capacity_found(facts: Facts, place: Place) -> Answer:
    """An adult's own word counts once a doctor has looked whether they are able to give it."""
    if facts.basis not in CONSENSUAL_BASES or facts.minor or facts.capable is not Tri.UNKNOWN:
        return None
    return "capacity_finding", "missing"


@rule(
    "V03",
    title=("同意有效且包括该单位", "consent in force for the unit"),
    cites=("V03",),
    source="Personal Information Protection Law art. 15; Mental Health Law art. 44; "
    "Drug Rehabilitation Regulations art. 10",
    zh="同意须当日有效且包括此类单位（{needed}）；现状：{offered}。",
    en="Consent is in force on the day and covers this kind of unit ({needed}); it is: {offered}.",
    reads=(*CONSENT_FIELDS, "place.kind"),
    papers=True,
)
def consents_in_force(facts: Facts, place: Place) -> Answer:
    """A consent ends with its term, with its withdrawal, and at the kinds of unit it names."""
    faults = [
        f"{who}:{fault}"
        for who, word in _signers(facts).items()
        if (fault := _fault(word, place.kind)) is not None
    ]
    # Who need not sign may still withdraw.
    if facts.represented and facts.own.status is ConsentStatus.WITHDRAWN:
        faults.append(f"person:{ConsentStatus.WITHDRAWN}")
    return (place.kind, ",".join(faults)) if faults else None


def _signers(facts: Facts) -> dict[str, Word]:
    """Whose consent this stay rests on."""
    if facts.basis not in CONSENSUAL_BASES:
        return {}
    if facts.represented:
        return {"guardian": facts.guardian}
    if facts.basis is LegalBasis.CONSTRAINED:
        return {"person": facts.own, "family": facts.family}
    return {"person": facts.own}


def _agreed(word: Word, kind: UnitKind) -> bool:
    """Whether an agreement was signed that is not for other kinds of unit alone."""
    return kind in word.signed or (kind not in word.kinds and bool(word.signed))


def _fault(word: Word, kind: UnitKind) -> str | None:
    """Why a given consent does not carry a stay in this kind of unit."""
    if word.status in (ConsentStatus.EXPIRED, ConsentStatus.WITHDRAWN):
        return word.status
    if word.status is ConsentStatus.VALID and kind not in word.kinds:
        return "out_of_scope"
    return None
