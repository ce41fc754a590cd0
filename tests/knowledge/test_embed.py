"""Embedders: an endpoint that answers, dies, or answers something else; MiniLM where it is installed."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from kate_eval.errors import ConfigurationError, EndpointError
from kate_eval.knowledge import embed
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.bank import make_bank
from kate_eval.knowledge.change import reembed
from kate_eval.knowledge.embed import BATCH, EndpointEmbedder, make_embedder, unit
from kate_eval.knowledge.folder import load_bank, save_bank
from kate_eval.knowledge.retrieve import Retriever
from tests.listening import Listening

BANK = default_bank("bfcl")
FEW = make_bank(BANK.items[:30], BANK.card)


class Endpoint:
    """A /v1/embeddings endpoint on a real socket."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.status = 200
        self.fails_after = 10**9
        self.spoil: Any = lambda data: data
        handler = type("Handler", (_Handler,), {"endpoint": self})
        self.server = Listening(("127.0.0.1", 0), handler)
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def answer(self, texts: list[str]) -> tuple[int, Any]:
        self.batches.append(texts)
        if len(self.batches) > self.fails_after:
            return 400, {"error": {"message": "the model is gone"}}
        data = [
            {"index": n, "object": "embedding", "embedding": [1.0 * len(text), text.count("e") + 1.0, 2.0]}
            for n, text in enumerate(texts)
        ]
        return self.status, self.spoil({"object": "list", "model": "m", "data": data[::-1]})


class _Handler(BaseHTTPRequestHandler):
    endpoint: Endpoint

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = self.endpoint.answer(asked["input"])
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    running = Endpoint()
    monkeypatch.setenv(EndpointEmbedder.BASE_URL, running.url)
    yield running
    running.server.shutdown()


def encoded(texts: list[str]) -> embed.Vectors:
    return anyio.run(EndpointEmbedder("m").encode, texts)


def test_an_endpoint_s_vectors_come_in_order_and_of_unit_length(endpoint: Endpoint) -> None:
    texts = [f"{'e' * n} text" for n in range(BATCH + 10)]
    vectors = encoded(texts)
    assert [len(batch) for batch in endpoint.batches] == [BATCH, 10]
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    wanted = unit([[len(text), text.count("e") + 1, 2] for text in texts])
    assert np.allclose(vectors, wanted)


def wrong_index(data: Any) -> Any:
    data["data"][0]["index"] = 7
    return data


def one_short(data: Any) -> Any:
    data["data"] = data["data"][1:]
    return data


def web_page(data: Any) -> Any:
    return "<html>proxy</html>"


def zeros(data: Any) -> Any:
    data["data"][0]["embedding"] = [0.0, 0.0, 0.0]
    return data


def ragged(data: Any) -> Any:
    data["data"][0]["embedding"] = [1.0]
    return data


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (wrong_index, "2 vectors for 2 texts"),
        (web_page, "a proxy, or another server"),
        (one_short, "1 vectors for 2 texts"),
        (zeros, "only zeros"),
        (ragged, "several dimensions"),
    ],
)
def test_what_is_no_vector_for_each_text_is_an_error(spoil: Any, says: str, endpoint: Endpoint) -> None:
    endpoint.spoil = spoil
    with pytest.raises(EndpointError, match=says):
        encoded(["one", "two"])


def test_a_dead_endpoint_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EndpointEmbedder.BASE_URL, "http://127.0.0.1:9/v1")
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.002)
    with pytest.raises(EndpointError, match=r"failed at http://127.0.0.1:9/v1.*use another embedder"):
        encoded(["one"])


def test_without_key_and_address_the_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (EndpointEmbedder.BASE_URL, "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EndpointError, match="Set KATE_EVAL_EMBED_BASE_URL and OPENAI_API_KEY"):
        encoded(["one"])


def test_a_bank_is_embedded_again_and_calibrated(endpoint: Endpoint, tmp_path: Path) -> None:
    save_bank(FEW, tmp_path / "b")
    made = anyio.run(reembed, tmp_path / "b", "openai:m")
    loaded = load_bank(tmp_path / "b")
    assert loaded.card.embedder.name == "openai:m" and loaded.card.embedder.dimension == 3
    assert loaded.items == FEW.items and made.vectors is not None and loaded.vectors is not None
    assert "leave-one-out" in loaded.card.embedder.calibration
    query = anyio.run(Retriever(loaded).query, "move the report")
    assert query.vector is not None and query.vector.shape == (3,)
    back = anyio.run(reembed, tmp_path / "b", "lexical")
    assert back.vectors is None and not list((tmp_path / "b").glob("embeddings-*"))


def test_an_endpoint_that_dies_leaves_the_bank_as_it_was(endpoint: Endpoint, tmp_path: Path) -> None:
    save_bank(make_bank(BANK.items[:200], BANK.card), tmp_path / "b")
    before = load_bank(tmp_path / "b")
    endpoint.fails_after = 1
    with pytest.raises(EndpointError, match="the model is gone"):
        anyio.run(reembed, tmp_path / "b", "openai:m")
    assert load_bank(tmp_path / "b").card == before.card


def test_missing_vectors_are_mended_by_embedding_again(endpoint: Endpoint, tmp_path: Path) -> None:
    save_bank(FEW, tmp_path / "b")
    anyio.run(reembed, tmp_path / "b", "openai:m")
    [file] = (tmp_path / "b").glob("embeddings-*")
    file.unlink()
    anyio.run(reembed, tmp_path / "b", None)
    assert load_bank(tmp_path / "b").vectors is not None


@pytest.mark.parametrize("name", ["word2vec", "openai:", ""])
def test_an_unknown_embedder_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(ConfigurationError, match="choose from: lexical, minilm, openai:MODEL"):
        make_embedder(name)


def test_without_its_package_minilm_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr("importlib.import_module", missing)
    embed._minilm_model.cache_clear()
    with pytest.raises(ConfigurationError, match=r"pip install 'kate-eval\[minilm\]'"):
        anyio.run(embed.MiniLM().encode, ["one"])
