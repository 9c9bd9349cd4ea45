"""The embedded PostgreSQL: one server per data folder, shared by every process that uses it.

The server listens on a Unix socket alone, in a folder that only its own user may enter; whoever
can enter could read the data files as well, so no password is asked. Commits are durable: `fsync`
and `synchronous_commit` stay on.

Two lock files order the processes. `server.lock` is held exclusively while the server is started
or stopped. `users.lock` is held shared by every user of the server for as long as it needs it; the
last one out, who can take it exclusively, stops the server. The kernel drops a lock when its
process dies, so a killed process is never waited for. A server that outlives its users is found
and used by the next one.

Data folder: `cluster/` (PostgreSQL's own), `server.log`, the two lock files, and the socket's
folder unless its path would be too long for a socket, when that is in the system's /tmp.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from psycopg.pq import Ping
from sqlalchemy import URL

from service.settings import make_parents
from service.store.embedded_cluster import DATABASE, LOG, POLL, SUPERUSER, Cluster, ping
from service.store.embedded_install import (
    COPIES,
    ServerUser,
    check_reachable,
    file_error,
    program_folder,
    server_user,
)
from service.store.postgres_errors import NoRights, ServerGone, StartTimeout

START_TIMEOUT: Final = 60.0
"""Seconds that making, starting and recovering may take together."""


@dataclass(slots=True)
class ServerHandle:
    """One user's share in a running embedded server; release it when done."""

    data_dir: Path
    socket_dir: Path
    _lock: int
    _cluster: Cluster
    _pid: int = field(default_factory=os.getpid)

    @property
    def url(self) -> str:
        """The SQLAlchemy address of the service's own database."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Return the SQLAlchemy address of a database on this server."""
        return URL.create(
            "postgresql+psycopg",
            username=SUPERUSER,
            database=database,
            query={"host": str(self.socket_dir)},
        ).render_as_string(hide_password=False)

    def check(self) -> None:
        """Raise ServerGone if the server does not answer."""
        if ping(self.socket_dir) is not Ping.OK:
            raise ServerGone(
                f"the embedded database in {self.data_dir} does not answer; start the service "
                f"again, it recovers what was committed; its log is {self.data_dir / LOG}"
            )

    def release(self) -> None:
        """Give the share back; the last one out stops the server. May be called again."""
        # A forked child has its parent's handle, but the share is the parent's to give back.
        if self._lock < 0 or self._pid != os.getpid():
            return
        lock, self._lock = self._lock, -1
        atexit.unregister(self.release)
        try:
            with _mutex(self.data_dir, self._cluster.user, time.monotonic() + START_TIMEOUT):
                os.close(lock)
                if _nobody_uses(self.data_dir, self._cluster.user):
                    self._cluster.stop()
                    with suppress(OSError):
                        self.socket_dir.rmdir()
        except (StartTimeout, OSError):
            # Whoever comes next finds the server running and stops it in turn.
            with suppress(OSError):
                os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def ensure_server(
    data_dir: Path,
    *,
    start_timeout: float = START_TIMEOUT,
    options: Mapping[str, str] | None = None,
    copies: Path = COPIES,
) -> ServerHandle:
    """Return a share in the server of this data folder, making and starting it if need be.

    A crash is recovered from: of the server, of the process that started it, or half-way through
    making the cluster. `start_timeout` is in seconds. `options` are server settings for this start;
    they do nothing to a server that already runs. `copies` is where root keeps the programs.

    Raises an EmbeddedServerError (NoSpace, NoRights, WrongVersion, DataFolderDamaged, StartTimeout,
    StartFailed) that says what to do.
    """
    deadline = time.monotonic() + start_timeout
    folder = Path(data_dir).resolve()
    try:
        user = server_user(folder)
        _make_folder(folder, user)
        cluster = Cluster(folder, user, program_folder(user, copies))
        with _mutex(folder, user, deadline):
            lock = _open_lock(folder / "users.lock", user)
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                socket_dir = cluster.serve(deadline, options or {})
            except BaseException:
                os.close(lock)
                raise
    except OSError as error:
        raise file_error(error, folder) from None
    handle = ServerHandle(folder, socket_dir, lock, cluster)
    atexit.register(handle.release)
    return handle


def _make_folder(folder: Path, user: ServerUser) -> None:
    """Make the data folder if it is missing, open to the server's user alone."""
    if not folder.exists():
        make_parents(folder)
        folder.mkdir(mode=0o700, exist_ok=True)
        user.own(folder)
    elif user.is_other and folder.stat().st_uid == 0:
        if any(folder.iterdir()):
            raise NoRights(
                f"{folder} belongs to root and is not empty, and PostgreSQL refuses to run as "
                f"root; give the folder to the user `{user.name}` with chown, or set "
                "REHAB_BEDS_DATA_DIR to a new folder"
            )
        user.own(folder)
    check_reachable(folder, user)


def _open_lock(path: Path, user: ServerUser) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    user.own(path)
    return lock


@contextmanager
def _mutex(folder: Path, user: ServerUser, deadline: float) -> Iterator[None]:
    """Hold the right to start and stop this folder's server; StartTimeout if others keep it."""
    lock = _open_lock(folder / "server.lock", user)
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StartTimeout(
                        f"another process is still starting or stopping the database in {folder}; "
                        "wait for it, or end it, and try again"
                    ) from None
                time.sleep(POLL)
        yield
    finally:
        os.close(lock)


def _nobody_uses(folder: Path, user: ServerUser) -> bool:
    lock = _open_lock(folder / "users.lock", user)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
