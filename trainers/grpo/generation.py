"""What samples the rollouts of a run: chosen, and refused where this machine or environment can't."""

import importlib.util

from kate_eval.errors import TrainingError
from kate_eval.trainers.grpo.parameters import Generation
from kate_eval.trainers.machine import Machine


def choose_vllm(generation: Generation, url: str | None, machine: Machine) -> str | None:
    """How vLLM is to sample ("colocate", "server"); None: transformers samples.

    Args:
        generation: as the user said.
        url: of a vLLM server, likewise.
        machine: what the run computes on.

    Raises:
        TrainingError: it needs a GPU, a package or a server that is not there.
    """
    installed = importlib.util.find_spec("vllm") is not None
    if url is not None and generation not in ("auto", "server"):
        raise TrainingError(f"--vllm-url is for --generation server, not {generation}")
    if generation == "transformers" or (
        generation == "auto" and url is None and not _fits(machine, installed)
    ):
        return None
    if not machine.cuda:
        raise TrainingError(
            f"--generation {generation} needs an NVIDIA GPU, to hand weights to vLLM, and this run computes "
            f"on {machine.name}. Take --generation transformers, or run it on a machine with a GPU"
        )
    if not installed:
        raise TrainingError(
            f"--generation {generation} needs the package vllm in the trainers' environment: install the "
            "version that TRL supports there (pip install 'trl[vllm]'), or take --generation transformers"
        )
    if generation == "server" and url is None:
        raise TrainingError(
            "--generation server needs --vllm-url: start `trl vllm-serve --model BASE` and give its address"
        )
    return "server" if url is not None else "colocate"


def _fits(machine: Machine, installed: bool) -> bool:
    return machine.cuda and installed
