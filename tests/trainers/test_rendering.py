"""What a renderer makes of rows; that a server makes the same is tested in tests/server/test_rendering.py."""

import pytest

from kate_eval.errors import TrainingError
from kate_eval.trainers.rendering import Renderer

from .conversations import REQUESTS, assistant, user
from .tiny import THINKING, TOOL, call, row, tokenizer

pytestmark = pytest.mark.train
PARTS = (
    "{% for m in messages %}{{ m.role }}:{% for p in m['content'] %}[{{ p.text }}]{% endfor %}{% endfor %}"
)
STRIPPED = (
    "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}? {% endif %}"
)


def thinking(**kwargs: bool) -> Renderer:
    """With the template that has reasoning."""
    return Renderer(tokenizer(THINKING.read_text(encoding="utf-8")), kwargs)


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("template", ["hermes", "thinking"])
def test_an_answer_follows_its_prompt_and_stops(template: str, name: str) -> None:
    renderer = thinking() if template == "thinking" else Renderer(tokenizer())
    messages, tools = REQUESTS[name]
    prompt = renderer.prompt_ids(messages, tools)
    answer = assistant("Done.", tool_calls=[call("mkdir", '{"dir": "a\\"b"}')])
    ids = renderer.completion_ids(messages, tools, answer)
    whole = renderer.text([*messages, answer], tools, asked=False)
    assert renderer.decode(prompt + ids) + "\n" == whole
    assert renderer.decode(ids[-1:]) == "<|im_end|>" and renderer.decode(ids).count("Done.") == 1


def test_reasoning_is_learnt_and_forgotten_as_the_template_has_it() -> None:
    renderer = thinking()
    asked, answer = [user("a")], assistant("b", reasoning_content="because")
    learnt = renderer.decode(renderer.completion_ids(asked, [], answer))
    assert learnt == "<think>\nbecause\n</think>\n\nb<|im_end|>"
    assert "because" not in renderer.text([*asked, answer, user("c")])
    silent = thinking(enable_thinking=False)
    assert silent.decode(silent.completion_ids(asked, [], assistant("b"))) == "b<|im_end|>"


def test_a_template_of_parts_is_given_parts() -> None:
    renderer = Renderer(tokenizer(PARTS))
    assert renderer.text([user("a"), assistant(None), user([{"type": "text", "text": "b"}])]) == (
        "user:[a]assistant:user:[b]"
    )


def test_arguments_are_objects_for_the_template() -> None:
    template = "{% for m in messages %}{{ m.tool_calls | tojson }}{% endfor %}"
    text = Renderer(tokenizer(template)).text([assistant(tool_calls=[call("f", '{"b": "é", "a": {}}')])])
    assert text == (
        '[{"id": "call_0", "function": {"arguments": {"b": "é", "a": {}}, "name": "f"}, "type": "function"}]'
    )


def test_a_template_that_rewrites_the_prompt_names_the_row() -> None:
    with pytest.raises(TrainingError, match=r"Row entry_3/0/0/step: the chat template is not stable.*Make d"):
        Renderer(tokenizer(STRIPPED)).row(row(3))


def test_an_answer_without_an_end_is_refused() -> None:
    template = "{% for m in messages %}{{ m.content }};{% endfor %}"
    with pytest.raises(TrainingError, match=r"ends an answer with 'ok;', which does not stop.*--eos-token"):
        Renderer(tokenizer(template)).completion_ids([user("a")], [], assistant("ok"))


def test_a_base_model_without_a_template_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"no chat template.*--chat-template FILE\.jinja.*hermes"):
        Renderer(tokenizer(""))


def test_other_content_than_text_is_refused() -> None:
    with pytest.raises(TrainingError, match="other content than text"):
        Renderer(tokenizer()).prompt_ids([user([{"type": "image_url", "image_url": {"url": "data:"}}])])


def test_the_hash_is_of_the_template_and_its_arguments() -> None:
    assert len({Renderer(tokenizer()).hash, thinking().hash, thinking(enable_thinking=False).hash}) == 3
    assert thinking().hash == thinking().hash


def test_tools_are_dumped_as_the_server_has_them() -> None:
    text = Renderer(tokenizer()).text([user("a")], [{**TOOL, "function": {"return": 1, "name": "f"}}])
    assert '{"type": "function", "function": {"name": "f", "description": null, "parameters": null}}' in text
