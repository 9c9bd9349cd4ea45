"""A plan as one file."""

from typing import Any, get_args, get_origin

from solver.domain import Plan
from solver.instance.documents import (
    PLAN_FORMAT,
    decoded,
    document_of,
    lines_of,
    object_lines,
    uncollected,
)
from solver.instance.faults import InstanceError
from solver.instance.reading import type_hints
from solver.instance.writing import Writing


def plan_to_json(plan: Plan) -> str:
    """The plan as text, each move on one line in their order, the rest as the planner sorted it;
    equal plans give equal text."""
    writing = Writing()
    texts: dict[str, str | list[str]] = {}
    for name, kind in type_hints(Plan).items():
        value: Any = getattr(plan, name)
        if get_origin(kind) is tuple:
            write = writing.writer(get_args(kind)[0])
            texts[name] = [write(it) for it in value]
        else:
            texts[name] = writing.writer(kind)(value)
    return lines_of(PLAN_FORMAT, {"plan": object_lines(texts)})


def plan_from_json(text: str) -> Plan:
    """The plan in a file; raises ``InstanceError`` at the first fault. Says nothing on whether
    the plan is clean: that is ``check.violations``."""
    with uncollected():
        raw = document_of(text, PLAN_FORMAT)
        if set(raw) != {"plan"}:
            raise InstanceError("plan", sorted(raw), "give exactly one field, plan")
        plan = decoded(Plan, raw["plan"], "plan")
    ids: set[str] = set()
    for i, move in enumerate(plan.moves):
        if move.id in ids:
            raise InstanceError(f"plan.moves[{i}].id", move.id, "give each move its own id")
        ids.add(move.id)
    return plan
