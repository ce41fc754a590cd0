"""Two replicas with an adapter, served as `kate serve` serves them; one is killed while a run goes on."""

import asyncio
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig, get_model

from kate_eval.endpoints.serve import deployment
from kate_eval.endpoints.serve.deployment import Deployment
from kate_eval.endpoints.serve.options import Options
from kate_eval.endpoints.serve.server import Server as Replica
from kate_eval.solvers.kate import baseline

from . import adapter
from .conftest import CHAT, STARTING, Server, free_port
from .lessons import BFCL
from .test_play import play

pytestmark = pytest.mark.server
EPOCHS = 6
POST = '"POST /v1/chat/completions'


@pytest.fixture(scope="module")
def pair(
    vllm_python: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """Two servers of the checkpoint with an adapter beside it."""
    folder = tmp_path_factory.mktemp("pair")
    script = [str(vllm_python), adapter.__file__, str(checkpoint), str(folder / "changed")]
    subprocess.run(script, check=True, capture_output=True)
    options = Options(
        model=str(checkpoint),
        adapters=(folder / "changed",),
        replicas=2,
        port=free_port(2),
        env=vllm_python,
        timeout=2 * STARTING,
        log_folder=folder,
        flags=CHAT,
    )
    with deployment.serving(options, print) as running:
        yield running


def both(pair: Deployment) -> Server:
    """The two as one endpoint."""
    return Server(",".join(pair.base_urls), pair.model, pair.servers[0].log)


def test_an_adapter_answers_under_its_own_name(pair: Deployment) -> None:
    assert pair.adapters == ("changed",)
    assert asyncio.run(said_by("changed", pair)) != asyncio.run(said_by(pair.model, pair))


async def said_by(name: str, pair: Deployment) -> str:
    """What a model says, drawn greedily."""
    config = GenerateConfig(temperature=0, max_tokens=40)
    async with get_model(f"kate/{name}", base_url=pair.base_urls[0], config=config, memoize=False) as model:
        return (await model.generate("Move the file to the archive.")).completion


def test_a_replica_that_is_killed_costs_no_sample(pair: Deployment, run: Any) -> None:
    before = verdicts(play(run, both(pair), baseline()))
    dying, staying = pair.servers
    killer = threading.Thread(target=kill_at_work, args=(dying, asked(dying) + 5))
    killer.start()
    log = play(run, both(pair), baseline(), epochs=EPOCHS, max_samples=6, log_level="warning")
    killer.join()
    assert dying.code is not None, "the run was over before the replica was killed"
    assert [sample.error for sample in log.samples or []] == [None] * len(BFCL) * EPOCHS
    assert verdicts(log) == {entry: found * EPOCHS for entry, found in before.items()}
    assert asked(staying) > 0 and pair.running == [staying]


def verdicts(log: EvalLog) -> dict[str, list[Any]]:
    """Entry -> its verdicts."""
    found: dict[str, list[Any]] = {}
    for sample in log.samples or []:
        found.setdefault(str(sample.id), []).append((sample.scores or {})["bfcl_verdict"].value)
    return found


def asked(replica: Replica) -> int:
    """Requests that a server has answered, by its log."""
    return replica.log.read_text(encoding="utf-8", errors="replace").count(POST)


def kill_at_work(replica: Replica, requests: int) -> None:
    """Kill a server and all its processes once it has answered so many requests, or after two minutes."""
    deadline = time.monotonic() + 120
    while asked(replica) < requests and time.monotonic() < deadline:
        time.sleep(0.05)
    assert replica.process is not None
    top = psutil.Process(replica.process.pid)
    for process in [*top.children(recursive=True), top]:
        process.kill()
