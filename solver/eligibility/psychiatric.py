"""Rules of an involuntary psychiatric admission 非自愿住院: its findings, its guardian, its place.

Drug use, a danger guessed at or being unwanted are none of its grounds, and nothing here reads
them. Court-ordered treatment is another thing and is not decided by a bed service.
"""

from solver.codes import ConsentStatus, DangerCase, LegalBasis
from solver.eligibility.facts import Facts, Place
from solver.eligibility.registry import Answer, rule


def _involuntary(facts: Facts) -> bool:
    return facts.basis is LegalBasis.INVOLUNTARY_PSYCHIATRIC


@rule(
    "M01",
    title=("非自愿住院不在监管场所", "involuntary admission is not custody"),
    cites=("M01", "M02", "L07"),
    source="Mental Health Law arts. 30, 40",
    zh="非自愿住院治疗不得在监管场所进行。",
    en="An involuntary admission is hospital treatment and never in a custodial unit.",
    reads=("person.basis", "place.custodial"),
)
def never_in_custody(facts: Facts, place: Place) -> Answer:
    """A patient held by the Mental Health Law is a patient, not a detainee."""
    return ("open", "custodial") if _involuntary(facts) and place.custodial else None


@rule(
    "M02",
    title=("非自愿住院的法定诊断", "findings for involuntary admission"),
    cites=("M02", "M07"),
    source="Mental Health Law arts. 30(2), 83",
    zh="非自愿住院须有精神科执业医师依法作出的完整诊断和法定情形；卷内不全。吸毒本身不是其中任何一项。",
    en="An involuntary admission rests on the full findings of licensed psychiatrists that the law "
    "names; the record is not complete. Drug use is none of them.",
    reads=("person.basis", "person.psychiatric"),
    papers=True,
)
def findings_on_record(facts: Facts, place: Place) -> Answer:
    """A severe mental disorder, diagnosed, with danger to self or to others; nothing less."""
    found = facts.psychiatric
    if not _involuntary(facts) or (found is not None and found.severe and found.case is not None):
        return None
    return "psychiatric_findings", "missing"


@rule(
    "M03",
    title=("监护人同意", "guardian's consent"),
    cites=("M03",),
    source="Mental Health Law arts. 31, 44",
    zh="此种情形的非自愿住院须有监护人同意，并且包括此类单位（{needed}）；现状：{offered}。",
    en="In this case of involuntary admission the guardian's consent is in force and covers this "
    "kind of unit ({needed}); it is: {offered}.",
    reads=("person.basis", "person.psychiatric", "person.guardian", "place.kind"),
    papers=True,
)
def guardian_consents(facts: Facts, place: Place) -> Answer:
    """Danger to self alone: no admission, and no longer stay, without the guardian's word."""
    found, word = facts.psychiatric, facts.guardian
    if not _involuntary(facts) or found is None or found.case is not DangerCase.SELF:
        return None
    if word.status is not ConsentStatus.VALID:
        return place.kind, f"guardian:{word.status}"
    return None if place.kind in word.kinds else (place.kind, "guardian:out_of_scope")


@rule(
    "M06",
    title=("再次诊断和定期评估", "re-diagnosis and reassessment"),
    cites=("M06", "M04"),
    source="Mental Health Law arts. 35, 44",
    zh="再次诊断、鉴定或者定期评估之后，非自愿住院已没有依据，医院不得继续留置。",
    en="After a re-diagnosis, an expert opinion or a periodic reassessment nothing carries the "
    "involuntary stay any more; the hospital may not hold.",
    reads=("person.basis", "person.psychiatric"),
    papers=True,
)
def still_carried(facts: Facts, place: Place) -> Answer:
    """Nobody is held a day beyond the finding that held them."""
    found = facts.psychiatric
    if _involuntary(facts) and found is not None and not found.confirmed:
        return "psychiatric_findings", "ended"
    return None
