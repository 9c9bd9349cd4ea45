"""A load generator: keep-alive connections, each with one request in flight.

Plain sockets and epoll, because an HTTP client library costs more per request than the server
does. Each connection asks for its own next request, so that writes can follow what was answered.
"""

import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

_END: Final = b"\r\n\r\n"
_NO_BODY: Final = frozenset({204, 304})
QUIET_S: Final = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came; ``head`` in lower case."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, None if there is none."""
        _, found, rest = self.head.partition(b"\r\n" + name + b": ")
        return rest.partition(b"\r\n")[0] if found else None


Next = Callable[[int, Answer | None], bytes | None]
"""The request that a connection sends next, seeing its last answer; None when it is done."""


@dataclass(slots=True)
class Load:
    """What came back: statuses, milliseconds of each answer, seconds from first to last."""

    statuses: Counter[int] = field(default_factory=Counter)
    ms: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.ms) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share of the answers came."""
        return sorted(self.ms)[min(len(self.ms) - 1, int(share * len(self.ms)))]


def request(
    method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> bytes:
    """An HTTP/1.1 request, ready to be sent."""
    lines = [f"{method} {path} HTTP/1.1", "Host: rehab-beds"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    elif method == "POST":
        lines.append("Content-Length: 0")
    return "\r\n".join(lines).encode() + _END + body


def again(message: bytes) -> Next:
    """The same request for ever."""
    return lambda _number, _answer: message


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many connections to one server, opened anew for each drive: idle ones get closed."""

    port: int
    connections: int

    def drive(self, next_request: Next, seconds: float | None = None) -> Load:
        """Ask on every connection until its requests are at an end, or for so many seconds.

        Raises RuntimeError when the server closes a connection or says nothing for ``QUIET_S``.
        """
        with ExitStack() as stack:
            poll = select.epoll()
            stack.callback(poll.close)
            by_handle: dict[int, tuple[int, socket.socket]] = {}
            for number in range(self.connections):
                connection = stack.enter_context(
                    socket.create_connection(("127.0.0.1", self.port), timeout=QUIET_S)
                )
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                poll.register(connection.fileno(), select.EPOLLIN)
                by_handle[connection.fileno()] = number, connection
            return _drive(poll, by_handle, next_request, seconds)


def _drive(
    poll: select.epoll,
    by_handle: Mapping[int, tuple[int, socket.socket]],
    next_request: Next,
    seconds: float | None,
) -> Load:
    load = Load()
    sent: dict[int, float] = {}
    received = dict.fromkeys(by_handle, b"")
    began = time.perf_counter()
    until = began + seconds if seconds is not None else float("inf")
    for handle, (number, connection) in by_handle.items():
        message = next_request(number, None)
        if message is not None:
            sent[handle] = time.perf_counter()
            connection.sendall(message)
    while sent:
        ready = poll.poll(QUIET_S)
        if not ready:
            raise RuntimeError(f"{len(sent)} requests got no answer in {QUIET_S} s")
        for handle, _ in ready:
            number, connection = by_handle[handle]
            part = connection.recv(1 << 18)
            if not part:
                raise RuntimeError("the server closed a connection")
            received[handle] += part
            answer = _whole(received[handle])
            if answer is None:
                continue
            received[handle] = b""
            now = time.perf_counter()
            load.ms.append((now - sent.pop(handle)) * 1000)
            load.statuses[answer.status] += 1
            message = next_request(number, answer)
            if message is not None and now < until:
                sent[handle] = now
                connection.sendall(message)
            else:
                poll.unregister(handle)  # The server may close it: it is no longer used.
    load.seconds = time.perf_counter() - began
    return load


def _whole(data: bytes) -> Answer | None:
    """The answer if all of it has come."""
    end = data.find(_END)
    if end < 0:
        return None
    head = data[: end + 2].lower()
    answer = Answer(int(data[9:12]), head, data[end + 4 :])
    if answer.status in _NO_BODY:
        return answer
    length = answer.header(b"content-length")
    if length is None:
        raise RuntimeError(f"an answer without Content-Length: {head[:200]!r}")
    return answer if len(answer.body) >= int(length) else None
