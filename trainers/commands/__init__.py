"""`kate train ...`: a file for each command. Heavy imports happen inside the commands."""

import click

from kate_eval.trainers.commands.environment import setup
from kate_eval.trainers.commands.sft import sft


@click.group()
def train() -> None:
    """Training data, trainers and checkpoints."""


for _command in (setup, sft):
    train.add_command(_command)
