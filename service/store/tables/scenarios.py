"""What-ifs: scenarios asked about, and their answers."""

from datetime import datetime
from typing import Any

from sqlmodel import SQLModel

from service.lifecycle import ScenarioState as ScenarioState
from service.store.tables.columns import code_check, instant, json, text


class ScenarioRun(SQLModel, table=True):
    """Up to ten scenarios asked about together: what was asked, of which snapshot, the answers.

    The row is the truth; the job that carries its id may run twice. ``scenarios`` is what was
    asked, ``answers`` figures alone: no person and no bed is in either. ``failure`` is a code.
    """

    __tablename__ = "scenario"
    __table_args__ = (code_check("state", ScenarioState),)

    id: str = text(primary_key=True)
    state: str = text(default=ScenarioState.QUEUED.value)
    seed: int = 0
    scenarios: list[dict[str, Any]] = json()
    requested_by: str = text()
    requested_at: datetime = instant()
    started_at: datetime | None = instant(default=None)
    finished_at: datetime | None = instant(default=None)
    network_position: int | None = None
    policy_version: str | None = text(default=None)
    snapshot_hash: str | None = text(default=None)
    answers: dict[str, Any] | None = json(default=None, nullable=True)
    failure: str | None = text(default=None)
    version: int = 1
