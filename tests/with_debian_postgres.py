"""Runs a command against a throwaway cluster of the system's own PostgreSQL.

``python -m tests.with_debian_postgres COMMAND ...`` makes a cluster from the newest server under
``/usr/lib/postgresql`` in a temporary folder, reachable by a Unix socket only, runs the command
with ``DATABASE_URL`` naming it, removes the cluster and exits as the command did. Without a
command it only says whether there is such a server.

Exits 1 in CI (``CI=true``) if there is none: the suite must have run on both servers. Elsewhere
that half is left out, and said so.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from urllib.parse import quote

import psycopg

OLDEST_MAJOR = 15
"""The oldest server that production may name in ``DATABASE_URL``."""

SERVER_ROOT = Path("/usr/lib/postgresql")

SERVER_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "4GB",
}
"""No TCP; room for two test workers with four API processes each; nothing here outlives a crash."""


def newest_server(root: Path = SERVER_ROOT) -> Path | None:
    """The ``bin`` folder of the newest installed server that is not too old, or None."""
    found = [
        (int(initdb.parent.parent.name), initdb.parent)
        for initdb in root.glob("*/bin/initdb")
        if initdb.parent.parent.name.isdecimal()
    ]
    return max((bin for major, bin in found if major >= OLDEST_MAJOR), default=None)


def server_account() -> str | None:
    """The account the server runs as: ``postgres`` for root, whom initdb refuses, else our own."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise SystemExit("root needs an account postgres or nobody to run the test server as")


@contextmanager
def throwaway_cluster(server: Path) -> Iterator[str]:
    """A running cluster of its own; yields its ``DATABASE_URL`` and leaves nothing behind."""
    account = server_account()
    folder = Path(tempfile.mkdtemp(prefix="rehab-beds-pg-"))
    data = folder / "data"
    try:
        if account is not None:
            shutil.chown(folder, account)

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [server / program, *arguments],
                user=account,
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
            )

        run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8",
            "--locale=C.UTF-8", "--no-sync")  # fmt: skip
        settings = SERVER_SETTINGS | {"unix_socket_directories": str(folder)}
        with (data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        log = folder / "log"
        try:
            run("pg_ctl", "-D", str(data), "-w", "-l", str(log), "start")
        except subprocess.CalledProcessError:
            print(log.read_text() if log.exists() else "the server wrote no log", flush=True)
            raise
        try:
            yield f"postgresql://postgres@/postgres?host={quote(str(folder), safe='')}"
        finally:
            run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _leave(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


def main(command: list[str]) -> int:
    server = newest_server()
    if server is None:
        if os.environ.get("CI") == "true":
            print(f"no PostgreSQL {OLDEST_MAJOR} or later under {SERVER_ROOT}: install it")
            return 1
        if not command:
            print(
                f"NOT RUN: the tests on Debian's PostgreSQL, none under {SERVER_ROOT}; "
                "apt-get install postgresql to run them"
            )
        return 0
    if not command:
        print(f"the database tests will run again on the server in {server}")
        return 0
    signal.signal(signal.SIGTERM, _leave)
    with throwaway_cluster(server) as url:
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT version()").fetchone()
        print(f"once more on {row[0] if row else server}", flush=True)
        return subprocess.run(command, env=os.environ | {"DATABASE_URL": url}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
