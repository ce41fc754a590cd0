"""Whether a chat template loops over a message's content: the server then gives it parts instead of text.

The rule is vLLM's (0.32, 0.33) and goes by names in the template. Imports jinja2, which the trainers'
environment has; loaded when a chat is rendered.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes

from kate_eval.errors import TrainingError
from kate_eval.trainers.template import Form

_GENERATION = re.compile(r"\{%[-+]?\s*(?:end)?generation\s*[-+]?%\}")
"""Marks an assistant's text in some templates; jinja2 alone doesn't know it."""


@lru_cache(maxsize=32)
def content_form(template: str) -> Form:
    """What the server gives a template: parts if it loops over a message's content, else text.

    Raises:
        TrainingError: the template can't be parsed.
    """
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    try:
        root = environment.parse(_GENERATION.sub("", template))
    except jinja2.TemplateError as ex:
        raise TrainingError(f"The chat template can't be parsed: {ex}") from ex
    return "parts" if any(_content_loops(root)) else "string"


def _content_loops(root: Any) -> Iterator[bool]:
    """Whether each loop of a template is over a message's content, as far as names tell."""
    messages = set(_message_names(root))
    inside: dict[int, set[str]] = {}
    for macro in root.find_all(nodes.Macro):
        given = _content_parameters(root, macro, messages)
        for loop in macro.find_all(nodes.For):
            inside[id(loop)] = inside.get(id(loop), set()) | given
    for loop in root.find_all(nodes.For):
        named = loop.iter.name if isinstance(loop.iter, nodes.Name) else None
        yield (
            any(_reads(loop.iter, name, "content") for name in messages)
            or named in inside.get(id(loop), ())
            or (named == "content" and id(loop) not in inside)
        )


def _message_names(root: Any) -> Iterator[str]:
    """Names that loops over the messages, or over what is assigned from them, give a message."""
    lists = ["messages"]
    for name in lists:  # grows while it is read
        for assigned in root.find_all(nodes.Assign):
            target = assigned.target
            if isinstance(target, nodes.Name) and _reads(assigned.node, name) and target.name not in lists:
                lists.append(target.name)
    for loop in root.find_all(nodes.For):
        if isinstance(loop.target, nodes.Name) and any(_reads(loop.iter, name) for name in lists):
            yield loop.target.name


def _content_parameters(root: Any, macro: Any, messages: set[str]) -> set[str]:
    """The parameters for which a macro is somewhere given a message's content."""
    parameters = [argument.name for argument in macro.args]
    found: set[str] = set()
    for call in root.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == macro.name:
            given = [*zip(parameters, call.args, strict=False), *((k.key, k.value) for k in call.kwargs)]
            found.update(
                name
                for name, value in given
                if name in parameters and any(_reads(value, message, "content") for message in messages)
            )
    return found


def _reads(node: Any, name: str, key: str | None = None) -> bool:
    """Whether an expression is a variable, or a key of it: itself, sliced, filtered or tested."""
    if isinstance(node, nodes.Filter | nodes.Test):
        return _reads(node.node, name, key)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
        return _reads(node.node, name, key)
    if key is None:
        return isinstance(node, nodes.Name) and node.ctx == "load" and node.name == name
    if isinstance(node, nodes.Getitem):
        return isinstance(node.arg, nodes.Const) and node.arg.value == key and _reads(node.node, name)
    return isinstance(node, nodes.Getattr) and bool(node.attr == key) and _reads(node.node, name)
