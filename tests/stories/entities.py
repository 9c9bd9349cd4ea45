"""The things of the pure model: beds, claims, requests, stays and transfers, as plain records."""

from __future__ import annotations

from dataclasses import dataclass, field

OK = ""
"""The step is done."""


@dataclass
class Bed:
    id: str
    room: str
    kind: str
    state: str = "in_service"
    period: str | None = None


@dataclass
class Claim:
    bed: Bed
    person: str
    kind: str
    since: int
    until: int | None = None
    written_off: bool = False
    """A hold that was used, or whose lapse was recorded: it no longer counts even in the past."""

    def live(self, at: int) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


@dataclass
class Request:
    id: str
    person: str
    state: str = "waiting"
    hold: Claim | None = None


@dataclass
class Stay:
    id: str
    person: str
    segment: Claim
    state: str = "active"
    request: Request | None = None
    moved: bool = False
    """It began or went on by a transfer."""
    ended_as: str | None = None
    segments: list[Claim] = field(default_factory=list)


@dataclass
class Transfer:
    id: str
    stay: Stay
    origin: Bed
    target: Bed
    state: str = "proposed"
    hold: Claim | None = None

    @property
    def live(self) -> bool:
        return self.state in ("proposed", "approved", "accepted", "in_transit")
