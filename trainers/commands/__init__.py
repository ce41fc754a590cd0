"""`kate train ...`: a file for each command. Heavy imports happen inside the commands."""

import click

from kate_eval.trainers.commands.environment import setup
from kate_eval.trainers.commands.export import export
from kate_eval.trainers.commands.grpo import grpo
from kate_eval.trainers.commands.rollouts import rollouts
from kate_eval.trainers.commands.rows import rows
from kate_eval.trainers.commands.sft import sft
from kate_eval.trainers.commands.show import show


@click.group()
def train() -> None:
    """Training data, trainers and checkpoints."""


for _command in (setup, rows, show, sft, grpo, rollouts, export):
    train.add_command(_command)
