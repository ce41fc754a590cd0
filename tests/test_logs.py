"""Logs chosen for an export: the same rules, whichever benchmark is exported."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kate_eval.cli import main
from kate_eval.errors import ConfigurationError
from kate_eval.logs import ORIGIN, ended_logs, make_folder, samples_of
from kate_eval.solvers.kate import baseline
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, output


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


def test_what_else_its_file_says_makes_it_no_other_run_s(tmp_path: Path) -> None:
    folder, origin = tmp_path / "a", {"run": "x", "epoch": 1}
    make_folder(folder, origin)  # as one of before said it
    make_folder(folder, origin, {"solver": "kate"})
    assert json.loads((folder / ORIGIN).read_text()) == origin | {"solver": "kate"}


def test_a_log_that_is_cut_off_is_named_and_the_others_are_chosen(run: Any, tmp_path: Path) -> None:
    whole = Path(run(bfcl(categories="multi_turn_base"), "simulated/default", baseline(), limit=1).location)
    cut = whole.with_name("cut.eval")
    cut.write_bytes(whole.read_bytes()[:-50])
    told: list[str] = []
    [chosen] = ended_logs([whole.parent], "bfcl", "BFCL", partial=False, tell=told.append)
    assert chosen.endswith(whole.name)
    assert told == [f"Left out, can't be read: {cut} (it is cut off or no .eval file)"]


def test_samples_come_in_the_order_wanted_up_to_the_damaged_one(run: Any, tmp_path: Path) -> None:
    silent = Scripted(lambda messages, config: output("Done.")).model()
    log = run(bfcl(categories="multi_turn_base"), silent, baseline(), limit=3, epochs=2)
    wanted = [(sample.id, sample.epoch) for sample in reversed(log.samples or [])]
    found = list(samples_of(log.location, wanted, {"events"}))
    assert [(sample.id, sample.epoch) for sample in found] == wanted and len(wanted) == 6
    damaged = tmp_path / "damaged.eval"
    bad = f"samples/{wanted[4][0]}_epoch_{wanted[4][1]}.json"
    with zipfile.ZipFile(log.location) as old, zipfile.ZipFile(damaged, "w") as new:
        assert bad in old.namelist()
        for name in old.namelist():
            new.writestr(name, b"{" if name == bad else old.read(name))
    samples = samples_of(str(damaged), wanted, {"events"})
    assert [(s.id, s.epoch) for s in (next(samples) for _ in range(4))] == wanted[:4]
