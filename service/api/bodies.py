"""What a request's body must be before anyone reads meaning into it."""

import json
from typing import Any, Final

from fastapi import Request
from starlette.types import Message

from service.errors import FieldError, Invalid, ServiceError, TooLarge

JSON: Final = "application/json"
BODY_LIMIT: Final = 1024 * 1024
"""Bytes of a body, unless a route says more (``max_body_size``)."""


class UnsupportedMediaType(ServiceError):
    """The body is not of a kind this route reads."""

    status = 415
    title = "Media type not supported"


def limited(request: Request, limit: int) -> Request:
    """The request with a body of at most ``limit`` bytes.

    Raises TooLarge at once where Content-Length says more, before a byte is read; otherwise when
    that many have come.
    """
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or int(length) > limit:
        raise _too_large(limit)
    receive, taken = request.receive, 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise _too_large(limit)
        return message

    return Request(request.scope, counted)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        "body-too-large",
        f"a body may have {limit} bytes here; send less at a time, or use an import, which "
        "takes a file row by row",
        headers={"Connection": "close"},
        limit_bytes=limit,
    )


async def check_body(request: Request, accepts: tuple[str, ...], *, whole: bool) -> None:
    """Refuse a body of the wrong media type and, in JSON read whole, the NUL character.

    PostgreSQL keeps no NUL in text, so it must be refused where the field can still be named.

    Raises:
        UnsupportedMediaType: names what the route reads.
        Invalid: a string holds NUL.
    """
    if whole and not await request.body():
        return
    given = request.headers.get("content-type", "")
    media_type = given.partition(";")[0].strip().lower()
    if media_type not in accepts:
        raise UnsupportedMediaType(
            "unsupported-media-type",
            f"send the body as {' or '.join(accepts)} and say so in Content-Type",
            headers={"Accept": ", ".join(accepts)},
            accepts=list(accepts),
            received=given[:100],
        )
    if whole and b"\\u0000" in await request.body():
        _refuse_nul(await request.body())


def check_parameters(request: Request) -> None:
    """Raise Invalid if a parameter of path or query holds the NUL character."""
    if "\x00" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        for place, given in (("path", request.path_params), ("query", request.query_params)):
            for name, value in given.items():
                if "\x00" in value:
                    raise _nul(f"{place}/{name}")


def _refuse_nul(body: bytes) -> None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return  # FastAPI reads it again and says what is wrong.
    pointer = _nul_in(parsed, "")
    if pointer is not None:
        raise _nul(pointer)


def _nul_in(value: Any, pointer: str) -> str | None:
    if isinstance(value, str):
        return pointer if "\x00" in value else None
    if isinstance(value, dict):
        for name, item in value.items():
            found = _nul_in(name, pointer) or _nul_in(item, f"{pointer}/{_escaped(name)}")
            if found is not None:
                return found
    elif isinstance(value, list):
        for number, item in enumerate(value):
            found = _nul_in(item, f"{pointer}/{number}")
            if found is not None:
                return found
    return None


def _escaped(name: str) -> str:
    """A member's name in a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _nul(pointer: str) -> Invalid:
    return Invalid(
        "invalid-field",
        "text may not hold the NUL character; leave it out",
        errors=[FieldError(pointer, "nul-character", "leave out the NUL character")],
    )
