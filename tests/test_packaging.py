"""What a newcomer, an operator and CI are given: locks, make targets, container files, plugins."""

import functools
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from tests import with_debian_postgres

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
LOCKS = ("requirements.lock", "requirements-dev.lock")


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "CI"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


# Locks


def locked(name: str) -> dict[str, Version]:
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {package: Version(version) for package, version in pins}


def lock_faults(text: str) -> list[str]:
    """Lines that name an address, and entries that are not one exact version with its hashes."""
    entries = re.sub(r"\s*\\\n\s+", " ", text).splitlines()
    exact = re.compile(r"[\w.-]+==[\w.!+]+( ; [^@]+?)?( --hash=sha256:[0-9a-f]{64})+")
    return [entry for entry in entries if "://" in entry or not exact.fullmatch(entry)]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_exact_hashed_versions_and_no_address(name):
    assert lock_faults((ROOT / name).read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "rich @ https://example.org/rich.whl --hash=sha256:" + "0" * 64,
        "rich==15.0.0",
        "rich>=15.0.0 --hash=sha256:" + "0" * 64,
    ],
)
def test_a_line_that_is_an_address_or_unhashed_or_open_is_a_fault(line):
    good = "rich==15.0.0 ; python_version < '4' \\\n    --hash=sha256:" + "0" * 64
    assert lock_faults(f"{good}\n{line}\n") == [line]


def test_the_locks_satisfy_the_project_and_agree():
    runtime, everything = (locked(name) for name in LOCKS)
    assert runtime.items() <= everything.items()
    for texts, lock in (
        (PROJECT["dependencies"] + PROJECT["optional-dependencies"]["build"], runtime),
        (PROJECT["optional-dependencies"]["dev"], everything),
    ):
        for requirement in map(Requirement, texts):
            assert lock[requirement.name] in requirement.specifier, requirement


def test_the_installed_versions_are_the_locked_ones():
    listed = run(sys.executable, "-m", "pip", "list", "--format", "json").stdout
    installed = {
        re.sub(r"[-_.]+", "-", package["name"]).lower(): Version(package["version"])
        for package in json.loads(listed)
    }
    everything = locked("requirements-dev.lock")
    both = installed.keys() & everything.keys()
    assert both >= {Requirement(text).name for text in PROJECT["dependencies"]}
    assert {name: installed[name] for name in both} == {name: everything[name] for name in both}


# Make, CI and the commands they call


@pytest.mark.parametrize(
    "target",
    [".venv", "run", "test", "lint", "bench", "bench-planner", "clean-data", "lock", "help"],
)
def test_make_knows_its_targets(target):
    assert run("make", "--dry-run", target).returncode == 0


def test_make_run_serves_on_the_port_asked_for():
    assert "serve --demo --port 8123" in run("make", "--dry-run", "run", "PORT=8123").stdout
    assert "serve --demo --port 8000" in run("make", "--dry-run", "run").stdout


def test_the_ci_script_is_valid_bash_and_ends_in_make_test():
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert run("bash", "-n", script).returncode == 0
    assert script.read_text().rstrip().splitlines()[-1] == "exec make test"


def commands_called() -> set[tuple[str, ...]]:
    """Every ``rehab-beds`` command of the Makefile, the image and the composition."""
    makefile = re.findall(r"bin/rehab-beds (.+)", (ROOT / "Makefile").read_text())
    image = json.loads(re.findall(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)[0])
    composed = [s["command"] for s in COMPOSE["services"].values() if "command" in s]
    return {tuple(line.split()) for line in makefile} | {tuple(c[1:]) for c in [image, *composed]}


@functools.cache
def help_of(command: str) -> subprocess.CompletedProcess[str]:
    return run(
        sys.executable, "-c", "from service.cli import app; app()", command, "--help",
        COLUMNS="200", NO_COLOR="1", TERM="dumb",
    )  # fmt: skip


@pytest.mark.parametrize("command", sorted(commands_called()), ids=" ".join)
def test_a_command_that_a_project_file_calls_exists_with_its_options(command):
    shown = help_of(command[0])
    assert shown.returncode == 0, shown.stderr
    for option in command[1:]:
        if option.startswith("--"):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", shown.stdout), option


# Container files: linted and checked, not built, as no engine is at hand


def test_the_dockerfile_passes_hadolint():
    linted = run(BIN / "hadolint", "Dockerfile")
    assert (linted.returncode, linted.stdout) == (0, "")


def test_hadolint_refuses_an_unpinned_image(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM python\n")
    linted = run(BIN / "hadolint", tmp_path / "Dockerfile")
    assert linted.returncode != 0
    assert "DL3006" in linted.stdout


def dockerfile_faults(text: str, ignore: str) -> set[str]:
    stages = re.split(r"^(?=FROM )", re.sub(r"\\\n\s*", " ", text), flags=re.MULTILINE)[1:]
    last = stages[-1]
    users = re.findall(r"^USER (\S+)", last, re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", "".join(stages), re.MULTILINE)
    checks = {
        "more than one stage": len(stages) > 1,
        "images pinned to a patch release": all(
            re.match(r"FROM \S+:\d+\.\d+\.\d+\S*", stage) for stage in stages
        ),
        "runs as a numbered user, not root": bool(users)
        and users[-1].partition(":")[0].isdecimal()
        and int(users[-1].partition(":")[0]) > 0,
        "context holds what is copied": set(" ".join(copied).split())
        == {line[1:] for line in ignore.splitlines() if line.startswith("!")},
        "asks /livez": bool(re.search(r"^HEALTHCHECK .*/livez", last, re.MULTILINE)),
        "stops by SIGTERM": "STOPSIGNAL SIGTERM" in last,
        "copies what exists": all(
            (ROOT / name).exists() for line in copied for name in line.split()
        ),
        "labelled with the version": f'image.version="{PROJECT["version"]}"' in last,
    }
    return {name for name, passed in checks.items() if not passed}


def test_the_image_is_staged_pinned_unprivileged_and_asked_after():
    assert dockerfile_faults(DOCKERFILE, (ROOT / ".dockerignore").read_text()) == set()


def test_a_careless_dockerfile_fails_every_check():
    careless = "FROM python:3\nCOPY absent.txt /app\nUSER root\n"
    assert len(dockerfile_faults(careless, "*")) == 8


def compose_schema(path: Path) -> int:
    checker = BIN / "check-jsonschema"
    return run(checker, "--builtin-schema", "vendor.compose-spec", path).returncode


def test_the_composition_keeps_the_compose_specification(tmp_path):
    assert compose_schema(ROOT / "compose.yaml") == 0
    (tmp_path / "compose.yaml").write_text("services: {a: {image: b, dependson: c}}\n")
    assert compose_schema(tmp_path / "compose.yaml") != 0


def test_the_composition_is_the_database_its_migration_the_service_and_the_worker():
    assert set(COMPOSE["services"]) == {"postgres", "migrate", "service", "worker"}
    major = re.fullmatch(r"postgres:(\d+)\.\d+-\w+", COMPOSE["services"]["postgres"]["image"])
    assert major
    assert int(major.group(1)) >= with_debian_postgres.OLDEST_MAJOR


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_composed_service_has_no_more_rights_than_it_needs(name):
    service: dict[str, Any] = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "healthcheck" in service or name == "service"  # which has the image's own
    assert not any(
        "PASSWORD" in key and "FILE" not in key for key in service.get("environment", {})
    )
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", ["service", "worker"])
def test_nothing_starts_before_the_database_is_migrated(name):
    waits = COMPOSE["services"][name]["depends_on"]
    assert waits["postgres"]["condition"] == "service_healthy"
    assert waits["migrate"]["condition"] == "service_completed_successfully"


# The plugin that makes a skip a failure in CI

UNPROVEN = {
    "a skipped test": "import pytest\n@pytest.mark.skip\ndef test_a(): pass",
    "a test that skips itself": "import pytest\ndef test_a(): pytest.skip('no')",
    "a skipped module": "import pytest\npytest.skip('no', allow_module_level=True)",
    "an expected failure": "import pytest\n@pytest.mark.xfail\ndef test_a(): assert False",
    "an expected failure that passed": "import pytest\n@pytest.mark.xfail\ndef test_a(): pass",
}


@pytest.fixture
def session(pytester, monkeypatch):
    """Runs a small suite in a process of its own, with this project's plugin and no other."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run_session(files, *arguments, ci):
        monkeypatch.setenv("CI", ci)
        pytester.makepyfile(**files)
        return pytester.runpytest_subprocess("-p", "tests.no_skips", *arguments)

    return run_session


@pytest.mark.parametrize("source", UNPROVEN.values(), ids=UNPROVEN.keys())
def test_in_ci_what_was_not_proven_fails_the_session(session, source):
    suite = {"test_other": "def test_b(): pass", "test_unproven": source}
    in_ci = session(suite, ci="true")
    assert in_ci.ret == pytest.ExitCode.TESTS_FAILED
    in_ci.stdout.fnmatch_lines(["*in CI a skip is a failure*", "test_unproven.py*"])


def test_in_ci_what_a_parallel_worker_did_not_prove_is_listed_too(session):
    suite = {f"test_{i}": text for i, text in enumerate(UNPROVEN.values())}
    in_ci = session(suite, "-p", "xdist", "-n", "1", ci="true")
    assert in_ci.ret == pytest.ExitCode.TESTS_FAILED
    listed = in_ci.stdout.str().partition("in CI a skip is a failure")[2]
    assert sorted(re.findall(r"^test_(\d)\.py", listed, re.MULTILINE)) == list("01234")


def test_at_a_desk_a_skip_is_reported_and_no_failure(session):
    suite = {f"test_{i}": text for i, text in enumerate(UNPROVEN.values())}
    assert session(suite, ci="").ret == pytest.ExitCode.OK


def test_in_ci_a_session_with_every_test_passed_passes(session):
    assert session({"test_a": "def test_a(): pass"}, ci="true").ret == pytest.ExitCode.OK


# The second server


def test_the_newest_server_that_is_not_too_old_is_taken(tmp_path):
    assert with_debian_postgres.newest_server(tmp_path) is None
    for version in ("9.6", "14", "15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin/initdb").touch()
    assert with_debian_postgres.newest_server(tmp_path) == tmp_path / "17/bin"
    (tmp_path / "17/bin/initdb").unlink()  # its client programs alone
    (tmp_path / "15/bin/initdb").unlink()
    assert with_debian_postgres.newest_server(tmp_path) is None


def test_without_a_second_server_ci_fails_and_a_desk_is_told(monkeypatch, capsys):
    monkeypatch.setattr(with_debian_postgres, "newest_server", lambda: None)
    monkeypatch.setenv("CI", "true")
    assert with_debian_postgres.main([]) == 1
    assert "install it" in capsys.readouterr().out
    monkeypatch.delenv("CI")
    assert with_debian_postgres.main([]) == 0
    assert "NOT RUN" in capsys.readouterr().out
    assert with_debian_postgres.main(["false"]) == 0
