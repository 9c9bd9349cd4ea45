"""The trade's codes: what a place is, what a person needs, in the words of the field.

Every code is an English word or the customary abbreviation; the Chinese term stands beside it.
Source of the vocabulary: the legal and clinical terms collected for the Wuhan network
(Anti-Drug Law 2007, Drug Rehabilitation Regulations 2018, WS/T 431 nursing grades).
"""

from enum import IntEnum, StrEnum


class Sex(StrEnum):
    """Sex for separate management (Anti-Drug Law art. 44, Regulations art. 30)."""

    MALE = "male"
    FEMALE = "female"


class Tri(StrEnum):
    """A clinical finding that may not be known yet; unknown is an answer, never a default no."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class UnitKind(StrEnum):
    """What a unit is in law and practice; the kind belongs to the unit, not to the building."""

    PSC = "PSC"  # 公安机关强制隔离戒毒所 public-security compulsory isolation centre
    JSC = "JSC"  # 司法行政强制隔离戒毒所 justice-run compulsory isolation centre
    OMW = "OMW"  # 所外医疗专区 off-site medical ward
    CTH = "CTH"  # 约束性戒毒治疗定点医院 designated constrained-treatment hospital
    DTI = "DTI"  # 戒毒医疗机构 drug-treatment institution or department
    AKH = "AKH"  # 安康医院 police psychiatric hospital
    SEC = "SEC"  # 监管病房 secure ward in a general hospital
    RC = "RC"  # 戒毒康复场所 rehabilitation community (voluntary)
    EXT = "EXT"  # 外部医院 hospital outside the network: surge places only


COMPULSORY_CENTRES = frozenset({UnitKind.PSC, UnitKind.JSC})


class Zone(StrEnum):
    """The part of a centre or hospital a unit serves; neutral names, never a disease."""

    GENERAL = "general"
    NEW_ARRIVALS = "new_arrivals"  # 入所队
    DETOX = "detox"  # 生理脱毒区
    ADAPTATION = "adaptation"  # 教育适应区
    CONSOLIDATION = "consolidation"  # 康复巩固区
    RETURN_GUIDANCE = "return_guidance"  # 回归指导区
    SICK_DISABLED = "sick_disabled"  # 病残专管区
    ISOLATION = "isolation"  # 传染病隔离区
    WOMEN = "women"  # 女子大队
    MINORS = "minors"  # 未成年人大队
    SINGLE_MANAGEMENT = "single_management"  # 单独管理
    PSYCHIATRIC = "psychiatric"
    MEDICAL = "medical"


class Licence(StrEnum):
    """Approvals a unit must hold to treat (Regulations art. 29, Mental Health Law art. 25)."""

    DRUG_TREATMENT = "drug_treatment"
    PSYCHIATRIC = "psychiatric"
    INFECTIOUS = "infectious"
    MATERNITY = "maternity"


class Owner(StrEnum):
    """The organ answering for security or for care; both stand on every unit."""

    PUBLIC_SECURITY = "public_security"
    JUSTICE = "justice"
    HEALTH = "health"
    NONE = "none"


class LegalBasis(StrEnum):
    """Why the law lets this person be in a bed at all."""

    COMPULSORY = "compulsory"  # 强制隔离戒毒
    CONSTRAINED = "constrained"  # 约束性戒治: consensual, never custodial
    VOLUNTARY = "voluntary"  # 自愿戒毒
    VOLUNTARY_IN_CENTRE = "voluntary_in_centre"  # 自愿入强戒所
    OUT_MEDICAL = "out_medical"  # 所外就医
    INVOLUNTARY_PSYCHIATRIC = "involuntary_psychiatric"  # 非自愿住院 (Mental Health Law art. 30)


CUSTODIAL_BASES = frozenset({LegalBasis.COMPULSORY})
CONSENSUAL_BASES = frozenset(
    {LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY, LegalBasis.VOLUNTARY_IN_CENTRE}
)
TREATMENT_BASES = frozenset(
    {LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY, LegalBasis.INVOLUNTARY_PSYCHIATRIC}
)


class Ground(StrEnum):
    """Anti-Drug Law art. 38 grounds of a compulsory decision; recorded, never derived."""

    REFUSED_COMMUNITY = "refused_community"
    USED_DURING_COMMUNITY = "used_during_community"
    SERIOUS_BREACH = "serious_breach"
    RELAPSE_AFTER = "relapse_after"
    SEVERE_ADDICTION = "severe_addiction"


class Organ(StrEnum):
    """Bodies that decide or approve; only a county or city police organ orders isolation."""

    COUNTY_POLICE = "county_police"
    CITY_POLICE = "city_police"
    PROVINCE_POLICE = "province_police"
    JUSTICE_BUREAU = "justice_bureau"
    HOSPITAL = "hospital"
    COURT = "court"
    CENTRE = "centre"  # 强制隔离戒毒所 head of the centre
    PROVINCE_JUSTICE = "province_justice"  # 省级戒毒管理机关
    STREET_OFFICE = "street_office"  # 街道办事处


class Grade(IntEnum):
    """Placement grade: the maximum over the clinical dimensions, never an average (ASAM rule)."""

    G0 = 0  # no medical need
    G1 = 1  # outpatient care in the unit
    G2 = 2  # nursing zone
    G3 = 3  # off-site ward
    G4 = 4  # hospital
    G5 = 5  # emergency now


class NursingLevel(StrEnum):
    """Nursing grade 护理等级 (WS/T 431), beside the placement grade and never derived from it."""

    SPECIAL = "special"  # 特级
    FIRST = "first"  # 一级
    SECOND = "second"  # 二级
    THIRD = "third"  # 三级
    UNKNOWN = "unknown"


class Critical(StrEnum):
    """The in-patient flag a doctor puts on somebody gravely ill."""

    NONE = "none"
    SERIOUS = "serious"  # 病重
    CRITICAL = "critical"  # 病危
    UNKNOWN = "unknown"


class Triage(StrEnum):
    """Emergency triage 分诊, I the gravest."""

    I = "I"  # noqa: E741  濒危
    II = "II"  # 危重
    III = "III"  # 急症
    IV = "IV"  # 非急症
    UNKNOWN = "unknown"


class Screening(StrEnum):
    """What a short screening by an officer, no assessor being there, comes to; never a grade."""

    NONE = "none"  # nobody asked
    CLEAR = "clear"  # every answer known and negative
    CAUTION = "caution"  # something positive, or not answered
    RED_FLAG = "red_flag"  # the emergency lane opens


class DangerCase(StrEnum):
    """Whom a severe mental disorder endangers (Mental Health Law art. 30(2))."""

    SELF = "a"  # done or at risk of self-harm: the guardian must consent
    OTHERS = "b"  # done or at risk of harm to others: re-diagnosis may be asked


class OutMedicalPart(StrEnum):
    """The four parts of out-of-centre treatment 所外就医 (Regulations art. 31)."""

    SEVERE_ILLNESS = "severe_illness"
    LIFE_AT_RISK = "life_at_risk"  # may endanger life unless treated outside
    APPROVED = "approved"  # by the centre's supervising organ
    FILED = "filed"  # with the organ that decided


class Isolation(StrEnum):
    """Isolation by route, a clinical order; a diagnosis alone never sets it."""

    NONE = "none"
    CONTACT = "contact"
    DROPLET = "droplet"
    AIRBORNE = "airborne"
    UNKNOWN = "unknown"


class Observation(StrEnum):
    """How closely somebody must be watched, or a unit can watch."""

    NONE = "none"
    FREQUENT = "frequent"
    CONSTANT = "constant"
    UNKNOWN = "unknown"


class Security(IntEnum):
    """How closed a unit is; the least closed that meets the need wins."""

    OPEN = 0
    GUARDED = 1
    CLOSED = 2


class BedKind(StrEnum):
    """What a bed is equipped for; also the word for a need and for an extra feature of a bed."""

    GEN = "GEN"  # general
    DTX = "DTX"  # monitored detoxification
    NUR = "NUR"  # nursing
    ISO_A = "ISO-A"  # airborne isolation
    ISO_C = "ISO-C"  # contact or droplet isolation
    COH = "COH"  # cohort
    PSY = "PSY"  # psychiatric
    OBS = "OBS"  # constant observation
    ACC = "ACC"  # accessible
    MAT = "MAT"  # maternity, hospital only
    ICU = "ICU"  # referral only
    RSV = "RSV"  # emergency reserve
    SURGE = "SURGE"  # 加床 a place made on the spot


class BedState(StrEnum):
    """The bed's own state; whether somebody is in it is another fact."""

    IN_SERVICE = "in_service"
    HOUSEKEEPING = "housekeeping"  # 待清洁
    CONTAMINATED = "contaminated"  # 待终末消毒
    CLOSING = "closing"  # occupied until its person leaves, then closed
    CLOSED = "closed"


class DecisionStatus(StrEnum):
    """What a compulsory decision is worth on a given day."""

    VALID = "valid"
    MISSING = "missing"
    WRONG_BODY = "wrong_body"
    NO_GROUND = "no_ground"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    REVOKED = "revoked"


class ConsentStatus(StrEnum):
    """What an agreement or a consent is worth on a given day."""

    VALID = "valid"
    MISSING = "missing"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class PscTime(StrEnum):
    """How long somebody has been in a police-run centre under this decision (Regulations
    art. 27), against the months that policy and law set."""

    NEVER = "never_there"  # no first day on record
    EARLY = "too_early"
    DUE = "due"
    OVER = "over"


class ConsentBy(StrEnum):
    """Whose word it is; the family's never replaces a capable adult's."""

    PERSON = "person"
    FAMILY = "family"
    GUARDIAN = "guardian"


class Relation(StrEnum):
    """Rules about several people; one name in the planner and in the checker."""

    ELIGIBILITY = "eligibility"  # a placed person is refused by a rule about one person
    CAPACITY = "capacity"  # one person a bed; no more people in a unit than staffed beds
    AVAILABILITY = "availability"  # bed out of service, promised or claimed by somebody else
    ONE_SEX_PER_ROOM = "one_sex_per_room"
    ISOLATION_EXCLUSIVITY = "isolation_exclusivity"
    MINORS_APART = "minors_apart"
    CUSTODY_APART = "custody_apart"
    RESERVE = "reserve"  # the unit's last beds are kept for emergencies
    MOVABILITY = "movability"  # a resident moved without right, or a move budget exceeded
    ORDER_OF_MOVES = "order_of_moves"
    EVERY_REQUEST = "every_request"  # each waiting request is placed once or named as unplaced
    PRICE = "price"  # the plan's claimed price is not its recounted price


class MoveReason(StrEnum):
    """Why a plan proposes this move; codes, the words stand in the explanation."""

    PLACE_WAITING = "place_waiting"  # a waiting person gets a bed
    RIGHT_A_MISPLACED = "right_a_misplaced"  # present place no longer safe or lawful
    MAKE_ROOM = "make_room"  # moves on so that somebody waiting can be placed
    STEP_DOWN = "step_down"  # a less restrictive place meets the need


class PlanStatus(StrEnum):
    """How far the planner got; a stopped run is said to be stopped."""

    OPTIMAL = "optimal"  # every level proven
    WITHIN_GAP = "within_gap"  # bounds shown, gap above zero
    STOPPED = "stopped"  # wall clock ended it: not reproducible
    NOTHING_TO_DO = "nothing_to_do"
