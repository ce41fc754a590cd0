"""AppWorld as an Inspect task: `inspect eval tasks/appworld.py --solver kate -T split=test_normal`."""

from inspect_ai import Task, task

from kate_eval.appworld.sessions import MIB, make_limits
from kate_eval.appworld.task import appworld_task
from kate_eval.solvers.kate import baseline


@task
def appworld(
    split: str = "test_normal",
    max_interactions: int = 50,
    max_output: int = 40_000,
    step_seconds: int = 100,
    sample_seconds: int = 3600,
    memory_mb: int = 1536,
) -> Task:
    """AppWorld, played in contained shells and scored by the engine's own evaluation.

    Args:
        split: train, dev, test_normal, test_challenge; mini_train, mini_dev, mini_test of the mini world.
        max_interactions: blocks of code that a sample may run.
        max_output: characters of a block's output that the model is shown.
        step_seconds: time that a block may take.
        sample_seconds: time that a sample may take once its world is open; then it is scored as it stands.
        memory_mb: memory that a sample's code may take, in MiB.
    """
    limits = make_limits(step_seconds=step_seconds, memory_bytes=memory_mb * MIB, max_output=max_output)
    return appworld_task(split, baseline(), limits, max_interactions, sample_seconds)
