"""The parts of a GRPO run: rows to begin from, the player, TRL's trainer, what its card says."""

import os
from typing import Any

from kate_eval.errors import TrainingError
from kate_eval.trainers import processes
from kate_eval.trainers.base_model import context
from kate_eval.trainers.grpo.parameters import GrpoParameters
from kate_eval.trainers.grpo.starts import Starts, choose_starts, require_starts
from kate_eval.trainers.machine import Machine
from kate_eval.trainers.rewards import find_reward
from kate_eval.trainers.rollout import Player
from kate_eval.trainers.rollout.log import RolloutLog
from kate_eval.trainers.rows.folder import RowsFolder
from kate_eval.trainers.run import Run
from kate_eval.trainers.stopping import StopRequest
from kate_eval.trainers.work import Ending, Say, Work

PANELS = {
    "reward": ("reward", "eval_reward"),
    "spread in groups": ("reward_std", "frac_reward_zero_std"),
    "tokens sampled": ("rollouts/tokens",),
    "loss": ("loss",),
}


class GrpoWork(Work[GrpoParameters]):
    """The parts of a GRPO run."""

    learnt: Starts
    held_out: Starts

    def __init__(
        self,
        parameters: GrpoParameters,
        machine: Machine,
        vllm: str | None,
        rows: RowsFolder,
        run: Run,
        say: Say,
    ) -> None:
        super().__init__(parameters, machine, rows, run, say)
        self.vllm = vllm
        self.rule = find_reward(parameters.reward)

    def _made(self, model: Any, stop: StopRequest) -> Any:
        p = self.parameters
        self.say(
            f"{p.base}: {model.num_parameters():,} parameters, {self.machine.weights}, {self.machine.name}; "
            f"sampled by {self._sampler}"
        )
        return self._watched(self._trainer(model, self._player(context(model))), stop)

    @property
    def _sampler(self) -> str:
        return f"vLLM, {self.vllm}" if self.vllm else "transformers"

    def _player(self, context: int | None) -> Player:
        """What plays the rows that are chosen here."""
        p, level = self.parameters, self.rule.level
        bounds = p.bounds(context)
        self.learnt = choose_starts(self.rows.train, level, p.knowledge, self.renderer, bounds)
        require_starts(self.learnt, level)
        held_out = choose_starts(self.rows.held_out, level, p.knowledge, self.renderer, bounds)
        self.held_out = held_out.thinned(p.eval_rows)
        self.say(f"To learn: {self.learnt}. Held out: {self.held_out}.")
        follow_ups = {**self.learnt.follow_ups, **self.held_out.follow_ups}
        return Player(self.rule, self.renderer, bounds, p.parser, follow_ups, p.at_once)

    def _trainer(self, model: Any, player: Player) -> Any:
        from kate_eval.trainers.grpo import trainer as trl_side

        p = self.parameters
        if len(self.learnt.rows) < p.prompts:
            raise TrainingError(
                f"{len(self.learnt.rows)} rows can begin rollouts, and a step takes {p.prompts}: "
                "lower --prompts, or give more rows"
            )
        steps = trl_side.steps_of(p, len(self.learnt.rows))
        config = trl_side.arguments(
            p, self.machine, self.renderer, self.run.folder, steps, processes.count(), self.vllm
        )
        self._evaluate_where(config, bool(self.held_out.rows))
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(self.run.folder / "tensorboard")
        return trl_side.RolloutTrainer(
            rows=self.learnt.rows,
            asked=self.held_out.rows,
            player=player,
            log=RolloutLog(self.run.folder, p.log_mib, processes.rank()),
            parameters=p,
            make_policy=trl_side.policy_maker(p, self.renderer, self.vllm is not None),
            model=model,
            args=config,
            processing_class=self.renderer.tokenizer,
            peft_config=self._new_adapter(),
        )

    def ending(self) -> Ending:
        """What the card says of it."""
        return Ending(
            trainer="grpo",
            panels=PANELS,
            evaluated=("reward", "truncated", "reward_n"),
            held_out=bool(self.held_out.rows),
            used=self.learnt.described(),
            config={"learning_rate": self.parameters.rate},
            hardware={"sampled_by": self._sampler},
        )
