"""What an export to verl is made of."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kate_eval.trainers.rewards import DEFAULT, REWARDS
from kate_eval.trainers.rollout import Bounds
from kate_eval.trainers.rollout.reading import Parser

OWN = r"\..*\.partial|(train|held_out)\.parquet|agent_loop\.yaml|overrides\.txt|launch\.sh|export\.json"
"""Names of the files that an export writes."""


class ExportParameters(BaseModel):
    """Parameters of `kate train export`. Lengths are in tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: Path = Field(description="Folder of rows (kate train rows) to begin rollouts from.")
    output: Path = Field(description="Folder for data, configuration and launch scripts.")
    base: str = Field(description="Model to train: a hub name, or a folder that every node has.")
    engine: Literal["verl"] = Field(default="verl", description="Whose format.")
    reward: str = Field(
        default=DEFAULT,
        description=f"{', '.join(REWARDS)}. It says how far a rollout goes: a step, a turn, an episode.",
    )
    knowledge: Literal["any", "with", "without"] = Field(
        default="any", description="Rows whose messages show knowledge: all as they are, or only."
    )
    lora_rank: int = Field(default=0, ge=0, description="Rank of the adapter; 0: all weights.")
    learning_rate: float | None = Field(
        default=None, gt=0, description="By default 1e-06, with an adapter 1e-05."
    )
    epochs: int = Field(default=1, gt=0, description="Times that each row begins a group of rollouts.")
    prompts: int = Field(default=64, gt=0, description="Rows of an optimizer step.")
    generations: int = Field(default=8, ge=2, description="Rollouts of each row.")
    max_answers: int = Field(default=30, gt=0, description="Answers of a rollout.")
    answer_tokens: int = Field(default=1024, gt=0, description="Of an answer.")
    completion_tokens: int = Field(default=4096, gt=0, description="Of a rollout's answers and observations.")
    context_tokens: int = Field(default=32768, gt=0, description="Of prompt and completion.")
    parser: Parser = Field(
        default="recovery",
        description="How calls are read from an answer: as our solvers do, or as vLLM's hermes.",
    )
    gpus: int = Field(default=8, gt=0, description="Of a node.")
    nodes: int = Field(default=1, gt=0, description="Of the cluster that launch.sh is for.")
    tensor_parallel: int = Field(default=1, gt=0, description="GPUs that vLLM splits the model over.")

    @field_validator("reward")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in REWARDS:
            raise ValueError(f"no such reward; there are {', '.join(REWARDS)}")
        return name

    @property
    def rate(self) -> float:
        """The learning rate."""
        return self.learning_rate or (1e-5 if self.lora_rank else 1e-6)

    @property
    def bounds(self) -> Bounds:
        """Of a rollout."""
        return Bounds(
            max_answers=self.max_answers,
            answer_tokens=self.answer_tokens,
            completion_tokens=self.completion_tokens,
            context_tokens=self.context_tokens,
        )
