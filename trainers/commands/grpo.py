"""`kate train grpo`."""

import sys
from pathlib import Path
from typing import Any

import click

from kate_eval.trainers.commands.fields import field_options
from kate_eval.trainers.commands.sft import INTERRUPTED
from kate_eval.trainers.commands.terminal import say
from kate_eval.trainers.grpo.parameters import GrpoParameters


@click.command()
@click.option("--restart", is_flag=True, help="Begin anew where an interrupted run could go on.")
@field_options(GrpoParameters)
def grpo(configs: tuple[Path, ...], restart: bool, **given: Any) -> None:
    """Train a model by reinforcement, on rollouts from rows in the real environments.

    An interrupted run goes on when the same command is given again. kate train rollouts shows what was
    played. For many GPUs, from the environment that kate train setup makes: accelerate launch -m
    kate_eval.trainers grpo --config FILE
    """
    from kate_eval.trainers.environment import require
    from kate_eval.trainers.inputs import check_inputs
    from kate_eval.trainers.parameters import read_parameters

    parameters = read_parameters(GrpoParameters, configs, given)
    check_inputs(parameters)
    require(say)
    from kate_eval.trainers.grpo.lesson import doubts
    from kate_eval.trainers.grpo.train import train_grpo

    outcome = train_grpo(parameters, say, restart)
    if outcome.card is None:
        say(f"Stopped after step {outcome.step} of {outcome.steps}. The same command goes on from there.")
        sys.exit(INTERRUPTED)
    say(
        f"Saved {parameters.output}: {outcome.steps} steps, {outcome.card.kind} weights. Its card: "
        f"card.json. Its rollouts: kate train rollouts {parameters.output}"
    )
    for name, value in outcome.card.evaluation.items():
        say(f"  held out, {name}: {value:.4g}")
    for doubt in doubts(outcome.card.curves, parameters.reward, parameters.mask_truncated):
        say(f"NOTE: {doubt}.")
