"""Rules of the compulsory term's places: how long in which centre, whom a centre does not keep,
what somebody new to it needs, and what must be on record before treatment outside.
"""

from solver.codes import (
    COMPULSORY_CENTRES,
    Grade,
    Isolation,
    LegalBasis,
    Observation,
    PscTime,
    Sex,
    UnitKind,
    Zone,
)
from solver.eligibility.facts import Facts, Place
from solver.eligibility.registry import Answer, PolicyOwner, rule

CUSTODIAL_WARDS = frozenset({UnitKind.OMW, UnitKind.SEC, UnitKind.AKH})
"""Wards where a term goes on under treatment."""
_SEEING_ZONES = frozenset(
    {Zone.ISOLATION, Zone.SICK_DISABLED, Zone.DETOX, Zone.MEDICAL, Zone.PSYCHIATRIC}
)
"""Zones of a centre for those who need more than a new arrival's."""


@rule(
    "S14-identity",
    title=("身份尚未查明", "identity not established"),
    cites=("S14", "L01", "V01"),
    source="Anti-Drug Law art. 38; Physicians Law art. 27",
    zh="身份尚未查明的，只能经急救通道收治。",
    en="Somebody whose identity is not established is placed by the emergency lane alone.",
    reads=("person.identified",),
    papers=True,
)
def identified(facts: Facts, place: Place) -> Answer:
    """A decision or a consent is of a known person; an emergency takes anybody."""
    return None if facts.identified else ("identity", "missing")


@rule(
    "L03-police",
    title=("自愿入所须公安机关同意", "police consent to a voluntary stay"),
    cites=("L03",),
    source="Anti-Drug Law art. 38(3); Drug Rehabilitation Regulations art. 25",
    zh="自愿入所须经公安机关同意；卷内没有该文书。",
    en="A voluntary stay in a centre rests on the police organ's own paper; none is on record.",
    reads=("person.basis", "person.police_consent"),
    papers=True,
)
def police_agreed(facts: Facts, place: Place) -> Answer:
    """A centre takes a volunteer only when the police organ agreed, in writing."""
    if facts.basis is LegalBasis.VOLUNTARY_IN_CENTRE and not facts.police_consent:
        return "police_paper", "missing"
    return None


@rule(
    "T03-early",
    title=("先在公安强戒所的期限", "months in a police-run centre first"),
    cites=("T03", "6.3"),
    source="Drug Rehabilitation Regulations art. 27",
    zh="转入司法强戒所之前，须在公安强戒所执行满规定的月数；现状：{offered}。",
    en="A justice-run centre takes over after the set months in a police-run one; it is: "
    "{offered}.",
    reads=("person.basis", "person.psc_time", "place.kind"),
    offer_only=True,
    owner=PolicyOwner.PROVINCE,
)
def police_centre_first(facts: Facts, place: Place) -> Answer:
    """Nobody goes to a justice-run centre straight away or too early."""
    if facts.basis is not LegalBasis.COMPULSORY or place.kind is not UnitKind.JSC:
        return None
    if facts.psc_time in (PscTime.NEVER, PscTime.EARLY):
        return PscTime.DUE, facts.psc_time
    return None


@rule(
    "T03-over",
    title=("公安强戒所最长期限", "longest stay in a police-run centre"),
    cites=("T03",),
    source="Drug Rehabilitation Regulations art. 27",
    zh="在公安强戒所执行的时间最长不得超过十二个月。",
    en="The time in a police-run centre is never longer than twelve months.",
    reads=("person.basis", "person.psc_time", "place.kind"),
)
def police_centre_over(facts: Facts, place: Place) -> Answer:
    """A police-run centre is no longer the place once its longest time is over."""
    held = facts.basis is LegalBasis.COMPULSORY
    if held and place.kind is UnitKind.PSC and facts.psc_time is PscTime.OVER:
        return UnitKind.JSC, facts.psc_time
    return None


@rule(
    "P16",
    title=("联合指定医院的意见", "the jointly appointed hospital's opinion"),
    cites=("P16",),
    source="Shanghai Anti-Drug Ordinance art. 33",
    zh="联合指定的医院出具意见认为不所外就医可能危及生命的，不得送司法强戒所执行。",
    en="A justice-run centre takes nobody of whom the jointly appointed hospital says that life "
    "is in danger without treatment outside.",
    reads=("person.basis", "person.endangered", "place.kind"),
)
def not_forwarded_in_danger(facts: Facts, place: Place) -> Answer:
    """Nobody in danger of life is forwarded; without such an opinion the centre must accept."""
    if facts.endangered and place.kind is UnitKind.JSC:
        return "medical", UnitKind.JSC
    return None


@rule(
    "T15",
    title=("新入所人员先入入所队", "new arrivals apart until the exam"),
    cites=("T15", "T16"),
    source="MPS Order 117 art. 20; MOJ Order 127 art. 45; Anti-Drug Law art. 42",
    zh="入所健康检查完成之前安置在入所队；该单位是：{offered}。",
    en="Until the intake exam a newcomer is in the new-arrivals unit; this unit is: {offered}.",
    reads=(
        "person.examined",
        "person.sex",
        "person.age",
        "person.grade",
        "person.needs",
        "person.isolation",
        "person.observation",
        "place.kind",
        "place.zone",
    ),
)
def new_arrivals_apart(facts: Facts, place: Place) -> Answer:
    """Whom nobody has examined does not live with settled residents. Women's and minors' parts
    take in their own; who needs nursing, watching or isolation goes where that is given."""
    if facts.examined or place.kind not in COMPULSORY_CENTRES or place.zone is Zone.NEW_ARRIVALS:
        return None
    if place.zone is Zone.WOMEN and facts.sex is Sex.FEMALE:
        return None
    if place.zone is Zone.MINORS and facts.minor:
        return None
    plain = (
        facts.grade <= Grade.G1
        and not facts.needs
        and facts.isolation is Isolation.NONE
        and facts.observation is Observation.NONE
    )
    if place.zone in _SEEING_ZONES and not plain:
        return None
    return Zone.NEW_ARRIVALS, place.zone


@rule(
    "X01",
    title=("所外就医的全部文书", "the full set for out-of-centre treatment"),
    cites=("X01", "L10", "L11"),
    source="Drug Rehabilitation Regulations art. 31; MPS Order 117 art. 46",
    zh="所外就医须有全部文书；卷内没有：{needed}。",
    en="Out-of-centre treatment rests on its full set of papers; not on record: {needed}.",
    reads=("person.basis", "person.unfiled"),
    papers=True,
)
def out_medical_complete(facts: Facts, place: Place) -> Answer:
    """All four parts, each on its own paper; a stay in a ward stands for none of them."""
    if facts.basis is not LegalBasis.OUT_MEDICAL or not facts.unfiled:
        return None
    return ",".join(sorted(facts.unfiled)), "missing"


@rule(
    "X01-place",
    title=("所外就医不在强戒所和所外医疗专区", "out-of-centre treatment is outside"),
    cites=("0.1", "X01"),
    source="Drug Rehabilitation Regulations art. 31; Shanghai Anti-Drug Ordinance arts. 34, 35",
    zh="所外就医在强戒所及其医疗专区之外进行；此处是：{offered}。",
    en="Out-of-centre treatment is given outside the centres and their ward; this is: {offered}.",
    reads=("person.basis", "place.kind"),
)
def out_medical_is_outside(facts: Facts, place: Place) -> Answer:
    """Out-of-centre treatment and custody in a ward are two legal things, never mixed."""
    inside = place.kind in COMPULSORY_CENTRES or place.kind is UnitKind.OMW
    if facts.basis is LegalBasis.OUT_MEDICAL and inside:
        return "outside", place.kind
    return None


@rule(
    "X05",
    title=("安全与医疗各有责任机关", "both owners named"),
    cites=("X05",),
    source="Shanghai Anti-Drug Ordinance art. 34",
    zh="监管病区须同时写明负责安全管理和负责医疗的机关；该单位没有写明医疗责任方。",
    en="A custodial ward names who answers for security and who for care; this unit names nobody "
    "for care.",
    reads=("place.kind", "place.custodial", "place.cared_for"),
)
def both_owners(facts: Facts, place: Place) -> Answer:
    """A custodial ward without somebody who answers for care is no place for anybody."""
    if place.kind in CUSTODIAL_WARDS and place.custodial and not place.cared_for:
        return "medical_owner", "missing"
    return None
