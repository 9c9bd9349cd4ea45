"""Files of places and bed states, in and out, streamed both ways."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import Query
from fastapi.responses import StreamingResponse

from service.access.caller import Role
from service.api.calls import Call, calling, resource
from service.api.problems import problem_for
from service.workflow.files.exports import export_page
from service.workflow.files.file_resources import RESOURCES, FileResource, resource_named
from service.workflow.files.file_rows import FileFormat, FileRow, RowReader, header_line, written
from service.workflow.files.imports import (
    STAGED_AT_ONCE,
    ImportMode,
    Outcome,
    apply_rows,
    finish_import,
    stage_rows,
    start_import,
    trials,
)

router = resource("files")

LARGEST_FILE: Final = 64 * 1024 * 1024
_FORMATS: Final = {it.media_type: it for it in FileFormat}
_KEEPERS: Final = (Role.FACILITY_ADMIN, Role.INTEGRATION, Role.COORDINATOR)
Sender = Annotated[Call, calling(*_KEEPERS, keyed=False, accepts=tuple(_FORMATS))]
Reader = Annotated[Call, calling(*_KEEPERS, Role.AUDITOR)]
ResourceName = Annotated[str, Query(description=f"One of {', '.join(RESOURCES)}.")]

_LINES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "One JSON object a row, then one with `summary`.",
        "content": {FileFormat.NDJSON.media_type: {"schema": {"type": "string"}}},
    }
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file.",
        "content": {it.media_type: {"schema": {"type": "string"}} for it in FileFormat},
    }
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {it.media_type: {"schema": {"type": "string"}} for it in FileFormat},
    }
}


@router.post(
    "/imports",
    response_class=StreamingResponse,
    responses=_LINES,
    openapi_extra=_BODY,
    max_body_size=LARGEST_FILE,
)
async def import_file(
    call: Sender,
    resource: ResourceName,
    mode: Annotated[
        ImportMode, Query(description="valid: good rows are applied; all: all or nothing.")
    ] = ImportMode.VALID,
    dry_run: Annotated[bool, Query(description="Try every row and change nothing.")] = False,
) -> StreamingResponse:
    """Take a CSV or NDJSON file in: a result per row, then a summary, as NDJSON.

    A row that says what stands already changes nothing, so the same file may be sent again and
    takes no Idempotency-Key. A file that cannot be read is refused whole.
    """
    kind = resource_named(resource)
    media_type = call.request.headers["content-type"].partition(";")[0].strip().lower()
    file_format = _FORMATS[media_type]
    job = await call.write(start_import, kind, dry_run=dry_run)
    await _stage(call, job, kind, file_format)
    return StreamingResponse(
        _results(call, job, kind, mode, dry_run=dry_run), media_type=FileFormat.NDJSON.media_type
    )


async def _stage(call: Call, job: str, kind: FileResource, file_format: FileFormat) -> None:
    reader = RowReader(file_format, kind.columns)
    seen: dict[str, int] = {}
    pending: list[FileRow] = []
    async for piece in call.request.stream():
        pending += reader.feed(piece)
        while len(pending) >= STAGED_AT_ONCE:
            some, pending = pending[:STAGED_AT_ONCE], pending[STAGED_AT_ONCE:]
            await call.write(stage_rows, job, kind, file_format, some, seen)
    pending += reader.finish()
    await call.write(stage_rows, job, kind, file_format, pending, seen)


async def _results(
    call: Call, job: str, kind: FileResource, mode: ImportMode, *, dry_run: bool
) -> AsyncIterator[str]:
    """Apply portion by portion, each committed before its results are sent."""
    passes = trials(mode, dry_run=dry_run)
    applied = False
    try:
        for number, trial in enumerate(passes):
            refused, after = False, 0
            applied = not trial
            last = number == len(passes) - 1
            kept: list[str] = []
            while outcomes := await call.write(apply_rows, job, kind, after, dry_run=trial):
                refused = refused or any(it.outcome is Outcome.REFUSED for it in outcomes)
                lines = [_line(asdict(it)) for it in outcomes]
                if last:
                    yield "".join(lines)
                else:
                    kept += lines
                after = outcomes[-1].line
            if refused and not last:
                for line in kept:
                    yield line
                break
        done = await call.write(finish_import, job, applied=applied)
        yield _line({"summary": asdict(done)})
    except Exception as error:
        problem = problem_for(error)
        if problem is None:
            raise
        yield _line({"problem": {"code": problem.code, "detail": problem.detail}})


def _line(members: dict[str, Any]) -> str:
    return json.dumps(members, ensure_ascii=False) + "\n"


@router.get("/exports/{resource}", response_class=StreamingResponse, responses=_FILE)
async def export_file(
    call: Reader,
    resource: str,
    format: FileFormat = FileFormat.CSV,
) -> StreamingResponse:
    """Places in use, or bed states, in the form an import takes back."""
    kind = resource_named(resource)
    first = await call.read(export_page, kind, "")
    disposition = f'attachment; filename="{kind.name}.{format.value}"'
    return StreamingResponse(
        _file(call, kind, format, list(first)),
        media_type=format.media_type,
        headers={"Content-Disposition": disposition},
    )


async def _file(
    call: Call, kind: FileResource, file_format: FileFormat, rows: list[dict[str, Any]]
) -> AsyncIterator[str]:
    yield header_line(kind.columns, file_format)
    while rows:
        yield "".join(written(rows, kind.columns, kind.text, file_format))
        rows = list(await call.read(export_page, kind, rows[-1][kind.key]))
