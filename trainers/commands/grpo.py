"""`kate train grpo`."""

from pathlib import Path
from typing import Any

import click

from kate_eval.trainers.commands.fields import field_options
from kate_eval.trainers.commands.terminal import say
from kate_eval.trainers.commands.training import prepared, told
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
    parameters = prepared(GrpoParameters, configs, given)
    from kate_eval.trainers.grpo.lesson import doubts
    from kate_eval.trainers.grpo.train import train_grpo

    output = parameters.output
    card = told(train_grpo(parameters, say, restart), output, f" Its rollouts: kate train rollouts {output}")
    for doubt in doubts(card.curves, parameters.reward, parameters.mask_truncated):
        say(f"NOTE: {doubt}.")
