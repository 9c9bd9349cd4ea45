"""Local practice on planning again by itself: what calls for a new plan, and how soon.

A plan is made again for what happens in the network, never for a decision on a plan: whoever
decides must not see it change under their hands.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from service.lifecycle import RunTrigger
from service.policy_intake import Strict

_CALL: Final = re.compile(r"(?P<operation>[a-z_]+\.[a-z_]+)(:(?P<field>[a-z_]+)=(?P<value>\w+))?")
_OWN: Final = ("planning_run.", "proposal.")


@dataclass(frozen=True, slots=True)
class _Call:
    """One entry: an operation of the log, and what one field of its data must be."""

    operation: str
    field: str | None
    value: str | None

    @classmethod
    def parsed(cls, written: str) -> Self:
        found = _CALL.fullmatch(written)
        if found is None:
            raise ValueError(f"{written!r} must be subject.verb or subject.verb:field=value")
        if written.startswith(_OWN):
            raise ValueError(f"{written!r} is the planner's own; a plan must not call for the next")
        return cls(found["operation"], found["field"], found["value"])

    def met_by(self, data: Mapping[str, Any]) -> bool:
        """Whether an event of this operation with this data is meant."""
        if self.field is None:
            return True
        given = data.get(self.field)
        return (str(given).lower() if isinstance(given, bool) else given) == self.value


class Replanning(Strict):
    """When a plan is made again because something happened.

    ``spacing_seconds``: between two such plans at least; what happens meanwhile makes one more.
    ``undisturbed_minutes``: how long after a coordinator asked for a plan or decided on one of its
    moves that plan stands; ``urgent`` triggers do not wait for it. ``keep_days``: how long the
    snapshot and the explanations of a plan stay that nobody asked for or decided on and a newer
    one replaced; what it proposed and changed stays for good. ``triggers``: the operations of
    the event log by what they mean, each ``subject.verb`` or, for some of its events only,
    ``subject.verb:field=value``.
    """

    enabled: bool
    spacing_seconds: Annotated[int, Field(ge=1, le=3600)]
    undisturbed_minutes: Annotated[int, Field(ge=0, le=240)]
    keep_days: Annotated[int, Field(ge=1, le=3660)]
    urgent: frozenset[RunTrigger]
    triggers: dict[RunTrigger, tuple[str, ...]]

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if RunTrigger.ASKED in self.triggers.keys() | self.urgent:
            raise ValueError("asked is a coordinator's word; leave it out")
        without = sorted(self.urgent - self.triggers.keys())
        if without:
            raise ValueError(f"urgent names {', '.join(without)}, which triggers does not")
        written = [it for each in self.triggers.values() for it in each]
        twice = sorted({it for it in written if written.count(it) > 1})
        if twice:
            raise ValueError(f"triggers names {', '.join(twice)} twice; keep one")
        _ = self.calls
        return self

    @cached_property
    def calls(self) -> Mapping[str, tuple[tuple[_Call, RunTrigger], ...]]:
        """What each operation may call for, the more urgent first."""
        found: dict[str, list[tuple[_Call, RunTrigger]]] = {}
        for trigger in RunTrigger:
            for written in self.triggers.get(trigger, ()):
                call = _Call.parsed(written)
                found.setdefault(call.operation, []).append((call, trigger))
        return {operation: tuple(calls) for operation, calls in found.items()}

    def trigger_of(self, operation: str, data: Mapping[str, Any]) -> RunTrigger | None:
        """What this event calls a new plan for; None for one that leaves the plan as it is."""
        for call, trigger in self.calls.get(operation, ()):
            if call.met_by(data):
                return trigger
        return None

    @property
    def spacing(self) -> timedelta:
        """Between two plans that nobody asked for at least."""
        return timedelta(seconds=self.spacing_seconds)

    @property
    def keep(self) -> timedelta:
        """How long the snapshot of a replaced plan stays that nobody asked for or decided on."""
        return timedelta(days=self.keep_days)

    @property
    def undisturbed(self) -> timedelta:
        """How long a plan stands after a coordinator asked for it or decided on it."""
        return timedelta(minutes=self.undisturbed_minutes)
