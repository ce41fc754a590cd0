"""Banks written by a real server's model, embedded by a real endpoint, and used in a run. `make test-vllm`.

The checkpoint writes nonsense, so the content says nothing; the path from requests to a bank is the real one.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from inspect_ai.model import GenerateConfig, Model, get_model

from kate_eval.counters import COUNTERS_KEY
from kate_eval.knowledge.acquire.bfcl import gold_cases
from kate_eval.knowledge.acquire.build import Asking, Built, build
from kate_eval.knowledge.acquire.case import Acquired
from kate_eval.knowledge.acquire.logs import log_cases
from kate_eval.knowledge.embed import EndpointEmbedder
from kate_eval.knowledge.folder import load_bank
from kate_eval.solvers.kate import baseline, knowledge
from kate_eval.tasks.bfcl import bfcl

from .conftest import Server

pytestmark = pytest.mark.server

FORMS = ("trajectory", "summary", "intent", "intent_summary")
CASES = 8


def writer(server: Server) -> Model:
    """The server's model; sampled, because at temperature 0 the tiny checkpoint repeats itself.

    Without a seed: vLLM's CPU build (0.32.0) dies of seeded requests whose prompts it takes in together.
    """
    config = GenerateConfig(temperature=1, max_tokens=160)
    name = f"vllm/{server.model}"
    return get_model(name, base_url=server.base_url, api_key="none", config=config, memoize=False)


def built(
    acquired: Acquired, forms: tuple[str, ...], folder: Path, server: Server, embedder: Any = None
) -> Built:
    """The bank of some cases, written by the server's model."""
    asking = Asking(models={"": writer(server)})
    return anyio.run(build, acquired, forms, folder, embedder, asking)


def checked(made: Built, form: str) -> int:
    """How many items of a form were written; every job must have ended, one way or the other."""
    written = made.written[form]
    jobs = len(written.items) + written.failed[form]
    print(f"{form}: {len(written.items)} of {jobs} written; {dict(written.reasons)}")
    assert jobs > 0
    return len(written.items)


def test_a_server_s_model_writes_all_forms_of_gold(server: Server, tmp_path: Path) -> None:
    acquired = replace(gold_cases(), cases=gold_cases().cases[:CASES])
    made = built(acquired, FORMS, tmp_path / "b", server)
    assert checked(made, "intent") and checked(made, "intent_summary") and checked(made, "summary")
    card = load_bank(tmp_path / "b").card
    assert set(card.forms) == set(FORMS) and f"vllm/{server.model}" in card.models
    again = built(acquired, FORMS, tmp_path / "b", server)
    assert all(part.input_tokens == 0 for part in again.written.values())


def test_reflections_on_its_own_runs_come_back_into_its_prompts(
    server: Server, run: Any, tmp_path: Path
) -> None:
    name, options = (
        f"vllm/{server.model}",
        {"model_base_url": server.base_url, "model_args": {"api_key": "none"}},
    )
    log = run(
        bfcl(categories="multi_turn_base", split="train"), name, baseline(), limit=3, max_tokens=64, **options
    )
    acquired = log_cases([Path(log.location)], None, print)
    made = built(acquired, ("reflection",), tmp_path / "b", server)
    assert checked(made, "reflection")
    assert all(item.origin.model == name and item.origin.log for item in made.bank.items)
    solver = knowledge(knowledge="reflection", bank=str(tmp_path / "b"), threshold=0.0)
    used = run(bfcl(categories="multi_turn_base"), name, solver, limit=2, max_tokens=64, **options)
    assert used.status == "success" and not any(sample.error for sample in used.samples)
    assert any(sample.store[COUNTERS_KEY]["items"] for sample in used.samples)


def test_an_embeddings_endpoint_makes_a_bank_s_vectors(
    embeddings_server: Server, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(EndpointEmbedder.BASE_URL, embeddings_server.base_url)
    acquired = replace(gold_cases(), cases=gold_cases().cases[:40])
    embedder = EndpointEmbedder(embeddings_server.model)
    made = anyio.run(build, acquired, ("trajectory",), tmp_path / "b", embedder, Asking())
    assert made.bank.vectors is not None and made.bank.vectors.shape == (40, 256)
    solver = knowledge(bank=str(tmp_path / "b"), threshold=0.0, match="hybrid")
    log = run(bfcl(categories="multi_turn_base"), "simulated/default", solver, limit=2)
    assert any(sample.store[COUNTERS_KEY]["items"] for sample in log.samples)
