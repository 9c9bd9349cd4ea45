"""The stage of the tour: callers with keys, requests that are printed, answers made readable."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from rich.console import Console

from service.access.caller import Role
from service.commands.tour.telling import gist, short, told

PATIENCE_S: Final = 90.0
KEY_KNOWN_S: Final = 5.0
"""A key just made is known to every process a second or two later."""
Json = dict[str, Any]


class TourStopped(Exception):
    """Something the tour counted on did not happen; the message says what and what to do."""


@dataclass(slots=True)
class Caller:
    """Somebody with a key: who they are in the story, and what their key may do."""

    name: str
    role: Role
    key: str
    facility: str | None = None


@dataclass(slots=True)
class Night:
    """One tour: a server, a screen, and the callers met so far.

    ``key_for`` makes a key for a role at a facility; the tour's keys are revoked at its end.
    """

    client: httpx.Client
    console: Console
    key_for: Callable[[str, Role, str | None], str]
    callers: dict[tuple[Role, str | None], Caller] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: secrets.token_hex(3))
    chapters: int = 0

    def caller(self, role: Role, facility: str | None = None) -> Caller:
        """The caller of that role (at that facility), met now or before."""
        found = self.callers.get((role, facility))
        if found is None:
            name = _NAMES[role] + (f" of {facility}" if facility else "")
            found = Caller(name, role, self.key_for(name, role, facility), facility)
            self.callers[role, facility] = found
        return found

    def chapter(self, title: str, words: str) -> None:
        """Begin a chapter; they are numbered as they come."""
        self.chapters += 1
        self.console.print()
        self.console.rule(f"[bold]{self.chapters}. {title}")
        self.say(words)

    def say(self, words: str) -> None:
        """Tell the reader something."""
        self.console.print(words, highlight=False)

    def ask(
        self,
        who: Caller,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        etag: str | None = None,
        show: bool = True,
    ) -> httpx.Response:
        """Send one request as somebody and print it with its answer; refusals are answers too."""
        headers = {"Authorization": f"Bearer {who.key}"}
        if method == "POST":
            headers["Idempotency-Key"] = secrets.token_hex(16)
        if etag is not None:
            headers["If-Match"] = etag
        known_by = time.monotonic() + KEY_KNOWN_S
        try:
            while True:
                answer = self.client.request(method, f"/api/v1{path}", json=body, headers=headers)
                if answer.status_code != 401 or time.monotonic() > known_by:
                    break
                time.sleep(0.2)
        except httpx.HTTPError as error:
            raise TourStopped(
                f"nothing answers at {self.client.base_url} ({type(error).__name__}); "
                "start the service with 'make run' in another terminal"
            ) from None
        if show:
            self.show(who, method, path, body, answer)
        return answer

    def done(
        self,
        who: Caller,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        etag: str | None = None,
        show: bool = True,
    ) -> Json:
        """Send a request that the story needs to succeed; its answer's body."""
        answer = self.ask(who, method, path, body, etag=etag, show=show)
        if answer.is_error:
            raise TourStopped(f"{method} {path} answered {told(answer)}")
        found: Json = answer.json() if answer.content else {}
        return found

    def refused(
        self,
        who: Caller,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        status: int,
        code: str,
    ) -> Json:
        """Send a request that must be refused just so; print its rule and the way out."""
        answer = self.ask(who, method, path, body)
        if answer.is_success:
            raise TourStopped(f"{method} {path} was to be refused: {code}")
        problem: Json = answer.json()
        if (answer.status_code, problem.get("code")) != (status, code):
            raise TourStopped(f"{method} {path} answered {told(answer)}, not {status} {code}")
        for member in _WAYS_OUT:
            if way := problem.get(member):
                words = ", ".join(map(str, way)) if isinstance(way, list) else way
                self.say(f"{'':>28}   [dim]{member}:[/] {words}")
        for fault in problem.get("errors") or ():
            self.say(f"{'':>28}   [dim]{fault['pointer']}:[/] {fault.get('message') or fault}")
        return problem

    def until(self, look: Callable[[], Json], ready: Callable[[Json], bool], what: str) -> Json:
        """Look again until it is ready."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = look()
            if ready(found):
                return found
            if time.monotonic() > deadline:
                raise TourStopped(f"{what} did not happen in {PATIENCE_S:.0f} s; is a worker up?")
            time.sleep(0.2)

    def show(
        self,
        who: Caller,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        answer: httpx.Response,
    ) -> None:
        """Print a request with its answer."""
        sent = f"  {short(body)}" if body else ""
        self.console.print(
            f"[cyan]{who.name:>28}[/] [bold]{method}[/] {path}{sent}", soft_wrap=True
        )
        colour = "red" if answer.is_error else "green"
        told = short(gist(answer))
        self.console.print(f"{'':>28} [{colour}]{answer.status_code}[/] {told}", soft_wrap=True)


_NAMES: Final[Mapping[Role, str]] = {
    Role.INTAKE_OFFICER: "officer 收治民警",
    Role.CLINICIAN: "doctor 医生",
    Role.FACILITY_ADMIN: "admin 床位管理员",
    Role.COORDINATOR: "coordinator 调度员",
    Role.DASHBOARD: "board",
    Role.AUDITOR: "auditor",
    Role.INTEGRATION: "hospital system",
}
_WAYS_OUT: Final = ("rule", "present", "asked", "possible", "missing", "next")
