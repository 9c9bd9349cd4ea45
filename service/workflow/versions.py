"""Nobody overwrites what they have not read."""

from service.errors import PreconditionFailed


def require_version(expected: int, found: int) -> None:
    """Raise PreconditionFailed if a locked row is not at the version the caller read."""
    if expected != found:
        raise PreconditionFailed(
            "version-stale",
            f"somebody else changed this since you read version {expected}: it is now at version "
            f"{found}. Read it again and decide anew",
            current=found,
        )
