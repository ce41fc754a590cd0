"""Our side: a case's script played through BfclEpisode, its result judged by our checker."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from inspect_ai.model import ChatMessage, ChatMessageAssistant, model_output_from_openai

from kate_eval.bfcl import checker
from kate_eval.bfcl.play import BfclEpisode

from .cases import DONE, Case, Response

SHORT = 400
HOST = "host: "


@dataclass(frozen=True)
class Outcome:
    """What became of a case, on one side.

    Attributes:
        verdict: "" when correct, else an error type.
        shape: steps per turn of a multi-turn result.
        shown: the texts the model was shown, apart from its own answers ("role: text" or a digest).
        offered: digest of the names of the tools offered at each step.
        failed: official side: why inference failed, if it did.
        leaked: official side: the data shared by all samples that the case's group changed.
    """

    verdict: str
    shape: list[int] | None
    shown: list[str]
    offered: str
    failed: str = ""
    leaked: tuple[str, ...] = ()

    @property
    def correct(self) -> bool:
        return self.verdict == ""


def brief(text: str) -> str:
    """The text with sets in a fixed order; a long one as its digest (as in official_driver.py)."""
    text = re.sub(r"(one of )\{([^{}]*)\}", lambda m: m[1] + ", ".join(sorted(m[2].split(", "))), text)
    return (
        text if len(text) <= SHORT else f"#{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:24]}"
    )


_ANSWERS: dict[Response, ChatMessageAssistant] = {}


async def answer(response: Response) -> ChatMessageAssistant:
    """A scripted response as Inspect hands it to a solver (most recur: a damage changes one of them)."""
    if response not in _ANSWERS:
        if len(_ANSWERS) > 30_000:
            _ANSWERS.clear()
        _ANSWERS[response] = (await model_output_from_openai(_completion(response))).message
    return _ANSWERS[response]


def _completion(response: Response) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": response.text}
    if response.calls is not None:
        message["tool_calls"] = [
            {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for n, (name, arguments) in enumerate(response.calls)
        ]
    return {
        "id": "scripted",
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    }


async def play(case: Case, episode: BfclEpisode) -> tuple[list[ChatMessage], list[list[str]]]:
    """Play a case to its end: the messages it showed, the tool names offered per step."""
    script = iter(case.script)
    messages: list[ChatMessage] = []
    offered: list[list[str]] = []
    while (turn := episode.next_turn()) is not None:
        messages += turn.messages
        over = False
        while not over:
            if case.mode == "fc":
                offered.append(sorted(tool.name for tool in episode.tools))
            action = episode.decode(await answer(next(script, Response(DONE))))
            observation = await episode.step(action)
            messages += observation.messages
            over = observation.turn_over
    return messages, offered


async def outcome(case: Case) -> Outcome:
    """Play and judge a case."""
    episode = BfclEpisode(case.entry, case.mode)
    try:
        for response in case.script:
            await answer(response)
    except ValueError as ex:  # Inspect can't read the answer: its sample ends in an error
        return Outcome(f"{HOST}{ex}", None, [], "")
    messages, offered = await play(case, episode)
    result = episode.result
    if case.keep_turns is not None:
        result = result[: case.keep_turns]
    verdict = checker.check(case.entry, result, case.mode)
    return Outcome(
        verdict="" if verdict.correct else verdict.error_type or "wrong",
        shape=[len(turn) for turn in result] if case.entry.multi_turn else None,
        shown=[brief(f"{message.role}: {message.text}") for message in messages],
        offered=hashlib.sha256(json.dumps(offered).encode()).hexdigest()[:24],
    )
