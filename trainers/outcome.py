"""One run from rows to checkpoint, or on from where it was interrupted: the same for every trainer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kate_eval.errors import TrainingError
from kate_eval.trainers import processes
from kate_eval.trainers.base_model import identity
from kate_eval.trainers.checkpoint import CheckpointCard, load_card
from kate_eval.trainers.checkpoint.card import CARD
from kate_eval.trainers.checkpoint.leak import leaked_by, warning
from kate_eval.trainers.inputs import check_inputs, template_identity
from kate_eval.trainers.machine import Machine, choose_machine
from kate_eval.trainers.result import save_result
from kate_eval.trainers.rows.folder import RowsFolder, load_rows
from kate_eval.trainers.run import Run
from kate_eval.trainers.run_parameters import RunParameters
from kate_eval.trainers.stopping import StopRequest
from kate_eval.trainers.work import Say, Work

MakeWork = Callable[[RowsFolder, Run, Say], Work[Any]]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        card: of the checkpoint; None: it was told to stop before.
        step: the last one done.
        steps: of the whole run.
    """

    card: CheckpointCard | None
    step: int
    steps: int


def train(
    parameters: RunParameters, say: Say, restart: bool, choose: Callable[[Machine], MakeWork]
) -> Outcome:
    """Train, and save the checkpoint.

    Args:
        parameters: of the run.
        say: shows a line of progress, of the first process.
        restart: begin anew where an interrupted run could go on.
        choose: what makes the run's parts, once it is known what it computes on.

    Raises:
        TrainingError: it can't start or go on; what was saved before is untouched.
        RowsError: the rows can't be read.
        EndpointError: parity was to be checked, and the server doesn't answer.
    """
    say = say if processes.is_first() else (lambda line: None)
    check_inputs(parameters)
    rows = load_rows(parameters.rows)
    if leaked := leaked_by(rows.card, parameters.base):
        say(f"{warning(leaked)}.")
    machine = _machine(parameters)
    make = choose(machine)
    run = Run.of(parameters.output)
    processes.first_does(lambda: run.begin(identity_of(parameters, rows), restart), machine.cuda)
    if not restart and (there := finished(parameters.output, run, parameters.kind)) is not None:
        say(f"{parameters.output} holds this run's checkpoint already; --restart trains it anew.")
        return Outcome(there, there.steps, there.steps)
    work = make(rows, run, say)
    stop = StopRequest()
    with stop.listening(say):
        work.prepare(stop)
        work.train()
        state = work.trainer.state
        stopped = stop.made and state.global_step < state.max_steps
        card = None if stopped else save_result(work)
    return Outcome(card, state.global_step, state.max_steps)


def identity_of(parameters: RunParameters, rows: RowsFolder) -> dict[str, Any]:
    """What must be the same for an interrupted run to go on: files count by what is in them."""
    return {
        **parameters.identity(),
        "rows": rows.hash,
        "base": identity(parameters.base),
        "chat_template": template_identity(parameters.chat_template),
        "processes": processes.count(),
    }


def _machine(parameters: RunParameters) -> Machine:
    """What the run computes on, made ready."""
    import torch

    from kate_eval.trainers.watch import quiet

    quiet()
    if parameters.threads:
        torch.set_num_threads(parameters.threads)
    return choose_machine(
        parameters.device,
        parameters.precision,
        parameters.weights,
        parameters.attention,
        all_weights=not parameters.lora,
    )


def finished(output: Path, run: Run, kind: str) -> CheckpointCard | None:
    """The checkpoint of a run that was finished before.

    Args:
        output: where it would be.
        run: the run.
        kind: that is wanted, adapter or full.

    Raises:
        TrainingError: it is of the other kind: the states that it could be made of are gone.
    """
    if not run.finished or not (output / CARD).is_file():
        return None
    card = load_card(output)
    if card.weights_hash != run.finished:
        return None
    if card.kind != kind:
        raise TrainingError(
            f"{output} holds this run's checkpoint already, of kind {card.kind}, and {kind} is wanted: give "
            "--merge as before, another -o, or --restart to train it anew"
        )
    return card
