"""The codes that refusals carry, in words."""

from typing import Literal

_WORDS: dict[str, tuple[str, str]] = {
    "male": ("男", "men"),
    "female": ("女", "women"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "unknown": ("尚未查明", "not yet known"),
    "none": ("无", "none"),
    "contact": ("接触隔离", "contact isolation"),
    "droplet": ("飞沫隔离", "droplet isolation"),
    "airborne": ("空气隔离", "airborne isolation"),
    "frequent": ("定时观察", "frequent observation"),
    "constant": ("持续观察", "constant observation"),
    "valid": ("有效", "valid"),
    "missing": ("未提供", "missing"),
    "wrong_body": ("决定机关不符", "taken by another body"),
    "no_ground": ("未载明法定情形", "no ground named"),
    "not_yet": ("尚未生效", "not yet in force"),
    "expired": ("已届满", "ended"),
    "revoked": ("已撤销", "revoked"),
    "withdrawn": ("已撤回", "withdrawn"),
    "out_of_scope": ("不包括此类单位", "not for this kind of unit"),
    "person": ("本人", "the person"),
    "family": ("家属", "the family"),
    "guardian": ("监护人", "the guardian"),
    "compulsory": ("强制隔离戒毒", "compulsory isolation"),
    "constrained": ("约束性戒治", "constrained treatment"),
    "voluntary": ("自愿戒毒", "voluntary treatment"),
    "voluntary_in_centre": ("自愿入所", "voluntary stay in a centre"),
    "out_medical": ("所外就医", "out-of-centre medical treatment"),
    "drug_treatment": ("戒毒治疗", "drug treatment"),
    "psychiatric": ("精神科", "psychiatric"),
    "custodial": ("监管", "custodial"),
    "open": ("非监管", "not custodial"),
    "minors": ("未成年人", "minors"),
    "adults": ("成年人", "adults"),
    "served": ("已送达", "served"),
    "not_served": ("尚未送达", "not yet served"),
    "signed": ("已签订", "signed"),
    "emergency": ("急救", "emergencies"),
    "medical": ("医疗单位", "a medical unit"),
    "reasons": ("决定机关的理由", "the deciding organ's reasons"),
    "shared": ("普通多人间", "a shared room without isolation"),
    "single": ("单人间", "a single room"),
    "referral": ("转诊", "referral"),
    "PSC": ("公安强戒所", "police-run centre"),
    "JSC": ("司法强戒所", "justice-run centre"),
    "OMW": ("所外医疗专区", "off-site medical ward"),
    "CTH": ("约束性戒治定点医院", "constrained-treatment hospital"),
    "DTI": ("戒毒医疗机构", "drug-treatment institution"),
    "AKH": ("安康医院", "police psychiatric hospital"),
    "SEC": ("监管病房", "secure ward"),
    "RC": ("戒毒康复场所", "rehabilitation community"),
    "EXT": ("外部医院", "external hospital"),
    "GEN": ("普通床", "general bed"),
    "DTX": ("脱毒监护床", "monitored detox bed"),
    "NUR": ("护理床", "nursing bed"),
    "ISO-A": ("空气隔离床", "airborne isolation bed"),
    "ISO-C": ("接触隔离床", "contact isolation bed"),
    "COH": ("集中隔离床", "cohort bed"),
    "PSY": ("精神科床", "psychiatric bed"),
    "OBS": ("持续观察床", "observation bed"),
    "ACC": ("无障碍床", "accessible bed"),
    "MAT": ("产科床", "maternity bed"),
    "ICU": ("重症床", "intensive-care bed"),
    "RSV": ("急救预留床", "emergency reserve bed"),
    "SURGE": ("加床", "surge place"),
}


def words(codes: str, language: Literal["zh", "en"]) -> str:
    """Codes joined by commas, or ``signer:status`` pairs, in words; figures stay as they are."""
    column = 0 if language == "zh" else 1
    comma, colon = ("、", "") if language == "zh" else (", ", " ")
    return comma.join(
        colon.join(_WORDS[part][column] if part in _WORDS else part for part in code.split(":"))
        for code in codes.split(",")
    )
