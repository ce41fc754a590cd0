"""The simulated endpoint as an Inspect model provider: `--model simulated/default`.

No language model is behind it. It plays kate-eval's BFCL tasks from their gold answers with given skill, to
exercise, test and load the harness; its scores say nothing about any real model. It imports neither solvers
nor knowledge: what it gains from them, it gains through the prompts and votes they really make.

Model arguments (-M): latency (seconds per request), seed, choices (false: like providers that ignore
num_choices). Profiles: profiles.py.
"""

import weakref
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import anyio
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    Content,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    StopReason,
)
from inspect_ai.tool import ToolChoice, ToolInfo
from inspect_ai.util import store

from kate_eval.bfcl.categories import MODES, Mode
from kate_eval.endpoints.critic import critic_request, verdict
from kate_eval.endpoints.mistakes import Answer
from kate_eval.endpoints.policy import answers
from kate_eval.endpoints.profiles import profile_named
from kate_eval.endpoints.request import Situation, read
from kate_eval.endpoints.script import pool_of, script_of
from kate_eval.endpoints.usage import usage_of
from kate_eval.endpoints.writing import tool_calls, written
from kate_eval.episode import SAMPLE_KEY
from kate_eval.errors import ConfigurationError, EndpointError, unknown


@dataclass(frozen=True)
class Sample:
    """Which entry is being played; the only thing the endpoint is told beside the request."""

    entry: str
    epoch: int
    mode: Mode


class SimulatedAPI(ModelAPI):
    """A simulated model; its name is a profile's."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - Inspect's own signature
        latency: float = 0.0,
        seed: int = 0,
        choices: bool = True,
        **unexpected: Any,
    ) -> None:
        """Create the endpoint.

        Args:
            model_name: a profile's name.
            base_url: not used.
            api_key: not used.
            config: Inspect's defaults.
            latency: seconds to wait per request.
            seed: of all draws; runs with the same seed and prompts give the same answers.
            choices: whether num_choices is honoured.
            unexpected: refused.

        Raises:
            ConfigurationError: unknown profile or argument, or a negative latency.
        """
        super().__init__(model_name, base_url, api_key, [], config)
        if unexpected:
            raise unknown("simulated model argument", next(iter(unexpected)), ("latency", "seed", "choices"))
        if latency < 0:
            raise ConfigurationError(f"The simulated latency must be 0 or more seconds, not {latency}.")
        self.profile = profile_named(model_name)
        self.latency = latency
        self.seed = seed
        self.choices = choices
        self._drawn: dict[int, Counter[tuple[Any, ...]]] = {}

    def max_connections(self) -> int:
        """Nothing is overloaded by many requests."""
        return 1000

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Answer a request of one of kate-eval's tasks.

        Raises:
            EndpointError: the request is not of such a task.
        """
        output = self._answer(input, tools, config)
        if self.latency:
            await anyio.sleep(self.latency)
        return output

    def _answer(
        self, messages: Sequence[ChatMessage], tools: Sequence[ToolInfo], config: GenerateConfig
    ) -> ModelOutput:
        sample = current_sample()
        script = script_of(sample.entry, sample.mode)
        seed = f"{self.seed}|{sample.entry}|{sample.epoch}"
        request = critic_request(messages)
        if request:
            # Inspect's seed, where set, tells repeated requests apart.
            drawn = f"{seed}|{config.seed}"
            text = verdict(request, script, sample.mode, messages, self.profile, drawn)
            return self._output([ChatMessageAssistant(content=text)], messages, tools)
        situation = read(script, sample.mode, messages, tools)
        choices = self._choices(sample, situation, config)
        found = answers(situation, pool_of(script.entry.category, sample.mode), self.profile, seed, choices)
        replies = [
            self._message(answer, sample.mode, situation, f"sim_{len(messages)}_{choice}")
            for answer, choice in zip(found, choices, strict=True)
        ]
        return self._output(replies, messages, tools)

    def _choices(self, sample: Sample, situation: Situation, config: GenerateConfig) -> list[int]:
        """The indexes of the draws to return. Greedy decoding always returns the first."""
        count = (config.num_choices or 1) if self.choices else 1
        if config.temperature == 0:
            return [0] * count
        if config.seed is not None:
            return list(range(config.seed, config.seed + count))
        step = (sample.entry, sample.epoch, situation.turn, len(situation.made), situation.nudge)
        counter = self._counter()
        start = counter[step]
        counter[step] += count
        return list(range(start, start + count))

    def _counter(self) -> Counter[tuple[Any, ...]]:
        """How many answers were drawn, per step of the running sample attempt (which owns the store)."""
        current = store()
        key = id(current)
        if key not in self._drawn:
            self._drawn[key] = Counter()
            weakref.finalize(current, self._drawn.pop, key, None)
        return self._drawn[key]

    def _message(self, answer: Answer, mode: Mode, situation: Situation, id: str) -> ChatMessageAssistant:
        calls = [] if mode == "prompt" else tool_calls(answer, id)
        text = written(answer, situation.script.entry.category) if mode == "prompt" else answer.reply
        content: list[Content] = [ContentText(text=text)] if text else []
        if self.profile.reasoning:
            about = answer.calls[0].name if answer.calls else "a reply"
            thought = f"Simulated reasoning: after {len(situation.made)} calls in this turn comes {about}."
            content.insert(0, ContentReasoning(reasoning=thought))
        return ChatMessageAssistant(content=content, tool_calls=calls or None, model=self._name)

    @property
    def _name(self) -> str:
        return f"simulated/{self.profile.name}"

    def _output(
        self,
        replies: Sequence[ChatMessageAssistant],
        messages: Sequence[ChatMessage],
        tools: Sequence[ToolInfo],
    ) -> ModelOutput:
        return ModelOutput(
            model=self._name,
            choices=[ChatCompletionChoice(message=m, stop_reason=_stop_reason(m)) for m in replies],
            usage=usage_of(messages, tools, replies),
            metadata={"simulated": True, "profile": self.profile.name},
        )


def _stop_reason(message: ChatMessageAssistant) -> StopReason:
    return "tool_calls" if message.tool_calls else "stop"


def current_sample() -> Sample:
    """The sample that is being played.

    Raises:
        EndpointError: none of kate-eval's BFCL tasks is.
    """
    found = store().get(SAMPLE_KEY)
    known = isinstance(found, dict) and found.keys() >= {"benchmark", "entry", "epoch", "mode"}
    if not known or found["benchmark"] != "bfcl" or found["mode"] not in MODES:
        raise EndpointError(
            f"The simulated endpoint plays kate-eval's BFCL tasks only, but the sample says {found!r}. "
            "For instance: inspect eval kate_eval/bfcl --model simulated/default"
        )
    return Sample(str(found["entry"]), int(found["epoch"]), cast(Mode, found["mode"]))
