"""One PostgreSQL cluster of the embedded server: make it, start it, wait for it, stop it.

All of this is done under the exclusive lock of `service.store.embedded`, by one process at a time.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.pq import PGconn, Ping

from service.store.embedded_install import ServerUser, major_version, no_space
from service.store.postgres_errors import (
    DataFolderDamaged,
    EmbeddedServerError,
    NoRights,
    ServerGone,
    StartFailed,
    StartTimeout,
    WrongVersion,
)

DATABASE: Final = "rehab_beds"
SUPERUSER: Final = "postgres"
LOG: Final = "server.log"
POLL: Final = 0.02
"""Seconds between two looks at something awaited."""
LONGEST_SOCKET_PATH: Final = 103
"""Bytes of a socket's path: Linux holds 107, the BSDs 103."""

_CLUSTER: Final = "cluster"
_STOP_SECONDS: Final = "20"
_LARGEST_LOG: Final = 16 * 2**20
_SETTINGS: Final = {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    # Anything more would write the values of broken rows into the log.
    "log_error_verbosity": "terse",
}
_FULL: Final = ("No space left on device", "Disk quota exceeded", "File too large")
_children: Final[list[subprocess.Popen[bytes]]] = []


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data folder, the user its server runs as, and the programs that serve it."""

    folder: Path
    user: ServerUser
    programs: Path

    @property
    def path(self) -> Path:
        """PostgreSQL's own folder."""
        return self.folder / _CLUSTER

    def serve(self, deadline: float, options: Mapping[str, str]) -> Path:
        """Bring the server up, or find it up, and return the folder of its socket.

        `deadline` is an instant of `time.monotonic`. Raises an EmbeddedServerError.
        """
        if not self.path.exists():
            self._make(options)
        self._check_version()
        socket_dir = self._socket_dir()
        while True:
            started = None if self._is_running(socket_dir) else self._start(socket_dir, options)
            if self._wait_ready(socket_dir, deadline, started):
                break
            # Server processes that outlive a killed postmaster take a moment to notice.
            last_words = started.last_words() if started else ""
            if started and "is still in use" not in last_words:
                raise _start_error(last_words, self.folder)
            time.sleep(10 * POLL)
        self._make_database(socket_dir)
        return socket_dir

    def stop(self) -> None:
        """Stop the server, breaking off what its clients are doing; quiet if it is not running."""
        if _pid_in(self.path) is None:
            return
        # PostgreSQL 18 can hang when told to stop during a recovery, as after a full disk.
        # The immediate stop loses nothing that was committed: the next start recovers it.
        for mode in ("fast", "immediate"):
            command = [str(self.programs / "pg_ctl"), "stop", "-D", str(self.path), "-w"]
            command += ["-m", mode, "-t", _STOP_SECONDS]
            stopping = self.user.popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            if stopping.wait() == 0:
                break
        _reap()

    def _make(self, options: Mapping[str, str]) -> None:
        """Run initdb in a folder beside the real one, then rename it: whole or not at all."""
        for half_done in self.folder.glob(f"{_CLUSTER}.*"):
            shutil.rmtree(half_done, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix=f"{_CLUSTER}.", dir=self.folder))
        self.user.own(new)
        command = [str(self.programs / "initdb"), "-D", str(new), "-U", SUPERUSER]
        command += ["--auth-local=trust", "--auth-host=reject", "--no-instructions"]
        # The builtin provider sorts alike on every machine, whatever its C library.
        command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        command += ["--builtin-locale=C.UTF-8", *_switches(_SETTINGS)]
        if options.get("fsync") == "off":
            command.append("--no-sync")
        try:
            with tempfile.TemporaryFile() as out:
                done = self.user.popen(command, stdout=out, stderr=subprocess.STDOUT).wait()
                out.seek(0)
                said = out.read().decode(errors="replace")
            if done == -signal.SIGXFSZ:
                raise no_space(self.folder)
            if done != 0:
                raise _start_error(said, self.folder)
            new.rename(self.path)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        parent = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)

    def _check_version(self) -> None:
        try:
            found = (self.path / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise DataFolderDamaged(
                f"{self.path} is not a PostgreSQL cluster (no PG_VERSION); restore it from a "
                "backup, or move it aside to begin with an empty database"
            ) from None
        wanted = major_version()
        if found != wanted:
            raise WrongVersion(
                f"{self.path} was made by PostgreSQL {found}, this service brings {wanted}; dump "
                f"it with PostgreSQL {found}, move it aside, start the service, restore the dump"
            )

    def _socket_dir(self) -> Path:
        """Make and return the socket's folder: the same one for as long as the cluster lives.

        It is named after the cluster's inode: a server whose folder was deleted under it removes
        its socket by path when it notices, and must not remove that of its successor.
        """
        status = self.path.stat()
        path = self.folder / f"run-{status.st_ino:x}"
        # A client takes a comma in a socket's path for the end of one path and begin of the next.
        if len(os.fsencode(path / ".s.PGSQL.5432")) > LONGEST_SOCKET_PATH or "," in str(path):
            name = f"rehab-beds-{self.user.uid}-{status.st_dev:x}-{status.st_ino:x}"
            path = Path("/tmp") / name
        try:
            path.mkdir(mode=0o700)
            self.user.own(path)
        except FileExistsError:
            found = path.lstat()
            if found.st_uid != self.user.uid or found.st_mode & 0o170777 != 0o040700:
                raise NoRights(
                    f"{path} should be a private folder of the user `{self.user.name}` and is "
                    "not; remove it and try again"
                ) from None
        return path

    def _is_running(self, socket_dir: Path) -> bool:
        """Tell whether a server of this cluster lives, ready or not."""
        pid = _pid_in(self.path)
        return pid is not None and (
            ping(socket_dir) in (Ping.OK, Ping.REJECT) or _works_in(pid, self.path)
        )

    def _start(self, socket_dir: Path, options: Mapping[str, str]) -> _Started:
        quoted = str(socket_dir).replace('"', '""')
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{quoted}"',
            "unix_socket_permissions": "0700",
            "port": "5432",
            **options,
        }
        command = [str(self.programs / "postgres"), "-D", str(self.path), *_switches(settings)]
        # PostgreSQL refuses to start while the process of a left-over postmaster.pid lives, though
        # it be a stranger or a zombie. We know it is no server of this cluster, and this is how to
        # say so; PostgreSQL's own check for left-over shared memory still holds.
        stale = _pid_in(self.path)
        env = {"PG_GRANDPARENT_PID": str(stale)} if stale is not None else {}
        log = self.folder / LOG
        if log.exists() and log.stat().st_size > _LARGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as out:
            self.user.own(log)
            begin = out.seek(0, os.SEEK_END)
            process = self.user.popen(command, env=env, stdout=out, stderr=subprocess.STDOUT)
        _reap()
        _children.append(process)
        return _Started(process, log, begin)

    def _wait_ready(self, socket_dir: Path, deadline: float, started: _Started | None) -> bool:
        """Wait until the server answers; False if it died instead."""
        while ping(socket_dir) is not Ping.OK:
            dead = started.has_ended() if started else not self._is_running(socket_dir)
            if dead:
                return False
            if time.monotonic() > deadline:
                raise StartTimeout(
                    f"the database in {self.folder} was not ready in time; it may be recovering "
                    "from a crash and goes on doing so: try again in a minute, and see "
                    f"{self.folder / LOG}"
                )
            time.sleep(POLL)
        return True

    def _make_database(self, socket_dir: Path) -> None:
        try:
            with psycopg.connect(
                host=str(socket_dir), user=SUPERUSER, dbname="postgres", autocommit=True
            ) as conn:
                known = "SELECT 1 FROM pg_database WHERE datname = %s"
                if conn.execute(known, [DATABASE]).fetchone() is None:
                    conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        except psycopg.errors.DiskFull:
            raise no_space(self.folder) from None
        except psycopg.OperationalError:
            raise ServerGone(
                f"the database in {self.folder} started and went away again; see "
                f"{self.folder / LOG}"
            ) from None


@dataclass(frozen=True, slots=True)
class _Started:
    """A server process just started, and where its words begin in the log."""

    process: subprocess.Popen[bytes]
    log: Path
    begin: int

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def last_words(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self.begin)
            return log.read().decode(errors="replace")


def ping(socket_dir: Path) -> Ping:
    """Ask whether a server answers there: OK, REJECT while it starts or stops, NO_RESPONSE."""
    where = psycopg.conninfo.make_conninfo(
        host=str(socket_dir), user=SUPERUSER, dbname="postgres", connect_timeout=2
    )
    return Ping(PGconn.ping(where.encode()))


def _switches(settings: Mapping[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _pid_in(cluster: Path) -> int | None:
    """Return the process that postmaster.pid names, None if there is no such file."""
    try:
        return int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _works_in(pid: int, cluster: Path) -> bool:
    """Tell whether this process lives with the cluster as its working folder, as servers do."""
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", cluster)
    except OSError:
        return False


def _start_error(said: str, folder: Path) -> EmbeddedServerError:
    """Return the typed error for the words of a server or of initdb that failed."""
    if any(phrase in said for phrase in _FULL):
        return no_space(folder)
    if "Permission denied" in said:
        return NoRights(
            f"PostgreSQL has no right to use {folder}; give it to the user that runs the service, "
            f"or set REHAB_BEDS_DATA_DIR to another folder. It said: {_last_lines(said)}"
        )
    return StartFailed(
        f"PostgreSQL would not start in {folder}; its log is {folder / LOG}. "
        f"It said: {_last_lines(said)}"
    )


def _last_lines(said: str) -> str:
    return " / ".join(line.strip() for line in said.strip().splitlines()[-4:])


def _reap() -> None:
    """Collect the servers started here that have ended."""
    _children[:] = [child for child in _children if child.poll() is None]
