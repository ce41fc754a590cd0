"""AppWorld's rows as starts: a task from its beginning; the engine's own evaluation judges."""

from kate_eval.appworld import places
from kate_eval.appworld.data import load_task
from kate_eval.appworld.play import AppWorldEpisode, open_appworld
from kate_eval.appworld.sessions import Limits, evaluate
from kate_eval.errors import TrainingError
from kate_eval.trainers.rewards import EngineTest
from kate_eval.trainers.rollout.start import Judgement, Start, misfit
from kate_eval.trainers.row import Row

AT_START = "no_op_pass"
"""The engine's label of tests that hold before anything is done."""


async def open_task(row: Row, max_answers: int) -> Start:
    """The start of a row's task.

    Raises:
        DatasetError: engine or data are not set up.
        EngineError: the world can't be opened.
        TrainingError: the row is not what the task says.
    """
    world = places.world_of_benchmark(row.benchmark)
    if world is None:
        raise TrainingError(f"Row {row.id}: AppWorld has no world {row.benchmark!r}")
    task = load_task(world, row.entry)
    episode = await open_appworld(world, task, Limits(), max_answers)
    turn = episode.next_turn()
    if turn is None or turn.query not in str(row.messages[-1].get("content")):
        await episode.close()
        raise misfit(row, "the task's instruction does not stand in its last message")

    async def judge() -> Judgement:
        return await _judge(world, episode)

    return Start(row, "episode", (), [], episode, judge)


async def _judge(world: str, episode: AppWorldEpisode) -> Judgement:
    files = (await episode.outcome())["files"]
    if not files:  # nothing was done, or too much to evaluate: failed, as the scorer has it
        return Judgement(False, ())
    report = await evaluate(world, episode.entry_id, files)
    tests = tuple(
        EngineTest(passed, test["label"] == AT_START)
        for passed, found in ((True, report["passes"]), (False, report["failures"]))
        for test in found
    )
    return Judgement(bool(report["success"]), tests)
