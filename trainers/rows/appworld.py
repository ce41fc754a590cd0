"""AppWorld's gold as scripts to play: the recorded demonstrations, replayed in the real engine.

A step is a block of code with what it printed, as an eval shows it.
"""

from collections.abc import Sequence

from kate_eval.appworld import data, places
from kate_eval.appworld.decode import code_block
from kate_eval.appworld.play import open_appworld
from kate_eval.appworld.record import load_demonstration
from kate_eval.appworld.sessions import Limits, session_limit
from kate_eval.errors import ConfigurationError
from kate_eval.knowledge.acquire.appworld import ENGINE, LICENSES
from kate_eval.knowledge.card import Card
from kate_eval.trainers.rows.play import Played, Script, play
from kate_eval.trainers.rows.source import Gold, Injection

MODE = "code"
DEFAULT_SPLIT = "train"
AT_ONCE = 4
"""Sessions of the engine."""


def gold(split: str, categories: Sequence[str], mode: str, limit: int | None = None) -> Gold:
    """The recorded demonstrations of a split's tasks.

    Raises:
        ConfigurationError: no such split, categories were given, or another mode than code.
        DatasetError: the world is not set up, or nothing is recorded of the split.
    """
    if categories:
        raise ConfigurationError("--categories does not apply to appworld: choose by --split")
    if mode != MODE:
        raise ConfigurationError(f"--mode {mode} does not apply to appworld: its steps are {MODE}")
    world = places.world_of(split)
    tasks = data.load(split)
    shown = {task.id: load_demonstration(world, task.id) for task in tasks}
    usable = [task.id for task in tasks if shown[task.id]["success"]]
    codes = {task_id: [str(step["code"]) for step in shown[task_id]["steps"]] for task_id in usable}
    notes = [f"{len(tasks) - len(usable)} tasks: their solution does not pass"] if usable != [*shown] else []

    async def play_one(task_id: str, injection: Injection) -> Played:
        return await play_task(world, data.load_task(world, task_id), codes[task_id], injection)

    card = Card(
        benchmark=places.BENCHMARKS[world],
        split=split,
        data_hash=data.data_hash([task.id for task in tasks], world),
        engine=ENGINE,
        license=LICENSES[world],
    )
    clusters = {task_id: data.scenario_of(task_id) for task_id in usable[:limit]}
    return Gold(card, MODE, clusters, play_one, min(AT_ONCE, session_limit()), tuple(notes))


async def play_task(world: str, task: data.AppTask, codes: Sequence[str], injection: Injection) -> Played:
    """Play a task's solution.

    Raises:
        RowsError: it does not end the task.
        EngineError: the engine failed.
    """
    script = Script([[[code_block(code)] for code in codes]], [""])
    episode = await open_appworld(world, task, Limits(), max_interactions=len(codes))
    try:
        turns = await play(episode, script, injection.injector(episode), injection.state)
    finally:
        await episode.close()
    return Played(
        benchmark=episode.benchmark,
        entry=task.id,
        cluster=task.scenario,
        category=f"difficulty_{task.difficulty}",
        mode="code",
        classes=(),
        one_call=True,
        turns=turns,
    )
