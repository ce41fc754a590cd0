"""One SFT run from rows to checkpoint, or on from where it was interrupted."""

from functools import partial

from kate_eval.trainers.outcome import Outcome, train
from kate_eval.trainers.sft.parameters import SftParameters
from kate_eval.trainers.sft.work import SftWork
from kate_eval.trainers.work import Say


def train_sft(parameters: SftParameters, say: Say, restart: bool = False) -> Outcome:
    """Train, and save the checkpoint.

    Args:
        parameters: of the run.
        say: shows a line of progress.
        restart: begin anew where an interrupted run could go on.

    Raises:
        TrainingError: it can't start or go on; what was saved before is untouched.
        RowsError: the rows can't be read.
        EndpointError: parity was to be checked, and the server doesn't answer.
    """
    return train(parameters, say, restart, lambda machine: partial(SftWork, parameters, machine))
