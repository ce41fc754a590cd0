"""A run that can't be right ends before its first sample, with one error that says the remedy."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from inspect_ai.log import EvalLog
from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput
from inspect_ai.solver import Solver

from kate_eval.errors import BankError
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.bank import Bank, make_bank
from kate_eval.knowledge.card import EmbedderCard
from kate_eval.knowledge.embed import EndpointEmbedder
from kate_eval.knowledge.folder import save_bank
from kate_eval.solvers.kate import kate, knowledge, width
from kate_eval.solvers.nearest import nearest
from kate_eval.solvers.online import online
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, output
from tests.endpoints.openai.server import free_port

Run = Callable[..., EvalLog]
ENTRIES = ["multi_turn_base_1", "multi_turn_base_3"]


def never(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
    raise AssertionError("the model was asked")


def done(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
    return output("Done.")


def of_another_benchmark(folder: Path) -> Bank:
    bank = default_bank("bfcl")
    card = bank.card.model_copy(update={"benchmark": "appworld-mini"})
    return save_bank(make_bank(bank.items[:5], card), folder)


@pytest.mark.parametrize("solver", [knowledge, nearest])
def test_a_bank_of_another_benchmark(solver: Callable[..., Solver], run: Run, tmp_path: Path) -> None:
    of_another_benchmark(tmp_path / "b")
    log = run(bfcl(), Scripted(never).model(), solver(bank=str(tmp_path / "b")), sample_id=ENTRIES)
    assert log.status == "error" and log.error and not log.samples
    assert "is of appworld-mini, the task is bfcl. Build one: kate knowledge build bfcl" in log.error.message


def test_a_memory_of_another_benchmark(run: Run, tmp_path: Path) -> None:
    of_another_benchmark(tmp_path / "m")
    (tmp_path / "m/run.json").write_text("{}")
    solver = online(memory=str(tmp_path / "m"))
    log = run(bfcl(), Scripted(never).model(), solver, sample_id=ENTRIES, max_samples=1)
    assert log.status == "error" and log.error and "the task is bfcl" in log.error.message


def test_a_memory_that_is_something_else(tmp_path: Path) -> None:
    of_another_benchmark(tmp_path / "bank")
    with pytest.raises(BankError, match="a bank that no online run made"):
        online(memory=str(tmp_path / "bank"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").touch()
    for place in ("docs", "docs/a.md"):
        with pytest.raises(BankError, match="exists and is no bank: choose another folder"):
            online(memory=str(tmp_path / place))
    assert [path.name for path in (tmp_path / "docs").iterdir()] == ["a.md"]


def test_an_embedder_that_is_not_there(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = default_bank("bfcl")
    embedder = EmbedderCard(name="openai:m", dimension=2, threshold=0.5, calibration="none")
    vectors = np.tile(np.asarray([[1.0, 0.0]], dtype=np.float32), (5, 1))
    card = bank.card.model_copy(update={"embedder": embedder})
    save_bank(make_bank(bank.items[:5], card, vectors), tmp_path / "b")
    monkeypatch.setenv(EndpointEmbedder.BASE_URL, f"http://127.0.0.1:{free_port()}/v1")
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.02)
    for solver in (knowledge(bank=str(tmp_path / "b")), nearest(bank=str(tmp_path / "b"))):
        log = run(bfcl(), Scripted(never).model(), solver, sample_id=ENTRIES)
        assert log.status == "error" and log.error and not log.samples
        assert "The embedder 'openai:m' failed at http://127.0.0.1" in log.error.message
    without = kate(knowledge="none", bank=str(tmp_path / "b"), aggregate="majority")
    assert run(bfcl(), Scripted(done).model(), without, sample_id=ENTRIES).status == "success"


@pytest.mark.parametrize("max_samples", [None, 2])
def test_online_with_samples_side_by_side(max_samples: int | None, run: Run, tmp_path: Path) -> None:
    solver = online(memory=str(tmp_path / "m"))
    log = run(bfcl(), Scripted(never).model(), solver, sample_id=ENTRIES, max_samples=max_samples)
    assert log.status == "error" and log.error and not log.samples
    assert f"--max-samples is {max_samples or 'not set'}" in log.error.message
    assert "Pass --max-samples 1" in log.error.message and not (tmp_path / "m").exists()


@pytest.mark.parametrize("solver", [width(), kate(width="adaptive:2..4")])
def test_candidates_that_could_not_differ(solver: Solver, run: Run) -> None:
    log = run(bfcl(), "simulated/default", solver, sample_id=ENTRIES, temperature=0)
    assert log.status == "error" and log.error and not log.samples
    assert "leave --temperature out (candidates are then drawn at 1)" in log.error.message


def test_a_temperature_that_would_not_reach_the_candidates(run: Run) -> None:
    log = run(bfcl(), Scripted(never).model(), width(), sample_id=ENTRIES, temperature=0.7)
    assert log.status == "error" and log.error and "-S temperature=0.7" in log.error.message


@pytest.mark.parametrize("solver", [width(width="1"), width(sampling="perspectives"), width(temperature=0.3)])
def test_what_is_greedy_or_has_its_own_temperature_is_played_at_0(solver: Solver, run: Run) -> None:
    log = run(bfcl(), "simulated/default", solver, sample_id=ENTRIES, temperature=0)
    assert log.status == "success"


def test_what_is_right_is_played(run: Run, tmp_path: Path) -> None:
    save_bank(default_bank("bfcl"), tmp_path / "b")
    log = run(bfcl(), Scripted(done).model(), knowledge(bank=str(tmp_path / "b")), sample_id=ENTRIES)
    assert log.status == "success" and log.samples and not any(sample.error for sample in log.samples)


def test_a_memory_that_has_nothing_left_to_learn(run: Run, tmp_path: Path) -> None:
    def play() -> EvalLog:
        solver = online(memory=str(tmp_path / "m"))
        return run(bfcl(), Scripted(done).model(), solver, sample_id=ENTRIES, max_samples=1)

    assert play().status == "success"
    again = play()
    assert again.status == "error" and again.error and not again.samples
    assert "has learned from all 2 samples before" in again.error.message
