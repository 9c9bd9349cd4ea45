"""An empty world for each test of the ward's day."""

from tests.service.workflow.conftest import ago, shared_engine, soon, world

__all__ = ["ago", "shared_engine", "soon", "world"]
