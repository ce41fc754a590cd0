"""One SFT run from rows to checkpoint, or on from where it was interrupted."""

from functools import partial

from kate_eval.trainers.outcome import Outcome, train
from kate_eval.trainers.sft.parameters import SftParameters
from kate_eval.trainers.sft.work import SftWork
from kate_eval.trainers.work import Say


def train_sft(parameters: SftParameters, say: Say, restart: bool = False) -> Outcome:
    """Train, and save the checkpoint; arguments and errors are those of `outcome.train`."""
    return train(parameters, say, restart, lambda machine: partial(SftWork, parameters, machine))
