"""What two people may edit: ``ETag`` and ``If-Match`` (RFC 9110 section 13), 428 and 412.

The ETag of a record is its version. A use case takes the expected version and calls
``require_version`` once the row is locked.
"""

import re
from typing import Annotated, Final

from fastapi import Depends, Header

from service.api.calls import Call
from service.errors import PreconditionFailed, PreconditionRequired

_TAG: Final = re.compile(r'"v(\d{1,9})"')


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

    Raises PreconditionRequired if they do not say, PreconditionFailed for no ETag of ours: a weak
    one never matches here (RFC 9110 section 13.1.1), and ``*`` says nothing about what was read.
    """
    if if_match is None or if_match.strip() == "*":
        raise PreconditionRequired(
            "if-match-required",
            "somebody else may have changed this: read it, then send its ETag in If-Match",
        )
    for tag in if_match.split(","):
        found = _TAG.fullmatch(tag.strip())
        if found is not None:
            return int(found[1])
    raise PreconditionFailed(
        "version-unknown",
        'If-Match holds no ETag of this service; read it again and send its ETag, such as "v3"',
        received=if_match[:60],
    )


ExpectedVersion = Annotated[int, Depends(_expected_version)]
