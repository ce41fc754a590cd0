"""Writing models for tests: scripts that answer by what they are asked."""

import json
from collections.abc import Callable
from typing import Any

from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput

from tests.conftest import Scripted, output

PROSE = (
    "The request named both files, so the listing had to come first and the copy second. Take names from "
    "what the tools return, check the folder before you write into it, and stop when all is done."
)
PATTERN: dict[str, Any] = {
    "intent": "Move a file into a folder that must exist.",
    "steps": ["Call mkdir with <folder>.", "Call mv."],
}


def good_answer(text: str) -> str:
    """A usable answer to any of the forms' requests."""
    return json.dumps(PATTERN) if "JSON object" in text else PROSE


def writer(answer: Callable[[str, int], str] = lambda text, tries: good_answer(text)) -> Scripted:
    """A model that answers by the first message and the number of tries before."""

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        return output(answer(messages[0].text, len(messages) // 2))

    return Scripted(reply)


def asked(script: Scripted) -> list[str]:
    """The first message of each request."""
    return [messages[0].text for messages, _, _ in script.requests]


def asks(text: str, question: str) -> bool:
    """Whether a request is about this question."""
    return f" question]\n{question}\n[" in text
