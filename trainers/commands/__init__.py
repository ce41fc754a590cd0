"""`kate train`: rows, trainers, export. A file for each kind of command; heavy imports happen inside them."""

import click

from kate_eval.trainers.commands.environment import setup
from kate_eval.trainers.commands.grpo import grpo
from kate_eval.trainers.commands.rollouts import rollouts
from kate_eval.trainers.commands.rows import rows
from kate_eval.trainers.commands.sft import sft
from kate_eval.trainers.commands.show import show


@click.group()
def train() -> None:
    """Training data, trainers and checkpoints."""


for _command in (grpo, rollouts, rows, setup, sft, show):
    train.add_command(_command)
