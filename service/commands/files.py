"""``rehab-beds import`` and ``export``: places and bed states through files."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from sqlalchemy import Engine

from service.commands.database import context_of, engine_of, existing_database
from service.errors import Malformed
from service.settings import load_settings
from service.store.engine import run
from service.workflow.context import Context
from service.workflow.files.exports import export_page
from service.workflow.files.file_resources import FileResource, resource_named
from service.workflow.files.file_rows import FileFormat, FileRow, RowReader, header_line, written
from service.workflow.files.imports import (
    STAGED_AT_ONCE,
    ImportMode,
    ImportSummary,
    Outcome,
    RowOutcome,
    apply_rows,
    finish_import,
    stage_rows,
    start_import,
    trials,
)

_PIECE = 64 * 1024


def import_file(
    engine: Engine,
    ctx: Context,
    resource: FileResource,
    file_format: FileFormat,
    file: BinaryIO,
    *,
    mode: ImportMode = ImportMode.VALID,
    dry_run: bool = False,
) -> tuple[ImportSummary, list[RowOutcome]]:
    """Take a file in; the summary, and the rows that were refused.

    Raises Malformed for a file that cannot be read: then nothing was applied.
    """
    job = run(engine, start_import, ctx, resource, dry_run=dry_run)
    reader = RowReader(file_format, resource.columns)
    seen: dict[str, int] = {}
    pending = []
    for row in _rows(reader, file):
        pending.append(row)
        if len(pending) >= STAGED_AT_ONCE:
            run(engine, stage_rows, ctx, job, resource, file_format, pending, seen)
            pending = []
    run(engine, stage_rows, ctx, job, resource, file_format, pending, seen)
    refused: list[RowOutcome] = []
    applied = False
    for trial in trials(mode, dry_run=dry_run):
        if refused:
            break
        applied = not trial
        refused = [
            it
            for it in _pass(engine, ctx, job, resource, trial=trial)
            if it.outcome is Outcome.REFUSED
        ]
    return run(engine, finish_import, ctx, job, applied=applied), refused


def _rows(reader: RowReader, file: BinaryIO) -> Iterator[FileRow]:
    while piece := file.read(_PIECE):
        yield from reader.feed(piece)
    yield from reader.finish()


def _pass(
    engine: Engine, ctx: Context, job: str, resource: FileResource, *, trial: bool
) -> Iterator[RowOutcome]:
    after = 0
    while outcomes := run(engine, apply_rows, ctx, job, resource, after, dry_run=trial):
        yield from outcomes
        after = outcomes[-1].line


def export_lines(
    engine: Engine, ctx: Context, resource: FileResource, file_format: FileFormat
) -> Iterator[str]:
    """The file's lines, page by page."""
    yield header_line(resource.columns, file_format)
    after = ""
    while rows := run(engine, export_page, ctx, resource, after):
        yield from written(rows, resource.columns, resource.text, file_format)
        after = rows[-1][resource.key]


def _format_of(path: Path | None, given: FileFormat | None) -> FileFormat:
    if given is not None:
        return given
    suffix = path.suffix.lower() if path is not None else ".csv"
    if suffix in (".ndjson", ".jsonl"):
        return FileFormat.NDJSON
    if suffix == ".csv":
        return FileFormat.CSV
    raise Malformed("file-format", "name the format: --format csv or --format ndjson")


def register(app: typer.Typer) -> None:
    """Add ``import`` and ``export``."""

    @app.command(name="import")
    def import_(
        resource: Annotated[
            str, typer.Argument(help="facilities, units, rooms, beds or bed_states.")
        ],
        file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
        file_format: Annotated[FileFormat | None, typer.Option("--format")] = None,
        mode: Annotated[
            ImportMode, typer.Option(help="valid: good rows are applied; all: all or nothing.")
        ] = ImportMode.VALID,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing.")] = False,
    ) -> None:
        """Take places or bed states in from a CSV or NDJSON file."""
        console = Console()
        kind = resource_named(resource)
        how = _format_of(file, file_format)
        with (
            existing_database(load_settings()) as settings,
            engine_of(settings) as engine,
            file.open("rb") as opened,
        ):
            ctx = context_of(settings)
            done, refused = import_file(engine, ctx, kind, how, opened, mode=mode, dry_run=dry_run)
        for row in refused:
            at = f"line {row.line}" + (f" ({row.id})" if row.id else "")
            console.print(f"{at}: {row.detail}", highlight=False, markup=False)
            for fault in row.errors:
                console.print(
                    f"  {fault.pointer.lstrip('/')}: {fault.value!r}: {fault.message}",
                    highlight=False,
                    markup=False,
                )
        console.print(
            f"created {done.created}, changed {done.changed}, unchanged {done.unchanged}, "
            f"refused {done.refused}; {'applied' if done.applied else 'nothing written'}"
        )
        if refused:
            raise typer.Exit(1)

    @app.command()
    def export(
        resource: Annotated[
            str, typer.Argument(help="facilities, units, rooms, beds or bed_states.")
        ],
        file: Annotated[Path | None, typer.Argument(help="Standard output if left out.")] = None,
        file_format: Annotated[FileFormat | None, typer.Option("--format")] = None,
    ) -> None:
        """Write places or bed states as CSV or NDJSON, in the form ``import`` takes back."""
        kind = resource_named(resource)
        how = _format_of(file, file_format)
        with existing_database(load_settings()) as settings, engine_of(settings) as engine:
            lines = export_lines(engine, context_of(settings), kind, how)
            if file is None:
                sys.stdout.writelines(lines)
                return
            with file.open("w", encoding="utf-8", newline="") as opened:
                opened.writelines(lines)
