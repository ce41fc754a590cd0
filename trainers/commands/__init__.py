"""`kate train ...`: a file for each command. Heavy imports happen inside the commands."""

import click

from kate_eval.trainers.commands.environment import setup
from kate_eval.trainers.commands.grpo import grpo
from kate_eval.trainers.commands.rollouts import rollouts
from kate_eval.trainers.commands.sft import sft
"""`kate train`: rows, trainers, export. A file for each kind of command; heavy imports happen inside them."""

import click

from kate_eval.trainers.commands.rows import rows
from kate_eval.trainers.commands.show import show


@click.group()
def train() -> None:
    """Training data, trainers and checkpoints."""


for _command in (setup, sft, grpo, rollouts):
    train.add_command(_command)
train.add_command(rows)
train.add_command(show)
