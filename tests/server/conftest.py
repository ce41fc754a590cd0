"""Servers for the tests: a tiny checkpoint, trained once, and vLLM with it as `kate serve` starts it.

KATE_EVAL_VLLM_PYTHON: the Python of an environment with vLLM; by default .venv-vllm (`make test-vllm`).
KATE_EVAL_TINY: a folder to keep the checkpoint in between runs; by default a new one is made each time.
"""

import json
import os
import socket
import subprocess
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from kate_eval.bfcl.data import Entry, load
from kate_eval.bfcl.gold import multi_turn_gold, single_turn_gold
from kate_eval.endpoints.serve import deployment
from kate_eval.endpoints.serve.environment import variables
from kate_eval.endpoints.serve.options import Options
from kate_eval.episode import Call

from .lessons import lessons

ROOT = Path(__file__).parents[2]
CATEGORIES = ("multi_turn_base", "live_simple", "multiple")
STEPS = 400
MAKING, STARTING = 900, 300
"""Seconds that training a checkpoint and starting a server may take."""
CONTEXT = 32768
CHAT = (
    *("--max-model-len", str(CONTEXT)),
    # Tests of rendering bring templates of their own.
    "--trust-request-chat-template",
    # The checkpoint would fill its answer with blanks wherever a schema lets it.
    *("--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}'),
)
EMBED = ("--runner", "pooling", "--convert", "embed")


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    base_url: str
    """With /v1, as the OpenAI client wants it."""
    model: str
    log: Path


@pytest.fixture(scope="session", autouse=True)
def small_and_offline() -> Iterator[None]:
    """Servers of these tests have a small cache for keys and values, and ask no hub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    """The Python of an environment that has vLLM."""
    path = Path(os.environ.get("KATE_EVAL_VLLM_PYTHON") or ROOT / ".venv-vllm/bin/python")
    if not path.is_file():
        pytest.fail(f"No vLLM environment: {path} doesn't exist. Make it and run these tests: make test-vllm")
    return path


@pytest.fixture(scope="session")
def checkpoint(vllm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3: it has seen the training half's texts, and knows a few samples by heart."""
    folder = tmp_path_factory.mktemp("checkpoint")
    tiny = Path(os.environ.get("KATE_EVAL_TINY") or folder / "tiny").resolve()
    if (tiny / "config.json").is_file():
        return tiny
    text = folder / "lines.txt"
    text.write_text("\n".join([*lines(), *lessons()]), encoding="utf-8")
    script = str(ROOT / "examples/tiny_checkpoint.py")
    command = [str(vllm_python), script, str(text), str(tiny), "--steps", str(STEPS)]
    log = folder / "training.log"
    print(f"\nTraining a tiny checkpoint, two minutes or more: tail -f {log}", flush=True)
    with log.open("w") as file:
        done = subprocess.run(
            command, stdout=file, stderr=subprocess.STDOUT, env=variables(), timeout=MAKING, check=False
        )
    if done.returncode:
        pytest.fail(f"Can't make the tiny checkpoint (exit {done.returncode}):\n{tail(log)}")
    return tiny


@pytest.fixture(scope="session")
def server(vllm_python: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that chats, with tool calls, several choices and structured output."""
    with serving(vllm_python, checkpoint, tmp_path_factory.mktemp("server"), *CHAT) as running:
        yield running


@pytest.fixture(scope="session")
def embeddings_server(
    vllm_python: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that embeds, with the same checkpoint."""
    with serving(vllm_python, checkpoint, tmp_path_factory.mktemp("server"), *EMBED) as running:
        yield running


def lines() -> list[str]:
    """What the checkpoint learns: user turns, sentences of function docs, and gold calls as JSON."""
    found: list[str] = []
    for entry in load(CATEGORIES, "train"):
        found += [message["content"] for turn in entry.turns for message in turn]
        found += [s for doc in entry.functions for s in doc["description"].split(". ")]
        found += [json.dumps({"name": c.name, "arguments": c.arguments}) for c in gold_calls(entry)]
    return list(dict.fromkeys(" ".join(line.split()) for line in found))


def gold_calls(entry: Entry) -> list[Call]:
    """The calls of an entry's gold."""
    if entry.multi_turn:
        return [call for turn in multi_turn_gold(entry) for call in turn]
    return single_turn_gold(entry)


@contextmanager
def serving(python: Path, checkpoint: Path, logs: Path, *flags: str) -> Iterator[Server]:
    """Run one server with the checkpoint until the block ends."""
    options = Options(
        model=str(checkpoint), port=free_port(), env=python, timeout=STARTING, log_folder=logs, flags=flags
    )
    print(f"\nStarting a server, about a minute: tail -f {logs / f'{options.port}.log'}", flush=True)
    with deployment.serving(options) as running:
        [one] = running.servers
        yield Server(one.base_url, running.model, one.log)


def free_port(count: int = 1) -> int:
    """The first of so many neighbouring ports that are free now."""
    while True:
        with ExitStack() as stack:
            first = 0
            for number in range(count):
                probe = stack.enter_context(socket.socket())
                try:
                    probe.bind(("127.0.0.1", first + number if first else 0))
                except (OSError, OverflowError):
                    break
                first = first or probe.getsockname()[1]
            else:
                return first


def tail(log: Path, count: int = 40) -> str:
    """The last lines of a log, and where the others are."""
    with log.open(encoding="utf-8", errors="replace") as file:
        return "".join(deque(file, count)) + f"(all of it: {log})"
