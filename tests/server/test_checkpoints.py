"""What our trainer saves is served by vLLM as it is, and answers what it learnt: `make test-train-vllm`."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from kate_eval.endpoints.serve import deployment
from kate_eval.endpoints.serve.options import Options
from kate_eval.trainers.base_model import load_renderer
from kate_eval.trainers.checkpoint import load_card
from kate_eval.trainers.parity import check_parity
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.card import RowsCard
from kate_eval.trainers.rows.folder import save_rows
from kate_eval.trainers.sft.parameters import SftParameters
from kate_eval.trainers.sft.train import train_sft
from tests.server.conftest import STARTING, free_port
from tests.trainers import tiny

pytestmark = [pytest.mark.server, pytest.mark.train]
CARD = RowsCard(benchmark="bfcl", split="train", mode="fc", data_hash="0", engine="none", license="none")
CALLS = list(tiny.rows(6))
REFUSALS = [tiny.row(number, answer="No, not that one.") for number in range(6)]
"""The same questions."""


def learnt(rows: Sequence[Row], base: Path, output: Path, **given: Any) -> Path:
    """A checkpoint that knows the rows by heart."""
    folder = output.with_name(f"{output.name}-rows")
    folder.mkdir()
    save_rows(folder, rows, [], CARD)
    values = {"batch_size": 6, "accumulation": 1, "max_steps": 60, "device": "cpu", "threads": 1}
    parameters = SftParameters(rows=folder, base=str(base), output=output, **{**values, **given})
    train_sft(parameters, print)
    losses = load_card(output).curves["loss"]
    assert losses[-1][1] < 0.1, losses
    return output


@pytest.fixture(scope="module")
def full(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All weights trained: answers with calls."""
    return learnt(CALLS, checkpoint, tmp_path_factory.mktemp("trained") / "full", learning_rate=1e-3)


@pytest.fixture(scope="module")
def adapter(full: Path) -> Path:
    """An adapter of it: refuses."""
    return learnt(REFUSALS, full, full.with_name("adapter"), lora=True, learning_rate=1e-2)


@pytest.fixture(scope="module")
def base_url(
    vllm_python: Path, full: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server with both, as `kate serve FULL --adapter ADAPTER` starts it."""
    assert load_card(adapter).adapts == str(full)
    options = Options(
        model=load_card(adapter).adapts,
        adapters=(adapter,),
        port=free_port(),
        env=vllm_python,
        timeout=STARTING,
        log_folder=tmp_path_factory.mktemp("logs"),
        flags=("--max-model-len", "4096"),
    )
    with deployment.serving(options, print) as running:
        yield running.base_urls[0]


def answer(base_url: str, model: str, row: Row) -> Any:
    """What the served model says to a row's prompt."""
    body = {"model": model, "messages": row.messages, "tools": row.tools, "temperature": 0, "max_tokens": 64}
    done = httpx.post(f"{base_url}/chat/completions", json=body, timeout=120).raise_for_status()
    return done.json()["choices"][0]["message"]


def test_a_full_checkpoint_answers_with_the_calls_it_learnt(base_url: str, full: Path) -> None:
    served = httpx.get(f"{base_url}/models").json()["data"][0]["id"]
    for row in CALLS:
        [call] = answer(base_url, served, row)["tool_calls"]
        assert call["function"]["name"] == "mkdir"
        assert json.loads(call["function"]["arguments"]) == row.calls[0].arguments


def test_its_adapter_answers_otherwise(base_url: str, adapter: Path) -> None:
    for row in REFUSALS:
        said = answer(base_url, adapter.name, row)
        assert said["content"] == row.completion["content"] and not said.get("tool_calls")


def test_the_saved_tokenizer_renders_as_the_server(base_url: str, full: Path) -> None:
    renderer = load_renderer(str(full))
    assert check_parity([*CALLS, *REFUSALS], renderer, base_url).rows == 12
    assert renderer.hash == load_card(full).renderer["template_hash"]
