"""What can go wrong between the service and PostgreSQL, each with its way out.

    StoreError
    ├── EmbeddedServerError     the embedded server could not be brought up
    │   ├── NoSpace             the disk is full
    │   ├── NoRights            the data folder may not be read or written
    │   ├── WrongVersion        the data folder was made by another major version
    │   ├── DataFolderDamaged   the data folder is not a whole cluster
    │   ├── StartTimeout        not ready in the time allowed
    │   └── StartFailed         PostgreSQL itself refused
    ├── BadDatabaseUrl          DATABASE_URL is not one this service can use
    ├── UnsupportedServer       the server is older than PostgreSQL 15
    ├── ServerGone              the server cannot be reached, or went away in mid-work
    ├── OutOfSpace              the server's own disk is full
    ├── Busy                    a lock or a statement took longer than allowed
    └── Conflict                somebody else was there first; carries the constraint's name
        └── Refused             a row breaks a constraint, whoever came first

The text of each is written here. What the driver said is not carried along: it may quote rows.
"""

from __future__ import annotations

from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

EXCLUSION_VIOLATION: Final = "23P01"
UNIQUE_VIOLATION: Final = "23505"
SERIALIZATION_FAILURE: Final = "40001"
DEADLOCK_DETECTED: Final = "40P01"

RETRIED: Final = frozenset({DEADLOCK_DETECTED, SERIALIZATION_FAILURE, EXCLUSION_VIOLATION})
"""SQLSTATEs that a second look at the world may cure."""

_LOST_RACE: Final = RETRIED | {UNIQUE_VIOLATION}
_TOO_SLOW: Final = frozenset({"55P03", "57014"})
_FULL: Final = frozenset({"53100"})
_GONE: Final = frozenset({"25P03", "25P04", "53300", "57P01", "57P02", "57P03", "57P05"})


class StoreError(Exception):
    """The store could not do what was asked; the message names the cause and the way out."""


class EmbeddedServerError(StoreError):
    """The embedded PostgreSQL server could not be brought up."""


class NoSpace(EmbeddedServerError):
    """No disk space is left for the data folder."""


class NoRights(EmbeddedServerError):
    """The user that runs the server may not use the data folder."""


class WrongVersion(EmbeddedServerError):
    """The data folder belongs to another major version of PostgreSQL."""


class DataFolderDamaged(EmbeddedServerError):
    """The data folder exists and is not a whole cluster."""


class StartTimeout(EmbeddedServerError):
    """The server was not ready in the time allowed."""


class StartFailed(EmbeddedServerError):
    """PostgreSQL itself refused to start; the message ends with its own last words."""


class BadDatabaseUrl(StoreError):
    """The database address is not one this service can use."""


class UnsupportedServer(StoreError):
    """The server is older than the oldest version supported."""


class ServerGone(StoreError):
    """The server cannot be reached, or the connection broke in mid-work."""


class OutOfSpace(StoreError):
    """The database server has no disk space left."""


class Busy(StoreError):
    """A lock was not free, or a statement not done, in the time allowed; nothing was changed."""


class Conflict(StoreError):
    """Somebody else was there first, twice running; nothing was changed.

    `constraint` is the name of the constraint that stood in the way, None for a deadlock or a
    serialization failure; `sqlstate` is PostgreSQL's five-character code.
    """

    def __init__(self, message: str, *, constraint: str | None, sqlstate: str) -> None:
        super().__init__(message)
        self.constraint = constraint
        self.sqlstate = sqlstate


class Refused(Conflict):
    """A row breaks a foreign key, a check or a not-null rule, whoever came first."""


def sqlstate_of(error: DBAPIError) -> str | None:
    """Return PostgreSQL's five-character code, None if the server gave none."""
    cause = error.orig
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None


def constraint_of(error: DBAPIError) -> str | None:
    """Return the name of the constraint that was broken, None if it was something else."""
    cause = error.orig
    return cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None


def translated(error: DBAPIError) -> StoreError | None:
    """Return the typed error for what the driver raised; None for a fault of our own SQL."""
    state = sqlstate_of(error)
    constraint = constraint_of(error)
    if state in _LOST_RACE:
        return Conflict(
            f"another transaction was there first ({constraint or state}); look again and retry",
            constraint=constraint,
            sqlstate=state,
        )
    if state is not None and state.startswith("23"):
        return Refused(
            f"the row breaks the rule {constraint or state}; correct it and send it again",
            constraint=constraint,
            sqlstate=state,
        )
    if state in _TOO_SLOW:
        return Busy("the database took longer than allowed; nothing was changed, try again")
    if state in _FULL:
        return OutOfSpace("the database server has no disk space left; free some and try again")
    gone = state in _GONE or (state or "").startswith("08")
    if gone or error.connection_invalidated or _never_answered(error, state):
        return ServerGone("the database cannot be reached; check that it runs and try again")
    return None


def _never_answered(error: DBAPIError, state: str | None) -> bool:
    """Tell whether the driver failed without a word from the server."""
    return state is None and isinstance(error.orig, psycopg.OperationalError)
