"""`kate train rollouts`: what was played, to read."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from kate_eval.errors import TrainingError
from kate_eval.trainers.commands.terminal import say

MAX_TEXT = 2000
"""Characters of a message that are shown."""
ROWS = 5
"""Rows that a message names."""
ORDERS: dict[str, Callable[[dict[str, Any]], float]] = {
    "best": lambda record: -record["reward"],
    "worst": lambda record: record["reward"],
    "longest": lambda record: -record["tokens"],
}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--step", type=int, help="Of this optimizer step only.")
@click.option("--row", help="From rows whose id begins so.")
@click.option("--held-out", is_flag=True, help="Those of evaluations, instead of those learnt from.")
@click.option("--order", type=click.Choice([*ORDERS, "played"]), default="played", show_default=True)
@click.option("-n", "--count", type=click.IntRange(min=1), default=5, show_default=True, help="At most.")
def rollouts(folder: Path, step: int | None, row: str | None, held_out: bool, order: str, count: int) -> None:
    """Show rollouts of a run: FOLDER is its checkpoint, or NAME.run beside it. The latest come first."""
    from kate_eval.trainers.rollout.log import read_rollouts

    kind = "eval" if held_out else "train"
    every = [record for record in read_rollouts(folder) if record["kind"] == kind]
    found = [one for one in every if step in (None, one["step"]) and one["row"].startswith(row or "")]
    if not found:
        raise TrainingError(_nothing(every, step, row, held_out))
    latest = sorted(found, key=lambda record: -record["step"])
    chosen = sorted(latest, key=ORDERS[order]) if order in ORDERS else latest
    for record in itertools.islice(chosen, count):
        for line in described(record):
            say(line)
    say(f"{min(count, len(found))} of {len(found)} rollouts.")


def _nothing(every: Sequence[dict[str, Any]], step: int | None, row: str | None, held_out: bool) -> str:
    """What is said where no rollout is of the step and the row: which there are."""
    if not every:
        other = "without --held-out" if held_out else "with --held-out"
        return f"No rollouts of this kind: look at the others, {other}"
    steps = sorted({one["step"] for one in every})
    if step is not None and step not in steps:
        return f"No rollouts of step {step}; there are {_ranges(steps)} (the oldest go beyond --log-mib)"
    rows = sorted({one["row"] for one in every if step in (None, one["step"])})[:ROWS]
    return f"No rollouts from rows that begin with {row!r}; there are, for instance: {', '.join(rows)}"


def _ranges(steps: Sequence[int]) -> str:
    """Numbers in order, those that follow one another as a range."""
    runs: list[list[int]] = []
    for step in steps:
        if runs and runs[-1][-1] == step - 1:
            runs[-1].append(step)
        else:
            runs.append([step])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def described(record: dict[str, Any]) -> Iterable[str]:
    """A rollout in lines."""
    parts = ", ".join(f"{name} {value:.2f}" for name, value in record["parts"].items())
    cut = f", cut off: {record['truncated']}" if record["truncated"] else ""
    yield f"--- step {record['step']}, {record['row']}: reward {record['reward']:.2f} ({parts}){cut}"
    yield f"user: {_short(record['asked'])}"
    for message in record["messages"]:
        yield from _said(message)
    yield f"gold: {'; '.join(record['gold']) or '(no call)'}"
    yield ""


def _said(message: dict[str, Any]) -> Iterable[str]:
    if message.get("reasoning_content"):
        yield f"(thinks) {_short(message['reasoning_content'])}"
    if message.get("content"):
        yield f"{message['role']}: {_short(message['content'])}"
    for call in message.get("tool_calls") or ():
        yield f"calls: {call['function']['name']} {_short(call['function']['arguments'])}"


def _short(text: Any) -> str:
    text = str(text or "")
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} ... ({len(text)} characters)"
