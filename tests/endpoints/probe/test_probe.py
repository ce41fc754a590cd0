"""Each ability of an endpoint changes the finding that is about it, and no other."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner

from kate_eval.cli import main
from kate_eval.endpoints.probe.command import make_model
from kate_eval.endpoints.probe.findings import Findings, unsure, yes
from kate_eval.endpoints.probe.needs import verdict
from kate_eval.endpoints.probe.run import CHECKS, probe
from kate_eval.solvers.needs import SOLVERS, all_needs, needs_of
from tests.endpoints.probe.fake import Fake, serving

ABLE = dict.fromkeys(CHECKS, "yes") | {"LoRA": "no"}
"""What a fake that can do everything is found to be."""
CALLS = ("tool calls", "parallel calls", "nested arguments", "empty arguments")


def found(fake: Fake, name: str = "fake", seconds: float = 20.0) -> Findings:
    """What the probe finds at a fake."""
    with serving(fake):
        model = make_model(f"openai-api/local/{name}", fake.url, ["api_key=none"])
        return anyio.run(probe, model, fake.url, seconds)


def states(findings: Findings) -> dict[str, str]:
    """The states alone."""
    return {name: finding.state for name, finding in findings.items()}


@pytest.mark.parametrize(
    ("switches", "changes"),
    [
        ({}, {}),
        ({"adapters": ("math",)}, {"LoRA": "yes"}),
        ({"context": 2048}, {"context": "no"}),
        ({"context": None}, {}),
        ({"honours_n": False}, dict.fromkeys(("choices", "Inspect: choices"), "no")
         | dict.fromkeys(("distinct", "prompt counted", "reasoning, n"), "unsure")),
        ({"distinct": False}, {"distinct": "no"}),
        ({"greedy_n": False}, {"temperature 0, n": "no"}),
        ({"tools": "raw"}, dict.fromkeys(CALLS, "no") | {"Inspect: tool calls": "unsure"}),
        ({"tools": "refused"}, dict.fromkeys(("tools", *CALLS), "no") | {"Inspect: tool calls": "unsure"}),
        ({"tools": "silent"}, dict.fromkeys((*CALLS, "Inspect: tool calls"), "unsure")),
        ({"tools": "malformed"}, dict.fromkeys((*CALLS, "Inspect: tool calls"), "unsure")),
        ({"tools": "cut"}, dict.fromkeys((*CALLS, "Inspect: tool calls"), "unsure")),
        ({"required": False}, dict.fromkeys(("tool_choice required", "tool_choice named"), "no")),
        ({"obeys_none": False}, {"tool_choice none": "no"}),
        ({"reasoning": "inline"}, {"reasoning": "no", "reasoning, n": "unsure"}),
        ({"reasoning": "first"}, {"reasoning, n": "no"}),
        ({"reasoning": "none"}, dict.fromkeys(("reasoning", "reasoning, n", "Inspect: reasoning"), "unsure")),
        ({"usage": False}, {"usage": "no", "Inspect: usage": "no", "prompt counted": "unsure",
                            "prefix cache": "unsure"}),
        ({"prompt_once": False}, {"prompt counted": "no"}),
        ({"logprobs": False}, {"logprobs": "no"}),
        ({"seeded": False}, {"seeds": "no"}),
        ({"cache": False}, {"prefix cache": "no"}),
        ({"tokenize": False}, {"tokenize": "no"}),
    ],
    ids=str,
)  # fmt: skip
def test_each_switch_changes_its_finding_alone(switches: dict[str, Any], changes: dict[str, str]) -> None:
    fake = Fake(**switches)
    assert states(found(fake)) == ABLE | changes
    assert fake.seeds_at_once == 1


def test_the_causes_of_missing_calls_are_told_apart() -> None:
    refused, raw, silent = (found(Fake(tools=kind))["tool calls"] for kind in ("refused", "raw", "silent"))
    assert "no tool parser" in refused.says and "--enable-auto-tool-choice" in refused.remedy
    assert "raw calls" in raw.says and "--tool-call-parser" in raw.remedy and "<tool_call>" in raw.evidence
    assert silent.says == "the model made no call" and not silent.remedy


def test_the_context_is_read_from_an_error_where_it_is_not_listed() -> None:
    assert found(Fake(context=None))["context"].says == "20,000 tokens"


def test_a_wrong_name_lists_what_the_server_has() -> None:
    fake = Fake(models=("Qwen/Qwen3-8B", "other"))
    finding = found(fake)["model"]
    assert finding.state == "no" and "Qwen/Qwen3-8B, other" in finding.remedy
    assert not fake.requests


@pytest.mark.parametrize(
    ("switches", "words"),
    [
        ({"status": 401}, "refuses the API key (401)"),
        ({"html": True}, "with HTML"),
        ({"html": True, "status": 404}, "with HTML"),
        ({"html": True}, "with HTML"),
    ],
)
def test_what_is_no_endpoint_is_one_line(switches: dict[str, Any], words: str) -> None:
    findings = found(Fake(**switches))
    assert words in findings["server"].says
    assert {f.state for check, f in findings.items() if check != "server"} == {"unsure"}
    assert verdict(needs_of("baseline") or (), findings).state == "lacks"


def test_tls_and_no_server_are_told_apart() -> None:
    with serving(Fake()) as fake:
        url = fake.url.replace("http:", "https:")
        spoken = anyio.run(probe, make_model("openai-api/l/fake", url, ["api_key=none"]), url, 5.0)
    gone = anyio.run(probe, make_model("openai-api/l/fake", fake.url, ["api_key=none"]), fake.url, 5.0)
    assert spoken["server"].says.startswith("TLS with")
    assert gone["server"].says.startswith("No server answers at")


def test_a_provider_without_http_is_asked_through_inspect_alone() -> None:
    findings = anyio.run(probe, make_model("simulated/default", None, []), None, 5.0)
    told = {check for check, finding in findings.items() if finding.state != "unsure"}
    assert told <= {"Inspect: choices", "Inspect: usage", "Inspect: tool calls", "Inspect: reasoning"}


def test_each_solver_has_needs_and_a_verdict() -> None:
    assert verdict(needs_of("kate") or (), found(Fake())).state == "ready"
    off = found(Fake(tools="refused", honours_n=False))
    verdicts = {name: verdict(needs, off) for name, needs in all_needs().items()}
    assert {name for name, made in verdicts.items() if made.state == "ready"} == {"nearest"}
    assert "--enable-auto-tool-choice" in verdicts["kate"].lines[0]
    raw = verdict(needs_of("baseline") or (), found(Fake(tools="raw")))
    assert raw.state == "works" and "recover" in raw.lines[0]
    mute = {name: unsure(name, "no answer within 8 s") for name in found(Fake())}
    for server in (mute["server"], yes("server", "answers")):
        open_ = verdict(needs_of("kate") or (), mute | {"server": server})
        assert open_.state == "unsure" and "--seconds 60" in open_.lines[-1]
    through_inspect = mute | {"Inspect: choices": yes("Inspect: choices", "arrive")}
    assert verdict(needs_of("kate") or (), through_inspect).state == "works"
    notes = verdict(needs_of("width") or (), found(Fake(honours_n=False)))
    assert notes.state == "works" and "a request" in notes.lines[0]


def test_needs_follow_the_parameters() -> None:
    def checks(name: str, **parameters: Any) -> set[str]:
        return {need.check for need in needs_of(name, parameters) or ()}

    assert "choices" in checks("kate") and "choices" not in checks("kate", width=1)
    assert "choices" in checks("online", width=4) and "choices" not in checks("kate", sampling="perspectives")
    assert "reasoning" not in checks("width", show_reasoning=False)
    assert "reasoning" not in checks("width", aggregate="majority")
    assert needs_of("generate") is None and needs_of("kate_eval/kate") == needs_of("kate")


def test_every_solver_that_users_name_is_known() -> None:
    from kate_eval._registry import SOLVERS as registered

    assert set(SOLVERS) == set(registered)


def test_the_command_prints_tables_and_writes_json(tmp_path: Path) -> None:
    output = tmp_path / "probe.json"
    arguments = ["-M", "api_key=none", "--json", str(output)]
    with serving(Fake(tools="refused")) as fake:
        done = CliRunner().invoke(
            main, ["probe", "openai-api/local/fake", "--model-base-url", fake.url, *arguments]
        )
    assert done.exit_code == 1, done.output
    assert "--enable-auto-tool-choice" in done.output
    data = json.loads(output.read_text())
    assert [f["check"] for f in data["findings"]] == list(CHECKS)
    assert data["solvers"]["kate"]["state"] == "lacks" and data["solvers"]["nearest"]["state"] == "ready"


def test_the_command_refuses_what_it_cannot_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_BASE_URL", raising=False)
    for arguments, words in (
        (["vllm/none"], "starts a server of its own"),
        (["nowhere/model"], "Can't make the model"),
        (["simulated/default", "-M", "x"], "is not NAME=VALUE"),
    ):
        done = CliRunner().invoke(main, ["probe", *arguments])
        assert done.exit_code == 1 and words in done.output
        assert "Traceback" not in done.output
