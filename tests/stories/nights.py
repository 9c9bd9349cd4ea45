"""A small city with a server and a worker in which the scenes of the tour are played and judged."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from rich.console import Console
from sqlalchemy import text

from service.commands.database import context_of
from service.commands.tour.command import Keys, keys_of
from service.commands.tour.night import Night
from service.settings import Settings
from service.worker import worker_beside
from solver.codes import LegalBasis, Sex, UnitKind
from tests.service.workflow.world import World
from tests.stories.invariants import broken
from tests.stories.servers import client_of, serving

PATIENCE_S = 20.0
"""How long the worker may take to write what time has brought about."""


@dataclass
class Stage:
    """A city that is served, and questions to its database that the API does not answer."""

    city: World
    client: httpx.Client
    keys: Keys
    screens: list[io.StringIO] = field(default_factory=list)

    def night(self) -> Night:
        """A tour of its own, with a screen of its own."""
        self.screens.append(io.StringIO())
        return Night(self.client, Console(file=self.screens[-1], width=200), self.keys.make)

    @property
    def told(self) -> str:
        """What the newest night has printed."""
        return self.screens[-1].getvalue()

    def rows(self, query: str, **given: Any) -> list[tuple[Any, ...]]:
        with self.city.engine.connect() as conn:
            return [tuple(row) for row in conn.execute(text(query), given)]

    def one(self, query: str, **given: Any) -> Any:
        """The only column of the only row."""
        ((value,),) = self.rows(query, **given)
        return value

    def change(self, statement: str, **given: Any) -> None:
        """Let time have passed for somebody: their rows are moved into the past."""
        with self.city.engine.begin() as conn:
            conn.execute(text(statement), given)

    def until(self, query: str, wanted: object, **given: Any) -> None:
        """Wait for the worker."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self.one(query, **given)) != wanted:
            assert time.monotonic() < deadline, f"it is {found}, not {wanted}, after all this time"
            time.sleep(0.1)

    def claims(self, person: str) -> list[tuple[Any, ...]]:
        """The person's segments in force, in order: kind, bed, whether it is open."""
        return self.rows(
            "SELECT kind, bed_id, upper_inf(during) FROM bed_claim WHERE person_id = :p"
            " AND voided_at IS NULL AND kind <> 'hold' ORDER BY lower(during), kind",
            p=person,
        )

    def operations(self, person: str) -> set[str]:
        """Every operation the log has about the person."""
        found = self.rows("SELECT DISTINCT operation FROM event WHERE person_id = :p", p=person)
        return {row[0] for row in found}

    def clocks(self, person: str) -> dict[str, str | None]:
        """Every clock that ever ran about the person, by kind, with how it ended."""
        return dict(
            self.rows(
                "SELECT kind, outcome FROM due_item WHERE person_id = :p ORDER BY opened_at",
                p=person,
            )
        )

    def nothing_is_broken(self) -> None:
        """No bed is somebody's twice, nobody is in two places, every state has its rows."""
        with self.city.engine.connect() as conn:
            assert broken(conn) == {}


@contextmanager
def a_served_city(city: World, settings: Settings) -> Iterator[Stage]:
    """A centre with a new-arrivals unit, a women's and a general part, and a hospital with a
    psychiatric ward; one server process, a worker beside."""
    centre: dict[str, Any] = {"level_of_care": 1, "observation": "none", "security": 2}
    city.unit("psc-1.w1", rooms=(4,), zone="new_arrivals", sex=Sex.MALE.value, **centre)
    city.unit("psc-1.w2", rooms=(6,), sex=Sex.MALE.value, **centre)
    city.unit("psc-1.w3", rooms=(4,), sex=Sex.FEMALE.value, zone="women", **centre)
    city.unit(
        "cth-1.w1",
        rooms=(4,),
        kind=UnitKind.CTH,
        bases=(LegalBasis.CONSTRAINED, LegalBasis.VOLUNTARY),
        zone="psychiatric",
        observation="constant",
    )
    with city.engine.begin() as conn:
        conn.execute(text("UPDATE bed SET kind = 'PSY' WHERE unit_id = 'cth-1.w1'"))
    with (
        serving(settings) as (address,),
        worker_beside(settings),
        client_of(address) as client,
        keys_of(city.engine, context_of(settings)) as keys,
    ):
        yield Stage(city, client, keys)
