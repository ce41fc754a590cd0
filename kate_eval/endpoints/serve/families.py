"""Parsers and templates by model family, as vLLM 0.32 and 0.33 register them.

A tool parser is chosen by the marks in the chat template where it shows them (a fine-tuned model may have any
name), else by the model's name and type. What the installed vLLM doesn't register is not asked for.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from kate_eval.endpoints.serve.inspection import Installed
from kate_eval.endpoints.serve.model import Facts
from kate_eval.endpoints.serve.options import Options

HERMES_TEMPLATE = Path(__file__).parent / "hermes.jinja"


@dataclass(frozen=True)
class Family:
    """Models that write in one form.

    Attributes:
        parsers: names in vLLM, the one to prefer first.
        names: a pattern for the model's name, type and architectures, in lower case.
        marks: all of them stand in the chat template of such a model.
    """

    parsers: tuple[str, ...]
    names: str = r"(?!)"
    marks: tuple[str, ...] = ()


TOOLS = (
    Family(("openai",), r"gpt-?_?oss"),
    Family(("functiongemma",), r"functiongemma", ("<start_function_call>",)),
    Family(("gemma4",), r"gemma-?4"),
    Family(("kimi_k3",), r"kimi[-_]?k3"),
    Family(("kimi_k2",), r"kimi[-_]?k2", ("<|tool_calls_section_begin|>",)),
    Family(("glm47", "glm45"), r"glm-?(4\.[7-9]|5)", ("<arg_key>", "glm47")),
    Family(("glm45", "glm47"), r"glm-?4\.[56]|glm4_moe", ("<tool_call>", "<arg_key>")),
    Family(("seed_oss",), r"seed[-_]?oss", ("<seed:tool_call>",)),
    Family(("minimax_m3",), r"minimax[-_]?m3"),
    Family(("minimax_m2",), r"minimax[-_]?m2", ("<minimax:tool_call>",)),
    Family(("longcat",), r"longcat", ("<longcat_tool_call>",)),
    Family(("step3p5",), r"step[-_]?3[.p]5"),
    Family(("step3",), r"step[-_]?3"),
    Family(("xlam",), r"xlam"),
    Family(("qwen3_coder", "qwen3_xml"), r"qwen3[-_]?coder|qwen3[._]5", ("<tool_call>", "<function=")),
    Family(("deepseek_v41",), r"deepseek[-_]?v4[._]1"),
    Family(("deepseek_v4",), r"deepseek[-_]?v4"),
    Family(("deepseek_v32",), r"deepseek[-_]?v3[._]2"),
    Family(
        ("deepseek_v3",),
        r"deepseek[-_]?(v3(?![._])|r1(?!-distill))",
        ("<\uff5ctool▁calls▁begin\uff5c>", "```json"),
    ),
    Family(("deepseek_v31",), r"deepseek[-_]?v3[._]1", ("<\uff5ctool▁calls▁begin\uff5c>",)),
    Family(("mistral",), r"[mn]istral|mixtral|devstral|codestral|magistral", ("[TOOL_CALLS]",)),
    Family(("llama4_pythonic", "pythonic"), r"llama-?_?4"),
    Family(("phi4_mini_json",), r"phi-?4-?mini", ("<|tool|>", "<|/tool|>")),
    Family(("granite-20b-fc",), r"granite-20b-function"),
    Family(("granite4",), r"granite-?4|granitemoehybrid"),
    Family(("granite",), r"granite"),
    Family(("internlm",), r"internlm", ("<|plugin|>",)),
    Family(("jamba",), r"jamba"),
    Family(("lfm2",), r"lfm-?2", ("<|tool_call_start|>",)),
    Family(("hunyuan_a13b",), r"hunyuan-?a13b"),
    Family(("ernie45",), r"ernie-?4[._]?5"),
    Family(("olmo3",), r"olmo-?3"),
    Family(("apertus",), r"apertus"),
    Family(("mimo",), r"mimo-"),
    Family(("hermes", "qwen3_json"), r"hermes|qwen2|qwen3|qwq", ("<tool_call>", "</tool_call>")),
    Family(("llama3_json",), r"llama-?_?3", ("<|python_tag|>",)),
)
"""Tool calls' forms; the first that fits is taken."""

REASONING = (
    Family(("openai_gptoss",), r"gpt-?_?oss"),
    Family(("gemma4",), r"gemma-?4"),
    Family(("kimi_k3",), r"kimi[-_]?k3"),
    Family(("kimi_k2",), r"kimi[-_]?k2-?thinking"),
    Family(("glm47", "glm45"), r"glm-?(4\.[7-9]|5)"),
    Family(("glm45", "glm47"), r"glm-?4\.[56]|glm4_moe"),
    Family(("seed_oss",), r"seed[-_]?oss"),
    Family(("minimax_m3",), r"minimax[-_]?m3"),
    Family(("minimax_m2",), r"minimax[-_]?m2"),
    Family(("step3p5",), r"step[-_]?3[.p]5"),
    Family(("step3",), r"step[-_]?3"),
    Family(("deepseek_v41",), r"deepseek[-_]?v4[._]1"),
    Family(("deepseek_v4",), r"deepseek[-_]?v4"),
    Family(("deepseek_v3",), r"deepseek[-_]?v3[._][12]"),
    Family(("deepseek_r1",), r"deepseek[-_]?r1|qwq"),
    Family(("mistral",), r"magistral"),
    Family(("hunyuan_a13b",), r"hunyuan-?a13b"),
    Family(("ernie45",), r"ernie-?4[._]?5.*thinking"),
    Family(("olmo3",), r"olmo-?3.*think"),
    Family(("nemotron_v3",), r"nemotron-?3"),
    Family(("mimo",), r"mimo-"),
    Family(("qwen3",), r"qwen3"),
)
"""Forms of reasoning, by the model's name and type."""
_ALWAYS_THINK = ("openai_gptoss", "mistral", "gemma4", "hunyuan_a13b")
"""Their templates don't hold the marks of thinking that the others' do."""


@dataclass(frozen=True)
class Choice:
    """What is chosen for a model."""

    flags: tuple[str, ...]
    notes: tuple[str, ...]
    """Lines for the user: what was chosen and what is missing."""


def choose(facts: Facts, vllm: Installed, options: Options) -> Choice:
    """Parsers and a template for a model, except where the user gave flags of their own."""
    parts = (_tool_parser(facts, vllm, options), _reasoning(facts, vllm, options), _template(facts, options))
    return Choice(
        tuple(flag for part in parts for flag in part.flags),
        tuple(note for part in parts for note in part.notes),
    )


def tool_parser(facts: Facts, registered: tuple[str, ...]) -> str | None:
    """The tool parser of a model's family; None where no family fits or its parser is not registered."""
    for family in TOOLS:
        marked = family.marks and all(mark in facts.template for mark in family.marks)
        if marked or re.search(family.names, facts.kind):
            return next((name for name in family.parsers if name in registered), None)
    return None


def reasoning_parser(facts: Facts, registered: tuple[str, ...]) -> str | None:
    """The reasoning parser of a model's family; None for models that don't think."""
    family = next((family for family in REASONING if re.search(family.names, facts.kind)), None)
    if family is None:
        return None
    thinks = family.parsers[0] in _ALWAYS_THINK or "think" in facts.template
    return next((name for name in family.parsers if name in registered), None) if thinks else None


def _tool_parser(facts: Facts, vllm: Installed, options: Options) -> Choice:
    if options.has("--tool-call-parser"):
        on = () if options.has("--enable-auto-tool-choice") else ("--enable-auto-tool-choice",)
        return Choice(on, ())
    if options.has("--runner", "--no-enable-auto-tool-choice"):  # an embedder, or the user's wish
        return Choice((), ())
    name = tool_parser(facts, vllm.tool_parsers)
    if name is None:
        return Choice(
            (),
            (
                f"No tool parser is known for {facts.name}: it is served without, so that calls come back "
                "as text. Give one: kate serve ... -- --tool-call-parser NAME "
                f"(of: {', '.join(sorted(vllm.tool_parsers))})",
            ),
        )
    on = () if options.has("--enable-auto-tool-choice") else ("--enable-auto-tool-choice",)
    return Choice((*on, "--tool-call-parser", name), (f"Tool parser: {name}",))


def _reasoning(facts: Facts, vllm: Installed, options: Options) -> Choice:
    name = reasoning_parser(facts, vllm.reasoning_parsers)
    if options.has("--reasoning-parser", "--runner") or name is None:
        return Choice((), ())
    return Choice(("--reasoning-parser", name), (f"Reasoning parser: {name}",))


def _template(facts: Facts, options: Options) -> Choice:
    """Ours where a model of the ChatML form is shown no tools by its own; a word where another isn't."""
    if options.has("--chat-template", "--runner", "--tokenizer-mode") or "tools" in facts.template:
        return Choice((), ())
    if re.search(r"[mn]istral|mixtral|gpt-?_?oss|deepseek[-_]?v(3[._]2|4)", facts.kind):
        return Choice((), ())  # vLLM renders these itself
    if "<|im_start|>" in facts.template:
        return Choice(
            ("--chat-template", str(HERMES_TEMPLATE)),
            (f"Chat template: {HERMES_TEMPLATE.name} (the model's own shows it no tools)",),
        )
    lack = "shows the model no tools" if facts.template else "is missing"
    remedy = "kate serve ... -- --chat-template FILE (vLLM's repository has some in examples/)"
    return Choice((), (f"The chat template of {facts.name} {lack}. Give one: {remedy}",))
