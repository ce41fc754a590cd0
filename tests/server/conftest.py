"""Servers for the tests: a tiny checkpoint, trained once, and vLLM with it in a process group of its own.

KATE_EVAL_VLLM_PYTHON: the Python of an environment with vLLM; by default .venv-vllm (`make test-vllm`).
KATE_EVAL_TINY: a folder to keep the checkpoint in between runs; by default a new one is made each time.
"""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from kate_eval.bfcl.data import Entry, load
from kate_eval.bfcl.gold import multi_turn_gold, single_turn_gold
from kate_eval.episode import Call

ROOT = Path(__file__).parents[2]
CATEGORIES = ("multi_turn_base", "live_simple", "multiple")
STEPS = 120
MAKING, STARTING, STOPPING = 600, 300, 20
"""Seconds that training a checkpoint, starting a server and stopping it may take."""
CONTEXT = 32768
CHAT = (
    *("--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--max-model-len", str(CONTEXT)),
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


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    """The Python of an environment that has vLLM."""
    path = Path(os.environ.get("KATE_EVAL_VLLM_PYTHON") or ROOT / ".venv-vllm/bin/python")
    if not path.is_file():
        pytest.fail(f"No vLLM environment: {path} doesn't exist. Make it and run these tests: make test-vllm")
    return path


@pytest.fixture(scope="session")
def checkpoint(vllm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny chat checkpoint, trained on the training half's texts and calls."""
    folder = tmp_path_factory.mktemp("checkpoint")
    tiny = Path(os.environ.get("KATE_EVAL_TINY") or folder / "tiny").resolve()
    if (tiny / "config.json").is_file():
        return tiny
    text = folder / "lines.txt"
    text.write_text("\n".join(lines()), encoding="utf-8")
    script = str(ROOT / "examples/tiny_checkpoint.py")
    command = [str(vllm_python), script, str(text), str(tiny), "--steps", str(STEPS)]
    log = folder / "training.log"
    print(f"\nTraining a tiny checkpoint, about a minute: tail -f {log}", flush=True)
    with log.open("w") as file:
        done = subprocess.run(
            command, stdout=file, stderr=subprocess.STDOUT, env=environment(), timeout=MAKING, check=False
        )
    if done.returncode:
        pytest.fail(f"Can't make the tiny checkpoint (exit {done.returncode}):\n{tail(log)}")
    return tiny


@pytest.fixture(scope="session")
def server(vllm_python: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that chats, with tool calls, several choices and structured output."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    with serving(vllm_python, checkpoint, log, *CHAT) as running:
        yield running


@pytest.fixture(scope="session")
def embeddings_server(
    vllm_python: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that embeds, with the same checkpoint."""
    log = tmp_path_factory.mktemp("server") / "embeddings.log"
    with serving(vllm_python, checkpoint, log, *EMBED) as running:
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
def serving(python: Path, checkpoint: Path, log: Path, *options: str) -> Iterator[Server]:
    """Run vLLM with the checkpoint until the block ends; its output goes to the log."""
    port, model = free_port(), "tiny"
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoint)]
    command += ["--served-model-name", model, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--enforce-eager", *options]
    print(f"\nStarting a server, about a minute: tail -f {log}", flush=True)
    with log.open("w") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=environment(), start_new_session=True
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield Server(f"http://127.0.0.1:{port}/v1", model, log)
    finally:
        end(process)


def environment() -> dict[str, str]:
    """Variables for the other environment: a small cache for keys and values, and nothing from outside."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return ours | {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
    }


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server is healthy; fail the test with its last words if it never is."""
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"The server ended with {process.returncode}:\n{tail(log)}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"The server did not answer within {STARTING} s:\n{tail(log)}")


def tail(log: Path, count: int = 40) -> str:
    """The last lines of a log, and where the others are."""
    with log.open(encoding="utf-8", errors="replace") as file:
        return "".join(deque(file, count)) + f"(all of it: {log})"


def end(process: subprocess.Popen[bytes]) -> None:
    """End the server and the processes it started: its whole group."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
        except ProcessLookupError:
            break
        try:
            process.wait(STOPPING)
        except subprocess.TimeoutExpired:
            continue
