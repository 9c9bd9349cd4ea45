"""``python -m solver``: files in, files out, and an exit status one can rely on."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from solver.commands.line import main
from solver.instance import network_to_json, plan_from_json, plan_to_json
from solver.planning import make_plan
from solver.synthetic import city
from tests.solver.planned import CENTRE, full_ward


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    """The full ward that two moves back to the centre solve, as a file."""
    path = tmp_path / "network.json"
    path.write_text(network_to_json(full_ward(CENTRE)), encoding="utf-8")
    return path


def test_a_plan_made_from_a_file_is_clean_and_its_levels_are_printed(
    ward: Path, capsys: pytest.CaptureFixture[str]
):
    out = ward.with_name("plan.json")
    assert main(["plan", str(ward), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    for word in ("model", "levels", "check", "total", "level", "bound", "gap"):
        assert word in printed
    assert "optimal: 4 moves (2 of residents), 0 unplaced" in printed
    assert main(["check", str(ward), str(out)]) == 0
    assert capsys.readouterr().out == "clean\n"


def test_a_generated_network_is_the_synthetic_city(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "city.json"
    arguments = ["generate", "--seed", "3", "--occupancy", "0.01", "--waiting", "4"]
    assert main([*arguments, "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == network_to_json(city(3, 0.01, 4))
    assert "4000 beds" in capsys.readouterr().out


def test_a_generated_network_has_as_many_movable_residents_as_asked_for(tmp_path: Path):
    out = tmp_path / "city.json"
    arguments = ["generate", "--occupancy", "0.05", "--waiting", "0", "--movable", "1"]
    assert main([*arguments, "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == network_to_json(city(0, 0.05, 0, movable=1.0))


def test_a_dirty_plan_is_named_violation_by_violation(
    ward: Path, capsys: pytest.CaptureFixture[str]
):
    plan, _ = make_plan(full_ward(CENTRE))
    backwards = replace(plan, moves=plan.moves[::-1])
    out = ward.with_name("plan.json")
    out.write_text(plan_to_json(backwards), encoding="utf-8")
    assert main(["check", str(ward), str(out)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("order_of_moves ") for line in lines)
    assert lines[-1] == f"{len(lines) - 1} violations"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:40], "give JSON"),
        (lambda text: text.replace('"PSC"', '"PRISON"', 1), "give one of PSC"),
        (lambda text: text.replace("rehab-beds/network", "rehab-beds/plan"), "format"),
        (lambda text: text.replace('"version":1', '"version":2'), "reads version 1"),
        (lambda text: text.replace('"move_budget":200', '"move_budget":-1'), "policy.move_budget"),
    ],
)
def test_a_wrong_file_is_status_2_and_one_line_that_says_what_is_wrong(
    ward: Path, change: object, said: str, capsys: pytest.CaptureFixture[str]
):
    assert callable(change)
    ward.write_text(change(ward.read_text(encoding="utf-8")), encoding="utf-8")
    out = ward.with_name("plan.json")
    assert main(["plan", str(ward), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert not out.exists()


def test_a_file_that_is_not_there_or_not_text_is_status_2(
    ward: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["check", str(ward), str(ward.with_name("none.json"))]) == 2
    assert "No such file" in capsys.readouterr().err
    ward.write_bytes(b"\xff\xfe\x00")
    assert main(["check", str(ward), str(ward)]) == 2
    assert "give a UTF-8 text file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "--cities", "0"],
        ["generate", "--occupancy", "7"],
        ["generate", "--waiting", "-1"],
        ["generate", "--movable", "2"],
    ],
)
def test_a_senseless_argument_is_status_2(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
):
    assert main([*arguments, "--out", str(tmp_path / "x.json")]) == 2
    assert arguments[1].removeprefix("--") in capsys.readouterr().err


def test_an_unknown_command_is_status_2():
    with pytest.raises(SystemExit) as caught:
        main(["forecast"])
    assert caught.value.code == 2


def test_a_fresh_process_with_another_hash_seed_and_shuffled_rows_writes_the_same_bytes(
    tmp_path: Path,
):
    network = city(2, 0.93, waiting=60)
    document = json.loads(network_to_json(network))
    plans = []
    for hash_seed in ("1", "2"):
        path = tmp_path / f"network{hash_seed}.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        out = tmp_path / f"plan{hash_seed}.json"
        subprocess.run(
            [sys.executable, "-m", "solver", "plan", str(path), "--out", str(out)],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            timeout=120,
        )
        plans.append(out.read_bytes())
        for name in ("facilities", "units", "rooms", "beds", "persons", "stays", "requests"):
            document[name] = document[name][::-1]
    assert plans[0] == plans[1]
    assert plan_from_json(plans[0].decode()).moves
