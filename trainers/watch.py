"""What watches a run: for numbers that are none, whole states, progress, and being told to stop."""

import math
import os
import time
import warnings
from collections.abc import Callable
from typing import Any

import transformers

from kate_eval.errors import TrainingError
from kate_eval.trainers.run import Run
from kate_eval.trainers.stopping import StopRequest

Say = Callable[[str], None]
SAY_SECONDS = 10.0


class Watch(transformers.TrainerCallback):  # type: ignore[misc]
    """Follows a transformers trainer.

    Args:
        run: whose states are marked.
        stop: asked after each step; in every process of a run, as each is told.
        say: shows a line.
        batch: names the rows of the last step.
    """

    def __init__(self, run: Run, stop: StopRequest, say: Say, batch: Callable[[], str]) -> None:
        self._run = run
        self._stop = stop
        self._say = say
        self._batch = batch
        self._began = self._said = time.monotonic()
        self._first = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count time from here; a resumed run's first steps were done before."""
        self._began, self._first = time.monotonic(), state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End after this step, with its state saved, if one process was told to."""
        if self._told(args):
            control.should_save = control.should_training_stop = True

    def _told(self, args: Any) -> bool:
        """Whether any process was: they must stop at the same step."""
        if args.world_size == 1:
            return self._stop.made
        import torch

        made = torch.tensor(int(self._stop.made), device=args.device)
        torch.distributed.all_reduce(made)
        self._stop.made = bool(made.item())
        return self._stop.made

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Refuse numbers that are none; say now and then how it goes."""
        for name in ("loss", "grad_norm", "eval_loss"):
            value = (logs or {}).get(name)
            if value is not None and not math.isfinite(value):
                raise TrainingError(not_finite(name, float(value), state.global_step, self._batch()))
        if state.is_world_process_zero and logs:
            self._report(state, logs)

    def _report(self, state: Any, logs: dict[str, Any]) -> None:
        done, whole = state.global_step, state.max_steps
        now = time.monotonic()
        evaluated = any(name.startswith("eval_") for name in logs)
        if not evaluated and done < whole and now - self._said < SAY_SECONDS:
            return
        self._said = now
        shown = ", ".join(f"{name} {logs[name]:.4g}" for name in _SHOWN if name in logs)
        if shown:
            left = (now - self._began) / max(1, done - self._first) * (whole - done)
            rest = f", {_duration(left)} left" if self._first < done < whole else ""
            self._say(f"step {done}/{whole}: {shown}{rest}")

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The state is whole, with the files of all processes."""
        args.distributed_state.wait_for_everyone()
        if state.is_world_process_zero:
            self._run.mark(state.global_step)


_SHOWN = (
    "reward",
    "frac_reward_zero_std",
    "rollouts/truncated",
    "eval_reward",
    "eval_truncated",
    "loss",
    "eval_loss",
    "eval_exact_call",
    "eval_exact_call_n",
    "eval_exact_reply",
    "eval_exact_reply_n",
)


def not_finite(name: str, value: float, step: int, batch: str) -> str:
    """What is said of a number that is none."""
    return (
        f"{name} is {value} at step {step}, on {batch}. Nothing of this step is kept; the last whole state "
        "is. Look at these rows, lower --learning-rate, or train in --precision fp32"
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"about {minutes // 60} h {minutes % 60} min"
    return f"about {minutes} min" if minutes else "under a minute"


def quiet() -> None:
    """Keep the libraries' own bars and warnings from covering ours."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers|trl")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
