"""Checkpoints on disk: whole or not there, with a card that scores are added to."""

from pathlib import Path
from typing import Any

import pytest

from kate_eval.errors import TrainingError
from kate_eval.trainers.checkpoint import CheckpointCard, Score, add_scores, load_card, save_checkpoint
from kate_eval.trainers.checkpoint.card import chain
from kate_eval.trainers.checkpoint.leak import leaked_by
from kate_eval.trainers.rows.card import RowsCard

SCORE = Score(
    task="bfcl", solver="kate", metric="accuracy", value=0.5, samples=8, date="2026-01-01", log="a.eval"
)


def card(**given: Any) -> CheckpointCard:
    """A card with little on it."""
    values = {"trainer": "sft", "kind": "full", "base": "org/model", "root": "org/model", "rows_hash": "r"}
    return CheckpointCard(**{**values, "steps": 2, "curves": {"loss": [(1, 2.5), (2, 1.25)]}, **given})


def writes(text: str) -> Any:
    """Writes weights."""
    return lambda folder: (folder / "model.safetensors").write_text(text)


def test_a_checkpoint_comes_back_as_saved(tmp_path: Path) -> None:
    written = save_checkpoint(tmp_path / "a" / "one", card(), writes("w"))
    assert load_card(tmp_path / "a" / "one") == written
    assert written.weights_hash and written.curves == {"loss": [(1, 2.5), (2, 1.25)]}
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["one"]
    readme = (tmp_path / "a" / "one" / "README.md").read_text()
    assert readme.startswith('---\nbase_model: "org/model"\n') and "2.500 at step 1, 1.250 at 2" in readme


def test_a_later_one_takes_its_place(tmp_path: Path) -> None:
    first = save_checkpoint(tmp_path / "one", card(), writes("w"))
    (tmp_path / "one" / "rest").touch()
    second = save_checkpoint(tmp_path / "one", card(steps=3), writes("v"))
    assert first.weights_hash != second.weights_hash
    assert load_card(tmp_path / "one").steps == 3 and not (tmp_path / "one" / "rest").exists()


def fills_the_disk(folder: Path) -> None:
    """Writes half of the weights; the rest finds no room."""
    (folder / "model-1.safetensors").write_text("x")
    with Path("/dev/full").open("w") as file:
        file.write("x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"No room to save .*nothing is left"):
        save_checkpoint(tmp_path / "one", card(), fills_the_disk)
    before = save_checkpoint(tmp_path / "one", card(), writes("w"))
    with pytest.raises(TrainingError, match=r"No room to save .*that was there before is untouched"):
        save_checkpoint(tmp_path / "one", card(steps=3), fills_the_disk)
    assert load_card(tmp_path / "one") == before and [p.name for p in tmp_path.iterdir()] == ["one"]


def test_an_interrupted_save_leaves_nothing(tmp_path: Path) -> None:
    def interrupted(folder: Path) -> None:
        (folder / "model.safetensors").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path / "one", card(), interrupted)
    assert not list(tmp_path.iterdir())


def test_scores_are_added_once(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "one", card(), writes("w"))
    add_scores(tmp_path / "one", [SCORE])
    better = SCORE.model_copy(update={"value": 0.75, "stderr": 0.1})
    found = add_scores(tmp_path / "one", [better, SCORE.model_copy(update={"solver": "baseline"})])
    assert load_card(tmp_path / "one") == found and [s.value for s in found.scores] == [0.75, 0.5]
    assert "| bfcl | kate | accuracy | 0.750 ± 0.100 | 8 |" in (tmp_path / "one" / "README.md").read_text()


def test_a_chain_of_trainings_is_known(tmp_path: Path) -> None:
    assert chain("org/model") == ("org/model", ())
    save_checkpoint(tmp_path / "sft", card(), writes("w"))
    assert chain(str(tmp_path / "sft")) == ("org/model", ("sft:r",))


def test_a_model_that_knows_test_entries_says_so_down_the_chain(tmp_path: Path) -> None:
    rows = RowsCard(benchmark="bfcl", split="test", mode="fc", data_hash="0", engine="e", license="l")
    leaky = rows.model_copy(update={"leaked": True})
    assert leaked_by(rows, "org/model") == () and leaked_by(leaky, "org/model") == ("bfcl",)
    save_checkpoint(tmp_path / "sft", card(leaked=("bfcl",)), writes("w"))
    assert leaked_by(rows, str(tmp_path / "sft")) == ("bfcl",)
    assert "**LEAKED: trained on entries of the test half of bfcl" in (tmp_path / "sft/README.md").read_text()
    save_checkpoint(tmp_path / "clean", card(), writes("w"))
    assert "LEAKED" not in (tmp_path / "clean/README.md").read_text()


def test_another_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no checkpoint of ours: it has no card\.json"):
        load_card(tmp_path)
    (tmp_path / "card.json").write_text('{"schema_version": 9}')
    with pytest.raises(TrainingError, match="schema_version"):
        load_card(tmp_path)
