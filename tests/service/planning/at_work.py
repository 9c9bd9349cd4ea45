"""What happens in the database while scenarios are asked about and answered."""

import asyncio
from typing import Any

import httpx
from sqlalchemy import Engine, select, text

from service.planning_worker import PlanningWorker
from service.store.tables import core, metadata
from service.workflow.context import Context


def work_until(url: str, engine: Engine, ctx: Context, asked: str, limit_s: float = 60.0) -> None:
    """A worker works until there is an answer or none will come."""
    worker = PlanningWorker(url, engine, ctx, limit_s=limit_s)

    async def working() -> None:
        task = asyncio.create_task(worker.work())
        try:
            async with asyncio.timeout(60):
                while await asyncio.to_thread(state_of, engine, asked) in ("queued", "running"):
                    await asyncio.sleep(0.05)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(working())


def state_of(engine: Engine, asked: str) -> str:
    with engine.connect() as conn:
        found = select(core.scenario.c.state).where(core.scenario.c.id == asked)
        return str(conn.execute(found).scalar_one())


def contents(engine: Engine) -> dict[str, Any]:
    """A hash of every table but the scenarios' own, the log, stored answers and readings."""
    own = {"scenario", "event", "event_seal", "idempotency_record", "access_record"}
    with engine.connect() as conn:
        return {
            name: conn.execute(
                text(
                    "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text))"
                    f' FROM "{name}" t'
                )
            ).one()
            for name in sorted(metadata.tables.keys() - own)
        }


def operations(engine: Engine) -> list[str]:
    with engine.connect() as conn:
        return list(
            conn.execute(select(core.event.c.operation).order_by(core.event.c.seq)).scalars()
        )


def ok(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()
