"""What every use case is told besides its own arguments."""

from dataclasses import dataclass

from service.access.caller import Actor
from service.access.vault import Vault
from service.policy import Policy


@dataclass(frozen=True, slots=True)
class Context:
    """The caller, the policy in force, and the vault that encrypts identity fields."""

    actor: Actor
    policy: Policy
    vault: Vault
