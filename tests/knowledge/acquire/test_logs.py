"""From logs: turns that passed, the turn that failed with the checker's finding, and nothing else."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.solver import generate

from kate_eval.bfcl.checker import check
from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.errors import ConfigurationError
from kate_eval.knowledge.acquire.case import Acquired
from kate_eval.knowledge.acquire.logs import log_cases
from kate_eval.knowledge.acquire.trajectory import trajectories
from kate_eval.solvers.kate import baseline
from kate_eval.tasks.appworld import appworld
from kate_eval.tasks.bfcl import bfcl

Run = Callable[..., EvalLog]
pytestmark = pytest.mark.xdist_group("runs")  # they share one


def read(*logs: Path | str, benchmark: str | None = None, said: list[str] | None = None) -> Acquired:
    heard: list[str] = [] if said is None else said
    return log_cases([Path(log) for log in logs], benchmark, heard.append)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> EvalLog:
    """A run of the simulated model, in which some samples succeed and others fail."""
    from inspect_ai import eval

    folder = tmp_path_factory.mktemp("logs")
    [log] = eval(
        bfcl(categories="multi_turn_base,simple_python"),
        model="simulated/default",
        solver=baseline(),
        sample_id=[f"multi_turn_base_{n}" for n in range(1, 25, 2)] + ["simple_python_1", "simple_python_3"],
        log_dir=str(folder),
        display="log",
    )
    return log


def test_passed_samples_give_a_case_a_turn_and_failed_ones_those_before_the_failure(played: EvalLog) -> None:
    acquired = read(played.location)
    assert played.samples
    kinds = set()
    for sample in played.samples:
        cases = [case for case in acquired.cases if case.source == sample.id]
        passed = sample.scores is not None and sample.scores["bfcl_verdict"].value == "C"
        kinds.add(passed)
        assert all(case.origin.success for case in cases) is passed
        assert sum(not case.origin.success for case in cases) == (0 if passed else 1)
        entry = load_entry(str(sample.id))
        if not entry.multi_turn:
            assert len(cases) == 1
            continue
        gold = multi_turn_gold(entry)
        assert [case.turn for case in cases] == sorted(case.turn for case in cases)
        assert all(gold[case.turn] for case in cases)
        if passed:
            assert len(cases) == sum(bool(turn) for turn in gold)
        else:
            verdict = check(entry, sample.store["kate:outcome"]["result"], "fc")
            assert not verdict.correct and cases[-1].origin.evidence.startswith(verdict.error_type)
    assert kinds == {True, False}


def test_cases_say_where_they_come_from(played: EvalLog) -> None:
    acquired = read(played.location)
    samples = {sample.id: sample for sample in played.samples or ()}
    for case in acquired.cases:
        sample = samples[case.source]
        assert case.origin.sample == sample.uuid and case.origin.epoch == 1
        assert case.origin.log == Path(played.location).name and case.origin.model == "simulated/default"
    card = acquired.card
    assert card.split == "test" and set(card.categories) == {"multi_turn_base", "simple_python"}


def test_what_a_model_did_is_what_the_item_shows(played: EvalLog) -> None:
    items = trajectories(read(played.location).cases)
    sample = next(s for s in played.samples or () if s.scores and s.scores["bfcl_verdict"].value == "C")
    called = [
        (call.function, call.arguments)
        for message in sample.messages
        for call in getattr(message, "tool_calls", None) or ()
    ]
    shown = [(c.name, c.arguments) for item in items if item.sources == (sample.id,) for c in item.calls]
    assert shown and all(call in called for call in shown)
    assert all(item.origin.success for item in items)


def test_a_turn_that_was_never_finished_is_a_failure(played: EvalLog) -> None:
    from kate_eval.knowledge.acquire.bfcl import FORCED, run_cases
    from kate_eval.knowledge.item import Origin

    entry = load_entry("multi_turn_base_1")
    gold = multi_turn_gold(entry)
    result = [[[{c.name: json.dumps(c.arguments)} for c in turn]] for turn in gold]
    whole = run_cases(entry.id, {"result": result, "mode": "fc", "over": True}, Origin(kind="run"))
    assert all(case.origin.success for case in whole)
    cut = run_cases(entry.id, {"result": result[:2], "mode": "fc", "over": True}, Origin(kind="run"))
    assert [case.origin.success for case in cut] == [True, False] and cut[-1].origin.evidence == FORCED


def test_other_tasks_and_damaged_logs_are_named_and_left_out(
    played: EvalLog, run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copy(played.location, folder / "good.eval")
    other = run(Task([Sample(input="hi", target="hi")], solver=generate()), "mockllm/model")
    shutil.copy(other.location, folder / "other.eval")
    (folder / "damaged.eval").write_bytes(Path(played.location).read_bytes()[:2000])
    said: list[str] = []
    acquired = read(folder, said=said)
    assert len(acquired.cases) == len(read(played.location).cases)
    text = "\n".join(said)
    assert "of another task" in text and "other.eval" in text
    assert "can't be read" in text and "damaged.eval" in text


def test_a_log_with_a_damaged_sample_gives_what_comes_before_it(played: EvalLog, tmp_path: Path) -> None:
    damaged = tmp_path / "one_broken.eval"
    with zipfile.ZipFile(played.location) as old, zipfile.ZipFile(damaged, "w") as new:
        names = sorted(name for name in old.namelist() if name.startswith("samples/"))
        for name in old.namelist():
            new.writestr(name, b"{" if name == names[-1] else old.read(name))
    said: list[str] = []
    acquired = read(damaged, said=said)
    assert 0 < len(acquired.cases) <= len(read(played.location).cases) and "Broken off" in said[0]


def test_errored_samples_are_counted_and_left_out(run: Run, tmp_path: Path) -> None:
    def dies(*_: Any) -> Any:
        raise RuntimeError("no endpoint")

    from tests.conftest import Scripted

    log = run(bfcl(categories="multi_turn_base"), Scripted(dies).model(), baseline(), limit=2)
    with pytest.raises(ConfigurationError, match="2 samples left out: the sample ended in an error"):
        read(log.location)


def test_a_log_of_other_data_is_left_out(played: EvalLog, tmp_path: Path) -> None:
    log = read_eval_log(played.location)
    assert log.eval.metadata is not None
    log.eval.metadata["category_hashes"]["multi_turn_base"] = "0" * 16
    write_eval_log(log, str(tmp_path / "old.eval"))
    said: list[str] = []
    with pytest.raises(ConfigurationError, match="nothing to learn from"):
        read(tmp_path / "old.eval", said=said)
    assert "of other data than what is installed (multi_turn_base)" in said[0]


def test_a_store_in_another_shape_is_counted(played: EvalLog, tmp_path: Path) -> None:
    log = read_eval_log(played.location)
    assert log.samples
    log.samples[0].store["kate:outcome"] = {"result": 5, "mode": "fc", "over": True}
    log.samples[1].store["kate:outcome"] = {"nothing": True}
    ids = log.eval.dataset.sample_ids
    assert ids is not None
    old, new = log.samples[2].id, "multi_turn_base_9999"
    log.eval.dataset.sample_ids = [str(new if one == old else one) for one in ids]
    log.samples[2].id = new
    write_eval_log(log, str(tmp_path / "odd.eval"))
    acquired = read(tmp_path / "odd.eval")
    assert len(acquired.notes) == 3 and any(
        "no entry 'multi_turn_base_9999'" in note for note in acquired.notes
    )
    assert {case.source for case in acquired.cases} == {str(s.id) for s in log.samples[3:]}


@pytest.mark.parametrize(
    "odd", ["../../../etc/passwd_1", "x" * 100_000, "multi_turn_base_1\0", "/_1", "*_1", 7]
)
def test_a_sample_s_id_is_looked_up_among_the_entries_only(odd: str | int) -> None:
    from kate_eval.appworld.data import load_task, related
    from kate_eval.errors import DatasetError

    for find in (load_entry, lambda name: load_task("mini", name)):
        with pytest.raises(DatasetError, match=r"has no (entry|task)") as raised:
            find(str(odd))
        assert len(str(raised.value)) < 200
    assert related("mini", str(odd)) == {str(odd)}


@pytest.mark.parametrize(
    "change",
    [
        {"category_hashes": {"../x": "0"}},
        {"category_hashes": {"x" * 5000: "0"}},
        {"category_hashes": 5},
        {"split": ["test"]},
        {"split": "line\nbreak"},
        {"data_hash": "0"},
        {"benchmark": ["bfcl"]},
    ],
)
def test_metadata_that_our_tasks_don_t_write_leaves_the_log_out(
    played: EvalLog, change: dict[str, Any], tmp_path: Path
) -> None:
    log = read_eval_log(played.location)
    assert log.eval.metadata is not None
    log.eval.metadata.update(change)
    write_eval_log(log, str(tmp_path / "odd.eval"))
    said: list[str] = []
    with pytest.raises(ConfigurationError):
        read(tmp_path / "odd.eval", said=said)
    assert len(said) == 1 and "Left out, of " in said[0] and len(said[0]) < 1000


def test_a_missing_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No log or folder"):
        read(tmp_path / "nowhere")


def test_appworld_s_runs_become_code_with_outputs(run: Run, played: EvalLog) -> None:
    log = run(appworld(split="mini_test"), "simulated/default", baseline(), limit=4)
    acquired = read(log.location)
    assert acquired.card.benchmark == "appworld-mini" and not acquired.by_class
    assert log.samples and {case.source for case in acquired.cases} == {str(s.id) for s in log.samples}
    for case in acquired.cases:
        sample = next(s for s in log.samples if s.id == case.source)
        assert sample.scores is not None
        assert case.origin.success is (sample.scores["appworld_verdict"].value == "C")
        assert case.steps and any(step.output for step in case.steps) and case.classes
        assert bool(case.origin.evidence) is not case.origin.success
    with pytest.raises(ConfigurationError, match="benchmarks found: appworld-mini, bfcl"):
        read(log.location, played.location)
    assert read(log.location, played.location, benchmark="bfcl").card.benchmark == "bfcl"
