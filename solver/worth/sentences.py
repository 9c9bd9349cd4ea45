"""The worth of beds and staff in plain Chinese and English, and as JSON."""

from collections.abc import Iterable
from dataclasses import asdict
from enum import IntEnum
from typing import Any

from solver.codes import Grade, Isolation, Sex, Zone
from solver.eligibility.registry import Language
from solver.eligibility.words import words
from solver.worth.answers import Bought, KindOfBed, MoreBed, MoreStaff, Worth


def worth_lines(worth: Worth, language: Language) -> tuple[str, ...]:
    """What each addition would buy, best first; additions that buy nothing are only counted."""
    return tuple(_zh(worth) if language == "zh" else _en(worth))


def worth_document(worth: Worth) -> dict[str, Any]:
    """The worth as JSON: grades by name, codes by value, words in both languages."""
    body: dict[str, Any] = _plain(asdict(worth))
    for one, it in zip([*body["beds"], *body["staff"]], worth.additions, strict=True):
        one["bought"]["placed"] = _graded(it.bought.placed)
        one["words"] = {"zh": _what(it, "zh"), "en": _what(it, "en")}
    body["unplaced"] = _graded(worth.unplaced)
    return body


def _en(worth: Worth) -> list[str]:
    lines = [
        f"today: level 0 {worth.levels[0]}, level 1 {worth.levels[1]}; without a bed: "
        f"{_grades(worth.unplaced, '') or 'nobody'}"
    ]
    lines += [f"{_what(it, 'en')}: {_bought_en(it.bought)}{_sure(it, 'en')}" for it in _some(worth)]
    nothing = sum(it.bought == Bought() for it in worth.additions)
    if nothing:
        lines.append(f"{nothing} further additions buy nothing")
    if worth.untried:
        lines.append(f"{worth.untried} further additions were not tried")
    return lines


def _zh(worth: Worth) -> list[str]:
    lines = [
        f"现方案：第0层{worth.levels[0]}，第1层{worth.levels[1]}；未安置："
        f"{_grades(worth.unplaced, '') or '无'}"
    ]
    lines += [f"{_what(it, 'zh')}：{_bought_zh(it.bought)}{_sure(it, 'zh')}" for it in _some(worth)]
    nothing = sum(it.bought == Bought() for it in worth.additions)
    if nothing:
        lines.append(f"另有{nothing}种增设没有作用")
    if worth.untried:
        lines.append(f"另有{worth.untried}种增设未试算")
    return lines


def _some(worth: Worth) -> Iterable[MoreBed | MoreStaff]:
    return (it for it in worth.additions if it.bought != Bought())


def _what(it: MoreBed | MoreStaff, language: Language) -> str:
    if isinstance(it, MoreStaff):
        kind = words(it.unit_kind, language)
        if language == "zh":
            return f"{it.unit}（{kind}）多看护一人"
        return f"staff for one more person in unit {it.unit} ({kind})"
    kinds = [_kind_words(kind, language) for kind in it.kinds]
    if language == "zh":
        where = "" if it.tried_in is None else f"（增设在{it.tried_in}试算）"
        return f"多一张{'或者'.join(kinds)}{where}"
    where = "" if it.tried_in is None else f", tried in unit {it.tried_in}"
    return f"one more {' or '.join(kinds)}{where}"


def _kind_words(kind: KindOfBed, language: Language) -> str:
    parts = [words(",".join((kind.bed_kind, *kind.features)), language)]
    if kind.zone is not Zone.GENERAL:
        parts.append(words(kind.zone, language))
    if len(kind.sexes) < len(Sex):
        parts.append(words(",".join(kind.sexes), language))
    if kind.minors_only:
        parts.append(words("minors", language))
    if kind.isolation is not Isolation.NONE:
        parts.append(words(kind.isolation, language))
    if kind.single:
        parts.append(words("single", language))
    unit = words(kind.unit_kind, language)
    if language == "zh":
        return f"{unit}的{'、'.join(parts)}（收治至{kind.level_of_care.name}级）"
    return f"{', '.join(parts)} in a {unit} caring up to {kind.level_of_care.name}"


def _bought_en(bought: Bought) -> str:
    said = [f"level {i} {-n:+d}" for i, n in enumerate(bought.levels) if n]
    if any(bought.placed):
        said.append(f"placed {_grades(bought.placed, '+')}")
    if bought.righted:
        said.append(f"{bought.righted:+d} righted")
    return ", ".join(said)


def _bought_zh(bought: Bought) -> str:
    said = [f"第{i}层{-n:+d}" for i, n in enumerate(bought.levels) if n]
    if any(bought.placed):
        said.append(f"安置{_grades(bought.placed, '+')}")
    if bought.righted:
        said.append(f"调整不合规住处{bought.righted:+d}人")
    return "，".join(said)


def _sure(it: MoreBed | MoreStaff, language: Language) -> str:
    if it.proven:
        return ""
    return "（未证明最优）" if language == "zh" else " (not proven)"


def _grades(numbers: Iterable[int], sign: str) -> str:
    return " ".join(
        f"{grade.name} {n:{sign}d}" for grade, n in zip(Grade, numbers, strict=True) if n
    )


def _graded(numbers: Iterable[int]) -> dict[str, int]:
    return {grade.name: n for grade, n in zip(Grade, numbers, strict=True)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.name if isinstance(value, IntEnum) else value
