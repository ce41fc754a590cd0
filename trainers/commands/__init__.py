"""`kate train`: rows, trainers, export."""

import click


@click.group()
def train() -> None:
    """Training data, trainers and checkpoints."""
