"""Lists in pages: a keyset cursor by id, ``Link: rel="next"`` (RFC 8288), and ``{items, next}``.

A page begins after the id that ended the one before, so rows that come or go in between never
shift it: nothing is shown twice and nothing that was there all along is missed.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel

from service.api.calls import Call
from service.errors import Invalid

DEFAULT_LIMIT: Final = 50
LARGEST_LIMIT: Final = 500
_LONGEST_CURSOR: Final = 400
_MARK: Final = "id:"

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """A part of a list, by id; ``next`` is the cursor of the following part, null at the end."""

    items: list[T]
    next: str | None


@dataclass(frozen=True, slots=True)
class PageAsked:
    """What part of a list is wanted: at most ``limit`` rows whose id comes after ``after``.

    A store function takes ``after`` and ``fetch`` (one row more than the page: whether there is a
    next page is known without counting).
    """

    limit: int
    after: str | None

    @property
    def fetch(self) -> int:
        """How many rows to read."""
        return self.limit + 1


def cursor_of(last_id: str) -> str:
    """The cursor of the page that begins after ``last_id``; opaque to callers."""
    return base64.urlsafe_b64encode(f"{_MARK}{last_id}".encode()).decode().rstrip("=")


def after_cursor(cursor: str) -> str:
    """The id a cursor stands for. Raises Invalid for anything this service did not make."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        plain = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        plain = ""
    last_id = plain.removeprefix(_MARK)
    if last_id in (plain, "") or not last_id.isprintable() or cursor_of(last_id) != cursor:
        raise Invalid.field(
            "query/cursor",
            "bad-cursor",
            "this is no cursor of ours; leave it out to begin at the start, then follow 'next'",
            cursor,
        )
    return last_id


async def _page_asked(
    limit: Annotated[
        int, Query(ge=1, le=LARGEST_LIMIT, description="How many items at most.")
    ] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None,
        Query(max_length=_LONGEST_CURSOR, description="`next` of the page before."),
    ] = None,
) -> PageAsked:
    return PageAsked(limit, after_cursor(cursor) if cursor is not None else None)


Paging = Annotated[PageAsked, Depends(_page_asked)]


def page(call: Call, asked: PageAsked, rows: Sequence[T], id_of: Callable[[T], str]) -> Page[T]:
    """The page of ``rows`` (up to ``asked.fetch`` of them, by id), its ``Link`` header set."""
    items = list(rows[: asked.limit])
    if len(rows) <= asked.limit:
        return Page(items=items, next=None)
    following = cursor_of(id_of(items[-1]))
    url = call.request.url.include_query_params(cursor=following)
    call.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return Page(items=items, next=following)
