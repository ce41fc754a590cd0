"""What a GRPO run is made of."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from kate_eval.trainers.rewards import DEFAULT, REWARDS
from kate_eval.trainers.rollout import Bounds
from kate_eval.trainers.rollout.reading import Parser
from kate_eval.trainers.run_parameters import RunParameters

Generation = Literal["auto", "transformers", "colocate", "server"]
Shown = Literal["any", "with", "without"]
FULL_RATE, LORA_RATE = 1e-6, 1e-5


class GrpoParameters(RunParameters):
    """Parameters of `kate train grpo`; the defaults are the literature's, not tuned here."""

    NOT_IDENTITY: ClassVar[frozenset[str]] = RunParameters.NOT_IDENTITY | {
        *("log_mib", "at_once", "vllm_url", "vllm_memory")
    }

    rows: Path = Field(description="Folder of rows (kate train rows) to begin rollouts from.")
    reward: str = Field(
        DEFAULT,
        description=f"{', '.join(REWARDS)}. It says how far a rollout goes: a step, a turn, an episode.",
    )
    knowledge: Shown = Field(
        "any", description="Rows whose messages show knowledge: all as they are, or only."
    )
    learning_rate: float | None = Field(
        None, gt=0, description=f"Peak of the schedule. By default {FULL_RATE:g}, with --lora {LORA_RATE:g}."
    )
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = Field(
        "constant_with_warmup", description="Learning rate after the warm-up."
    )
    epochs: float = Field(1.0, gt=0, description="Times that each row begins a group of rollouts.")
    prompts: int = Field(8, gt=0, description="Rows of an optimizer step.")
    generations: int = Field(8, ge=2, description="Rollouts of each row: a group, compared among themselves.")
    batch_size: int = Field(1, gt=0, description="Rollouts that a device takes at a time, in the loss.")
    loss: Literal["dr_grpo", "grpo", "dapo", "bnpo"] = Field("dr_grpo", description="As TRL names it.")
    scale_rewards: Literal["none", "group", "batch"] = Field(
        "none", description="Whether advantages are divided by the rewards' deviation."
    )
    beta: float = Field(0.0, ge=0, description="Weight of the divergence from the base; 0: no reference.")
    epsilon: float = Field(0.2, gt=0, description="Lower clip of the ratio.")
    epsilon_high: float = Field(0.28, gt=0, description="Upper clip of the ratio.")
    mask_truncated: bool = Field(True, description="Leave rollouts that a bound cut off out of the loss.")
    temperature: float = Field(1.0, gt=0, description="Of sampling.")
    top_p: float = Field(1.0, gt=0, le=1, description="Of sampling.")
    max_answers: int = Field(30, gt=0, description="Answers of a rollout.")
    answer_tokens: int = Field(1024, gt=0, description="Tokens of an answer.")
    completion_tokens: int = Field(4096, gt=0, description="Tokens of a rollout's answers and observations.")
    context_tokens: int | None = Field(
        None, gt=0, description="Tokens of prompt and completion. By default the model's context."
    )
    parser: Parser = Field(
        "recovery", description="How calls are read from an answer: as our solvers do, or as vLLM's hermes."
    )
    at_once: int = Field(64, gt=0, description="Rollouts of a process that are under way at once.")
    generation: Generation = Field(
        "auto", description="What samples. auto: vLLM in this process (colocate) on a GPU, else transformers."
    )
    sample_batch: int = Field(16, gt=0, description="Prompts that transformers samples from at a time.")
    vllm_url: str | None = Field(None, description="With server: of `trl vllm-serve --model BASE`.")
    vllm_memory: float = Field(
        0.3, gt=0, lt=1, description="With colocate: vLLM's share of the GPU's memory."
    )
    eval_rows: int = Field(16, ge=0, description="Held-out rows played greedily at each evaluation.")
    eval_steps: int | None = Field(
        None, gt=0, description="Steps between evaluations. By default a fifth of them."
    )
    log_mib: int = Field(256, gt=0, description="Size of the log of rollouts; beyond it the oldest go.")
    seed: int = Field(0, ge=0, description="Of the order of rows, of sampling, and of the adapter.")

    @field_validator("reward")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in REWARDS:
            raise ValueError(f"no such reward; there are {', '.join(REWARDS)}")
        return name

    @property
    def rate(self) -> float:
        """The learning rate."""
        return self.learning_rate or (LORA_RATE if self.lora else FULL_RATE)

    def bounds(self, context: int | None) -> Bounds:
        """Of a rollout.

        Args:
            context: tokens that the model takes at most.
        """
        known = [tokens for tokens in (self.context_tokens, context) if tokens is not None]
        return Bounds(
            max_answers=self.max_answers,
            answer_tokens=self.answer_tokens,
            completion_tokens=self.completion_tokens,
            **({"context_tokens": min(known)} if known else {}),
        )
