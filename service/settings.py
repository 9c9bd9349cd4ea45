"""What the environment decides: the database, the data folder, keys, address, limits.

Every setting is `REHAB_BEDS_` and its name in capitals; the database is `DATABASE_URL`. Without it
the embedded server is used, from a folder under `data_dir`. Keys never lie in the database: with
`DATABASE_URL` they must be given; with the embedded server they are made once, beside it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX: Final = "REHAB_BEDS_"
KEY_BYTES: Final = 32
KEY_NAMES: Final = ("encryption_key", "blind_index_key", "seal_key")
ROOT_DATA: Final = Path("/var/lib/rehab-beds")

Milliseconds = Annotated[int, Field(ge=0, le=600_000)]


class SettingsError(Exception):
    """The service cannot start as it is configured; the message names the setting and way out."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The three secrets of 32 bytes each; a lost encryption key means lost identities.

    `encryption` seals identity fields, `blind_index` finds a document number without storing it,
    `seal` signs the batches of the event log.
    """

    encryption: bytes = field(repr=False)
    blind_index: bytes = field(repr=False)
    seal: bytes = field(repr=False)


def default_data_dir() -> Path:
    """Return the data folder when none is set: `.data` here; for root one beside /var/lib.

    Root's server runs as another user, who may not be able to reach the present folder; the name
    tells apart the copies of the project on one machine.
    """
    here = Path.cwd()
    if os.geteuid() != 0:
        return here / ".data"
    return ROOT_DATA / f"{here.name}-{hashlib.sha256(os.fsencode(here)).hexdigest()[:8]}"


def make_parents(folder: Path) -> None:
    """Make the missing folders above this one; root's are passable, for its server is not root."""
    for parent in reversed([path for path in folder.parents if not path.exists()]):
        parent.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            parent.chmod(0o755)


class Settings(BaseSettings):
    """The service's settings, read once at start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True
    )

    database_url: str | None = Field(
        default=None,
        repr=False,
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
    )
    data_dir: Path = Field(default_factory=default_data_dir)
    start_timeout_s: float = Field(default=60.0, gt=0, le=3600)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    api_workers: int = Field(default=1, ge=1, le=64)
    policy_file: Path | None = None

    pool_size: int = Field(default=10, ge=1, le=100)
    pool_timeout_ms: Milliseconds = 5_000
    statement_timeout_ms: Milliseconds = 5_000
    lock_timeout_ms: Milliseconds = 3_000

    worker_concurrency: int = Field(default=1, ge=1, le=32)
    clock_interval_s: float = Field(default=1.0, gt=0, le=60)
    # Less than planning_runs.ABANDONED_AFTER, or a run would be taken up while it is solved.
    solve_limit_s: float = Field(default=600.0, gt=0, le=780)

    encryption_key: SecretStr | None = None
    encryption_key_file: Path | None = None
    blind_index_key: SecretStr | None = None
    blind_index_key_file: Path | None = None
    seal_key: SecretStr | None = None
    seal_key_file: Path | None = None

    @model_validator(mode="after")
    def _one_source_per_key(self) -> Self:
        for name in KEY_NAMES:
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"set {_env(name)} or {_env(name)}_FILE, not both")
        return self

    @property
    def postgres_dir(self) -> Path:
        """The embedded server's data folder."""
        return self.data_dir / "pg"

    @property
    def keys_dir(self) -> Path:
        """The folder of the keys that were made here."""
        return self.data_dir / "keys"


def load_settings() -> Settings:
    """Read the environment; SettingsError names each wrong variable and never its value."""
    try:
        return Settings()
    except ValidationError as error:
        faults = [
            f"{_env('_'.join(map(str, fault['loc'])))}: {fault['msg']}"
            if fault["loc"]
            else fault["msg"]
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError(f"wrong settings: {'; '.join(faults)}") from None


def load_keys(settings: Settings) -> Keys:
    """Return the three keys; the embedded server's are made at its first start.

    Raises SettingsError if one is missing, is not 32 bytes in base64, or equals another; and if the
    embedded database exists and its key is gone, for a new key would not open what is in it.
    """
    found = {name: _key(settings, name) for name in KEY_NAMES}
    if len(set(found.values())) < len(found):
        raise SettingsError(f"{', '.join(map(_env, KEY_NAMES))} must differ from one another")
    return Keys(
        encryption=found["encryption_key"],
        blind_index=found["blind_index_key"],
        seal=found["seal_key"],
    )


def _key(settings: Settings, name: str) -> bytes:
    given: SecretStr | None = getattr(settings, name)
    if given is not None:
        return _decoded(given.get_secret_value(), _env(name))
    file: Path | None = getattr(settings, f"{name}_file")
    if file is not None:
        return _decoded(_text(file, f"{_env(name)}_FILE"), f"{_env(name)}_FILE ({file})")
    if settings.database_url is not None:
        raise SettingsError(
            f"{_env(name)} is missing and DATABASE_URL is set; make a key with "
            f"`openssl rand -base64 {KEY_BYTES}`, keep it outside the database and its backups, "
            f"and give it as {_env(name)} or {_env(name)}_FILE"
        )
    own = settings.keys_dir / f"{name}.txt"
    if not own.exists():
        if (settings.postgres_dir / "cluster").exists():
            raise SettingsError(
                f"{own} is gone and the database in {settings.postgres_dir} was written with it; "
                "put the file back from a backup, or delete both folders to begin anew"
            )
        _make_key(own)
    return _decoded(_text(own, str(own)), str(own))


def _make_key(path: Path) -> None:
    """Write a new key, whole or not at all; if another process was first, keep that one's."""
    try:
        make_parents(path.parent)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(new, path)
        except FileExistsError:
            pass
        finally:
            new.unlink()
    except OSError as error:
        raise SettingsError(
            f"cannot write {path}: {os.strerror(error.errno or 0)}; set {PREFIX}DATA_DIR to a "
            "folder this user may write"
        ) from None


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{name}: cannot read {path}; check the path and its rights") from None


def _decoded(text: str, name: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(
            f"{name} is not {KEY_BYTES} bytes in base64; make one with "
            f"`openssl rand -base64 {KEY_BYTES}`"
        )
    return key


def _env(name: str) -> str:
    return name if name == "DATABASE_URL" else f"{PREFIX}{name.upper()}"
