"""`kate train sft`."""

import sys
from pathlib import Path
from typing import Any

import click

from kate_eval.trainers.commands.fields import field_options
from kate_eval.trainers.commands.terminal import say
from kate_eval.trainers.sft.parameters import SftParameters

INTERRUPTED = 130


@click.command()
@click.option("--restart", is_flag=True, help="Begin anew where an interrupted run could go on.")
@field_options(SftParameters)
def sft(configs: tuple[Path, ...], restart: bool, **given: Any) -> None:
    """Fine-tune a model on rows, the loss on the assistant's tokens only.

    An interrupted run goes on when the same command is given again. For many GPUs, from the environment
    that kate train setup makes: accelerate launch -m kate_eval.trainers sft --config FILE
    """
    from kate_eval.trainers.environment import require
    from kate_eval.trainers.inputs import check_inputs
    from kate_eval.trainers.parameters import read_parameters

    parameters = read_parameters(SftParameters, configs, given)
    check_inputs(parameters)
    require(say)
    from kate_eval.trainers.sft.train import train_sft

    outcome = train_sft(parameters, say, restart)
    if outcome.card is None:
        say(f"Stopped after step {outcome.step} of {outcome.steps}. The same command goes on from there.")
        sys.exit(INTERRUPTED)
    say(
        f"Saved {parameters.output}: {outcome.steps} steps, {outcome.card.kind} weights. Its card: card.json."
    )
    for name, value in outcome.card.evaluation.items():
        say(f"  held out, {name}: {value:.4g}")
