"""One GRPO run from rows to checkpoint, or on from where it was interrupted."""

import os
from functools import partial

from kate_eval.trainers.grpo.generation import choose_vllm
from kate_eval.trainers.grpo.parameters import GrpoParameters
from kate_eval.trainers.grpo.work import GrpoWork
from kate_eval.trainers.machine import Machine
from kate_eval.trainers.outcome import MakeWork, Outcome, train
from kate_eval.trainers.work import Say


def train_grpo(parameters: GrpoParameters, say: Say, restart: bool = False) -> Outcome:
    """Train, and save the checkpoint; arguments and errors are those of `outcome.train`."""
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

    def choose(machine: Machine) -> MakeWork:
        vllm = choose_vllm(parameters.generation, parameters.vllm_url, machine)
        return partial(GrpoWork, parameters, machine, vllm)

    return train(parameters, say, restart, choose)
