"""Explanations as JSON: codes and figures with their words in Chinese and English beside them."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from solver.explain.answers import Explanations, NotPlaced, Placed, Removed
from solver.explain.sentences import answer_lines, removed_words


def answer_document(answer: Placed | NotPlaced) -> dict[str, Any]:
    """One answer, JSON-able: its fields, instants in ISO 8601, and ``words`` by language."""
    body: dict[str, Any] = _plain(asdict(answer))
    if isinstance(answer, NotPlaced):
        for one, removed in zip(body["removed"], answer.removed, strict=True):
            one["words"] = _both(removed)
    body["words"] = {
        "zh": list(answer_lines(answer, "zh")),
        "en": list(answer_lines(answer, "en")),
    }
    return body


def explanations_document(explanations: Explanations) -> dict[str, Any]:
    """All answers about one plan, JSON-able: ``placed``, ``unplaced`` and ``left``."""
    return {
        "placed": [answer_document(it) for it in explanations.placed],
        "unplaced": [answer_document(it) for it in explanations.unplaced],
        "left": [answer_document(it) for it in explanations.left],
    }


def _both(removed: Removed) -> dict[str, str]:
    return {"zh": removed_words(removed, "zh"), "en": removed_words(removed, "en")}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
