"""What two people may edit: ``ETag`` and ``If-Match`` (RFC 9110 section 13), 428, 412 and 400.

The ETag of a record is its version. A use case takes the expected version and calls
``require_version`` once the row is locked.
"""

import re
from typing import Annotated, Final

from fastapi import Depends, Header

from service.api.calls import Call
from service.errors import Malformed, PreconditionFailed, PreconditionRequired

_OURS: Final = re.compile(r'"v([0-9]{1,9})"')
_TAG: Final = re.compile(r'(?:W/)?"[!#-~\x80-\xff]*+"')
_LIST: Final = re.compile(rf"[ \t,]*+(?:{_TAG.pattern}[ \t]*+(?:,[ \t,]*+|$))++")


class UnknownVersion(PreconditionFailed):
    """If-Match holds ETags, none of which this service gave."""

    title = "If-Match names no version known here"


def etag(version: int) -> str:
    """The strong ETag of a version."""
    return f'"v{version}"'


def tagged(call: Call, version: int) -> None:
    """Put the version's ETag on the answer."""
    call.headers["ETag"] = etag(version)


async def _expected_version(
    if_match: Annotated[
        str | None,
        Header(alias="If-Match", description="The `ETag` of what you read and now change."),
    ] = None,
) -> int:
    """The version the caller read.

    Raises PreconditionRequired if they do not say, Malformed for what is no list of ETags,
    UnknownVersion for no ETag of ours: a weak one never matches here (RFC 9110 section 13.1.1),
    and ``*`` says nothing about what was read.
    """
    if if_match is None or if_match.strip() == "*":
        raise PreconditionRequired(
            "if-match-required",
            "somebody else may have changed this: read it, then send its ETag in If-Match",
        )
    if not _LIST.fullmatch(if_match):
        raise Malformed(
            "if-match-malformed",
            "If-Match is no ETag; send the one you read as it stands, quotes included, as in "
            'If-Match: "v3"',
            received=if_match[:60],
        )
    for tag in _TAG.findall(if_match):
        found = _OURS.fullmatch(tag)
        if found is not None:
            return int(found[1])
    raise UnknownVersion(
        "version-unknown",
        'If-Match holds no ETag of this service; read it again and send its ETag, such as "v3"',
        received=if_match[:60],
    )


ExpectedVersion = Annotated[int, Depends(_expected_version)]
