"""Files of places and bed states going out: page by page, in the form an import takes back."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from service.workflow.context import Context
from service.workflow.files.file_resources import FileResource, Members

EXPORTED_AT_ONCE: Final = 500


def export_page(
    conn: Connection, ctx: Context, resource: FileResource, after: str
) -> Sequence[Members]:
    """The next rows in use by key, after ``after`` (empty at the start); none at the end.

    A row that changes while the file is written stands there as before or as after, whole.
    Callers that act for one facility get its rows only.
    """
    return resource.page(conn, ctx, after, EXPORTED_AT_ONCE)
