"""What the environment may say, where keys come from, and what a wrong setting is told."""

from __future__ import annotations

import base64
import os
import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from service.settings import (
    KEY_NAMES,
    Settings,
    SettingsError,
    default_data_dir,
    load_keys,
    load_settings,
)
from service.store import address
from service.store.embedded import ServerHandle, ensure_server
from tests.database import FAST, scratch_folder


def key(letter: str) -> str:
    return base64.b64encode(letter.encode() * 32).decode()


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting but the data folder."""
    for name in list(os.environ):
        if name.startswith("REHAB_BEDS_") and name != "REHAB_BEDS_TEST_RUN":
            monkeypatch.delenv(name)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("REHAB_BEDS_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder that the embedded server's user can reach."""
    folder = scratch_folder()
    yield folder
    shutil.rmtree(folder)


def test_settings_come_from_prefixed_variables_and_database_url(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://officer:secret@db/beds")
    monkeypatch.setenv("REHAB_BEDS_PORT", "8123")
    settings = load_settings()
    assert settings.database_url == "postgresql://officer:secret@db/beds"
    assert settings.port == 8123
    assert "secret" not in repr(settings)


def test_an_empty_database_url_means_the_embedded_server(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "")
    assert load_settings().database_url is None


def test_a_wrong_setting_is_named_and_its_value_kept_quiet(monkeypatch):
    monkeypatch.setenv("REHAB_BEDS_PORT", "eighty-secret")
    with pytest.raises(SettingsError, match=r"REHAB_BEDS_PORT: .*integer") as caught:
        load_settings()
    assert "secret" not in str(caught.value)


def test_a_key_given_twice_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("REHAB_BEDS_SEAL_KEY", key("s"))
    monkeypatch.setenv("REHAB_BEDS_SEAL_KEY_FILE", str(tmp_path / "seal"))
    with pytest.raises(SettingsError, match=r"REHAB_BEDS_SEAL_KEY or .*_FILE, not both"):
        load_settings()


def test_the_default_data_folder_is_here_and_for_root_one_per_project(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_data_dir() == tmp_path / ".data"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    first = default_data_dir()
    assert first.parent == Path("/var/lib/rehab-beds")
    (tmp_path / "other" / tmp_path.name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "other" / tmp_path.name)
    assert default_data_dir() != first


def test_the_embedded_servers_keys_are_made_once_and_are_private():
    settings = load_settings()
    keys = load_keys(settings)
    assert load_keys(settings) == keys
    assert len({keys.encryption, keys.blind_index, keys.seal}) == 3
    assert {len(keys.encryption), len(keys.blind_index), len(keys.seal)} == {32}
    files = sorted(settings.keys_dir.iterdir())
    assert [file.name for file in files] == sorted(f"{name}.txt" for name in KEY_NAMES)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert keys.encryption.hex() not in repr(keys)
    assert "encryption" not in repr(keys)


def test_processes_that_make_the_keys_at_the_same_moment_agree():
    settings = load_settings()
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(load_keys, [settings] * 8))) == 1


def test_a_lost_key_of_an_existing_database_is_not_replaced():
    settings = load_settings()
    load_keys(settings)
    (settings.postgres_dir / "cluster").mkdir(parents=True)
    lost = settings.keys_dir / "encryption_key.txt"
    lost.unlink()
    with pytest.raises(SettingsError, match="put the file back from a backup"):
        load_keys(settings)
    assert not lost.exists()


def test_with_database_url_keys_must_be_given(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://officer:secret@db/beds")
    monkeypatch.setenv("REHAB_BEDS_ENCRYPTION_KEY", key("e"))
    settings = load_settings()
    with pytest.raises(SettingsError, match=r"REHAB_BEDS_BLIND_INDEX_KEY is missing.*openssl"):
        load_keys(settings)
    assert not settings.keys_dir.exists()


def test_keys_may_come_from_files(tmp_path):
    files = {}
    for name in KEY_NAMES:
        files[name] = tmp_path / name
        files[name].write_text(key(name[0]) + "\n")
    settings = Settings(
        database_url="postgresql://db/beds",
        encryption_key_file=files["encryption_key"],
        blind_index_key_file=files["blind_index_key"],
        seal_key_file=files["seal_key"],
    )
    keys = load_keys(settings)
    assert (keys.encryption, keys.blind_index, keys.seal) == (b"e" * 32, b"b" * 32, b"s" * 32)


@pytest.mark.parametrize("text", ["", "short", base64.b64encode(b"x" * 31).decode(), "é" * 44])
def test_a_key_of_the_wrong_length_is_refused_and_not_shown(text, tmp_path):
    file = tmp_path / "key"
    file.write_text(text)
    with pytest.raises(SettingsError, match="not 32 bytes in base64") as caught:
        load_keys(Settings(encryption_key_file=file))
    assert not text or text not in str(caught.value)


def test_a_key_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SettingsError, match="REHAB_BEDS_SEAL_KEY_FILE: cannot read"):
        load_keys(Settings(seal_key_file=tmp_path / "missing"))


def test_one_key_for_two_purposes_is_refused():
    same = SecretStr(key("k"))
    with pytest.raises(SettingsError, match="must differ"):
        load_keys(Settings(encryption_key=same, blind_index_key=same))


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings = Settings(data_dir=tmp_path / "file")
    with pytest.raises(SettingsError, match="REHAB_BEDS_DATA_DIR"):
        load_keys(settings)


def test_without_database_url_the_embedded_server_is_opened_with_its_keys_made_first(
    monkeypatch, scratch
):
    settings = Settings(data_dir=scratch)
    seen: list[bool] = []

    def watched(folder: Path, *, start_timeout: float) -> ServerHandle:
        seen.append((settings.keys_dir / "seal_key.txt").exists())
        return ensure_server(folder, start_timeout=start_timeout, options=FAST)

    monkeypatch.setattr(address, "ensure_server", watched)
    with address.open_database(settings) as url:
        assert url.startswith("postgresql+psycopg://")
        assert (settings.postgres_dir / "cluster" / "postmaster.pid").exists()
    assert seen == [True]
    assert not (settings.postgres_dir / "cluster" / "postmaster.pid").exists()


def test_the_embedded_server_starts_under_the_strictest_umask(scratch):
    settings = Settings(data_dir=scratch / "state" / "city")
    before = os.umask(0o077)
    try:
        with address.open_database(settings) as url:
            assert url.startswith("postgresql+psycopg://")
    finally:
        os.umask(before)
    assert stat.S_IMODE(settings.keys_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(settings.postgres_dir.stat().st_mode) == 0o700


def test_with_database_url_no_server_is_started_and_the_driver_is_ours():
    settings = Settings(database_url="postgres://officer:secret@db/beds")
    with address.open_database(settings) as url:
        assert url == "postgresql+psycopg://officer:secret@db/beds"
    assert not settings.data_dir.exists()
