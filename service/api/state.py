"""What one API process holds for all of its requests."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from service.access.keys import Keyring
from service.access.vault import Vault
from service.policy import Policy
from service.settings import Settings


@dataclass(slots=True)
class State:
    """The settings, the engine, the policy, the vault and the keys of this process.

    ``shared`` is where a resource keeps what it starts in ``serving(state)``, under its own name.
    """

    settings: Settings
    engine: AsyncEngine
    policy: Policy
    vault: Vault
    keyring: Keyring
    shared: dict[str, Any] = field(default_factory=dict)
