"""`kate train setup`."""

import click

from kate_eval.trainers.commands.terminal import say


@click.command()
def setup() -> None:
    """Make the trainers' environment (torch, TRL), once; other kate train commands make it by themselves."""
    from kate_eval.trainers.environment import here, own

    if here():
        say("This environment has torch and TRL: the trainers run in it.")
        return
    python = own(say)
    say(f"Ready: {python}")
    say(f"For many GPUs: {python.parent}/accelerate launch -m kate_eval.trainers sft --config FILE")
