"""What is no call stays text: mentions, examples, data, what is cut off. And no text costs much time."""

import json
import time
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kate_eval.bfcl.categories import CATEGORIES
from kate_eval.bfcl.data import Entry, load_category, load_entry
from kate_eval.bfcl.environment import Environment
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.recovery.offered import Offered
from kate_eval.recovery.text import MAX_TEXT, Found, find_calls

LS = '{"name": "ls", "arguments": {"a": true}}'
NEGATIVES = {
    "cut before the arguments": '<tool_call>{"name": "ls"',
    "cut before the arguments' value": '<tool_call>{"name": "ls", "arguments":',
    "half a character": '<tool_call>{"name": "echo", "arguments": {"content": "\\ud800"}}</tool_call>',
    "prose": "I could call ls() to see the files.",
    "prose with a list": "I called [ls(a=True), pwd()] and found two files.",
    "prose first, call last": "To list files, use:\n[ls(a=True)]",
    "code in a reply": "Run this:\n```python\nls(a=True)\n```\nThen tell me.",
    "code at a reply's end": "Run this:\n```python\nls(a=True)\n```",
    "object within a sentence": f"The call {LS} lists hidden files too.",
    "object before prose": f"{LS}\nlists hidden files too.",
    "object in a fence before prose": f"For example:\n```json\n{LS}\n```\nShall I do that?",
    "marked example in a fence": f"Tools are called like so:\n```\n<tool_call>{LS}</tool_call>\n```\nShall I?",  # noqa: E501
    "marked example in backticks": f"Tools are called like `<tool_call>{LS}</tool_call>` here.",
    "a mark alone": "I use <tool_call> tags, <|python_tag|> and [TOOL_CALLS] for that.",
    "data": '{"files": ["a.txt"], "count": 1}',
    "data with a name": '{"name": "ls", "size": 12}',
    "a tool's document": '{"name": "ls", "description": "lists", "parameters": {"type": "dict", "properties": {}}}',  # noqa: E501
    "a tool's schema": '{"name": "ls", "parameters": {"type": "object", "properties": {"a": {}}}}',
    "unknown tool": '<tool_call>{"name": "rm_rf", "arguments": {}}</tool_call>',
    "one unknown of two": f'<tool_call>{LS}</tool_call><tool_call>{{"name": "no", "arguments": {{}}}}</tool_call>',  # noqa: E501
    "hostile name": "[__import__('os').system('touch hacked')]",
    "hostile value": "[ls(a=__import__('os').system('touch hacked'))]",
    "an expression": "[ls(a=1 + 1)]",
    "by position": "[cd('folder')]",
    "no names": "[ls(True)]",
    "twice the same": "[ls(a=True, a=False)]",
    "stars": "[ls(**{'a': True})]",
    "a key that is no string": '<tool_call>{"name": "ls", "arguments": {1: 2}}</tool_call>',
    "arguments that are a list": '<tool_call>{"name": "ls", "arguments": [true]}</tool_call>',
    "both keys": '<tool_call>{"name": "ls", "arguments": {}, "parameters": {"a": true}}</tool_call>',
    "none where some are required": '<tool_call>{"name": "cd"}</tool_call>',
    "cut off in a constant": '<tool_call>{"name": "ls", "arguments": {"a": tru',
    "cut off in a string": '<tool_call>{"name": "cd", "arguments": {"folder": "docu',
    "cut off in a number": '<tool_call>{"name": "cd", "arguments": {"folder": 12',
    "cut off after a value": '<tool_call>{"name": "cd", "arguments": {"folder": "a"',
    "cut off, then closed": '<tool_call>{"name": "cd", "arguments": {"folder": "a"</tool_call>',
    "cut off in a parameter": "<tool_call><function=cd><parameter=folder>docu",
    "cut off after a parameter": "<tool_call><function=cd><parameter=folder>docu</parameter>",
    "a parameter in another": "<function=mv><parameter=source>a<parameter=destination>b</parameter></function>",  # noqa: E501
    "thinking": f"<think><tool_call>{LS}</tool_call></think>Done.",
    "thinking without a beginning": f"<tool_call>{LS}</tool_call></think>Done.",
    "thinking without an end": f"<think>Maybe <tool_call>{LS}</tool_call>",
    "an unquoted key": '{name: "ls", arguments: {}}',
    "an apostrophe": "{'name': 'ls', 'arguments': {'a': 'it's'}}",
    "an ambiguous escape": "{'name': 'cd', 'arguments': {'folder': '\\0'}}",
    "deep": '<tool_call>{"name": "ls", "arguments": {"a": ' + "[" * 1000 + "]" * 1000 + "}}</tool_call>",
    "a long number": '<tool_call>{"name": "ls", "arguments": {"a": ' + "9" * 5000 + "}}</tool_call>",
    "nothing": "",
    "an empty list": "[]",
    "an empty mark": "<tool_call></tool_call>",
}


def offered(entry: Entry) -> tuple[Offered, set[str]]:
    """The tools of an entry, and their names."""
    episode = BfclEpisode(entry, "fc")
    return Offered(episode.tools, episode.tool_name), {tool.name for tool in episode.tools}


@cache
def files() -> tuple[Offered, set[str]]:
    """Tools that handle files."""
    return offered(load_entry("multi_turn_base_1"))


def find(text: str) -> Found | None:
    """What is found in a text where files are handled."""
    return find_calls(text, files()[0])


@pytest.mark.parametrize("text", NEGATIVES.values(), ids=NEGATIVES)
def test_what_is_no_call_stays_text(text: str) -> None:
    assert find(text) is None


def test_the_same_things_as_calls_are_calls() -> None:
    """The negatives above fail for their own reasons, not for want of tools."""
    for text in (
        LS,
        f"<tool_call>{LS}</tool_call>",
        "[ls(a=True)]",
        "[cd(folder='folder')]",
        "```\nls()\n```",
    ):
        assert find(text) is not None, text


QUESTIONS_THAT_ARE_CALLS = {
    ("simple_python_297", "music.theory.chordProgression(progression=['I', 'V', 'vi', 'IV'])")
}
"""The user's whole message is the call: nothing tells it from a model's."""


@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_no_text_of_the_benchmark_is_taken_for_calls(category: str) -> None:
    seen: set[str] = set()  # documents recur in many entries
    for entry in load_category(category):
        tools, _ = offered(entry)
        for text in texts(entry):
            if text in seen:
                continue
            seen.add(text)
            if (entry.id, text) not in QUESTIONS_THAT_ARE_CALLS:
                assert find_calls(text, tools) is None, (entry.id, text)


def texts(entry: Entry) -> Iterator[str]:
    """What users and tools say in an entry, its functions' documents, and its gold in a sentence."""
    for turn in entry.turns:
        yield from (message["content"] for message in turn)
    for doc in entry.functions:
        yield json.dumps(doc)
        yield f"I may use:\n{json.dumps(doc, indent=2)}"
        yield str(doc["description"])
    if not entry.multi_turn:
        return
    environment = Environment(entry) if entry.category == "multi_turn_base" else None
    for calls in multi_turn_gold(entry):
        yield f"I have called {', '.join(call.text for call in calls)}."
        for call in calls if environment else ():
            result = environment.execute(call) if environment else ""
            yield result
            yield f"The result is:\n```json\n{result}\n```"
            yield f"The result is:\n{result}"


_PIECES = st.sampled_from(
    [
        *(
            "<tool_call>",
            "</tool_call>",
            "<think>",
            "</think>",
            "<function=ls>",
            "</function>",
            "<parameter=a>",
        ),
        *(
            "</parameter>",
            "<|python_tag|>",
            "[TOOL_CALLS]",
            "[ARGS]",
            "```json\n",
            "```",
            "<｜tool▁call▁begin｜>",
        ),
        *(
            "ls",
            "rm",
            "(",
            ")",
            "a=",
            "{",
            "}",
            "[",
            "]",
            '"name": "ls"',
            '"arguments": ',
            ", ",
            '"',
            "'",
            "\\",
            "\n",
        ),
        *("1", "true", "None", "-", "\ud83d", "\x00", " "),
    ]
)


@settings(max_examples=1500)
@given(st.lists(_PIECES | st.text(max_size=5), max_size=25).map("".join))
def test_any_text_is_read_without_an_error_and_names_only_what_is_offered(text: str) -> None:
    found = find(text)
    if found is not None:
        assert found.calls and {call.name for call in found.calls} <= files()[1]
        assert all(isinstance(key, str) for call in found.calls for key in call.arguments)


UNITS = [
    *("<tool_call>", "<tool_call>{", '<tool_call>{"', "<tool_call>[", "</think><tool_call>{'a':", "<think>"),
    *(
        "</think>",
        "</think><function=ls><parameter=a>",
        "<function=ls>",
        "<function=ls><parameter=a>1</parameter>",
    ),
    *(
        "`",
        "```",
        "```json\n",
        "```json\n{",
        "```\n\n",
        " ",
        "\n",
        "{\n",
        "[\n",
        "[{",
        '{"a":',
        "ls(a=",
        "ls(",
        "ls ",
    ),
    *(
        "(",
        "'",
        '"',
        "\\",
        '"\\',
        "'\\'",
        "-",
        "9",
        "1,",
        "[1],",
        "</tool_call>",
        "</tool_call> ",
        "<",
        "[",
        "{}",
        "{},\n",
    ),
    *(
        "[TOOL_CALLS]ls",
        "[TOOL_CALLS]ls{}",
        "<|python_tag|>",
        LS + "\n",
        f"<tool_call>{LS}",
        "[ls(a=True)],",
        "a.b-",
    ),
    *(
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>ls\n",
        f"</think><tool_call>{LS}",
        "<function=ls></function>",
    ),
]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("prefix", ["", '<tool_call>{"name": "ls", "arguments": {"a": [', "[", "ls(a=["])
def test_no_text_takes_much_time(unit: str, prefix: str) -> None:
    text = (prefix + unit * (MAX_TEXT // len(unit)))[:MAX_TEXT]
    started = time.process_time()
    find(text)
    assert time.process_time() - started < 1  # 0.1 s where it grows with the text, minutes with its square


def test_a_text_that_is_too_long_is_not_read() -> None:
    assert find(LS + " " * MAX_TEXT) is None
