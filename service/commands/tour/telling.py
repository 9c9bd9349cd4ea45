"""Answers made readable: the members a story is about, hours as a clock on the wall shows them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
SHOWN: Final = 4
LONGEST: Final = 400
_GIST: Final = (
    "code",
    "detail",
    "id",
    "state",
    "outcome",
    "fitting",
    "status",
    "grade",
    "misplaced",
    "from_bed",
    "to_bed",
    "bed",
    "facility",
    "responsible_facility",
    "end_code",
    "end_reason",
    "report_by",
    "surge",
)
_INSIDE: Final = ("request", "assessment", "bed", "stay", "term")
"""Members whose own gist is the answer's: a decision is about its request."""
_BESIDE: Final = ("code", "detail", "misplaced", "surge")


def hour(instant: str) -> str:
    """An instant of the API as a clock in the city shows it."""
    return datetime.fromisoformat(instant).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def told(answer: httpx.Response) -> str:
    """A refusal on one line."""
    problem = answer.json()
    return (
        f"{answer.status_code} {problem.get('code')}: {problem.get('detail')} "
        f"{problem.get('errors') or ''}"
    )


def gist(answer: httpx.Response) -> dict[str, Any]:
    """The members of an answer that the story is about."""
    if not answer.content:
        return {}
    body = answer.json()
    if isinstance(body, list):
        return {"items": len(body)}
    for name in _INSIDE:
        if isinstance(body.get(name), dict):
            body = {**body[name], **{it: body[it] for it in _BESIDE if it in body}}
    found = {name: body[name] for name in _GIST if body.get(name) is not None}
    hold = body.get("hold")
    if isinstance(hold, dict):
        until = f" until {hour(hold['until'])}" if hold["until"] else " until arrival"
        found["held"] = f"{hold['bed']}{until}"
    return found


def short(body: Mapping[str, Any] | None) -> str:
    """One line of members; a long list or a deep member is told by its size."""
    if not body:
        return ""
    return ", ".join(f"[dim]{name}[/] {plain(value)}" for name, value in body.items() if value)


def plain(value: object) -> str:
    """A value in few words."""
    if isinstance(value, dict):
        told = {it: value[it] for it in value if value[it] not in ("G0", None)}
        return " ".join(f"{name}={it}" for name, it in told.items()) or "all G0"
    if isinstance(value, list):
        few = len(value) <= SHOWN and not any(isinstance(it, dict) for it in value)
        return " ".join(map(str, value)) if few else f"{len(value)} items"
    words = str(value)
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 3]}..."
