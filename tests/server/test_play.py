"""Whole samples of both benchmarks on a real server: what it knows by heart is played and scored.

The tiny checkpoint has learned these samples, so its scores say nothing but that calls, candidates, critics
and verdicts fit together.
"""

from typing import Any

import pytest
from inspect_ai.log import EvalLog, EvalSample

from kate_eval.counters import COUNTERS_KEY
from kate_eval.solvers.kate import baseline, kate
from kate_eval.tasks.appworld import appworld
from kate_eval.tasks.bfcl import bfcl

from .conftest import Server
from .lessons import BFCL, appworld_tasks

pytestmark = pytest.mark.server


def play(run: Any, server: Server, solver: Any, **options: Any) -> EvalLog:
    """Play the BFCL entries that the checkpoint knows."""
    task = bfcl(categories="multi_turn_base")
    found: EvalLog = run(
        task,
        f"kate/{server.model}",
        solver,
        **({"sample_id": [*BFCL], "model_base_url": server.base_url, "max_tokens": 200} | options),
    )
    assert found.status == "success"
    return found


def counted(log: EvalLog, name: str) -> float:
    """A counter's sum over the samples."""
    return float(sum(sample.store[COUNTERS_KEY][name] for sample in log.samples or []))


def parsed_calls(sample: EvalSample) -> int:
    """Calls in the model's answers, as the server's parser or ours found them."""
    return sum(len(getattr(message, "tool_calls", None) or []) for message in sample.messages)


def test_baseline_plays_what_the_model_knows(server: Server, run: Any) -> None:
    log = play(run, server, baseline())
    assert [sample.error for sample in log.samples or []] == [None] * len(BFCL)
    assert sum(map(parsed_calls, log.samples or [])) > len(BFCL)
    # What it knows by heart it may still play with a slip: each is scored, none is an error.
    assert {(s.scores or {})["bfcl_verdict"].value for s in log.samples or []} <= {"C", "I"}


def test_kate_asks_critics_where_candidates_differ(server: Server, run: Any) -> None:
    log = play(run, server, kate(width=4, aggregate="critic"))
    assert [sample.error for sample in log.samples or []] == [None] * len(BFCL)
    assert sum(map(parsed_calls, log.samples or [])) > 0
    assert counted(log, "candidates") == 4 * counted(log, "steps") > 0
    assert counted(log, "votes") > counted(log, "agreements"), "no candidates differed"
    critics = [e for s in log.samples or [] for e in s.events if e.event == "model" and not e.tools]
    assert len(critics) > 0, "no critic was asked"


@pytest.mark.parametrize("solver", [baseline(), kate(width=4, aggregate="critic")], ids=["baseline", "kate"])
def test_appworld_runs_the_model_s_code(server: Server, run: Any, solver: Any) -> None:
    log = run(
        appworld(split="mini_test"),
        f"kate/{server.model}",
        solver,
        sample_id=appworld_tasks(2),
        model_base_url=server.base_url,
        max_tokens=300,
        message_limit=24,
    )
    assert log.status == "success" and [sample.error for sample in log.samples] == [None] * 2
    verdicts = [sample.scores["appworld_verdict"] for sample in log.samples]
    assert sum((verdict.metadata or {}).get("interactions", 0) for verdict in verdicts) > 2
