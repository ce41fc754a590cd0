"""`kate train`: rows, trainers, export. A file for each kind of command; heavy imports happen inside them."""

import click

from kate_eval.trainers.commands.rows import rows
from kate_eval.trainers.commands.show import show


@click.group()
def train() -> None:
    """Training data, trainers and checkpoints."""


train.add_command(rows)
train.add_command(show)
