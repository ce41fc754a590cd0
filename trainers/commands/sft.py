"""`kate train sft`."""

from pathlib import Path
from typing import Any

import click

from kate_eval.trainers.commands.fields import field_options
from kate_eval.trainers.commands.terminal import say
from kate_eval.trainers.commands.training import prepared, told
from kate_eval.trainers.sft.parameters import SftParameters


@click.command()
@click.option("--restart", is_flag=True, help="Begin anew where an interrupted run could go on.")
@field_options(SftParameters)
def sft(configs: tuple[Path, ...], restart: bool, **given: Any) -> None:
    """Fine-tune a model on rows, the loss on the assistant's tokens only.

    An interrupted run goes on when the same command is given again. For many GPUs, from the environment
    that kate train setup makes: accelerate launch -m kate_eval.trainers sft --config FILE
    """
    parameters = prepared(SftParameters, configs, given)
    from kate_eval.trainers.sft.train import train_sft

    told(train_sft(parameters, say, restart), parameters.output)
