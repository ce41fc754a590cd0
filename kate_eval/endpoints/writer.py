"""The simulated writer: stands in for a model that writes knowledge, so that builds run without one.

What it writes says so, names the functions that the request shows, and is no knowledge. A request is one
for writing if it offers no tools and its only or first message asks for one sentence, one paragraph, JSON of
a given schema, or whether something was a success (its answer is always yes).
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from inspect_ai.model import ChatMessage, GenerateConfig
from inspect_ai.tool import ToolInfo

from kate_eval.endpoints.relevance import content_words

_ASKED = re.compile(r"\bone (?:english )?(sentence|paragraph)\b", re.IGNORECASE)
_CALLED = re.compile(r"(?<![\w.])(?:apis\.)?(\w+(?:\.\w+)?)\(")
_WORD = re.compile(r"[A-Za-z][A-Za-z']+")
_JUDGED = re.compile(r'"success": true or false')
MAX_NAMES = 6
MAX_WORDS = 18
MAX_TOPICS = 12


def written(messages: Sequence[ChatMessage], tools: Sequence[ToolInfo], config: GenerateConfig) -> str | None:
    """The answer to a request for writing; None if it is another request."""
    if tools or not messages or messages[0].role != "user":
        return None
    text = messages[0].text
    if config.response_schema is not None:
        schema = config.response_schema.json_schema.model_dump(exclude_none=True)
        return json.dumps(_filled(schema, text))
    if _JUDGED.search(text):
        return json.dumps({"success": True, "reason": "SIMULATED: this judge calls everything a success."})
    asked = _ASKED.search(text)
    if asked is None:
        return None
    return _sentence(text) if asked[1].lower() == "sentence" else _paragraph(text)


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(_CALLED.findall(text)))[:MAX_NAMES]


def _sentence(text: str) -> str:
    """The first words of the last paragraph, which such requests are about."""
    words = _WORD.findall(text.strip().rpartition("\n\n")[2].partition("\n")[2] or text)[:MAX_WORDS]
    return f"The user wants to {' '.join(words).lower()}."


def _paragraph(text: str) -> str:
    names = ", then ".join(_names(text)) or "no function"
    return (
        f"SIMULATED text, written by no model: the request was worked on with {names}. Read the request, "
        "look up what the next call needs, make one call at a time, check what it returns, and stop when "
        "all is done."
    )


def _filled(schema: dict[str, Any], text: str) -> Any:
    """A value of a JSON schema."""
    kind = schema.get("type")
    if kind == "object":
        return {name: _filled(part, text) for name, part in (schema.get("properties") or {}).items()}
    if kind == "array":
        return [f"Call {name} with <what the request says>." for name in _names(text)] or ["Answer."]
    return f"SIMULATED intent about {' '.join(_topics(text))}"


def _topics(text: str) -> list[str]:
    """The words that most paragraphs of a request share."""
    counts = Counter(word for part in text.split("\n\n") for word in content_words(part))
    return [word for word, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_TOPICS]]
