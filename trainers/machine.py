"""What a training run computes on: device, precision and attention, checked before anything is loaded."""

import importlib.util
from dataclasses import dataclass
from typing import Any

from kate_eval.errors import TrainingError

FLASH = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}
"""Attention that runs on GPUs only -> the package that has it."""


@dataclass(frozen=True)
class Machine:
    """Where and how it computes.

    Attributes:
        cuda: on a GPU, else on the CPU.
        bf16: computation in bfloat16, else float32.
        weights: name of the weights' type in torch.
        attention: as transformers names it; None: the model's own.
        name: for people and the card.
    """

    cuda: bool
    bf16: bool
    weights: str
    attention: str | None
    name: str


def choose_machine(device: str, precision: str, weights: str, attention: str, all_weights: bool) -> Machine:
    """Choose what is left to "auto", and refuse what this machine can't do.

    Args:
        device: auto, cpu or cuda.
        precision: auto, fp32 or bf16.
        weights: likewise.
        attention: auto, or as transformers names it.
        all_weights: whether all are trained.

    Raises:
        TrainingError: it needs a GPU that is not there, or a package.
    """
    import torch

    there = torch.cuda.is_available()
    cuda = there and device != "cpu"
    if device == "cuda" and not there:
        raise _no_gpu("device cuda", "--device cpu")
    if precision == "bf16" and not cuda:
        raise _no_gpu("precision bf16", "--precision fp32")
    if attention in FLASH:
        if not cuda:
            raise _no_gpu(f"attention {attention}", "--attention sdpa")
        if importlib.util.find_spec(FLASH[attention]) is None:
            raise TrainingError(
                f"attention {attention} needs the package {FLASH[attention]}, which is not installed here: "
                "install it into the trainers' environment, or take --attention sdpa"
            )
    bf16 = precision == "bf16" or (precision == "auto" and cuda and torch.cuda.is_bf16_supported())
    half = weights == "bf16" or (weights == "auto" and bf16 and not all_weights)
    return Machine(
        cuda=cuda,
        bf16=bf16,
        weights="bfloat16" if half else "float32",
        attention=None if attention == "auto" else attention,
        name=torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads",
    )


def _no_gpu(what: str, instead: str) -> TrainingError:
    import torch

    build = "" if torch.version.cuda else " (and this environment has torch's CPU build)"
    return TrainingError(
        f"{what} needs an NVIDIA GPU, and torch sees none here{build}. Run it on a machine with one "
        f"(nvidia-smi shows it; then kate train setup), or take {instead}"
    )


def peak_memory(machine: Machine) -> int:
    """The most memory that was in use, in MiB: the GPU's, or this process's."""
    if machine.cuda:
        import torch

        return int(torch.cuda.max_memory_allocated() / 2**20)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def as_dtype(name: str) -> Any:
    """The type of this name in torch."""
    import torch

    return getattr(torch, name)
