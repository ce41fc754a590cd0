"""Two real logs side by side: flips, tests, causes, where the runs part, and what can't be compared."""

import json
from collections.abc import Callable, Collection
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai import eval as run_eval
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelOutput

from kate_eval.bfcl.data import load
from kate_eval.cli import main
from kate_eval.compare.comparison import Comparison, compare
from kate_eval.errors import ConfigurationError
from kate_eval.solvers.kate import baseline
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, gold_answer, output

BASE = {"categories": "multi_turn_base"}
ENTRIES = list(load(["multi_turn_base"], "test"))[:4]
IDS = [entry.id for entry in ENTRIES]
Change = Callable[[EvalLog], None]
Played = Callable[..., Path]
"""Indexes of the entries that are solved, and a change -> the log."""


def play(folder: Path, model: Model) -> EvalLog:
    """A log of the four entries."""
    options: dict[str, Any] = {"sample_id": IDS, "log_dir": str(folder), "display": "none"}
    [log] = run_eval(bfcl(**BASE), model=model, solver=baseline(), log_realtime=False, **options)
    return read_eval_log(log.location)


def failing(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
    """No answer."""
    raise RuntimeError("connection lost")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, EvalLog]:
    """Real logs: of a model that plays gold, one that calls nothing, and an endpoint that is gone."""
    folder = tmp_path_factory.mktemp("samples")
    models = {
        "gold": Scripted(gold_answer()),
        "silent": Scripted(lambda messages, config: output("I am done.")),
        "failed": Scripted(failing),
    }
    return {name: play(folder, model.model()) for name, model in models.items()}


@pytest.fixture
def played(samples: dict[str, EvalLog], tmp_path: Path) -> Played:
    """Makes logs of these samples; of equal runs the later made is newer."""
    made = count(1)

    def log_of(
        solved: Collection[int], change: Change = lambda log: None, failed: Collection[int] = ()
    ) -> Path:
        log = deepcopy(samples["silent"])
        kinds = ["gold" if n in solved else "failed" if n in failed else "silent" for n in range(len(IDS))]
        log.samples = [
            deepcopy(next(s for s in samples[kind].samples or [] if s.id == id))
            for kind, id in zip(kinds, IDS, strict=True)
        ]
        number = next(made)
        log.eval.created = f"2026-01-01T00:00:0{number}+00:00"
        change(log)
        file = tmp_path / "logs" / f"2026-01-01T00-00-0{number}_bfcl_{number}.eval"
        file.parent.mkdir(exist_ok=True)
        write_eval_log(log, str(file))
        return file

    return log_of


def entries(pairs: Any) -> list[str]:
    """Ids of pairs."""
    return [pair.entry for pair in pairs]


@pytest.fixture
def found(played: Played) -> Comparison:
    """A solves entry 0, B the other three."""
    return compare(played({0}), played({1, 2, 3}))


def test_flips_are_counted_in_both_directions(found: Comparison) -> None:
    assert entries(found.fixed) == sorted(IDS[1:]) and entries(found.broken) == IDS[:1]
    assert found.causes() == {"stopped_early": (3, 3, 1, 1)}
    # Of four flips three or more in one direction: 2 * (4 + 1) / 16.
    assert found.p_value == pytest.approx(0.625)
    assert found.difference is not None and found.headline == "multi_turn_base"
    assert (found.difference.mean, found.difference.n) == (0.5, 4)


def test_the_first_different_step_says_what_each_did(found: Comparison) -> None:
    parting = found.broken[0].parting
    assert parting is not None and (parting.turn, parting.step) == (0, 0)
    assert parting.second == "reply: I am done." and "(" in parting.first


def test_runs_that_do_the_same_never_part(played: Played) -> None:
    found = compare(played({0, 1}), played({0, 1}))
    assert not found.fixed and not found.broken and found.p_value == 1
    assert all(pair.parting is None for pair in found.pairs)


def test_errors_are_listed_and_in_no_figure(played: Played) -> None:
    found = compare(played({0}), played({1, 2}, failed={3}))
    assert len(found.pairs) == 3
    reasons = {(side, a.entry): a.cause.kind if a.cause else "right" for side, a in found.unpaired}
    assert reasons == {(0, IDS[3]): "stopped_early", (1, IDS[3]): "environment_error"}
    assert "1 samples of B could not be scored; they are listed, and in no figure" in found.flags


def two_epochs(log: EvalLog) -> None:
    """A second epoch, in which nothing is solved."""
    for sample in deepcopy(log.samples or []):
        sample.epoch = 2
        assert sample.scores is not None and log.samples is not None
        sample.scores["bfcl_verdict"].value = "I"
        log.samples.append(sample)
    log.eval.config.epochs = 2


def test_with_epochs_the_majority_counts_and_a_tie_is_wrong(played: Played) -> None:
    found = compare(played({0}, two_epochs), played({0, 1}))
    by_entry = {pair.entry: pair for pair in found.pairs}
    assert (by_entry[IDS[0]].first, by_entry[IDS[0]].solved) == (0.5, (False, True))
    assert found.difference is not None and found.difference.mean == pytest.approx(1.5 / 4)
    assert any(flag.startswith("epochs differ: 2") for flag in found.flags)


def test_other_data_is_refused_and_other_settings_are_flagged(played: Played) -> None:
    def other_mode(log: EvalLog) -> None:
        assert log.eval.metadata is not None
        log.eval.metadata["mode"] = "prompt"
        log.eval.task_version = "3-B"

    def other_data(log: EvalLog) -> None:
        assert log.eval.metadata is not None
        log.eval.metadata["category_hashes"] = {"multi_turn_base": "0" * 16}

    flags = compare(played({0}), played({1}, other_mode)).flags
    assert "not like for like: mode is 'fc' in A, 'prompt' in B" in flags
    assert "not like for like: task version 3-A in A, 3-B in B" in flags
    with pytest.raises(ConfigurationError, match=r"other data .*multi_turn_base.*can't be paired"):
        compare(played({0}), played({1}, other_data))


def test_what_can_not_be_paired_says_why(played: Played, tmp_path: Path) -> None:
    log = played({0})
    with pytest.raises(ConfigurationError, match="Both are the log"):
        compare(log, log)

    def other_split(log: EvalLog) -> None:
        assert log.eval.metadata is not None
        log.eval.metadata["split"] = "train"
        for sample in log.samples or []:
            sample.id = str(sample.id).replace("base", "long_context")

    with pytest.raises(ConfigurationError, match=r"no sample in common \(splits: test, train\)"):
        compare(log, played({1}, other_split))
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no log")
    for name, said in (
        ("nothing.eval", "No log "),
        ("empty", "The folder holds no log that can be compared: "),
        ("notes.txt", "Not a log to compare: "),
    ):
        done = CliRunner().invoke(main, ["compare", str(log), str(tmp_path / name)])
        told = f"Error: {said}{tmp_path / name}. Name two logs of our tasks, LOG_A and LOG_B"
        assert done.exit_code == 1 and done.output.startswith(told) and done.output.count("\n") == 1
    (tmp_path / "broken.eval").write_bytes(log.read_bytes()[:2000])
    with pytest.raises(ConfigurationError, match="can't be read"):
        compare(log, tmp_path / "broken.eval")


def test_a_run_that_was_broken_off_is_flagged_and_nothing_of_it_is_lost(played: Played) -> None:
    def broken_off(log: EvalLog) -> None:
        log.status = "started"
        log.results = None
        log.samples = (log.samples or [])[:2]

    found = compare(played({0}), played({1}, broken_off))
    assert "B's run ended with status 'started': 2 of 4 samples" in found.flags
    assert len(found.pairs) == 2 and len(found.unpaired) == 2


def test_a_folder_means_the_newest_log_of_its_one_run(played: Played, tmp_path: Path) -> None:
    def other_model(log: EvalLog) -> None:
        log.eval.model = "mockllm/another"

    played({0})
    newest = played({0, 1})
    found_below = tmp_path / "other"
    found_below.mkdir()
    second = played({2}, other_model)
    second = second.rename(found_below / second.name)
    found = compare(tmp_path / "logs", found_below)
    assert found.first.run.sources[0].file.endswith(newest.name)
    assert "A is the newest of 2 logs of this run" in found.flags
    second.rename(tmp_path / "logs" / second.name)
    with pytest.raises(ConfigurationError, match=r"holds 2 different runs; name one log:\n"):
        compare(tmp_path / "logs", newest)


def test_the_command_writes_markdown_and_json(played: Played, tmp_path: Path) -> None:
    def hostile(log: EvalLog) -> None:
        log.eval.model = "mockllm/<b>|x|"

    first, second = played({0}, hostile), played({1, 2, 3})
    asked = ["compare", str(first), str(second), "--samples", "2", "-o"]
    for name in ("compared.md", "compared.json"):
        done = CliRunner().invoke(main, [*asked, str(tmp_path / "out" / name)])
        assert done.exit_code == 0, done.output
        assert "B fixed 3 and broke 1 of 4 entries" in done.output
    text = (tmp_path / "out" / "compared.md").read_text()
    assert "<b>" not in text and r"\|x\|" in text
    assert "3 entries. The first 2 of 3" in text
    link = f"http://127.0.0.1:7575/#/logs/{first.name}/samples/sample/{IDS[0]}/1/"
    assert f"[A]({link})" in text and f"`inspect view --log-dir {tmp_path / 'logs'}`" in text
    data = json.loads((tmp_path / "out" / "compared.json").read_text())
    assert (data["fixed"], data["broken"], len(data["pairs"])) == (3, 1, 4)
    assert data["pairs"][0]["b"]["cause"]["kind"] == "stopped_early"


def test_another_ending_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["compare", "a", "b", "-o", str(tmp_path / "x.pdf")])
    assert done.exit_code == 1 and "Unknown ending '.pdf'" in done.output
