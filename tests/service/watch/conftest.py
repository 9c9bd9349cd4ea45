"""The empty world of the use cases' tests, here too."""

from tests.service.workflow.conftest import ago, shared_engine, soon, world

__all__ = ["ago", "shared_engine", "soon", "world"]
