"""Dialects: each reads its own form, none raises on anything else; the right one is found or asked for."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.bfcl.categories import Mode
from kate_eval.bfcl.data import load_category
from kate_eval.bfcl.decode import DecodeError
from kate_eval.bfcl.dialect import Language
from kate_eval.bfcl.interchange.detection import Evidence, choose_dialect
from kate_eval.bfcl.interchange.dialects import DIALECTS, PROMPTING
from kate_eval.bfcl.interchange.registered import DEFAULT, of_folder, reader_of_ours, registered
from kate_eval.episode import Call
from kate_eval.errors import ConfigurationError

from .writing import HOSTILE

LANGUAGES: tuple[Language, ...] = ("python", "java", "javascript")
ARGUMENTS = {"x": 1, "y": "a"}
WRITTEN: dict[str, Any] = {
    "fc": [{"f": json.dumps(ARGUMENTS)}],
    "objects": [{"f": ARGUMENTS}],
    "tool_name": [{"tool_name": "f", "parameters": ARGUMENTS}],
    "named": [{"name": "f", "arguments": ARGUMENTS}],
    "tagged": f"So:\n<tool_call>\n{json.dumps({'name': 'f', 'arguments': ARGUMENTS})}\n</tool_call>",
    "json": json.dumps({"name": "f", "arguments": ARGUMENTS}),
    "json_fenced": f"```{json.dumps([{'name': 'f', 'arguments': ARGUMENTS}])}```",
    "json_semicolons": json.dumps([{"name": "f", "arguments": ARGUMENTS}]),
    "json_parameters": f"<|python_tag|>{json.dumps({'name': 'f', 'parameters': ARGUMENTS})}",
    "prompt": "f(x=1, y='a')",
    "prompt_fenced": "```python\n[f(x=1, y='a')]\n```",
    "prompt_tool_code": "```tool_code\n[f(x=1, y='a')]\n```",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["f", "name", "arguments", "tool_name", "parameters"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


def test_each_dialect_reads_what_its_handlers_write() -> None:
    assert set(WRITTEN) == set(DIALECTS)
    for name, response in WRITTEN.items():
        assert DIALECTS[name].decode(response, "python") == [{"f": ARGUMENTS}], name
        assert DIALECTS[name].steps(response) == [Call("f", ARGUMENTS)], name


@pytest.mark.parametrize("name", DIALECTS)
@given(response=json_values)
def test_no_dialect_raises_on_any_answer(name: str, response: Any) -> None:
    for written in (response, json.dumps(response)):
        for read in (DIALECTS[name].steps, lambda r: DIALECTS[name].decode(r, "python")):
            with suppress(DecodeError):
                assert isinstance(read(written), list)


@pytest.mark.parametrize("name", DIALECTS)
def test_no_dialect_raises_on_hostile_answers(name: str) -> None:
    for response in HOSTILE:
        for language in LANGUAGES:
            with suppress(DecodeError):
                DIALECTS[name].decode(response, language)
            with suppress(DecodeError):
                DIALECTS[name].steps(response)


def test_tags_that_nothing_closes_take_no_time() -> None:
    assert DIALECTS["tagged"].steps("<tool_call>\n" * 500_000) == []
    text = (
        '<tool_call>\n</tool_call>\n{"name": "f", "arguments": {}}\n</tool_call><tool_call>\n\n</tool_call>'
    )
    assert (
        DIALECTS["tagged"].steps(text) == []
    )  # as the official expression: what the first tag opens is no JSON


def look(*responses: Any, category: str = "simple_python") -> Evidence:
    evidence = Evidence()
    for entry, response in zip(load_category(category), responses, strict=False):
        evidence.add(entry.id, category, response)
    return evidence


def test_lists_of_calls_decide_whatever_the_folder_is_called() -> None:
    prompting = of_folder("Qwen_Qwen3-8B")
    for name in ("fc", "objects", "tool_name", "named"):
        found = choose_dialect(look("text", "[f(x=1)]", WRITTEN[name]), prompting, None)
        assert found.name == DIALECTS[name].name


def test_texts_are_read_as_the_folder_s_model_is_officially() -> None:
    for folder, name in (
        ("Qwen_Qwen3-8B", "prompt"),
        ("Qwen_Qwen3-8B-FC", "tagged"),
        ("gpt-4o-2024-11-20-FC", "fc"),
        ("microsoft_phi-4", "prompt_fenced"),
        ("meta-llama_Llama-3.1-8B-Instruct-FC", "json_parameters"),
    ):
        model = of_folder(folder)
        assert (
            choose_dialect(look("text", WRITTEN["tagged"], "[f(x=1)]"), model, None).name
            == DIALECTS[name].name
        )
        assert model is not None and choose_dialect(look(), model, None).dotted == model.dotted


def test_an_unknown_model_s_texts_are_read_by_their_looks_or_asked_for() -> None:
    assert choose_dialect(look("text", "[f(x=1)]"), None, None) is DIALECTS["prompt"]
    assert choose_dialect(look(WRITTEN["tagged"]), None, None) is DIALECTS["tagged"]
    for responses in ((), ("text",), (WRITTEN["tagged"], "[f(x=1)]")):
        with pytest.raises(ConfigurationError, match="--mode fc or --mode prompt"):
            choose_dialect(look(*responses), None, None)
        assert choose_dialect(look(*responses), None, "prompt") is DIALECTS["prompt"]
        assert choose_dialect(look(*responses), None, "fc").name != DIALECTS["prompt"].name


def test_the_mode_that_is_told_leaves_the_folder_s_model_its_own_form() -> None:
    told: tuple[tuple[str, Mode, str], ...] = (
        ("microsoft_phi-4", "prompt", "prompt_fenced"),
        ("gpt-4o-2024-11-20-FC", "prompt", "prompt"),
        ("Qwen_Qwen3-8B-FC", "fc", "tagged"),
        ("Qwen_Qwen3-8B", "fc", "fc"),
    )
    for folder, mode, name in told:
        assert choose_dialect(look("text"), of_folder(folder), mode).name == DIALECTS[name].name


def test_a_handler_that_is_not_read_here_is_named() -> None:
    with pytest.raises(ConfigurationError, match="Falcon3FCHandler"):
        choose_dialect(look("text"), of_folder("tiiuae_Falcon3-7B-Instruct-FC"), None)


def test_dots_in_names_are_found_from_the_names() -> None:
    entry = next(entry for entry in load_category("simple_python") if "." in entry.functions[0]["name"])
    name = entry.functions[0]["name"]
    for written, dotted in ((name, True), (name.replace(".", "_"), False)):
        for form in ({written: "{}"}, {"name": written, "arguments": {}}):
            evidence = Evidence()
            evidence.add(entry.id, entry.category, [form])
            assert choose_dialect(evidence, None, None).dotted is dotted


def test_the_official_table_is_read_without_running_it() -> None:
    models = registered()
    assert len(models) > 150
    assert models["Qwen/Qwen3-8B-FC"].handler == "QwenFCHandler"
    assert not models["gpt-4o-2024-11-20-FC"].dotted and models["gpt-4o-2024-11-20"].mode == "prompt"
    assert {model.dialect for model in models.values()} <= {*DIALECTS, None}
    for mode, name in DEFAULT.items():
        assert reader_of_ours(None, mode).name == name


def test_a_handler_that_does_not_read_ours_is_refused() -> None:
    assert reader_of_ours("Qwen/Qwen3-8B", "prompt").folder == "Qwen_Qwen3-8B"
    for name in ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B-FC", "nova-pro-v1.0"):
        with pytest.raises(ConfigurationError, match="does not read results of mode 'fc'"):
            reader_of_ours(name, "fc")
    with pytest.raises(ConfigurationError, match="Unknown --handler 'gpt-9'"):
        reader_of_ours("gpt-9", "fc")


def test_prompting_dialects_keep_dots() -> None:
    assert all(DIALECTS[name].dotted for name in PROMPTING)
