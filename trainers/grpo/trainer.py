"""TRL's GRPOTrainer on our rollouts: prompts are row ids, and `rollout_func` plays the rows.

Source: trl 1.16, `trainer/grpo_trainer.py`. Its contract for `rollout_func`: it is given the prompts of
this process, each as often as there are generations, and gives a list for each of prompt_ids, completion_ids,
logprobs (or None for all), env_mask (1: sampled), and whatever else is handed on to the reward functions.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import datasets
import trl

from kate_eval.errors import TrainingError
from kate_eval.trainers.grpo.parameters import GrpoParameters
from kate_eval.trainers.grpo.policy import Sampling, TransformersPolicy, VllmPolicy
from kate_eval.trainers.machine import Machine
from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.rollout import Played, Player, Policy
from kate_eval.trainers.rollout.log import Kind, RolloutLog
from kate_eval.trainers.row import Row
from kate_eval.trainers.watch import not_finite

REWARD = "rollout_reward"
"""Key under which rollouts hand their rewards to the reward function."""
_NAMED = 20
"""Rows that a message names at most."""
MakePolicy = Callable[[Any, Sampling], Policy]


class RolloutTrainer(trl.GRPOTrainer):  # type: ignore[misc]
    """A GRPOTrainer that plays rows in their environments.

    Args:
        rows: that begin rollouts to learn from.
        asked: held-out rows, played greedily at each evaluation.
        player: of the rollouts.
        log: of the rollouts.
        parameters: of the run.
        make_policy: what samples, for this trainer.
        options: of trl.GRPOTrainer.
    """

    def __init__(
        self,
        *,
        rows: Sequence[Row],
        asked: Sequence[Row],
        player: Player,
        log: RolloutLog,
        parameters: GrpoParameters,
        make_policy: MakePolicy,
        **options: Any,
    ) -> None:
        self._rows = {row.id: row for row in rows}
        self._asked = asked
        self._player = player
        self._log = log
        self._parameters = parameters
        self._make_policy = make_policy
        self._batch: list[str] = []
        self._counts: dict[str, float] = {}

        def reward(
            rollout_reward: list[float], log_metric: Callable[[str, float], None], **others: Any
        ) -> list[float]:
            for name, value in self._counts.items():
                log_metric(f"rollouts/{name}", value)
            return rollout_reward

        reward.__name__ = player.rule.name
        super().__init__(
            reward_funcs=[reward],
            train_dataset=_prompts([row.id for row in rows]),
            eval_dataset=_prompts([row.id for row in asked]) if asked else None,
            rollout_func=_learn,
            **options,
        )

    def play_to_learn(self, prompts: Sequence[str]) -> dict[str, Any]:
        """The rollouts of a generation batch, as TRL wants them."""
        rows = [self._rows[prompt] for prompt in prompts]
        self._batch = list(dict.fromkeys(prompts))
        sampling = Sampling(self._parameters.temperature, self._parameters.top_p)
        step = self.state.global_step + 1
        played = self._play("train", step, rows, sampling)
        self._counts = _counts(played)
        return as_batch(played, step, self._parameters.mask_truncated)

    def _play(self, kind: Kind, step: int, rows: Sequence[Row], sampling: Sampling) -> list[Played]:
        played = anyio.run(self._player.play, rows, self._make_policy(self, sampling))
        self._log.write(step, kind, rows, played)
        return played

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The loss of a batch.

        Raises:
            TrainingError: it is no number; names the rows of its rollouts.
        """
        import torch

        loss = super().compute_loss(model, inputs, *args, **kwargs)
        if not torch.isfinite(loss.detach()):
            raise TrainingError(self.no_numbers("loss", float(loss)))
        return loss

    def no_numbers(self, name: str, value: float = math.nan) -> str:
        """What is said of a number of the step under way that is none."""
        return not_finite(name, value, self.state.global_step + 1, self.batch_named())

    def batch_named(self) -> str:
        """The rows of the last rollouts, in words."""
        more = f" and {len(self._batch) - _NAMED} more" if len(self._batch) > _NAMED else ""
        return f"rollouts of the rows {', '.join(self._batch[:_NAMED])}{more}"

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The mean reward of greedy rollouts from held-out rows; each process plays a part of them."""
        import torch

        mine = self._asked[self.accelerator.process_index :: self.accelerator.num_processes]
        trained = self.model.training
        self.model.eval()
        self._refresh()
        played = self._play("eval", self.state.global_step, mine, Sampling(0.0))
        self.model.train(trained)
        sums = torch.tensor(
            [sum(p.reward.value for p in played), sum(bool(p.truncated) for p in played), len(played)],
            device=self.accelerator.device,
            dtype=torch.float32,
        )
        reward, truncated, count = self.accelerator.reduce(sums, "sum").tolist()
        found = {"eval_reward": reward / count, "eval_truncated": truncated / count, "eval_reward_n": count}
        self.log(found)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def _refresh(self) -> None:
        """TRL brings vLLM's weights up to date before it learns; before it evaluates we do."""
        if self.use_vllm:
            self.vllm_generation.sync_weights()


def _learn(prompts: list[str], trainer: RolloutTrainer) -> dict[str, Any]:
    return trainer.play_to_learn(prompts)


def _prompts(ids: Sequence[str]) -> Any:
    return datasets.Dataset.from_dict({"prompt": list(ids)})


def as_batch(played: Sequence[Played], step: int, mask_truncated: bool) -> dict[str, Any]:
    """Rollouts as TRL takes them: one sequence each.

    Args:
        played: the rollouts.
        step: optimizer step; with the place it decides which of several segments is learnt from.
        mask_truncated: leave those that a bound cut off out of the loss. They count in their group's mean.
    """
    chosen = [one.segment(f"{step}/{place}") for place, one in enumerate(played)]
    masks = [
        [0] * len(segment.mask) if mask_truncated and one.truncated else segment.mask
        for one, segment in zip(played, chosen, strict=True)
    ]
    logprobs = [segment.logprobs for segment in chosen]
    return {
        "prompt_ids": [segment.prompt_ids for segment in chosen],
        "completion_ids": [segment.completion_ids for segment in chosen],
        "env_mask": masks,
        "logprobs": None if None in logprobs else logprobs,
        REWARD: [one.reward.value for one in played],
    }


def _counts(played: Sequence[Played]) -> dict[str, float]:
    """What the curves show of rollouts besides their reward."""
    whole = len(played)
    return {
        "answers": sum(one.steps for one in played) / whole,
        "calls": sum(len(one.findings.calls) for one in played) / whole,
        "tokens": sum(sum(map(sum, (s.mask for s in one.segments))) for one in played) / whole,
        "truncated": sum(bool(one.truncated) for one in played) / whole,
        "unreadable": sum(one.findings.unreadable for one in played) / whole,
        "segments": sum(len(one.segments) for one in played) / whole,
    }


def steps_of(parameters: GrpoParameters, rows: int) -> int:
    """Optimizer steps of the whole run."""
    whole = math.ceil(rows // parameters.prompts * parameters.epochs)
    return min(whole, parameters.max_steps or whole)


def policy_maker(parameters: GrpoParameters, renderer: Renderer, vllm: bool) -> MakePolicy:
    """What samples for a trainer."""

    def make(trainer: Any, sampling: Sampling) -> Policy:
        if vllm:
            return VllmPolicy(trainer, renderer, sampling)
        return TransformersPolicy(trainer, renderer, sampling, parameters.sample_batch)

    return make


def arguments(
    parameters: GrpoParameters,
    machine: Machine,
    renderer: Renderer,
    folder: Path,
    steps: int,
    processes: int,
    vllm: str | None,
) -> Any:
    """TRL's configuration.

    Args:
        parameters: of the run.
        machine: what it computes on.
        renderer: whose tokens end an answer.
        folder: of the run.
        steps: of the whole run.
        processes: of the whole run.
        vllm: how vLLM is run (colocate, server); None: it isn't.

    Raises:
        TrainingError: the rollouts of a step can't be shared out.
    """
    p = parameters
    return trl.GRPOConfig(
        output_dir=str(folder),
        per_device_train_batch_size=p.batch_size,
        gradient_accumulation_steps=_accumulation(p, processes),
        **_optimizer(p),
        **_breaks(p, steps),
        **_loss(p),
        **_vllm(p, renderer, vllm),
        num_generations=p.generations,
        num_generations_eval=1,
        max_completion_length=p.completion_tokens,
        temperature=p.temperature,
        top_p=p.top_p,
        logging_steps=1,
        logging_nan_inf_filter=False,
        seed=p.seed,
        data_seed=p.seed,
        bf16=machine.bf16,
        use_cpu=not machine.cuda,
        gradient_checkpointing=machine.cuda if p.checkpointing is None else p.checkpointing,
        report_to="tensorboard",
        disable_tqdm=True,
    )


def _accumulation(p: GrpoParameters, processes: int) -> int:
    """Batches of an optimizer step."""
    accumulation, rest = divmod(p.prompts * p.generations, p.batch_size * processes)
    if rest or not accumulation:
        raise TrainingError(
            f"{p.prompts} prompts x {p.generations} generations can't be shared out among {processes} "
            f"processes, {p.batch_size} at a time: choose --prompts, --generations and --batch-size so that "
            "the one is a multiple of the other"
        )
    return accumulation


def _loss(p: GrpoParameters) -> dict[str, Any]:
    return {
        "loss_type": p.loss,
        "scale_rewards": p.scale_rewards,
        "beta": p.beta,
        "epsilon": p.epsilon,
        "epsilon_high": p.epsilon_high,
        # Ours masks rollouts that a bound cut off: TRL goes by the last token, and knows no bound of answers.
        "mask_truncated_completions": False,
    }


def _vllm(p: GrpoParameters, renderer: Renderer, vllm: str | None) -> dict[str, Any]:
    return {
        "use_vllm": vllm is not None,
        "vllm_mode": vllm or "colocate",
        "vllm_server_base_url": p.vllm_url if vllm == "server" else None,
        "vllm_gpu_memory_utilization": p.vllm_memory,
        "vllm_max_model_length": p.context_tokens,
        "generation_kwargs": {"stop_token_ids": sorted(renderer.stop_ids)} if vllm else None,
    }


def _optimizer(p: GrpoParameters) -> dict[str, Any]:
    return {
        "learning_rate": p.rate,
        "lr_scheduler_type": p.schedule,
        "warmup_steps": p.warmup,
        "weight_decay": p.weight_decay,
        "max_grad_norm": p.max_grad_norm,
        "num_train_epochs": p.epochs,
        "max_steps": p.max_steps or -1,
    }


def _breaks(p: GrpoParameters, steps: int) -> dict[str, Any]:
    """When it is evaluated and saved."""
    every = p.eval_steps or max(1, steps // 5)
    return {
        "eval_strategy": "steps" if p.eval_rows else "no",
        "eval_steps": every,
        "eval_on_start": bool(p.eval_rows),
        "save_steps": p.save_steps or every,
        "save_total_limit": p.keep,
    }
