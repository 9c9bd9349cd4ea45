"""The laws of the house that no compiler holds, each with an example of what breaks it."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE_FOLDERS = frozenset({"service", "solver", "migrations", "tests"})
LINES_IN_A_FILE = 400
TOP_LEVEL = CODE_FOLDERS | {
    ".ci", ".dockerignore", ".gitignore", "CHANGELOG.md", "Dockerfile", "LICENSE", "Makefile",
    "README.md", "compose.yaml", "docs", "openapi", "pyproject.toml", "requirements-dev.lock",
    "requirements.lock",
}  # fmt: skip
# Written backwards, so that this file does not find itself.
UNFINISHED_WORDS = [word[::-1] for word in ("ODOT", "EMXIF", "rorrEdetnemelpmItoN")]
UNFINISHED = re.compile(rf"\b({'|'.join(UNFINISHED_WORDS)})\b")
SOLVER_WHEELS = frozenset({"numpy", "ortools", "pandas"})
API_IMPORTED_WHOLE = """
import importlib, json, pkgutil, sys
import service.app, service.api
for module in pkgutil.walk_packages(service.api.__path__, "service.api."):
    importlib.import_module(module.name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def sources(root: Path) -> Iterator[Path]:
    for folder in sorted(CODE_FOLDERS):
        yield from sorted((root / folder).rglob("*.py"))


def too_long(root: Path) -> dict[str, int]:
    counts = {str(p.relative_to(root)): len(p.read_text().splitlines()) for p in sources(root)}
    return {path: count for path, count in counts.items() if count > LINES_IN_A_FILE}


def unfinished(root: Path) -> list[str]:
    return [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path in sources(root)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if UNFINISHED.search(line)
    ]


def top_level(root: Path) -> set[str]:
    """What stands in the root and is not made by a tool (as .gitignore lists those)."""
    lines = (root / ".gitignore").read_text().splitlines()
    made = [line.strip("/") for line in lines if line] + [".git"]
    return {p.name for p in root.iterdir() if not any(fnmatch(p.name, name) for name in made)}


def foreign_imports(package: Path) -> dict[str, set[str]]:
    """By file, the imports of a package that are neither its own nor the standard library's."""
    own = sys.stdlib_module_names | {package.name}
    found: dict[str, set[str]] = {}
    for path in package.rglob("*.py"):
        names = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
        if names - own:
            found[str(path.relative_to(package))] = names - own
    return found


def clock_readings(package: Path) -> list[str]:
    """Calls of ``now()``, ``today()`` and ``utcnow()``: the decision core is told the time."""
    return [
        f"{path.relative_to(package)}:{node.lineno}"
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"now", "today", "utcnow"}
    ]


def newest_version(changelog: str) -> str | None:
    heading = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    return heading.group(1) if heading else None


def project_version() -> str:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert isinstance(version, str)
    return version


def lint_imports(folder: Path) -> tuple[int, dict[str, bool]]:
    """Exit code, and by contract whether it was kept, for the packages in a folder."""
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache",
         "--config", ROOT / "pyproject.toml"],
        cwd=folder,
        env=os.environ | {"COLUMNS": "200", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    verdicts = re.findall(r"^(.+?) (KEPT|BROKEN)\b", run.stdout, re.MULTILINE)
    assert verdicts, run.stdout + run.stderr
    return run.returncode, {name: verdict == "KEPT" for name, verdict in verdicts}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_every_import_runs_the_one_way():
    code, verdicts = lint_imports(ROOT)
    assert code == 0
    assert all(verdicts.values()), verdicts


def test_each_contract_breaks_on_an_import_against_its_arrow(tmp_path):
    write(
        tmp_path,
        {
            "service/__init__.py": "",
            "service/utils.py": "",
            "service/api/__init__.py": "import ortools",
            "service/workflow/__init__.py": "",
            "service/access/__init__.py": "import service.workflow",
            "service/access/caller.py": "import service.store",
            "service/access/records.py": "",
            "service/store/__init__.py": "import service.api, service.access.records",
            "solver/__init__.py": "",
            "solver/domain.py": "import solver.eligibility, sqlalchemy",
            "solver/eligibility.py": "import ortools",
        },
    )
    code, verdicts = lint_imports(tmp_path)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert code != 0
    assert len(verdicts) == len(contracts["contracts"])
    assert not any(verdicts.values()), verdicts


def test_no_file_is_two_ideas_long():
    assert too_long(ROOT) == {}


def test_a_file_of_401_lines_is_found(tmp_path):
    write(tmp_path, {"solver/a.py": "x = 1\n" * 400, "tests/deep/b.py": "x = 1\n" * 401})
    assert too_long(tmp_path) == {"tests/deep/b.py": 401}


def test_nothing_is_left_unfinished():
    assert unfinished(ROOT) == []


@pytest.mark.parametrize("word", UNFINISHED_WORDS)
def test_an_unfinished_line_is_found(tmp_path, word):
    write(tmp_path, {"service/a.py": f"x = 1\n# {word}: later\n", "docs/b.py": word})
    assert unfinished(tmp_path) == [f"service/a.py:2: # {word}: later"]


def test_the_top_level_holds_what_the_design_names():
    assert top_level(ROOT) == TOP_LEVEL


def test_a_stray_file_at_the_top_is_found_and_a_tools_cache_is_not(tmp_path):
    write(tmp_path, {".gitignore": "/.venv/\n*.egg-info/\n", "notes.txt": "", ".venv/a": ""})
    write(tmp_path, {".git/HEAD": "", "rehab.egg-info/a": ""})
    assert top_level(tmp_path) == {".gitignore", "notes.txt"}


def test_the_solver_stands_on_the_standard_library_numpy_and_ortools():
    found = foreign_imports(ROOT / "solver")
    assert set().union(*found.values()) <= {"numpy", "ortools"}, found


def test_a_foreign_import_is_found_wherever_it_hides(tmp_path):
    write(tmp_path, {"solver/a.py": "import json, solver.b\ndef f():\n    from yaml import load\n"})
    assert foreign_imports(tmp_path / "solver") == {"a.py": {"yaml"}}


def test_the_solver_reads_no_clock():
    assert clock_readings(ROOT / "solver") == []


def test_a_clock_reading_is_found(tmp_path):
    write(tmp_path, {"solver/a.py": "import datetime as d\nx = d.datetime.now(d.UTC)\n"})
    assert clock_readings(tmp_path / "solver") == ["a.py:2"]


def loaded_packages(program: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(json.loads(run.stdout))


def test_the_api_process_loads_no_solver_wheel():
    assert loaded_packages(API_IMPORTED_WHOLE) & SOLVER_WHEELS == set()


def test_a_loaded_solver_wheel_is_seen():
    program = "import json, sys, ortools.sat.python.cp_model; print(json.dumps([*sys.modules]))"
    assert loaded_packages(program) & SOLVER_WHEELS == SOLVER_WHEELS


def test_the_changelog_begins_with_the_version_of_the_project():
    assert newest_version((ROOT / "CHANGELOG.md").read_text()) == project_version()


def test_the_newest_version_is_the_first_heading():
    assert newest_version("# Changelog\n\n## 0.2.0\n\n## 0.1.0\n") == "0.2.0"
    assert newest_version("# Changelog\n") is None
