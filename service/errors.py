"""Everything that can go wrong for a caller, as one small tree.

    ServiceError
    ├── Invalid               422  a field is wrong: names it, its value and the way out
    ├── Malformed             400  the request cannot be read at all
    ├── Unauthenticated       401  no valid key
    ├── Forbidden             403  the key may not do this here
    ├── NotFound              404
    ├── Conflict              409  the world is not as the caller thought; says what to do next
    │   └── Refused           409  a rule says no: carries every refusal
    ├── PreconditionFailed    412  If-Match is stale
    ├── TooLarge              413
    ├── PreconditionRequired  428  If-Match is missing
    └── Unavailable           503  the database cannot be reached

An error is data for the caller: a stable ``code`` (the last part of the problem's ``type``), a
sentence, the fields at fault, and members that help with the next step. Exception text of
anything else never leaves the process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field at fault: JSON Pointer into the body (or ``query/x``, ``header/x``, ``path/x``),
    what is wrong and how to put it right, and the value received (shortened)."""

    pointer: str
    code: str
    message: str
    value: Any = None


class ServiceError(Exception):
    """Base of all errors that a caller may see."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.members = members


class Malformed(ServiceError):
    """The request cannot be read."""

    status = 400
    title = "Request cannot be read"


class Unauthenticated(ServiceError):
    """No valid key came with the request."""

    status = 401
    title = "Key missing or not valid"


class Forbidden(ServiceError):
    """The caller's role or facility does not allow this."""

    status = 403
    title = "Not allowed for this key"


class NotFound(ServiceError):
    """Nothing by that id, or nothing this caller may see."""

    status = 404
    title = "Not found"


class Conflict(ServiceError):
    """The state of the world does not allow this now. ``next`` in members says what does."""

    status = 409
    title = "Conflict with the present state"


class Refused(Conflict):
    """A rule refuses; members carry every refusal, and candidates where there are some."""

    title = "Refused by a rule"


class PreconditionFailed(ServiceError):
    """Somebody else changed it since it was read."""

    status = 412
    title = "Changed since you read it"


class TooLarge(ServiceError):
    """The body is larger than this service reads."""

    status = 413
    title = "Body too large"


class Invalid(ServiceError):
    """A field's value cannot be accepted."""

    status = 422
    title = "A field is not valid"

    @classmethod
    def field(cls, pointer: str, code: str, message: str, value: Any = None) -> "Invalid":
        """The common case: one field at fault."""
        return cls("invalid-field", message, errors=[FieldError(pointer, code, message, value)])


class PreconditionRequired(ServiceError):
    """Two people may edit this: say which version you read, in If-Match."""

    status = 428
    title = "If-Match required"


class Unavailable(ServiceError):
    """The database cannot be reached; nothing was changed."""

    status = 503
    title = "Service unavailable"
