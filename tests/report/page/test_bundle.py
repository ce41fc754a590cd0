"""The viewer beside the page: real logs of two folders, and what can't be bundled."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kate_eval.cli import main
from kate_eval.errors import ConfigurationError
from kate_eval.report.page.bundle import bundle
from kate_eval.solvers.nearest import nearest
from kate_eval.tasks.bfcl import bfcl


def test_a_report_with_its_logs_is_complete_and_can_be_made_again(run: Any, tmp_path: Path) -> None:
    run(bfcl(categories="multi_turn_base"), "mockllm/model", nearest(), limit=1)
    command = ["report", str(tmp_path / "logs"), "-o", str(tmp_path / "out"), "--bundle"]
    for _ in range(2):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output
    viewer = tmp_path / "out/viewer/1"
    [log] = (tmp_path / "logs").glob("*.eval")
    assert (viewer / "index.html").is_file() and (viewer / "logs" / log.name).is_file()
    page = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert '"viewer/1/index.html"' in page and log.name in page
    assert {file.suffix for file in (tmp_path / "out/plots").iterdir()} == {".png", ".svg"}


def test_files_and_folders_around_the_report_are_refused(tmp_path: Path) -> None:
    (tmp_path / "log.eval").touch()
    with pytest.raises(ConfigurationError, match="is a file"):
        bundle([str(tmp_path / "log.eval")], tmp_path / "out")
    with pytest.raises(ConfigurationError, match="choose another -o"):
        bundle([str(tmp_path)], tmp_path / "out")


def test_a_bundle_needs_a_folder_to_be_in() -> None:
    for output in ([], ["-o", "page.html"]):
        done = CliRunner().invoke(main, ["report", "--bundle", *output])
        assert done.exit_code == 2 and "-o FOLDER" in done.output
