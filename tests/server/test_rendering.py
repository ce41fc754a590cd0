"""The ids that training uses are those the server shows its model: `make test-vllm`."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from kate_eval.bfcl.data import load
from kate_eval.errors import TrainingError
from kate_eval.trainers.parity import TokenizeEndpoint, check_parity
from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.row import Row
from tests.trainers.conversations import REQUESTS, assistant, result, user
from tests.trainers.tiny import THINKING, call

from .conftest import Server, gold_calls

pytestmark = [pytest.mark.server, pytest.mark.train]

DUMP = "{{ messages | tojson }}{{ tools | tojson }}{% if add_generation_prompt %}>{% endif %}"
"""Prints all that a template is given."""
DUMP_PARTS = "{% for m in messages %}{% for p in m.content %}{% endfor %}{% endfor %}" + DUMP
MACROS = (
    "{% macro say(said) %}{% for part in said %}[{{ part.text if part.text is defined else part }}]"
    "{% endfor %}{% endmacro %}{% set rest = messages[1:] %}"
    "{% for m in rest %}{{ m.role }}{{ say(m['content']) }}{% endfor %}"
)
OWN_NAME = (
    "{% for m in messages %}{% set content = m.content %}{% if content is string %}{{ content }}{% else %}"
    "{% for item in content %}({{ item.text }}){% endfor %}{% endif %}{% endfor %}"
)
TEMPLATES = {
    "thinking": THINKING.read_text(encoding="utf-8"),
    "dump": DUMP,
    "dump parts": DUMP_PARTS,
    "macros": MACROS,
    "own name": OWN_NAME,
}


@pytest.fixture(scope="module")
def tokenizer(checkpoint: Path) -> Any:
    """The checkpoint's own."""
    return import_module("transformers").AutoTokenizer.from_pretrained(checkpoint)


@pytest.fixture
def renderer(tokenizer: Any) -> Renderer:
    """With the checkpoint's own template."""
    return Renderer(tokenizer)


def with_template(tokenizer: Any, template: str, **kwargs: Any) -> Renderer:
    """A renderer with another template than the checkpoint's."""
    copied = import_module("copy").copy(tokenizer)
    copied.chat_template = template
    return Renderer(copied, kwargs)


def gold_rows(category: str, count: int) -> list[Row]:
    """Entries' conversations with all their gold calls, and made-up results."""
    rows = []
    for entry in load((category,), "train")[:count]:
        tools = [
            {"type": "function", "function": {key: doc[key] for key in ("name", "description", "parameters")}}
            for doc in entry.functions
        ]
        messages: list[dict[str, Any]] = [user(entry.turns[0][-1]["content"])]
        for gold in gold_calls(entry):
            written = call(gold.name, json.dumps(gold.arguments, ensure_ascii=False))
            messages += [assistant(None, tool_calls=[written]), result("Error: none")]
        rows.append(
            Row(
                id=entry.id,
                benchmark="bfcl",
                entry=entry.id,
                cluster=entry.id,
                turn=0,
                step=0,
                mode="fc",
                messages=tuple(messages),
                tools=tuple(tools),
                completion=assistant("Done."),
            )
        )
    return rows


@pytest.mark.parametrize("category", ["multi_turn_base", "live_simple", "multiple"])
def test_gold_conversations_render_alike(server: Server, renderer: Renderer, category: str) -> None:
    rows = gold_rows(category, 60)
    found = check_parity(rows, renderer, server.base_url, count=len(rows))
    assert found.rows == len(rows) > 40 and found.max_model_len > 1000


@pytest.mark.parametrize("name", REQUESTS)
def test_odd_requests_render_alike(server: Server, renderer: Renderer, name: str) -> None:
    messages, tools = REQUESTS[name]
    endpoint = TokenizeEndpoint(server.base_url, server.model)
    assert renderer.prompt_ids(messages, tools) == endpoint.ids(messages, tools)[0]


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_other_templates_are_given_the_same(server: Server, tokenizer: Any, template: str, name: str) -> None:
    messages, tools = REQUESTS[name]
    renderer = with_template(tokenizer, TEMPLATES[template])
    endpoint = TokenizeEndpoint(server.base_url, server.model)
    theirs, _ = endpoint.ids(messages, tools, chat_template=TEMPLATES[template])
    assert renderer.decode(theirs) == renderer.text(messages, tools)
    assert renderer.prompt_ids(messages, tools) == theirs


@pytest.mark.parametrize("thinking", [True, False])
def test_template_arguments_reach_both(server: Server, tokenizer: Any, thinking: bool) -> None:
    renderer = with_template(tokenizer, TEMPLATES["thinking"], enable_thinking=thinking)
    options = {
        "chat_template": TEMPLATES["thinking"],
        "chat_template_kwargs": renderer.template_kwargs,
    }
    theirs, _ = TokenizeEndpoint(server.base_url, server.model).ids([user("a")], [], **options)
    assert renderer.prompt_ids([user("a")]) == theirs
    assert renderer.decode(theirs).endswith("</think>\n\n") is not thinking


def test_a_chat_request_is_shown_what_tokenize_says(server: Server, renderer: Renderer) -> None:
    """The chat endpoint itself says only how many tokens its prompt had, and takes reasoning_content."""
    for messages, tools in REQUESTS.values():
        body = {"model": server.model, "messages": messages, "max_tokens": 1}
        if tools:
            body |= {"tools": tools, "tool_choice": "auto"}
        answer = httpx.post(f"{server.base_url}/chat/completions", json=body, timeout=60).raise_for_status()
        assert answer.json()["usage"]["prompt_tokens"] == len(renderer.prompt_ids(messages, tools))


def test_another_template_stops_with_the_place(server: Server, tokenizer: Any) -> None:
    renderer = with_template(tokenizer, tokenizer.chat_template.replace("You may call", "You can call"))
    [row] = gold_rows("live_simple", 1)
    with pytest.raises(
        TrainingError, match=rf"Row {row.id}: the server shows .* part at token \d+ of"
    ) as caught:
        check_parity([row], renderer, server.base_url)
    ours, theirs = str(caught.value).splitlines()[1:3]
    assert "can" in ours.split("'")[1].split()[0] and "may" in theirs.split("'")[1].split()[0]
