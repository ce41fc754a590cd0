"""Parsers and templates are chosen by what a model's folder says, and a user's own flags win."""

import pytest

from kate_eval.endpoints.serve.families import choose, reasoning_parser, tool_parser
from kate_eval.endpoints.serve.inspection import Installed
from kate_eval.endpoints.serve.model import Facts
from kate_eval.endpoints.serve.options import Options

PARSERS = ("hermes", "llama3_json", "llama4_pythonic", "mistral", "qwen3_coder", "deepseek_v3", "granite4")
VLLM = Installed("0.32.0", True, 0, PARSERS, ("qwen3", "deepseek_r1"))


def facts(kind: str, template: str = "tools") -> Facts:
    return Facts(kind.split()[0], kind, kind.lower(), template)


@pytest.mark.parametrize(
    ("kind", "template", "parser"),
    [
        ("Qwen/Qwen3-8B qwen3 Qwen3ForCausalLM", "tools <tool_call> </tool_call> <think>", "hermes"),
        ("Qwen/Qwen2.5-7B-Instruct qwen2", "tools", "hermes"),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct qwen3_moe", "tools", "qwen3_coder"),
        ("meta-llama/Llama-3.1-8B-Instruct llama", "tools", "llama3_json"),
        ("meta-llama/Llama-4-Scout-17B llama4", "tools", "llama4_pythonic"),
        ("mistralai/Mistral-7B-Instruct-v0.3 mistral", "tools", "mistral"),
        ("my/own-tune llama", "tools <tool_call> </tool_call>", "hermes"),
        ("ibm/granite-4.0-h-tiny granitemoehybrid", "tools", "granite4"),
        ("somebody/unheard-of gpt2", "", None),
    ],
)
def test_a_tool_parser_by_family(kind: str, template: str, parser: str | None) -> None:
    assert tool_parser(facts(kind, template), PARSERS) == parser


def test_a_parser_that_this_vllm_lacks_is_not_asked_for() -> None:
    assert tool_parser(facts("zai/GLM-4.5 glm4_moe"), PARSERS) is None


def test_reasoning_only_where_the_template_thinks() -> None:
    assert reasoning_parser(facts("Qwen/Qwen3-8B qwen3", "tools <think>"), VLLM.reasoning_parsers) == "qwen3"
    assert reasoning_parser(facts("Qwen/Qwen3-8B-Instruct qwen3", "tools"), VLLM.reasoning_parsers) is None


def test_the_flags_of_a_known_family() -> None:
    chosen = choose(facts("Qwen/Qwen3-8B qwen3", "tools <think>"), VLLM, Options(model="m"))
    assert chosen.flags == (
        *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
        *("--reasoning-parser", "qwen3"),
    )


@pytest.mark.parametrize("flag", [("--tool-call-parser", "mistral"), ("--tool-call-parser=mistral",)])
def test_a_user_s_own_parser_wins(flag: tuple[str, ...]) -> None:
    chosen = choose(facts("Qwen/Qwen2.5-7B qwen2"), VLLM, Options(model="m", flags=flag))
    assert chosen.flags == ("--enable-auto-tool-choice",)


def test_an_unknown_family_is_said_with_the_flag_to_give() -> None:
    chosen = choose(facts("somebody/unheard-of gpt2", ""), VLLM, Options(model="m"))
    assert not chosen.flags
    assert "--tool-call-parser NAME" in chosen.notes[0] and "--chat-template FILE" in chosen.notes[1]
