"""Names for a synthetic network: neutral ones. No name of a unit says what anybody there has."""

import hashlib
from dataclasses import dataclass
from typing import Final

from solver.codes import COMPULSORY_CENTRES, UnitKind, Zone
from solver.domain import Network, Unit

_WORDS: Final = {
    UnitKind.PSC: "强制隔离戒毒所",
    UnitKind.JSC: "强制隔离戒毒所（司法）",
    UnitKind.OMW: "所外医疗专区",
    UnitKind.CTH: "合作医院",
    UnitKind.DTI: "戒毒医疗机构",
    UnitKind.AKH: "安康医院",
    UnitKind.SEC: "监管病房",
    UnitKind.RC: "戒毒康复场所",
    UnitKind.EXT: "外部医院",
}
_NUMBERS: Final = "一二三四五六七八九"


@dataclass(frozen=True, slots=True)
class FacilityName:
    """What a made-up facility is called, and a duty phone that no exchange gives out."""

    name: str
    duty_phone: str


def facility_names(network: Network) -> dict[str, FacilityName]:
    """A name for each facility: the synthetic city it lies in, what it is, its number."""
    main_kind: dict[str, UnitKind] = {}
    for unit in network.units.values():
        main_kind.setdefault(unit.facility, unit.kind)
    names = {}
    for index, facility in enumerate(network.facilities.values(), 1):
        city, number = _city_and_number(facility.id)
        kind = main_kind.get(facility.id, UnitKind.EXT)
        place = f"示例{city}市" if city > 1 else "示例市"
        names[facility.id] = FacilityName(
            f"{place}{_ordinal(number)}{_WORDS[kind]}", f"000-0000-{index:04d}"
        )
    return names


def _city_and_number(facility: str) -> tuple[int, int]:
    first, _, rest = facility.partition("-")
    is_city = first.startswith("c") and first[1:].isdigit()
    last = (rest if is_city else facility).rpartition("-")[2]
    return (int(first[1:]) if is_city else 1), (int(last) if last.isdigit() else 1)


def _ordinal(number: int) -> str:
    return f"第{_NUMBERS[number - 1]}" if 1 <= number <= len(_NUMBERS) else f"第{number}"


def unit_name(unit: Unit) -> str:
    """A number and the plain word for a part of such a place."""
    number = unit.id.rpartition(".w")[2]
    if unit.kind not in COMPULSORY_CENTRES:
        return f"{number}病区"
    words = {Zone.WOMEN: "女子大队", Zone.MINORS: "未成年人大队", Zone.NEW_ARRIVALS: "入所队"}
    return f"{number}区{words.get(unit.zone, '大队')}"


def person_name(person: str) -> str:
    """A name that nobody could take for a real one."""
    return f"虚构{hashlib.sha256(person.encode()).hexdigest()[:4].upper()}"
