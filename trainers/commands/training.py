"""What the commands that train do alike: parameters checked, the environment entered, the end told."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kate_eval.trainers.commands.terminal import say
from kate_eval.trainers.run_parameters import RunParameters

if TYPE_CHECKING:
    from kate_eval.trainers.checkpoint import CheckpointCard
    from kate_eval.trainers.outcome import Outcome

INTERRUPTED = 130
P = TypeVar("P", bound=RunParameters)


def prepared(model: type[P], configs: Sequence[Path], given: Mapping[str, Any]) -> P:
    """A run's parameters, where it can train; elsewhere this same command runs in the trainers' environment.

    Args:
        model: of the trainer.
        configs: YAML files.
        given: what was typed.

    Raises:
        KateError: they can't be used, or there is no such environment.
    """
    from kate_eval.trainers.environment import require
    from kate_eval.trainers.inputs import check_inputs
    from kate_eval.trainers.parameters import read_parameters

    parameters = read_parameters(model, configs, given)
    check_inputs(parameters)
    require(say)
    return parameters


def told(outcome: "Outcome", output: Path, more: str = "") -> "CheckpointCard":
    """Say how a run ended; one that was told to stop ends the command.

    Args:
        outcome: of the run.
        output: where its checkpoint is.
        more: to say of a checkpoint that was saved.
    """
    card = outcome.card
    if card is None:
        say(f"Stopped after step {outcome.step} of {outcome.steps}. The same command goes on from there.")
        sys.exit(INTERRUPTED)
    say(f"Saved {output}: {outcome.steps} steps, {card.kind} weights. Its card: card.json.{more}")
    for name, value in card.evaluation.items():
        say(f"  held out, {name}: {value:.4g}")
    return card
