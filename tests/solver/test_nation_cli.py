"""``plan`` on files of several regions: stopped early, interrupted, killed between two writes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from solver.codes import PlanStatus
from solver.commands.files import read_plan
from solver.commands.line import main
from solver.commands.plan import write_whole


@pytest.fixture(scope="module")
def cities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nation") / "network.json"
    assert main(["generate", "--cities", "2", "--waiting", "20", "--out", str(path)]) == 0
    return path


def test_a_plan_stopped_at_once_is_clean_and_says_so(
    cities: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "plan.json"
    assert main(["plan", str(cities), "--out", str(out), "--within", "0", "--workers", "1"]) == 0
    assert read_plan(out).status is PlanStatus.STOPPED
    assert main(["check", str(cities), str(out)]) == 0
    assert "stopped" in capsys.readouterr().out


def test_an_interrupt_leaves_the_best_clean_plan_so_far(cities: Path, tmp_path: Path) -> None:
    out = tmp_path / "plan.json"
    command = [sys.executable, "-m", "solver", "plan", str(cities), "--out", str(out)]
    with subprocess.Popen([*command, "--workers", "1"], stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        for line in run.stderr:
            if "2 regions" in line:  # the census is taken, no region is planned
                run.send_signal(signal.SIGINT)
                break
        run.stderr.read()
        assert run.wait(60) == 0
    assert read_plan(out).status is PlanStatus.STOPPED
    assert main(["check", str(cities), str(out)]) == 0
    assert [it.name for it in tmp_path.iterdir()] == ["plan.json"]


def test_seconds_by_step_and_progress_are_said(
    cities: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, stats = tmp_path / "plan.json", tmp_path / "stats.json"
    arguments = ["plan", str(cities), "--out", str(out), "--stats", str(stats), "--workers", "2"]
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert "region 2 of 2" in said.err
    assert "level       value       bound     gap" in said.out
    assert {"read", "regions", "bounds"} <= json.loads(stats.read_text())["seconds"].keys()


def test_a_write_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plan.json"
    write_whole(path, "old")

    def fail(self: Path, text: str, encoding: str) -> int:
        with self.open("w", encoding=encoding) as half:
            half.write(text[:1])
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [it.name for it in tmp_path.iterdir()] == ["plan.json"]
