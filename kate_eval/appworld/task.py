"""The AppWorld task's parts: samples, the episode that its setup opens, and what the log must say."""

from collections import Counter

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.solver import Generate, Solver, TaskState, solver

from kate_eval.appworld import data, places
from kate_eval.appworld.play import PROMPTS, open_appworld
from kate_eval.appworld.scorer import appworld_counts, appworld_verdict
from kate_eval.appworld.sessions import Limits
from kate_eval.counters import run_counters
from kate_eval.episode import SAMPLE_KEY, close_episode, open_episode
from kate_eval.errors import ConfigurationError
from kate_eval.hashes import texts_hash

TASK_VERSION = "1-A"
"""Comparability number, then interface letter."""
MODE = "code"
DEFAULTS = GenerateConfig(temperature=0, max_tokens=3000, max_retries=5, attempt_timeout=300)
"""The method: temperature 0 but for sampling, 3,000 new tokens a step. Inspect's retries never end."""


def appworld_task(
    split: str, default_solver: Solver, limits: Limits, max_interactions: int, sample_seconds: int
) -> Task:
    """Assemble the task.

    Raises:
        ConfigurationError: an unknown split, or a limit below 1.
        DatasetError: engine or data are not set up, or damaged (the message names the remedy).
    """
    for name, value in (("max_interactions", max_interactions), ("sample_seconds", sample_seconds)):
        if value < 1:
            raise ConfigurationError(f"-T {name}={value}: it must be 1 or more")
    world = places.world_of(split)
    tasks = data.load(split)
    variants = Counter(task.scenario for task in tasks)
    return Task(
        dataset=MemoryDataset(
            [sample_of(task, world, variants[task.scenario]) for task in tasks], name=f"AppWorld {split}"
        ),
        setup=open_world(limits.model_dump(), max_interactions, sample_seconds),
        solver=default_solver,
        cleanup=_close,
        scorer=[appworld_verdict(), appworld_counts(), run_counters()],
        config=DEFAULTS,
        fail_on_error=False,
        score_on_error=True,
        version=TASK_VERSION,
        metadata={
            "benchmark": "appworld",
            "world": world,
            "appworld_version": places.APPWORLD_VERSION,
            "data_hash": data.data_hash([task.id for task in tasks], world),
            "task_prompts_hash": texts_hash(PROMPTS),
            "entries": len(tasks),
            "split": split,
            "mode": MODE,
        },
    )


def sample_of(task: data.AppTask, world: str, variants: int) -> Sample:
    """The Inspect sample of a task, with the number of its scenario's variants in the split.

    The episode gives the messages; the input is for people.
    """
    return Sample(
        id=task.id,
        input=task.instruction,
        metadata={
            "category": f"difficulty_{task.difficulty}",
            "cluster": task.scenario,
            "difficulty": task.difficulty,
            "variants": variants,
            "question": task.asks,
            "world": world,
            "mode": MODE,
        },
    )


@solver
def open_world(limits: dict[str, int], max_interactions: int, sample_seconds: int) -> Solver:
    """Open the sample's world; runs before whatever solver the user chose."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        world = state.metadata["world"]
        task = data.load_task(world, str(state.sample_id))
        bounds = Limits(**limits), max_interactions, sample_seconds
        open_episode(state, await open_appworld(world, task, *bounds))
        benchmark = places.BENCHMARKS[world]
        sample = {"benchmark": benchmark, "entry": task.id, "epoch": state.epoch, "mode": MODE}
        state.store.set(SAMPLE_KEY, sample)
        state.messages = []
        return state

    return solve


async def _close(state: TaskState) -> None:
    await close_episode(state)
