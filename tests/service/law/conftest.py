"""An empty city for each test, and days of the law in it."""

from tests.service.workflow.conftest import shared_engine, world

__all__ = ["shared_engine", "world"]
