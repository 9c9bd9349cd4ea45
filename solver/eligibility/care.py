"""Rules of separation, clinical need and licence: whether this bed is safe for this person.

Every clinical attribute may be unknown. Unknown counts as the cautious value: a grade as the
policy's, an isolation route as a contact route, an observation need as frequent.
"""

from solver.codes import (
    BedKind,
    Grade,
    Isolation,
    LegalBasis,
    Licence,
    Observation,
    Sex,
    UnitKind,
)
from solver.eligibility.facts import Facts, Place
from solver.eligibility.registry import Answer, Approver, PolicyOwner, rule

MEDICAL_KINDS = frozenset({UnitKind.OMW, UnitKind.CTH, UnitKind.DTI, UnitKind.AKH, UnitKind.SEC})
"""Wards and hospitals of the network."""
ROUTE_STRENGTH = {
    Isolation.NONE: 0,
    Isolation.UNKNOWN: 1,
    Isolation.CONTACT: 1,
    Isolation.DROPLET: 2,
    Isolation.AIRBORNE: 3,
}
"""A room for a stronger route can isolate the weaker ones."""
WATCH = {
    Observation.NONE: 0,
    Observation.UNKNOWN: 1,
    Observation.FREQUENT: 1,
    Observation.CONSTANT: 2,
}
REFERRAL_ONLY = frozenset({BedKind.ICU, BedKind.SURGE})


@rule(
    "P05-sex",
    title=("男女分别管理", "men and women apart"),
    cites=("P05",),
    source="Anti-Drug Law art. 44; Drug Rehabilitation Regulations art. 30",
    zh="男女分别管理：需要{needed}，此处收{offered}。",
    en="Men and women are managed apart: needed {needed}, the place is for {offered}.",
    reads=("person.sex", "place.sexes"),
)
def sexes_apart(facts: Facts, place: Place) -> Answer:
    """A unit or room set aside for one sex takes only that sex; a place for both takes somebody
    of whom it is not known yet."""
    if facts.sex in place.sexes or (facts.sex is None and len(place.sexes) == len(Sex)):
        return None
    return facts.sex or "unknown", ",".join(sorted(place.sexes)) or "none"


@rule(
    "P05-age",
    title=("年龄段", "age band"),
    cites=("P05",),
    source="Anti-Drug Law art. 44; Drug Rehabilitation Regulations art. 30",
    zh="年龄{needed}岁，该单位收{offered}岁。",
    en="Age {needed}; the unit takes ages {offered}.",
    reads=("person.age", "place.min_age", "place.max_age"),
)
def age_band(facts: Facts, place: Place) -> Answer:
    """A unit takes the ages it is set up for, both ends included."""
    if place.min_age <= facts.age <= place.max_age:
        return None
    return str(facts.age), f"{place.min_age}-{place.max_age}"


@rule(
    "P08",
    title=("未成年人分开", "minors apart from adults"),
    cites=("P08",),
    source="Anti-Drug Law art. 44; Law on the Protection of Minors art. 103",
    zh="未成年人与成年人分开：需要{needed}处所，此处收{offered}。",
    en="Minors are kept apart from adults: needed a place for {needed}, this one is for {offered}.",
    reads=("person.age", "place.minors_only", "place.custodial", "place.single"),
)
def minors_apart(facts: Facts, place: Place) -> Answer:
    """Minors go where only minors are; outside custody a room of one's own keeps apart too."""
    if not facts.minor:
        return ("adults", "minors") if place.minors_only else None
    if place.minors_only or (place.single and not place.custodial):
        return None
    return "minors", "adults"


@rule(
    "P10",
    title=("按途径隔离", "isolation by route"),
    cites=("P09", "P10", "P11"),
    source="Law on Prevention and Treatment of Infectious Diseases; Anti-Drug Law art. 44(2)",
    zh="隔离途径：{needed}；此处：{offered}。",
    en="Isolation by route: {needed}; the place offers: {offered}.",
    reads=("person.isolation", "place.isolation", "place.single"),
)
def isolation_by_route(facts: Facts, place: Place) -> Answer:
    """Isolation is by route. Airborne needs an airborne room; any other route, and a route not
    yet known, a room that isolates it or a room of one's own."""
    if ROUTE_STRENGTH[place.isolation] >= ROUTE_STRENGTH[facts.isolation]:
        return None
    if place.single and facts.isolation is not Isolation.AIRBORNE:
        return None
    offered = "single" if place.single else "shared"
    return facts.isolation, offered if place.isolation is Isolation.NONE else place.isolation


@rule(
    "P13-watch",
    title=("观察级别", "observation"),
    cites=("P13",),
    source="Anti-Drug Law art. 44; MPS Order 117 art. 45; MOJ Order 127 art. 40",
    zh="观察级别：{needed}；该单位能做到：{offered}。",
    en="Observation: {needed}; the unit can give: {offered}.",
    reads=("person.observation", "place.observation"),
    lifted_by=Approver.CLINICIAN,
)
def watched_closely_enough(facts: Facts, place: Place) -> Answer:
    """A unit watches at least as closely as the person needs; not yet known counts as frequent."""
    if WATCH[facts.observation] <= WATCH[place.observation]:
        return None
    return facts.observation, place.observation


@rule(
    "P13-alone",
    title=("不得独处", "not alone unwatched"),
    cites=("P13", "SUI2", "SUI3"),
    source="Anti-Drug Law art. 44; MPS Order 117 art. 45; place logic for self-harm risk",
    zh="需要持续观察的人，没有持续观察条件的单人间不得安置：需要{needed}，该单位能做到：{offered}。",
    en="Somebody to be watched constantly is not put into a single room of a unit that cannot: "
    "needed {needed}, the unit can give: {offered}.",
    reads=("person.observation", "place.single", "place.observation"),
)
def never_alone_unwatched(facts: Facts, place: Place) -> Answer:
    """No single room without the constant watch that is needed; nobody lifts it."""
    constant = Observation.CONSTANT
    if facts.observation is constant and place.single and place.observation is not constant:
        return facts.observation, place.observation
    return None


@rule(
    "P13-bed",
    title=("床位设施", "bed equipment"),
    cites=("P13",),
    source="Anti-Drug Law art. 44",
    zh="需要：{needed}；该床位是：{offered}。",
    en="Needs: {needed}; the bed is: {offered}.",
    reads=("person.needs", "place.provides"),
    lifted_by=Approver.CLINICIAN,
)
def bed_equipped(facts: Facts, place: Place) -> Answer:
    """A bed provides all that the person needs."""
    if facts.needs <= place.provides:
        return None
    return ",".join(sorted(facts.needs - place.provides)), ",".join(sorted(place.provides))


@rule(
    "P13-maternity",
    title=("产科床", "maternity beds"),
    cites=("P13",),
    source="Bed kinds of the network: maternity beds are in hospitals, for maternity",
    zh="产科床只在医院、只供产科使用。",
    en="A maternity bed is in a hospital and for maternity only.",
    reads=("person.needs", "place.bed_kind", "place.kind"),
    lifted_by=Approver.CLINICIAN,
    offer_only=True,
    owner=PolicyOwner.NETWORK,
)
def maternity_beds(facts: Facts, place: Place) -> Answer:
    """Maternity beds are offered for maternity, in hospitals."""
    if place.bed_kind is not BedKind.MAT:
        return None
    if BedKind.MAT in facts.needs and place.kind in MEDICAL_KINDS:
        return None
    return ",".join(sorted(facts.needs)) or BedKind.GEN, BedKind.MAT


@rule(
    "P18",
    title=("戒毒治疗许可", "drug-treatment approval"),
    cites=("P18",),
    source="Anti-Drug Law art. 36; Drug Rehabilitation Regulations art. 29; "
    "Measures for Drug Treatment 2021",
    zh="该单位没有戒毒治疗执业许可，不得收治。",
    en="The unit holds no drug-treatment approval and may not treat.",
    reads=("person.basis", "place.kind", "place.licences"),
)
def drug_treatment_licence(facts: Facts, place: Place) -> Answer:
    """Wards and hospitals, and whoever treats by consent, hold a drug-treatment approval."""
    treats = place.kind in MEDICAL_KINDS or facts.basis in (
        LegalBasis.CONSTRAINED,
        LegalBasis.VOLUNTARY,
    )
    if not treats or Licence.DRUG_TREATMENT in place.licences:
        return None
    return Licence.DRUG_TREATMENT, ",".join(sorted(place.licences)) or "none"


@rule(
    "P18-psychiatric",
    title=("精神科许可", "psychiatric licence"),
    cites=("P18",),
    source="Mental Health Law art. 25",
    zh="该单位没有精神科执业许可。",
    en="The unit holds no psychiatric licence.",
    reads=("person.basis", "person.needs", "place.licences"),
)
def psychiatric_licence(facts: Facts, place: Place) -> Answer:
    """Psychiatric need is met, and an involuntary admission carried out, where licensed
    psychiatric staff are."""
    involuntary = facts.basis is LegalBasis.INVOLUNTARY_PSYCHIATRIC
    if not involuntary and BedKind.PSY not in facts.needs:
        return None
    if Licence.PSYCHIATRIC in place.licences:
        return None
    return Licence.PSYCHIATRIC, ",".join(sorted(place.licences)) or "none"


@rule(
    "S11",
    title=("收治等级", "level of care"),
    cites=("S11",),
    source="ASAM Criteria, 4th ed.: the level is the highest any dimension needs",
    zh="收治等级：{needed}；该单位最高：{offered}。",
    en="Placement grade: {needed}; the unit cares up to {offered}.",
    reads=("person.grade", "person.assessed", "place.level_of_care"),
    lifted_by=Approver.CLINICIAN,
)
def level_of_care(facts: Facts, place: Place) -> Answer:
    """No grade above what the unit cares for; no grade yet counts as the policy's."""
    if facts.grade <= place.level_of_care:
        return None
    grade = Grade(facts.grade).name
    return grade if facts.assessed else f"{grade}:unknown", Grade(place.level_of_care).name


@rule(
    "S14-medical",
    title=("急救只送医疗单位", "emergencies go to medical care"),
    cites=("S14", "X02"),
    source="Physicians Law art. 27; Basic Healthcare and Health Promotion Law art. 27",
    zh="急救只送往医疗单位。",
    en="An emergency leads to medical care only.",
    reads=("person.emergency", "place.kind"),
)
def emergency_is_medical(facts: Facts, place: Place) -> Answer:
    """The emergency lane never leads into a centre."""
    if facts.emergency and place.kind not in MEDICAL_KINDS:
        return "medical", place.kind
    return None


@rule(
    "S14-reserve",
    title=("急救预留", "emergency reserve"),
    cites=("S14",),
    source="Emergency reserve of the network (bed kind RSV)",
    zh="急救预留床只供急救使用。",
    en="The bed is kept in reserve for emergencies.",
    reads=("person.emergency", "place.provides"),
    offer_only=True,
    owner=PolicyOwner.NETWORK,
)
def emergency_reserve(facts: Facts, place: Place) -> Answer:
    """Reserve beds are offered to emergencies alone."""
    if BedKind.RSV in place.provides and not facts.emergency:
        return "emergency", BedKind.RSV
    return None


@rule(
    "S14-referral",
    title=("只经转诊", "by referral only"),
    cites=("S14",),
    source="Bed kinds of the network: intensive care by referral, surge places on the spot",
    zh="此床位不派床，只经转诊或者急救使用。",
    en="The bed is not offered; it is reached by referral or in an emergency.",
    reads=("place.kind", "place.provides"),
    offer_only=True,
    owner=PolicyOwner.NETWORK,
)
def referral_only(facts: Facts, place: Place) -> Answer:
    """Intensive care, surge places and hospitals outside the network are never offered."""
    if place.kind is UnitKind.EXT:
        return "referral", place.kind
    listed = place.provides & REFERRAL_ONLY
    return ("referral", ",".join(sorted(listed))) if listed else None
