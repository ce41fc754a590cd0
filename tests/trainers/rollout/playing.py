"""Rows of real gold, a rendering of single characters, and policies that play a script."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from inspect_ai.model import ChatMessage

from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.endpoints.openai.messages import encode_messages
from kate_eval.endpoints.openai.request import ToolSchemas
from kate_eval.episode import Call
from kate_eval.trainers.rewards import find_reward
from kate_eval.trainers.rollout import Bounds, Played, Rollout, Sampled, open_start
from kate_eval.trainers.row import Row
from tests.conftest import now

Json = dict[str, Any]
END = 0x110000
"""The id that ends a turn; the others are the characters' own numbers."""
BEGIN = END + 1
SCHEMAS = ToolSchemas()


def encode(text: str) -> list[int]:
    """The ids of a text."""
    return [ord(character) for character in text]


def decode(ids: Sequence[int]) -> str:
    """The text of ids, marks shown."""
    return "".join({END: "<end>", BEGIN: "<begin>"}.get(i) or chr(i) for i in ids)


class Characters:
    """A template in which tools come first and, if it forgets, the thinking of earlier turns is dropped."""

    def __init__(self, forgets: bool = False) -> None:
        self.forgets = forgets

    def prompt_ids(self, messages: Sequence[Json], tools: Sequence[Json]) -> list[int]:
        """All messages, and the header of an answer."""
        last = max(n for n, message in enumerate(messages) if message["role"] == "user")
        ids = encode(",".join(tool["function"]["name"] for tool in tools))
        for number, message in enumerate(messages):
            ids += [BEGIN, *encode(message["role"] + "\n"), *self._body(message, number > last), END, 10]
        return [*ids, BEGIN, *encode("assistant\n")]

    def completion_ids(self, messages: Sequence[Json], tools: Sequence[Json], completion: Json) -> list[int]:
        """The answer with its end."""
        return [*self._body(completion, True), END]

    def _body(self, message: Json, current: bool) -> list[int]:
        thought = message.get("reasoning_content")
        shown = f"<think>{thought}</think>" if thought and (current or not self.forgets) else ""
        return encode(
            shown + (message.get("content") or "") + "".join(map(_call, message.get("tool_calls", ())))
        )


def _call(call: Json) -> str:
    function = call["function"]
    return (
        f'<tool_call>\n{{"name": "{function["name"]}", "arguments": {function["arguments"]}}}\n</tool_call>'
    )


def written(*calls: Call, thought: str = "") -> str:
    """The text of an answer that makes these calls."""
    shown = f"<think>{thought}</think>" if thought else ""
    return shown + "".join(
        f'<tool_call>\n{{"name": "{c.name}", "arguments": {json.dumps(c.arguments)}}}\n</tool_call>'
        for c in calls
    )


def sampled(text: str, ended: bool = True, logprob: float | None = -0.5) -> Sampled:
    """A text as if it had been sampled."""
    ids = (*encode(text), END) if ended else tuple(encode(text))
    return Sampled(ids, text, ended, None if logprob is None else (logprob,) * len(ids))


class Scripted:
    """Answers by what the prompt's text says."""

    def __init__(self, answer: Callable[[str], str]) -> None:
        self.answer = answer
        self.batches: list[int] = []

    def sample(self, prompts: Sequence[Sequence[int]], most: Sequence[int]) -> list[Sampled]:
        """One answer a prompt, cut where it would be too long."""
        self.batches.append(len(prompts))
        answers = [sampled(self.answer(decode(prompt))) for prompt in prompts]
        return [
            a if len(a.ids) <= m else sampled(a.text[:m], ended=False)
            for a, m in zip(answers, most, strict=True)
        ]

    def busy(self, live: bool) -> bool:
        """Alone."""
        return live


def gold_row(entry_id: str, turn: int = 0, **fields: Any) -> Row:
    """The row that begins a turn: gold's own conversation before it."""
    entry = load_entry(entry_id)
    episode = BfclEpisode(entry, "fc")
    messages: list[ChatMessage] = []
    gold = multi_turn_gold(entry)
    for number in range(turn + 1):
        begun = episode.next_turn()
        assert begun is not None
        messages += begun.messages
        if number < turn:
            for action in [*(episode.encode([call]) for call in gold[number]), episode.encode([], "Done.")]:
                observed = now(episode.step(action))
                messages += [action.message, *observed.messages]
    first = episode.encode(gold[turn][:1], "" if gold[turn] else "Which one?")
    given: dict[str, Any] = {
        "id": f"{entry_id}/{turn}/0/step",
        "benchmark": "bfcl",
        "entry": entry_id,
        "cluster": entry.cluster,
        "turn": turn,
        "step": 0,
        "mode": "fc",
        "messages": encode_messages(messages),
        "tools": [schema.data for schema in SCHEMAS.of(episode.tools)],
        "completion": encode_messages([first.message])[0],
    }
    return Row(**given | fields)


def play(
    row: Row,
    texts: Sequence[str],
    reward: str = "turn_state",
    rendering: Characters | None = None,
    bounds: Bounds | None = None,
) -> Played:
    """A rollout whose answers are these texts; those that it has no use for are left."""
    bounds = bounds or Bounds(context_tokens=10**6, completion_tokens=10**6, answer_tokens=10**6)
    rule = find_reward(reward)
    start = now(open_start(row, rule.level, bounds))
    rollout = Rollout(start, rendering or Characters(), bounds)
    for text in texts:
        if rollout.over:
            break
        cut = sampled(text).ids[: rollout.room]
        ended = len(cut) > len(text)
        now(rollout.take(sampled(text) if ended else sampled(text[: len(cut)], ended=False)))
    return now(rollout.finish(rule))
