"""Everything that goes wrong, as ``application/problem+json`` (RFC 9457).

``type`` is ``/problems/<code>``, a stable reference that can be opened: the service explains each
code there in Chinese and English. ``errors`` names each field at fault by JSON Pointer, with the
value received (shortened) and the way out. No exception's text ever leaves the process: of what
nobody foresaw the caller gets an id, and the log has the place in the code under the same id.
"""

import json
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from service.errors import FieldError, ServiceError
from service.store import postgres_errors as store

MEDIA_TYPE: Final = "application/problem+json"
_LONGEST_VALUE: Final = 120
_DATA_EXCEPTION: Final = "22"

log = structlog.get_logger(__name__)


class FieldFault(BaseModel):
    """One field at fault."""

    pointer: str = Field(
        description="JSON Pointer into the body, or `query/x`, `header/x`, `path/x`."
    )
    code: str
    message: str = Field(description="What is wrong and how to put it right.")
    value: Any = Field(description="What was received, shortened.")


class Problem(BaseModel):
    """A problem (RFC 9457). Further members depend on `type`."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="`/problems/<code>`: stable; open it for an explanation.")
    title: str
    status: int
    detail: str = Field(description="What happened and the way out.")
    code: str = Field(description="The last part of `type`.")
    errors: list[FieldFault] = Field(description="The fields at fault, empty if none is.")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem about to be answered."""

    status: int
    code: str
    title: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)


def problem_for(error: Exception) -> Trouble | None:
    """What a caller is told about ``error``; None for what nobody foresaw."""
    if isinstance(error, ServiceError):
        return Trouble(
            error.status,
            error.code,
            error.title,
            error.detail,
            error.errors,
            error.headers,
            error.members,
        )
    if isinstance(error, store.StoreError):
        return _store_trouble(error)
    if isinstance(error, RequestValidationError):
        return _shape_trouble(error)
    if isinstance(error, HTTPException):
        return _http_trouble(error)
    if isinstance(error, DBAPIError):
        state = store.sqlstate_of(error) or ""
        if state.startswith(_DATA_EXCEPTION):
            return Trouble(
                422,
                "cannot-be-stored",
                "A field is not valid",
                "a value is outside what the database can keep; send a smaller one",
            )
    return None


def problem_response(trouble: Trouble, request: Request) -> Response:
    """The answer for a problem."""
    body = {
        "type": f"/problems/{trouble.code}",
        "title": trouble.title,
        "status": trouble.status,
        "detail": trouble.detail,
        "code": trouble.code,
        "errors": [
            {
                "pointer": fault.pointer,
                "code": fault.code,
                "message": fault.message,
                "value": shown(fault.value),
            }
            for fault in trouble.errors
        ],
        **jsonable_encoder(dict(trouble.members)),
    }
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    headers = {"Cache-Control": "no-store", **trouble.headers}
    return Response(content, trouble.status, headers, MEDIA_TYPE)


def shown(value: Any) -> Any:
    """A received value as it may stand in an answer or a log: short, and always valid JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else "a number too large"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, Mapping):
        return f"an object of {len(value)} members"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)} items"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return _cut(str(jsonable_encoder(value)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def pointer_of(location: Sequence[str | int], body: Any = None) -> str:
    """A validator's location as a JSON Pointer into the body, or ``query/x`` and the like.

    ``body``: what was sent, where it is known. Among several shapes of one object the validator
    adds the name of the shape to the way to a field; the body has no such member.
    """
    place, *parts = location
    # Of a field whose name is at fault the validator adds a part that no JSON has.
    parts = [part for part in parts if part != "[key]"]
    if place == "body" and body is not None:
        parts = _members(parts, body)
    path = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return path if place == "body" else f"{place}{path}"


def _members(parts: Sequence[str | int], body: Any) -> list[str | int]:
    """The parts that lead from member to member of the body, and the last, which may be missing."""
    found: list[str | int] = []
    for n, part in enumerate(parts):
        inside = isinstance(body, Mapping) and part in body
        if isinstance(body, Mapping) and not inside and n < len(parts) - 1:
            continue
        found.append(part)
        if inside or (isinstance(body, list) and isinstance(part, int) and part < len(body)):
            body = body[part]
        else:
            body = None
    return found


def install(app: FastAPI) -> None:
    """Answer every foreseen error of the app with its problem."""
    for kind in (ServiceError, store.StoreError, RequestValidationError, HTTPException, DBAPIError):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return problem_response(_method_trouble(request), request)
    trouble = problem_for(error)
    if trouble is None:
        return unforeseen(request, error)
    if trouble.status >= 500:
        log.warning("unavailable", code=trouble.code, error=type(error).__name__)
    return problem_response(trouble, request)


def unforeseen(request: Request, error: BaseException) -> Response:
    """The answer to a fault of our own: an id, under which the log has the rest."""
    error_id = f"err_{secrets.token_hex(8)}"
    log.error("unforeseen", error_id=error_id, exc_info=error)
    return problem_response(
        Trouble(
            500,
            "internal-error",
            "Internal error",
            "this is a fault of the service, not of the request; give the id to whoever runs it",
            members={"error_id": error_id},
        ),
        request,
    )


def _store_trouble(error: store.StoreError) -> Trouble:
    if isinstance(error, store.Refused):
        return Trouble(
            409,
            "breaks-a-constraint",
            "Conflict with the present state",
            "the record would break a rule of the database; read what it refers to and correct it",
            members={"constraint": error.constraint},
        )
    if isinstance(error, store.Conflict):
        return Trouble(
            409,
            "lost-race",
            "Conflict with the present state",
            "somebody else was there first, twice running; nothing was changed. Read the present "
            "state and decide anew",
            members={"constraint": error.constraint},
        )
    code, detail = (
        "database-unavailable",
        (
            "the database cannot be reached now; repeat the request with the same Idempotency-Key "
            "in a moment: it takes effect once"
        ),
    )
    if isinstance(error, store.Busy):
        code, detail = (
            "database-busy",
            (
                "the database took longer than allowed and nothing was changed; repeat the request "
                "with the same Idempotency-Key in a moment"
            ),
        )
    return Trouble(503, code, "Service unavailable", detail, headers={"Retry-After": "2"})


_WAY_OUT: Final = {
    "missing": "this field is required",
    "extra_forbidden": "there is no such field here: check its spelling, or leave it out",
    "timezone_aware": "give the offset too, as in 2026-01-31T08:00:00+08:00",
    "date_from_datetime_parsing": "write the day as 2026-01-31",
    "date_parsing": "write the day as 2026-01-31",
}
"""What the validator says in its own terms, said to whoever sent the field."""


def _shape_trouble(error: RequestValidationError) -> Trouble:
    faults = error.errors()
    broken = next((fault for fault in faults if fault["type"] == "json_invalid"), None)
    if broken is not None:
        return Trouble(
            400,
            "malformed-json",
            "Request cannot be read",
            f"the body is not JSON (RFC 8259) at character {broken['loc'][-1]}; correct it there",
        )
    return Trouble(
        422,
        "invalid-request",
        "A field is not valid",
        f"{len(faults)} field{'s are' if len(faults) != 1 else ' is'} not valid; nothing was "
        "changed. Correct what 'errors' names",
        [
            FieldError(
                pointer_of(fault["loc"], error.body),
                fault["type"].replace("_", "-"),
                _WAY_OUT.get(fault["type"], fault["msg"].removeprefix("Value error, ")),
                None if fault["type"] == "missing" else fault.get("input"),
            )
            for fault in faults
        ],
    )


def _http_trouble(error: HTTPException) -> Trouble:
    status = error.status_code
    headers = dict(error.headers or {})
    if status == HTTPStatus.NOT_FOUND:
        return Trouble(
            404,
            "no-such-path",
            "Not found",
            "nothing is served under this path; /openapi.json lists what is",
            headers=headers,
        )
    if status == HTTPStatus.BAD_REQUEST:
        return Trouble(
            400,
            "malformed-body",
            "Request cannot be read",
            "the body cannot be read; send well-formed JSON in UTF-8 (RFC 8259)",
            headers=headers,
        )
    phrase = HTTPStatus(status).phrase
    return Trouble(status, phrase.lower().replace(" ", "-"), phrase, f"{phrase}.", headers=headers)


def _method_trouble(request: Request) -> Trouble:
    """A path that exists, asked with a method it has not: ``Allow`` over all its routes."""
    allowed: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            allowed |= getattr(route, "methods", None) or set()
    listed = ", ".join(sorted(allowed))
    return Trouble(
        405,
        "method-not-allowed",
        "Method not allowed",
        f"{request.method} is not possible here; use {listed}",
        headers={"Allow": listed},
        members={"allow": sorted(allowed)},
    )
