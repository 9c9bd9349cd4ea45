"""Reads the decision table ``tests/data/eligibility.csv``.

One row is one case. ``like`` names the fitting pair it starts from (see ``builders``); ``person``
and ``place`` list what is changed as ``name=value; name=value``; ``refused_by`` names exactly the
rules that refuse, none where it is empty. Lists are joined by ``+``. A consent is written
``<kinds> <first day>..<last day>`` with ``unsigned``, ``withdrawn`` or ``lapses:<instant>`` behind
it, several are joined by ``/``. ``psychiatric`` is written as the parts found, ``case:a`` or
``case:b`` among them. Now is 2026-11-23T01:00 in UTC.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from solver.codes import (
    BedKind,
    ConsentBy,
    DangerCase,
    Grade,
    Ground,
    Isolation,
    LegalBasis,
    Licence,
    Observation,
    Organ,
    OutMedicalPart,
    Owner,
    Screening,
    Sex,
    Tri,
    UnitKind,
    Zone,
)
from solver.domain import Consent, Policy, Psychiatric
from solver.eligibility import Facts, Place, facts, place
from tests.solver.builders import NOW, ON, TARGET, a_person, a_place_network

TABLE = Path(__file__).parent.parent / "data" / "eligibility.csv"
CONSENTS = {
    "own": ConsentBy.PERSON,
    "family": ConsentBy.FAMILY,
    "guardian": ConsentBy.GUARDIAN,
}


@dataclass(frozen=True)
class Case:
    """One row of the table, read."""

    id: str
    sentence: str
    facts: Facts
    place: Place
    refused_by: frozenset[str]


def cases() -> list[Case]:
    """Every row. Raises ValueError or KeyError for a name or value the table may not hold."""
    with TABLE.open(encoding="utf-8", newline="") as rows:
        return [_case(row) for row in csv.DictReader(rows)]


def _case(row: dict[str, str]) -> Case:
    wanted = _changes(row["person"], _PERSON)
    emergency = wanted.pop("emergency", False)
    words = {name: wanted.pop(name) for name in CONSENTS if name in wanted}
    person = a_person(like=row["like"], **wanted)
    kept = [it for it in person.consents if it.by not in {CONSENTS[name] for name in words}]
    given = [replace(it, by=CONSENTS[name]) for name, its in words.items() for it in its]
    person = replace(person, consents=(*kept, *given))
    network = a_place_network(row["like"], **_changes(row["place"], _PLACE))
    return Case(
        row["id"],
        row["sentence"],
        facts(person, ON, NOW, Policy(), emergency=emergency),
        place(network, TARGET),
        frozenset(row["refused_by"].split()),
    )


def _changes(cell: str, known: dict[str, Callable[[str], Any]]) -> dict[str, Any]:
    parts = (part.strip().split("=", 1) for part in cell.split(";") if part.strip())
    return {name: known[name](value) for name, value in parts}


def _or_none(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: None if text == "none" else read(text)


def _set(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: frozenset() if text == "none" else frozenset(map(read, text.split("+")))


def _yes(text: str) -> bool:
    return {"yes": True, "no": False}[text]


def _consents(text: str) -> list[Consent]:
    return [] if text == "none" else [_consent(part) for part in text.split("/")]


def _consent(text: str) -> Consent:
    kinds, days, *flags = text.split()
    lapses = [flag.removeprefix("lapses:") for flag in flags if flag.startswith("lapses:")]
    if not {"unsigned", "withdrawn"}.issuperset(it for it in flags if ":" not in it):
        raise ValueError(f"{text!r}: a consent may only be unsigned, withdrawn or lapse")
    first, last = map(date.fromisoformat, days.split(".."))
    kinds_set = frozenset(map(UnitKind, kinds.split("+")))
    signed, withdrawn = "unsigned" not in flags, "withdrawn" in flags
    lapses_at = datetime.fromisoformat(lapses[0]) if lapses else None
    return Consent(ConsentBy.PERSON, kinds_set, first, last, signed, withdrawn, lapses_at)


def _psychiatric(text: str) -> Psychiatric | None:
    if text == "none":
        return None
    found = set(text.split("+"))
    if not found <= {"severe", "case:a", "case:b", "ended"}:
        raise ValueError(f"{text!r}: psychiatric findings are severe, case:a, case:b and ended")
    cases = [DangerCase(it.removeprefix("case:")) for it in found if it.startswith("case:")]
    return Psychiatric("severe" in found, cases[0] if cases else None, "ended" not in found)


_PERSON: dict[str, Callable[[str], Any]] = {
    "sex": _or_none(Sex),
    "age": int,
    "identified": _yes,
    "capable": Tri,
    "police_consent": _yes,
    "psc_since": _or_none(date.fromisoformat),
    "joint_opinion": Tri,
    "out_medical": _set(OutMedicalPart),
    "psychiatric": _psychiatric,
    "screening": Screening,
    "examined": _yes,
    "basis": _or_none(LegalBasis),
    "decision": _or_none(str),
    "body": _or_none(Organ),
    "ground": _or_none(Ground),
    "starts_on": date.fromisoformat,
    "ends_on": date.fromisoformat,
    "served_at": _or_none(datetime.fromisoformat),
    "revoked": _yes,
    "under_16_reasons": _yes,
    "own": _consents,
    "family": _consents,
    "guardian": _consents,
    "grade": lambda text: None if text == "unknown" else Grade[text],
    "needs": _set(BedKind),
    "isolation": Isolation,
    "observation": Observation,
    "pregnant": Tri,
    "nursing": Tri,
    "emergency": _yes,
}
_PLACE: dict[str, Callable[[str], Any]] = {
    "kind": UnitKind,
    "security_owner": Owner,
    "medical_owner": Owner,
    "sex": _or_none(Sex),
    "min_age": int,
    "max_age": int,
    "zone": Zone,
    "level_of_care": lambda text: Grade[text],
    "observation": Observation,
    "licences": _set(Licence),
    "bases": _set(LegalBasis),
    "room_sex": _or_none(Sex),
    "room_isolation": Isolation,
    "beds_in_room": int,
    "bed_kind": BedKind,
    "bed_features": _set(BedKind),
}
