"""Rows of a file: CSV (RFC 4180, UTF-8) and NDJSON, read piece by piece and written line by line.

A cell that a spreadsheet would run as a formula is written with an apostrophe before it and read
without. In a CSV an empty cell says *none*; a column that is left out says nothing at all.
"""

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from service.errors import FieldError, Malformed

LONGEST_ROW: Final = 64 * 1024
MOST_ROWS: Final = 200_000
LIST_MARK: Final = ";"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_TEXT_GUARD: Final = "'"


class FileFormat(StrEnum):
    """How the rows are written."""

    CSV = "csv"
    NDJSON = "ndjson"

    @property
    def media_type(self) -> str:
        """The media type of such a file."""
        return "text/csv" if self is FileFormat.CSV else "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row as it stands in the file: its line (the first is 1), its members, or what makes it
    unreadable."""

    line: int
    members: dict[str, Any]
    error: FieldError | None = None


@dataclass
class RowReader:
    """Takes a file's bytes as they come and gives its rows as soon as they are whole.

    Raises Malformed for a file that cannot be read on: not UTF-8, no header, too many rows.
    """

    format: FileFormat
    columns: Sequence[str]
    _decoder: codecs.IncrementalDecoder = field(init=False)
    _rest: str = ""
    _record: list[str] = field(default_factory=list)
    _record_size: int = 0
    _line: int = 0
    _first_line: int = 1
    _header: list[str] | None = None
    _rows: int = 0

    def __post_init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()

    def feed(self, data: bytes) -> Iterator[FileRow]:
        """The rows that these bytes complete."""
        yield from self._take(self._decode(data), final=False)

    def finish(self) -> Iterator[FileRow]:
        """The last row, where no line end follows it."""
        yield from self._take(self._decode(b"", final=True), final=True)
        if self._record:
            yield from self._whole("".join(self._record), unclosed=True)
        if self.format is FileFormat.CSV and self._header is None:
            raise Malformed(
                "file-empty", f"the file has no header; its columns are {', '.join(self.columns)}"
            )

    def _decode(self, data: bytes, *, final: bool = False) -> str:
        try:
            return self._decoder.decode(data, final)
        except UnicodeDecodeError:
            raise Malformed(
                "file-not-utf8",
                f"line {self._line + 1} or after is not UTF-8; save the file as UTF-8 "
                "(in a spreadsheet: 'CSV UTF-8')",
                line=self._line + 1,
            ) from None

    def _take(self, text: str, *, final: bool) -> Iterator[FileRow]:
        lines = _lines(self._rest + text)
        self._rest = ""
        if lines and not final and not lines[-1].endswith("\n"):
            self._rest = lines.pop()
            if len(self._rest) > LONGEST_ROW:
                raise _too_long(self._line + 1)
        for line in lines:
            self._line += 1
            yield from self._add(line)

    def _add(self, line: str) -> Iterator[FileRow]:
        if self.format is FileFormat.NDJSON:
            self._first_line = self._line
            yield from self._whole(line)
            return
        if not self._record:
            self._first_line = self._line
        self._record.append(line)
        self._record_size += len(line)
        if sum(part.count('"') for part in self._record) % 2 == 0:
            record = "".join(self._record)
            self._record, self._record_size = [], 0
            yield from self._whole(record)
        elif self._record_size > LONGEST_ROW:
            raise _too_long(self._first_line)

    def _whole(self, record: str, *, unclosed: bool = False) -> Iterator[FileRow]:
        if not record.strip():
            return
        if self.format is FileFormat.CSV and self._header is None:
            self._header = self._read_header(record)
            return
        self._rows += 1
        if self._rows > MOST_ROWS:
            raise Malformed(
                "file-too-long", f"a file has at most {MOST_ROWS} rows; send it in parts"
            )
        if unclosed:
            yield FileRow(self._first_line, {}, _fault("", "unclosed-quote", "close the quote", ""))
        elif self.format is FileFormat.CSV:
            yield self._csv_row(record)
        else:
            yield _json_row(self._first_line, record)

    def _read_header(self, record: str) -> list[str]:
        header = [name.strip() for name in next(csv.reader([record]))]
        wrong = [name for name in header if name not in self.columns]
        twice = {name for name in header if header.count(name) > 1}
        if wrong or twice:
            fault = f"unknown column {wrong[0]!r:.60}" if wrong else f"{min(twice)} stands twice"
            raise Malformed(
                "file-columns",
                f"line 1: {fault}; the columns are {', '.join(self.columns)}",
                line=1,
                columns=list(self.columns),
            )
        return header

    def _csv_row(self, record: str) -> FileRow:
        header = self._header or []
        cells = next(csv.reader(io.StringIO(record, newline="")))
        if len(cells) != len(header):
            message = f"the header has {len(header)} columns and this row {len(cells)}"
            return FileRow(self._first_line, {}, _fault("", "other-width", message, len(cells)))
        members = {name: _unguarded(cell) for name, cell in zip(header, cells, strict=True)}
        return FileRow(self._first_line, members)


def _lines(text: str) -> list[str]:
    """Lines by their line feeds alone: a cell may hold other kinds of break."""
    return [line + "\n" for line in text.split("\n")[:-1]] + (
        [text.rpartition("\n")[2]] if not text.endswith("\n") and text else []
    )


def _json_row(line: int, record: str) -> FileRow:
    try:
        found = json.loads(record)
    except (ValueError, RecursionError):
        return FileRow(line, {}, _fault("", "not-json", "write one JSON object a line", None))
    if not isinstance(found, dict):
        return FileRow(line, {}, _fault("", "not-an-object", "write one JSON object a line", None))
    return FileRow(line, found)


def _too_long(line: int) -> Malformed:
    return Malformed(
        "file-row-too-long",
        f"the row that begins in line {line} is longer than {LONGEST_ROW} characters; "
        "a quote that is never closed looks like this",
        line=line,
    )


def _fault(pointer: str, code: str, message: str, value: Any) -> FieldError:
    return FieldError(pointer, code, message, value)


def _is_formula(cell: str) -> bool:
    """Whether a spreadsheet would run it, guards that are part of the text apart."""
    return cell.lstrip(_TEXT_GUARD).startswith(_FORMULA)


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith(_TEXT_GUARD) and _is_formula(cell) else cell


def _cell(value: Any, *, text: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return LIST_MARK.join(map(str, value))
    written = str(value)
    return _TEXT_GUARD + written if text and _is_formula(written) else written


def written(
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    text_columns: frozenset[str],
    file_format: FileFormat,
) -> Iterator[str]:
    """The rows as lines of a file, without a header."""
    for row in rows:
        if file_format is FileFormat.NDJSON:
            yield json.dumps({name: row[name] for name in columns}, ensure_ascii=False) + "\n"
        else:
            yield _csv_line(_cell(row[name], text=name in text_columns) for name in columns)


def header_line(columns: Sequence[str], file_format: FileFormat) -> str:
    """The first line of a file: in CSV the byte order mark that spreadsheets want, the columns."""
    return "\ufeff" + _csv_line(columns) if file_format is FileFormat.CSV else ""


def _csv_line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(list(cells))
    return buffer.getvalue()
