"""The policies that play a TRL trainer's rollouts: the model under training, sampled by transformers or vLLM.

TRL keeps vLLM's weights in step with the model's before it asks for rollouts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.rollout import Sampled


@dataclass(frozen=True)
class Sampling:
    """How answers are sampled; temperature 0: greedily."""

    temperature: float
    top_p: float = 1.0


class _TrainerPolicy:
    """What both share.

    Args:
        trainer: TRL's, with the model.
        renderer: whose tokens end an answer.
        sampling: of answers.
    """

    def __init__(self, trainer: Any, renderer: Renderer, sampling: Sampling) -> None:
        self._trainer = trainer
        self._renderer = renderer
        self._sampling = sampling

    def busy(self, live: bool) -> bool:
        """Whether any process still plays: weights or server may be shared by all."""
        if self._trainer.accelerator.num_processes == 1:
            return live
        from accelerate.utils import gather_object

        return any(gather_object([live]))

    def _answer(self, ids: Sequence[int], most: int, logprobs: Sequence[float] | None) -> Sampled:
        """What was sampled up to its end, or as far as it may go."""
        stop = next((place for place, one in enumerate(ids) if one in self._renderer.stop_ids), None)
        ended = stop is not None and stop < most
        size = stop + 1 if ended and stop is not None else min(len(ids), most)
        text = self._renderer.decode(ids[: size - ended])
        return Sampled(tuple(ids[:size]), text, ended, None if logprobs is None else tuple(logprobs[:size]))


class TransformersPolicy(_TrainerPolicy):
    """Samples by `generate`, some prompts at a time. It gives no logprobs: TRL needs none on policy.

    Args:
        trainer: TRL's.
        renderer: of its tokenizer.
        sampling: of answers.
        batch: prompts at a time.
    """

    def __init__(self, trainer: Any, renderer: Renderer, sampling: Sampling, batch: int) -> None:
        super().__init__(trainer, renderer, sampling)
        self._batch = batch

    def sample(self, prompts: Sequence[Sequence[int]], most: Sequence[int]) -> list[Sampled]:
        """One answer to each prompt; prompts of a like length are sampled together."""
        order = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
        answers: dict[int, Sampled] = {}
        for start in range(0, len(order), self._batch):
            numbers = order[start : start + self._batch]
            written = self._generate([prompts[n] for n in numbers], max(most[n] for n in numbers))
            answers |= {n: self._answer(ids, most[n], None) for n, ids in zip(numbers, written, strict=True)}
        return [answers[number] for number in range(len(prompts))]

    def _generate(self, prompts: Sequence[Sequence[int]], most: int) -> list[list[int]]:
        import torch
        from transformers import GenerationConfig
        from trl.models import unwrap_model_for_generation

        trainer, pad = self._trainer, self._renderer.tokenizer.pad_token_id
        longest = max(map(len, prompts))
        ids_B_T = torch.tensor([[pad] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
        mask_B_T = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
        options = self._options(most, pad)
        device = trainer.accelerator.device
        trained = trainer.model.training
        with (
            unwrap_model_for_generation(
                trainer.model_wrapped, trainer.accelerator, generation_kwargs=options
            ) as model,
            torch.no_grad(),
            trainer.accelerator.autocast(),
        ):
            model.eval()
            written_B_T = model.generate(
                input_ids=ids_B_T.to(device),
                attention_mask=mask_B_T.to(device),
                generation_config=GenerationConfig(**options, disable_compile=True),
            )
            model.train(trained)
        return [ids[longest:] for ids in written_B_T.tolist()]

    def _options(self, most: int, pad: int | None) -> dict[str, Any]:
        shared = {
            "max_new_tokens": most,
            "eos_token_id": sorted(self._renderer.stop_ids),
            "pad_token_id": pad,
            "use_cache": True,
        }
        if not self._sampling.temperature:
            return {**shared, "do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        drawn = {"temperature": self._sampling.temperature, "top_p": self._sampling.top_p, "top_k": 0}
        return {**shared, "do_sample": True, **drawn}


class VllmPolicy(_TrainerPolicy):
    """Samples by the trainer's vLLM, in this process or a server."""

    def sample(self, prompts: Sequence[Sequence[int]], most: Sequence[int]) -> list[Sampled]:
        """One answer to each prompt, all at once."""
        vllm = self._trainer.vllm_generation
        kept = vllm.temperature, vllm.top_p, vllm.max_completion_length
        vllm.temperature, vllm.top_p = self._sampling.temperature, self._sampling.top_p
        vllm.max_completion_length = max(most, default=1)
        try:
            _, ids, logprobs, _ = vllm.generate(
                prompts=[list(prompt) for prompt in prompts], images=None, num_generations=1
            )
        finally:
            vllm.temperature, vllm.top_p, vllm.max_completion_length = kept
        first = [[float("nan") if one[0] is None else one[0] for one in each] for each in logprobs]
        return [self._answer(i, m, p) for i, m, p in zip(ids, most, first, strict=True)]
