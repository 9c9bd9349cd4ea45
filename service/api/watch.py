"""Every request, seen from outside: counted, timed, logged, and never left without an answer."""

import logging
import time
from functools import cache
from typing import Any, Final

import structlog
from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import unforeseen

REQUESTS: Final = Counter(
    "rehab_beds_http_requests_total", "Requests answered.", ["method", "route", "status"]
)
SECONDS: Final = Histogram(
    "rehab_beds_http_request_seconds",
    "From the request's first byte to the last of its answer; streams not counted.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_QUIET: Final = frozenset({"/livez", "/readyz", "/metrics"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = structlog.get_logger("service.api.requests")


# Looking a series up by its labels costs more than counting. There are as many as there are routes.
@cache
def _requests(method: str, template: str, status: int) -> Counter:
    return REQUESTS.labels(method, template, str(status))


@cache
def _seconds(method: str, template: str) -> Histogram:
    return SECONDS.labels(method, template)


class Watch:
    """The outermost layer. What nobody foresaw becomes a problem with an id, logged here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and watch its answer go by."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0
        streamed = False

        async def watched(message: Message) -> None:
            nonlocal status, streamed
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message.get("more_body") and not streamed:
                streamed = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            response = unforeseen(Request(scope), error)
            if status == 0:
                await response(scope, receive, watched)
        finally:
            _record(scope, status, time.perf_counter() - began, streamed=streamed)


def _record(scope: Scope, status: int, seconds: float, *, streamed: bool) -> None:
    route: Any = scope.get("route")
    template = getattr(route, "path_format", None) or "(none)"
    method = scope["method"] if scope["method"] in _METHODS else "(other)"
    _requests(method, template, status).inc()
    if not streamed:
        _seconds(method, template).observe(seconds)
    if template not in _QUIET and log.isEnabledFor(logging.DEBUG):
        log.debug(
            "request", method=method, route=template, status=status, ms=round(seconds * 1000, 2)
        )
