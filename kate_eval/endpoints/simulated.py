"""The simulated endpoint as an Inspect model provider: `--model simulated/default`.

No language model is behind it. It plays kate-eval's tasks from their gold answers with given skill, to
exercise, test and load the harness; its scores say nothing about any real model. Asked to write a text
(writer.py), it answers with one that says it is simulated. It imports neither solvers nor knowledge: what it
gains from them, it gains through the prompts and votes they really make.

Model arguments (-M): latency (seconds per request), seed, choices (false: like providers that ignore
num_choices), prefix_cache (true: its usage tells what of a prompt the sample sent before). Profiles:
profiles.py.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

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

from kate_eval.appworld.places import BENCHMARKS
from kate_eval.endpoints.appworld.player import AppWorldPlayer
from kate_eval.endpoints.bfcl.player import BfclPlayer
from kate_eval.endpoints.candidates import critic_request
from kate_eval.endpoints.player import Player, Said
from kate_eval.endpoints.profiles import profile_named
from kate_eval.endpoints.usage import PrefixCache, usage_of
from kate_eval.endpoints.writer import written
from kate_eval.episode import SAMPLE_KEY
from kate_eval.errors import ConfigurationError, EndpointError, unknown

PLAYERS: dict[str, Callable[[str, str, str], Player]] = {
    "bfcl": BfclPlayer,
    **dict.fromkeys(BENCHMARKS.values(), AppWorldPlayer),
}
"""Benchmark -> what plays it, made from benchmark, entry and mode."""


@dataclass(frozen=True)
class Sample:
    """Which entry is being played; the only thing the endpoint is told beside the request."""

    benchmark: str
    entry: str
    epoch: int
    mode: str


@dataclass
class Attempt:
    """What a sample attempt asked so far: answers drawn per step, and prompts sent."""

    drawn: Counter[tuple[Hashable, ...]] = field(default_factory=Counter)
    sent: PrefixCache = field(default_factory=PrefixCache)


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
        prefix_cache: bool = False,
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
            prefix_cache: whether usage tells of a prefix cache, which holds what the sample sent before.
            unexpected: refused.

        Raises:
            ConfigurationError: unknown profile or argument, or a negative latency.
        """
        super().__init__(model_name, base_url, api_key, [], config)
        if unexpected:
            known = ("latency", "seed", "choices", "prefix_cache")
            raise unknown("simulated model argument", next(iter(unexpected)), known)
        if latency < 0:
            raise ConfigurationError(f"The simulated latency must be 0 or more seconds, not {latency}.")
        self.profile = profile_named(model_name)
        self.latency = latency
        self.seed = seed
        self.choices = choices
        self.prefix_cache = prefix_cache
        self._attempts: dict[int, Attempt] = {}

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
        text = written(messages, tools, config)
        if text is not None:
            return self._output([ChatMessageAssistant(content=text)], messages, tools)
        sample = current_sample()
        player = PLAYERS[sample.benchmark](sample.benchmark, sample.entry, sample.mode)
        seed = f"{self.seed}|{sample.entry}|{sample.epoch}"
        request = critic_request(messages, player.results)
        if request:
            text = player.verdict(request, messages, self.profile, seed, config.seed)
            return self._output([ChatMessageAssistant(content=text)], messages, tools)
        moment = player.moment(messages, tools)
        choices = self._choices((sample.entry, sample.epoch, *moment.key), config)
        found = moment.say(self.profile, seed, choices, f"sim_{len(messages)}")
        return self._output([self._message(said) for said in found], messages, tools)

    def _choices(self, step: tuple[Hashable, ...], config: GenerateConfig) -> list[int]:
        """The indexes of the draws to return. Greedy decoding always returns the first."""
        count = (config.num_choices or 1) if self.choices else 1
        if config.temperature == 0:
            return [0] * count
        if config.seed is not None:
            return list(range(config.seed, config.seed + count))
        counter = self._attempt().drawn
        start = counter[step]
        counter[step] += count
        return list(range(start, start + count))

    def _attempt(self) -> Attempt:
        """What is known of the running sample attempt (which owns the store)."""
        current = store()
        key = id(current)
        if key not in self._attempts:
            self._attempts[key] = Attempt()
            weakref.finalize(current, self._attempts.pop, key, None)
        return self._attempts[key]

    def _message(self, said: Said) -> ChatMessageAssistant:
        content: list[Content] = [ContentText(text=said.text)] if said.text else []
        if self.profile.reasoning:
            content.insert(0, ContentReasoning(reasoning=said.thought))
        return ChatMessageAssistant(content=content, tool_calls=list(said.calls) or None, model=self._name)

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
            usage=usage_of(messages, tools, replies, self._attempt().sent if self.prefix_cache else None),
            metadata={"simulated": True, "profile": self.profile.name},
        )


def _stop_reason(message: ChatMessageAssistant) -> StopReason:
    return "tool_calls" if message.tool_calls else "stop"


def current_sample() -> Sample:
    """The sample that is being played.

    Raises:
        EndpointError: none of kate-eval's tasks is.
    """
    found = store().get(SAMPLE_KEY)
    known = isinstance(found, dict) and found.keys() >= {"benchmark", "entry", "epoch", "mode"}
    if not known or found["benchmark"] not in PLAYERS:
        raise EndpointError(
            f"The simulated endpoint plays kate-eval's tasks only ({', '.join(PLAYERS)}), but the sample "
            f"says {found!r}. For instance: inspect eval kate_eval/bfcl --model simulated/default"
        )
    return Sample(str(found["benchmark"]), str(found["entry"]), int(found["epoch"]), str(found["mode"]))
