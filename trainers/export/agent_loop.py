"""verl's agent loop that plays our rollouts: environment, rewards and rendering as in `kate train grpo`.

Runs in verl's environment, inside its workers; nothing else of ours imports it. Interface: verl 0.9
(`AgentLoopBase.run`), whose server client returns the sampled ids and their logprobs.
"""

import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopOutput

from kate_eval.trainers.base_model import stop_ids
from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.rewards import find_reward
from kate_eval.trainers.rollout import Bounds, Played, Rollout, Sampled, open_start
from kate_eval.trainers.rollout.reading import Parser
from kate_eval.trainers.row import Row


class KateAgentLoop(AgentLoopBase):  # type: ignore[misc]
    """One rollout in the real environment.

    Args:
        bounds: of the rollout, in tokens.
        parser: of calls in an answer's text.
        options: verl's.
    """

    def __init__(self, *, bounds: Mapping[str, int], parser: Parser, **options: Any) -> None:
        super().__init__(**options)
        self._bounds = Bounds(**bounds)
        self._parser: Parser = parser
        base = str(self.config.actor_rollout_ref.model.path)
        kwargs = dict(self.apply_chat_template_kwargs)
        self._renderer = Renderer(self.tokenizer, kwargs, stop_ids(base))

    async def run(self, sampling_params: dict[str, Any], **fields: Any) -> AgentLoopOutput:
        """Play a row.

        Args:
            sampling_params: of each answer.
            fields: of the dataset; extra_info holds the row.

        Raises:
            TrainingError: the environment or the reward failed: that is no reward of zero.
        """
        told = fields["extra_info"]
        row = Row.model_validate_json(told["row"])
        rule = find_reward(told["reward"])
        follow_ups = {int(turn): said for turn, said in json.loads(told["follow_ups"]).items()}
        start = await open_start(row, rule.level, self._bounds, follow_ups)
        rollout = Rollout(start, self._renderer, self._bounds, self._parser)
        request, seconds = uuid4().hex, 0.0
        try:
            while not rollout.over:
                began = time.monotonic()
                answer = await self._sample(request, rollout, sampling_params)
                seconds += time.monotonic() - began
                await rollout.take(answer)
            played = await rollout.finish(rule)
        finally:
            await rollout.close()
        return self._output(played, request, seconds)

    async def _sample(self, request: str, rollout: Rollout, sampling: Mapping[str, Any]) -> Sampled:
        """The next answer. One request id a rollout: its steps go to the server that has their prefix."""
        found = await self.server_manager.generate(
            request_id=request,
            prompt_ids=rollout.ids,
            sampling_params={**sampling, "max_tokens": rollout.room},
        )
        ids = tuple(found.token_ids)
        ended = bool(ids) and ids[-1] in self._renderer.stop_ids
        text = self._renderer.decode(ids[: len(ids) - ended])
        return Sampled(ids, text, ended, tuple(found.log_probs) if found.log_probs else None)

    def _output(self, played: Played, request: str, seconds: float) -> AgentLoopOutput:
        chosen = played.segment(request)
        most = self.rollout_config.response_length
        logprobs = None if chosen.logprobs is None else chosen.logprobs[:most]
        return AgentLoopOutput(
            prompt_ids=chosen.prompt_ids,
            response_ids=chosen.completion_ids[:most],
            response_mask=chosen.mask[:most],
            response_logprobs=logprobs,
            reward_score=played.reward.value,
            num_turns=played.steps,
            metrics={"generate_sequences": seconds},
            extra_fields={
                "truncated": played.truncated,
                **{f"reward_{k}": v for k, v in played.reward.parts.items()},
            },
        )
