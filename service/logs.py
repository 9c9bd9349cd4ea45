"""Logs for machines: a JSON object per line on stderr, with no name and no id of a person.

Requests are logged by the template of their path, never by the path itself. Of an exception the
log has its type and where it came from, never its text, which may quote what was sent.
"""

import logging
import sys
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_FRAMES: Final = 20


if TYPE_CHECKING:
    _Stream = logging.StreamHandler[TextIO]
else:
    _Stream = logging.StreamHandler


class _Handler(_Stream):
    """The one handler of ours, so that configuring twice does not log twice."""


def configure(level: int = logging.INFO, *, plain: bool = False) -> None:
    """Send every log of the process to stderr; ``plain`` for a person at a terminal."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_text,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    render: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if plain
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [kept for kept in root.handlers if not isinstance(kept, _Handler)] + [handler]
    root.setLevel(level)
    # Paths hold pseudonyms: requests are logged by service.api.watch alone.
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for noisy in ("alembic", "httpx", "procrastinate"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def without_text(logger: WrappedLogger, name: str, entry: EventDict) -> EventDict:
    """Replace an exception by its type and the places it passed through."""
    given = entry.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        entry["exception"] = described(error)
    return entry


def described(error: BaseException) -> Mapping[str, Any]:
    """An exception without its text: type, frames (innermost last), and what caused it."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    entry: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        entry["cause"] = described(cause)
    return entry
