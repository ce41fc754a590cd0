"""What a run is told, and what it refuses before anything is loaded."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from kate_eval.errors import ConfigurationError, TrainingError
from kate_eval.trainers.grpo.generation import choose_vllm
from kate_eval.trainers.grpo.parameters import Generation, GrpoParameters
from kate_eval.trainers.machine import Machine
from kate_eval.trainers.parameters import read_parameters
from kate_eval.trainers.sft.parameters import SftParameters

GIVEN = {"rows": Path("rows"), "base": "base", "output": Path("out")}
CPU = Machine(cuda=False, bf16=False, weights="float32", attention=None, name="CPU, 1 threads")
GPU = Machine(cuda=True, bf16=True, weights="bfloat16", attention=None, name="H100")


def made(**given: Any) -> GrpoParameters:
    """Parameters as the command reads them."""
    return read_parameters(GrpoParameters, [], {**GIVEN, **given})


def test_the_defaults_are_the_literature_s() -> None:
    p = made()
    assert (p.reward, p.loss, p.scale_rewards, p.generations) == ("turn_state", "dr_grpo", "none", 8)
    assert (p.beta, p.epsilon_high, p.mask_truncated) == (0.0, 0.28, True)
    assert (p.rate, made(lora=True).rate, made(lora=True, learning_rate=1.0).rate) == (1e-6, 1e-5, 1.0)


def test_an_unknown_reward_lists_them() -> None:
    with pytest.raises(ConfigurationError, match="step_exact, step_partial, turn_state, episode"):
        made(reward="mine")


def test_the_context_is_the_smaller_one() -> None:
    contexts = [
        made(context_tokens=c).bounds(m).context_tokens for c, m in ((None, 9), (5, 9), (9, 5), (5, None))
    ]
    assert contexts == [9, 5, 5, 5]


def test_where_a_run_goes_is_no_part_of_what_it_is() -> None:
    assert made().identity() == made(output=Path("other"), at_once=2, log_mib=1).identity()
    assert made().identity() != made(reward="episode").identity()


def test_without_a_gpu_transformers_samples() -> None:
    assert choose_vllm("auto", None, CPU) is None
    assert choose_vllm("transformers", None, GPU) is None


@pytest.mark.parametrize(
    ("generation", "url"), [("colocate", None), ("server", "http://host"), ("auto", "http://host")]
)
def test_vllm_without_a_gpu_is_refused(generation: Generation, url: str | None) -> None:
    with pytest.raises(
        TrainingError, match=r"needs an NVIDIA GPU.*CPU, 1 threads.*--generation transformers"
    ):
        choose_vllm(generation, url, CPU)


def test_vllm_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=r"needs the package vllm"):
        choose_vllm("colocate", None, GPU)
    assert choose_vllm("auto", None, GPU) is None


def test_vllm_in_this_process_or_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert choose_vllm("auto", None, GPU) == "colocate"
    assert choose_vllm("auto", "http://host", GPU) == choose_vllm("server", "http://host", GPU) == "server"
    with pytest.raises(TrainingError, match="needs --vllm-url"):
        choose_vllm("server", None, GPU)
    with pytest.raises(TrainingError, match="not colocate"):
        choose_vllm("colocate", "http://host", GPU)


@pytest.mark.parametrize("model", [GrpoParameters, SftParameters])
@pytest.mark.parametrize("name", ["epochs", "learning_rate"])
def test_no_number_is_without_end(model: type[BaseModel], name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}: Input should be a finite number"):
        read_parameters(model, [], {**GIVEN, name: float("inf")})
