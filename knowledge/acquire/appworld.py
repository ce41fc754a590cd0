"""AppWorld trajectories: one item per task, its solution step by step with printed results. No LLM.

Source: KATE, section 3.1 (arXiv 2606.10875). The steps are the task's own solution, run piece by piece by
the engine (kate_eval/appworld/record.py). Outputs are cut to OUTPUT characters, access tokens are masked.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kate_eval.appworld import data, places
from kate_eval.appworld.record import load_demonstration
from kate_eval.errors import BankError
from kate_eval.knowledge.bank import Bank, EmbedderCard, make_bank
from kate_eval.knowledge.calibrate import calibrate
from kate_eval.knowledge.item import Experience, RecordedStep

FORM = "trajectory"
OUTPUT = 800
"""Characters of a step's output that an item keeps."""
LICENSES = {
    "real": "Made from AppWorld's tasks, whose authors ask not to publish them in plain text",
    "mini": "Made from kate-eval's mini world (Apache-2.0)",
}
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def build_appworld_bank(split: str = "train", rewritten: Mapping[str, Sequence[Any]] | None = None) -> Bank:
    """Build a bank of a split's trajectories from their recorded demonstrations.

    Args:
        split: a split with published solutions.
        rewritten: task -> steps that a model rewrote and the engine verified; others keep their own.

    Raises:
        ConfigurationError: no such split.
        DatasetError: the world is not set up, or nothing is recorded of the split.
        BankError: none of the split's solutions runs.
    """
    world = places.world_of(split)
    tasks = data.load(split)
    items = [item for task in tasks if (item := trajectory(world, task, rewritten or {})) is not None]
    if not items:
        raise BankError(f"None of the {len(tasks)} tasks of {split} has a solution that runs")
    threshold, how = calibrate(items, lambda source: _variants(tasks, source), by_class=False)
    return make_bank(
        items,
        benchmark=places.BENCHMARKS[world],
        split=split,
        categories=(),
        data_hash=data.data_hash([task.id for task in tasks], world),
        engine=f"appworld {places.APPWORLD_VERSION}",
        embedder=EmbedderCard(name="lexical", threshold=threshold, calibration=how),
        license=LICENSES[world],
    )


def trajectory(world: str, task: data.AppTask, rewritten: Mapping[str, Sequence[Any]]) -> Experience | None:
    """The trajectory of a task; None if its solution does not pass."""
    shown = load_demonstration(world, task.id)
    if not shown["success"]:
        return None
    return Experience(
        id=f"{task.id}/0/{FORM}",
        form=FORM,
        benchmark=places.BENCHMARKS[world],
        source=task.id,
        turn=0,
        question=task.instruction,
        steps=tuple(_step(step) for step in rewritten.get(task.id) or shown["steps"]),
        classes=tuple(shown["apps"]),
    )


def _step(step: Mapping[str, str]) -> RecordedStep:
    output = _TOKEN.sub("<access token>", step["output"]).strip()
    if len(output) > OUTPUT:
        output = output[:OUTPUT].rstrip() + f"\n[... {len(output) - OUTPUT} more characters]"
    return RecordedStep(code=step["code"], output=output)


def _variants(tasks: Sequence[data.AppTask], source: str) -> frozenset[str]:
    scenario = data.scenario_of(source)
    return frozenset(task.id for task in tasks if task.scenario == scenario)
