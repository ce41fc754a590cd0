"""Logs chosen for an export: the same rules, whichever benchmark is exported."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from kate_eval.cli import main
from kate_eval.errors import ConfigurationError
from kate_eval.logs import ORIGIN, make_folder


@pytest.mark.parametrize("benchmark", ["bfcl", "appworld"])
def test_what_is_no_log_is_named_in_a_line(benchmark: str, tmp_path: Path) -> None:
    (tmp_path / "bad.eval").write_bytes(b"PK")
    (tmp_path / "empty").mkdir()
    for name, said in (("bad.eval", "Can't read"), ("nowhere", "No such log"), ("empty", "No ")):
        asked = [benchmark, "export", str(tmp_path / name), "-o", str(tmp_path / "out")]
        done = CliRunner().invoke(main, asked)
        assert done.exit_code == 1 and f"Error: {said}" in done.output and "Traceback" not in done.output
        assert str(tmp_path / name) in done.output and not (tmp_path / "out").exists()


def test_a_folder_is_made_anew_for_its_own_run_only(tmp_path: Path) -> None:
    folder, origin = tmp_path / "a/b", {"run": "x", "epoch": 1}
    make_folder(folder, origin)
    (folder / "left").touch()
    make_folder(folder, origin)
    assert [file.name for file in folder.iterdir()] == [ORIGIN]
    with pytest.raises(ConfigurationError, match="does not hold epoch 2 of this run"):
        make_folder(folder, origin | {"epoch": 2})
