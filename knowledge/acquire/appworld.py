"""AppWorld's cases: one per task, its code step by step with printed results, from gold or a run's sample.

Source: KATE, section 3.1 (arXiv 2606.10875). Gold steps are the task's own solution, run piece by piece by
the engine (kate_eval/appworld/record.py). Outputs are cut to OUTPUT characters, access tokens are masked.
"""

import re
from collections.abc import Sequence

from inspect_ai.model import ChatMessage

from kate_eval.appworld import data, decode, places
from kate_eval.appworld.record import load_demonstration
from kate_eval.errors import BankError, ConfigurationError
from kate_eval.knowledge.acquire.case import Acquired, Case
from kate_eval.knowledge.card import Card
from kate_eval.knowledge.item import Origin, RecordedStep

OUTPUT = 800
"""Characters of a step's output that an item keeps."""
ENGINE = f"appworld {places.APPWORLD_VERSION}"
LICENSES = {
    "real": "Made from AppWorld's tasks, whose authors ask not to publish them in plain text",
    "mini": "Made from kate-eval's mini world (Apache-2.0)",
}
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_APP = re.compile(r"\bapis\.(\w+)\.")
_SERVICE = ("api_docs", "supervisor")
"""Apps that every task uses; they say nothing about it."""


def gold_cases(split: str = "train", categories: Sequence[str] | None = None) -> Acquired:
    """The recorded demonstrations of a split's tasks.

    Args:
        split: a split with published solutions.
        categories: AppWorld has none.

    Raises:
        ConfigurationError: no such split, or categories were given.
        DatasetError: the world is not set up, or nothing is recorded of the split.
        BankError: none of the split's solutions runs.
    """
    if categories:
        raise ConfigurationError("--categories does not apply to appworld: choose by --split")
    world = places.world_of(split)
    tasks = data.load(split)
    cases = [case for task in tasks if (case := gold_case(world, task)) is not None]
    if not cases:
        raise BankError(f"None of the {len(tasks)} tasks of {split} has a solution that runs")
    card = Card(
        benchmark=places.BENCHMARKS[world],
        split=split,
        data_hash=data.data_hash([task.id for task in tasks], world),
        engine=ENGINE,
        license=LICENSES[world],
    )
    return Acquired(cases, card, siblings=lambda source: data.related(world, source), by_class=False)


def gold_case(world: str, task: data.AppTask) -> Case | None:
    """The demonstration of a task; None if its solution does not pass."""
    shown = load_demonstration(world, task.id)
    if not shown["success"]:
        return None
    return Case(
        benchmark=places.BENCHMARKS[world],
        source=task.id,
        turn=0,
        question=task.instruction,
        steps=tuple(recorded_step(step["code"], step["output"]) for step in shown["steps"]),
        classes=tuple(shown["apps"]),
    )


def run_case(world: str, task_id: str, messages: Sequence[ChatMessage], origin: Origin) -> Case | None:
    """The case of a run's sample; None if it ran no code.

    Args:
        world: real or mini.
        task_id: of the task that was played.
        messages: the sample's conversation.
        origin: the run, with success and evidence.

    Raises:
        DatasetError: there is no such task.
    """
    task = data.load_task(world, task_id)
    steps = list(_steps(messages))
    if not steps:
        return None
    apps = {app for step in steps for app in _APP.findall(step.code)} - set(_SERVICE)
    return Case(
        benchmark=places.BENCHMARKS[world],
        source=task_id,
        turn=0,
        question=task.instruction,
        steps=tuple(steps),
        classes=tuple(sorted(apps)),
        origin=origin,
    )


def _steps(messages: Sequence[ChatMessage]) -> list[RecordedStep]:
    """The blocks of code with what they printed; the last of a cut-off sample may have no output."""
    found = []
    for place, message in enumerate(messages):
        code = decode.read(message.text).code if message.role == "assistant" else None
        if code is not None:
            after = messages[place + 1] if place + 1 < len(messages) else None
            output = (
                after.text.removeprefix("Output:\n") if after is not None and after.role == "user" else ""
            )
            found.append(recorded_step(code, output))
    return found


def recorded_step(code: str, output: str) -> RecordedStep:
    """A step as items keep it."""
    output = _TOKEN.sub("<access token>", output).strip()
    if len(output) > OUTPUT:
        output = output[:OUTPUT].rstrip() + f"\n[... {len(output) - OUTPUT} more characters]"
    return RecordedStep(code=_TOKEN.sub("<access token>", code), output=output)
