"""The probe at a real vLLM server: it names the flag of a parser that is off, and finds what is there."""

import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from kate_eval.endpoints.probe.command import make_model
from kate_eval.endpoints.probe.findings import Findings
from kate_eval.endpoints.probe.needs import verdict
from kate_eval.endpoints.probe.run import probe
from kate_eval.endpoints.probe.tools import ASKED
from kate_eval.solvers.kate import baseline
from kate_eval.solvers.needs import needs_of
from kate_eval.tasks.bfcl import bfcl
from tests.server.conftest import CONTEXT, Server, serving

pytestmark = pytest.mark.server

FLAG = "--enable-auto-tool-choice --tool-call-parser"


def found(server: Server) -> Findings:
    """What the probe finds, and how long it took once the server is warm."""
    model = make_model(f"openai-api/local/{server.model}", server.base_url, ["api_key=none"])
    anyio.run(probe, model, server.base_url, 60.0)
    start = time.perf_counter()
    findings = anyio.run(probe, model, server.base_url, 20.0)
    print(f"\nProbed in {time.perf_counter() - start:.1f} s")
    for finding in findings.values():
        print(
            f"{finding.check} | {finding.state} | {finding.says} | {' '.join(finding.evidence.split())[:120]}"
        )
    return findings


def test_a_parser_that_is_off_is_named(vllm_python: Path, checkpoint: Path, tmp_path: Path, run: Any) -> None:
    # With a short context too, so that one server shows both.
    short = ("--no-enable-auto-tool-choice", "--max-model-len", "1024")
    with serving(vllm_python, checkpoint, tmp_path, *short) as server:
        findings = found(server)
        overflowing = run(
            bfcl(categories="multi_turn_base", mode="prompt"),
            f"kate/{server.model}",
            baseline(),
            limit=1,
            model_base_url=server.base_url,
            max_tokens=64,
        )
        played = run(
            bfcl(categories="multiple"),
            f"openai-api/local/{server.model}",
            baseline(),
            limit=2,
            model_base_url=server.base_url,
            model_args={"api_key": "none"},
        )
    assert findings["tools"].state == "no" and FLAG in findings["tools"].remedy
    assert verdict(needs_of("kate") or (), findings).state == "lacks"
    assert findings["choices"].state == findings["distinct"].state == "yes"
    assert played.status == "error" and FLAG in played.error.message and not played.samples
    [sample] = overflowing.samples
    assert sample.error and "1024" in sample.error.message and "--max-model-len" in sample.error.message
    assert {s.name: s for s in overflowing.results.scores}["bfcl_verdict"].scored_samples == 0


def test_what_a_server_with_its_parser_can_do_is_found(server: Server) -> None:
    findings = found(server)
    for check in ("choices", "distinct", "usage", "prompt counted", "tokenize", "tools", "logprobs", "seeds"):
        assert findings[check].state == "yes", findings[check]
    assert findings["context"].says == f"{CONTEXT:,} tokens"
    assert findings["temperature 0, n"].state == "no"  # vLLM refuses it
    # What a tiny model writes badly, or not at all, is never taken for a parser that is off.
    for check in (*ASKED, "tool_choice required", "tool_choice named"):
        assert findings[check].state != "no", findings[check]
    assert findings["Inspect: choices"].state == findings["Inspect: usage"].state == "yes"
    assert verdict(needs_of("kate") or (), findings).state != "lacks"
