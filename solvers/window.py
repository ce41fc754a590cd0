"""The model's context window: what is left out of requests once a conversation has outgrown it.

The method keeps everything up to the window. Beyond it: the older half (by characters) of the outputs that
are still shown gives way to a note, as often as needed; the latest output and all that was said stay. The
log keeps the whole conversation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from inspect_ai.model import ChatMessage, ModelOutput

TRIES = 8
NOTE = "(This output was left out: the conversation has outgrown the context window.)"


def overflowed(output: ModelOutput) -> bool:
    """Whether the endpoint refused the request as too long."""
    return bool(output.choices) and output.choices[0].stop_reason == "model_length"


@dataclass
class Window:
    """Which of a conversation's outputs requests still show."""

    _outputs: list[ChatMessage] = field(default_factory=list)
    _left_out: set[int] = field(default_factory=set)

    def add(self, outputs: Sequence[ChatMessage]) -> None:
        """Take note of new outputs; they can be left out later."""
        self._outputs += outputs

    def fit(self, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        """The messages as they are sent."""
        if not self._left_out:
            return list(messages)
        return [m.model_copy(update={"content": NOTE}) if id(m) in self._left_out else m for m in messages]

    def shrink(self) -> int:
        """Leave out the older half of what is left; how many outputs that is (0: nothing more can go)."""
        shown = [m for m in self._outputs[:-1] if id(m) not in self._left_out and len(m.text) > len(NOTE)]
        enough = sum(len(m.text) for m in shown) / 2
        gone = 0.0
        count = 0
        for message in shown:
            if count and gone >= enough:
                break
            self._left_out.add(id(message))
            gone += len(message.text)
            count += 1
        return count
